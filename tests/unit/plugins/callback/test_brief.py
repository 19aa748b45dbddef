# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""With the example's configuration a run prints what changed and failed, once, and with -v everything."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[4]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
INVENTORY = {
    "macs": {"hosts": {"mac": {}}},
    "jails": {"hosts": {"one": {}, "two": {}}},
    "all": {"vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}},
}
CHANGE = {"name": "Change it", "ansible.builtin.raw": ":"}
KEEP = {"name": "Keep it", "ansible.builtin.raw": ":", "changed_when": False}
SKIP = {"name": "Leave it", "ansible.builtin.raw": ":", "when": "1 == 2"}
SAY = {"name": "Say it", "ansible.builtin.debug": {"msg": ["plain", "a\x1b[2Jb"]}}
IGNORED = {"name": "Ignore it", "ansible.builtin.fail": {"msg": "ignored cause"}, "ignore_errors": True}
INCLUDE = {"name": "Include it", "ansible.builtin.include_tasks": "included.yml"}
NEXT = {"ansible.builtin.set_stats": {"data": {"darwin_jail_next": "go on"}, "per_host": True, "aggregate": False}}
QUIET: list[dict[str, Any]] = [CHANGE, KEEP, SKIP, SAY, IGNORED, INCLUDE, NEXT]


class Run:
    def __init__(self, folder: Path, *tasks: dict[str, Any], options: tuple[str, ...] = (), hosts: str = "all") -> None:
        (folder / "hosts.json").write_text(json.dumps(INVENTORY))
        (folder / "included.yml").write_text(json.dumps([KEEP]))
        (folder / "build.yml").write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}]))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_CONFIG": str(CHECKOUT / "docs/examples/ansible.cfg"),
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
            "DARWIN_JAIL_SUMMARY_DIRECTORY": str(folder / "kept"),
            "ANSIBLE_NOCOLOR": "1",
        }
        words = [str(PROGRAM), "-i", f"{folder}/hosts.json", f"{folder}/build.yml", *options]
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        self.code, self.said = ended.returncode, ended.stdout + ended.stderr
        self.tasks = self.said.partition("PLAY RECAP")[0].split("\n")
        self.summary = self.said.partition("SUMMARY *")[2].partition("\n\n")[0].split("\n")[1:]


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(tmp_path_factory.mktemp("quiet"), *QUIET)


def test_changes_and_messages_are_a_line_each(quiet: Run) -> None:
    lines = sorted(line for line in quiet.tasks if line and not line.startswith("PLAY"))
    said = ("plain", "a\\x1b[2Jb", "changed: Change it")
    assert lines == sorted(f"{host}: {line}" for host in ("mac", "one", "two") for line in said)
    assert quiet.code == 0


def test_a_summary_has_a_line_for_each_host(quiet: Run) -> None:
    rows = [re.split("  +", line) for line in quiet.summary if line]
    assert rows[0] == ["Host", "Changed", "Kept", "Copied", "Size", "Time", "Next"]
    assert [(row[0], row[1], row[-1]) for row in rows[1:]] == [
        (host, "Change it", "go on") for host in ("mac", "one", "two")
    ]


def test_a_mac_on_which_nothing_changed_is_not_in_it(tmp_path: Path) -> None:
    rows = [re.split("  +", line) for line in Run(tmp_path, KEEP).summary if line]
    assert [row[:2] for row in rows[1:]] == [["one", "nothing"], ["two", "nothing"]]


def test_check_mode_says_that_it_can_be_run(tmp_path: Path) -> None:
    change = {"name": "Write it", "ansible.builtin.copy": {"dest": str(tmp_path / "x"), "content": "x"}}
    rows = Run(tmp_path, change, options=("--check",), hosts="one").summary
    assert rows[1].endswith("run it without --check")
    assert not (tmp_path / "x").exists()


