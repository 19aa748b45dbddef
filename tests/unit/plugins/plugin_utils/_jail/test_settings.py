# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which names are settings, and that neither an answer of a jail nor a fact can be one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import settings

CHECKOUT = Path(__file__).parents[5]
JAIL = "/private/var/jails/first"
READ = ["jail_path", "jail_mac_python", "ansible_control_path"]

SETTINGS = [
    "jail_path",
    "jail_anything",
    "ansible_jail_path",
    "__jail_mac_info",
    "__deploy_failure",
    "__mine_check_all",
    "omit",
    "lookup",
    "inventory_dir",
    "group_names",
    "ansible_limit",
    "ansible_su_exe",
    "ansible_failed_result",
    "ansible_host",
    "ansible_connection",
    "ansible_become_method",
    "ansible_delegated_vars",
    "ansible_interpreter_python_fallback",
    "ansible_python_interpreter",
    "ansible_ssh_common_args",
    "ansible_sudo_exe",
    "ansible_remote_tmp",
    "ansible_control_path",
]
FACTS = [
    "packages",
    "services",
    "ansible_ssh_host_key_rsa_public",
    "ansible_user_id",
    "base",
    "users_of_mine",
    "__mine",
]


@pytest.mark.parametrize("name", SETTINGS)
def test_settings(name: str) -> None:
    assert settings.is_setting(name, READ)


@pytest.mark.parametrize("name", FACTS)
def test_names_that_are_anybody_s(name: str) -> None:
    assert not settings.is_setting(name, READ)


def test_every_variable_of_a_role_is_a_setting() -> None:
    paths = sorted(CHECKOUT.glob("roles/*/defaults/main.yml"))
    names = [name for path in paths for name in yaml.safe_load(path.read_text()) or {}]
    assert len(names) > 90
    assert [name for name in names if not settings.is_setting(name)] == []


def test_no_fact_that_ansible_gathers_is_one() -> None:
    argv = [sys.executable, "-m", "ansible", "adhoc", "localhost", "-m", "ansible.builtin.setup"]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, env={**os.environ, "ANSIBLE_NOCOLOR": "1"})
    facts = json.loads(said.stdout.partition("=>")[2])["ansible_facts"]
    assert len(facts) > 50
    assert [name for name in facts if settings.is_setting(name, READ)] == []


# -- facts of a host ----------------------------------------------------------------


def refused(facts: dict[str, Any], **variables: Any) -> str:
    with pytest.raises(AnsibleError) as caught:
        settings.refuse_facts("dev", {"ansible_facts": facts, **variables}, READ)
    return str(caught.value)


@pytest.mark.parametrize("name", ["jail_path", "jail_mac_python", "__jail_mac_info"])
def test_a_setting_among_the_facts_is_refused_with_its_name_and_the_host(name: str) -> None:
    said = refused({"user_dir": "/x", name: "/y"})
    assert said.startswith(f"cannot take {name} of dev from facts: ")
    assert "set_fact without cacheable" in said


def test_how_a_host_is_reached_is_refused_when_a_fact_says_it() -> None:
    assert "ansible_control_path of dev" in refused({"control_path": "/y"}, ansible_control_path="/y")
    settings.refuse_facts("dev", {"ansible_facts": {"user": "x"}, "ansible_user": "admin"}, READ)
    settings.refuse_facts("dev", {"ansible_facts": {"user": "x"}}, READ)


def test_other_facts_are_taken() -> None:
    settings.refuse_facts(
        "dev", {"ansible_facts": {"user_dir": "/x", "packages": {}, "local": {"jail_path": "/"}}}, READ
    )
    settings.refuse_facts("dev", {"jail_path": "/x"}, READ)
    settings.refuse_facts("dev", {"ansible_facts": None}, READ)


# -- an answer of a jail --------------------------------------------------------------


def answered(text: str) -> str:
    """Why it is refused; empty when it is not."""
    try:
        settings.refuse_answer(text.encode(), JAIL, READ)
    except AnsibleError as exc:
        return str(exc)
    return ""