def test_with_v_all_is_there(tmp_path: Path) -> None:
    said = Run(tmp_path, *QUIET, options=("-v",)).said
    for name in ("Change it", "Keep it", "Leave it", "Say it", "Ignore it"):
        assert f"TASK [{name}]" in said
    assert said.count("skipping: [") == 3
    assert said.count("ok: [") >= 9
    assert "ignored cause" in said


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        ({"ansible.builtin.fail": {"msg": "first\nlast"}}, "    first\n    last"),
        ({"ansible.builtin.assert": {"that": "1 == 2", "fail_msg": "not so"}}, "    not so"),
        ({"ansible.builtin.command": "sh -c 'echo reason; exit 3'"}, "    reason"),
        ({"ansible.builtin.command": "sh -c 'echo noise; echo reason >&2; exit 3'"}, "    reason"),
        ({"ansible.builtin.fail": {"msg": "{{ item }} is bad"}, "loop": ["this"]}, "    this is bad"),
        ({"ansible.builtin.fail": {"msg": "at http://me:secret@proxy"}}, "    at http://***@proxy"),
    ],
)
def test_a_cause_is_printed_once(tmp_path: Path, task: dict[str, Any], cause: str) -> None:
    run = Run(tmp_path, {"name": "Try it", **task}, hosts="one")
    assert run.code == 2
    assert cause in run.said
    assert run.said.count(cause.splitlines()[-1].strip()) == 1
    assert re.search("one  +failed  +Try it", run.said)
    assert len(run.said.splitlines()) < 16


def test_causes_of_several_hosts_are_in_the_table_too(tmp_path: Path) -> None:
    """In a fleet, what was said above has scrolled away."""
    said = Run(tmp_path, {"name": "Try it", "ansible.builtin.fail": {"msg": "{{ inventory_hostname }} is full"}}).said
    for host in ("mac", "one", "two"):
        assert re.search(f"{host}  +failed  +Try it  +{host} is full", said)


def test_a_wrong_argument_of_a_role_takes_a_line(tmp_path: Path) -> None:
    """Ansible prints all that the role may have, and in the words of the role."""
    role = {"ansible.builtin.import_role": {"name": "darwin.jail.bindfs"}}
    run = Run(
        tmp_path, {**role, "vars": {"jail_path": "/jail", "jail_mounts": [{"src": "/a", "dst": "/b"}]}}, hosts="one"
    )
    assert run.code == 2
    assert "jail_mounts" in run.said
    assert len(run.said) < 1200


IN_A_ROLE = {"ansible.builtin.import_role": {"name": "darwin.jail.base", "tasks_from": "run"}}
IN_A_TASK = {"darwin.jail.darwin_chroot_exec": {"jail": "{{ jail_path }}", "argv": ["id"]}}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter a jail")
@pytest.mark.parametrize(
    ("task", "advice"), [(IN_A_ROLE, "with the playbook build_jail"), (IN_A_TASK, "with darwin_jail_rootfs")]
)
def test_a_module_speaks_of_playbooks_in_a_role_and_of_modules_in_a_task(
    tmp_path: Path, task: dict[str, Any], advice: str
) -> None:
    run = Run(tmp_path, {**task, "vars": {"jail_path": str(tmp_path / "none"), "jail_command": "id"}}, hosts="one")
    assert run.code == 2
    assert f"does not exist: build the jail first, {advice}\n" in run.said


def test_what_a_rescue_deals_with_is_not_printed_twice(tmp_path: Path) -> None:
    again = {"name": "Say why", "ansible.builtin.fail": {"msg": "{{ ansible_failed_result.msg }}"}}
    block = {"block": [{"name": "Try it", "ansible.builtin.fail": {"msg": "the cause"}}], "rescue": [again]}
    said = Run(tmp_path, block, hosts="one").said
    assert said.count("the cause") == 1
    assert "one: failed: Say why" in said


def test_a_failure_is_printed_whatever_the_module_returned(tmp_path: Path) -> None:
    (tmp_path / "library").mkdir()
    answer = {"failed": True, "msg": "no space left", "diff": [], "sizes": {"total": {"bytes": 10**400}}}
    (tmp_path / "library/hurt.py").write_text(f"#!/usr/bin/python\n# WANT_JSON\nprint({json.dumps(answer)!r})\n")
    run = Run(tmp_path, {"name": "Hurt", "hurt": {}}, hosts="one")
    assert "one: failed: Hurt" in run.tasks
    assert "    no space left" in run.tasks
    assert "HOSTS THAT ARE NOT DONE" in run.said
    assert "callback plugin" not in run.said