@pytest.mark.parametrize("name", SETTINGS)
def test_an_answer_that_would_set_a_setting_is_refused(name: str) -> None:
    said = answered(json.dumps({"changed": False, "ansible_facts": {"packages": {}, name: "/x"}}))
    assert said.startswith(f"cannot take the answer of the jail {JAIL}: it would set {name},")


@pytest.mark.parametrize("key", ["add_host", "add_group", "ansible_stats"])
def test_an_answer_that_would_change_the_inventory_or_the_run_is_refused(key: str) -> None:
    assert f"it contains {key}," in answered(json.dumps({key: {}}))


FORMS = [
    '{"ansible_facts": {"jail_path": "/x"}}',
    '{"\\u0061nsible_facts": {"j\\u0061il_path": "/x"}}',
    'a message of the day\n\n  {"ansible_facts":\n{"jail_path": "/x"}}\nand more',
    '{"__ansible_type": "_AnsibleTaggedDict", "value": {"ansible_facts": {"jail_path": "/x"}}, "tags": []}',
    '{"ansible_facts": {"__ansible_type": "_AnsibleTaggedDict", "value": {"jail_path": "/x"}, "tags": []}}',
    'BECOME-SUCCESS-x\n{"ansible_facts": {"jail_path": "/x"}}',
    'BECOME-SUCCESS-x\x0b{"decoy": 1}\n{"ansible_facts": {"jail_path": "/x"}}',
    '{"ansible_facts": {}, "ansible_facts": {"jail_path": "/x"}}',
]


@pytest.mark.parametrize("text", FORMS)
def test_an_answer_is_read_as_ansible_reads_it(text: str) -> None:
    action: Any = object.__new__(Answering)
    told = action._parse_returned_data({"stdout": action._strip_success_message(text)}, "legacy")
    facts = told["ansible_facts"] if isinstance(told, dict) else told.ansible_facts  # an object since 2.21
    assert facts == {"jail_path": "/x"}, "Ansible takes it for something else"
    assert "it would set jail_path" in answered(text)


class Answering(ActionBase):
    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        raise NotImplementedError


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ansible_facts",
        '"ansible_facts": {"jail_path": 1}',
        json.dumps({"ansible_facts": {"user_id": "admin", "ansible_user_dir": "/Users/admin"}}),
        json.dumps({"content": '{"ansible_facts": {"jail_path": "/x"}, "add_host": 1}'}),
        json.dumps({"stat": {"add_host": 1, "ansible_facts": {"jail_path": "/x"}}}),
        json.dumps([{"add_host": 1}]),
    ],
)
def test_data_is_not_refused(text: str) -> None:
    assert answered(text) == ""


def test_what_cannot_be_read_is_refused_without_a_traceback() -> None:
    assert "are not names with values" in answered('{"ansible_facts": ["jail_path"]}')
    assert "nested too deeply" in answered('{"ansible_facts": ' + "[" * 200_000 + "]" * 200_000 + "}")


def test_what_ansible_drops_from_answers_is_refused() -> None:
    """It acts on facts and stats, too. Since 2.21 it has no such list, and acts on these alone."""
    assert set(getattr(constants, "INTERNAL_RESULT_KEYS", ())) <= set(settings.ACTING_KEYS)


@pytest.mark.parametrize("text", ["", "no JSON \x1b", '{"msg": "plain\\n", "stdout": "ü"}'])
def test_what_moves_no_cursor_or_is_no_answer_stays_as_it_is(text: str) -> None:
    assert settings.printable(text.encode()) == text.encode()


def test_only_what_is_printed_as_it_is_gets_escapes() -> None:
    """The last of them are what is printed of a task that runs in the background."""
    job = dict.fromkeys(("ansible_job_id", "started", "finished"), "\x1b[2J")
    answer = {
        **job,
        "msg": "a\x1b[2J\nb\x9b",
        "stdout": "\x1b[2J",
        "number": 1.5,
        "warnings": ["w\r"],
        "diff": {"x": "\x00"},
    }
    told = json.loads(settings.printable(b"noise\n" + json.dumps(answer).encode() + b"\n"))
    words = {"msg": "a\\x1b[2J\nb\\x9b", "warnings": ["w\\r"], "diff": {"x": "\\x00"}}
    assert told == {**answer, **words, **dict.fromkeys(job, "\\x1b[2J")}
