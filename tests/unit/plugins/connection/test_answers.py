# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail whose Python answers what it likes: nothing of it becomes a setting, by whatever way it comes.

Plays are run by ansible-playbook, and the jail is entered for real. Only its Python is a script.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from connections import QUIET, TOP

USER = pwd.getpwnam("nobody")
ANSWER = """#!/bin/sh
cat >/dev/null
echo '{}'
"""
JOB = """#!/bin/sh
cat >/dev/null
case "$*" in
*async_wrapper*) echo '{{"started": 1, "finished": 0, "ansible_job_id": "j1", "results_file": "/scratch/j1"}}' ;;
*) echo '{}' ;;
esac
"""
PROGRAM = """#!/bin/sh
id -u >{}
"""
MODULES = sorted(path.stem for path in TOP.glob("plugins/modules/*.py") if path.stem != "darwin_jail_check_results")
"""All that run on a Mac: the report is made on the controller."""


class Hostile:
    """A jail, what its Python says, and plays for it."""

    def __init__(self, jail: Path, folder: Path) -> None:
        self.jail, self.folder = jail, folder
        self.python = jail / "scratch/python"
        settings = {
            "jail_path": str(jail),
            "jail_mac": "localhost",
            "jail_user": USER.pw_name,
            "jail_mac_python": sys.executable,
            "ansible_connection": "darwin.jail.chroot",
            "ansible_python_interpreter": "/scratch/python",
            "ansible_remote_tmp": "/scratch/tmp",
        }
        mac = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        hosts = {"macs": {"hosts": {"localhost": mac}}, "jails": {"hosts": {"dev": settings}}}
        self.inventory = folder / "hosts.json"
        self.inventory.write_text(json.dumps(hosts))

    def says(self, answer: dict[str, Any], script: str = ANSWER) -> None:
        """As a user of the jail would have it."""
        self.write(self.python, script.format(json.dumps({"changed": False, **answer})))

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o755)
        os.chown(path, USER.pw_uid, USER.pw_gid)

    def play(self, *tasks: dict[str, Any], hosts: str = "dev", **environment: str) -> str:
        """What ansible-playbook says of the tasks."""
        play = {"hosts": hosts, "gather_facts": False, "tasks": list(tasks)}
        path = self.folder / "play.json"
        path.write_text(json.dumps([play]))
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections"),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "yaml",
            "ANSIBLE_PIPELINING": "1",
            **QUIET,
            **environment,
        }
        argv = [sys.executable, "-m", "ansible", "playbook", "-i", str(self.inventory), str(path)]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env={**os.environ, **settings})
        return re.sub(r"\s+", " ", done.stdout + done.stderr)


@pytest.fixture
def hostile(furnished: Path, tmp_path: Path) -> Iterator[Hostile]:
    yield Hostile(furnished, tmp_path)
    (furnished / "scratch/python").unlink(missing_ok=True)


PING: dict[str, Any] = {"ansible.builtin.ping": {}}
SHOW: dict[str, Any] = {"ansible.builtin.debug": {"msg": "jail_path is {{ jail_path }}."}}


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    return {"ANSIBLE_CACHE_PLUGIN": "jsonfile", "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts")}


@pytest.mark.parametrize(
    ("name", "inject"), [("jail_mac_python", "true"), ("jail_path", "false"), ("ansible_sudo_exe", "true")]
)
def test_a_setting_in_an_answer_is_refused(hostile: Hostile, name: str, inject: str) -> None:
    program, ran = hostile.jail / "scratch/program", hostile.folder / "ran"
    hostile.write(program, PROGRAM.format(ran))
    hostile.says({"ansible_facts": {name: str(program)}})
    said = hostile.play(PING, PING, SHOW, ANSIBLE_INJECT_FACT_VARS=inject)
    assert f"cannot take the answer of the jail {hostile.jail}: it would set {name}," in said
    assert "jail_path is" not in said
    assert not ran.exists(), ran.read_text()


@pytest.mark.parametrize("key", ["add_host", "ansible_stats"])
def test_hosts_groups_and_stats_in_an_answer_are_refused(hostile: Hostile, key: str) -> None:
    hostile.says({key: {"host_name": "localhost", "host_vars": {"x": "y"}, "groups": [], "data": {"x": "y"}}})
    assert f"it contains {key}," in hostile.play(PING)


def test_what_a_job_in_the_background_says_is_an_answer(hostile: Hostile) -> None:
    hostile.says({"finished": 1, "ansible_facts": {"jail_path": "/x"}}, JOB)
    task = {"ansible.builtin.command": "true", "async": 2, "poll": 1}
    said = hostile.play(task, SHOW, ANSIBLE_PIPELINING="0")
    assert "it would set jail_path," in said
    assert "jail_path is" not in said


def test_text_is_no_answer(hostile: Hostile) -> None:
    """What raw and script print can be anything, and sets nothing."""
    text = json.dumps({"ansible_facts": {"jail_path": "/x"}, "add_host": {}})
    hostile.write(hostile.folder / "script", f"#!/bin/sh\necho '{text}'\n")
    tasks: list[dict[str, Any]] = [
        {"ansible.builtin.raw": f"echo '{text}'"},
        {"raw": f"echo '{text}'"},
        {"ansible.builtin.script": str(hostile.folder / "script")},
    ]
    assert f"jail_path is {hostile.jail}." in hostile.play(*tasks, SHOW)


def test_other_facts_are_taken(hostile: Hostile) -> None:
    hostile.says({"ansible_facts": {"packages": {"tree": 1}, "ansible_user_dir": "/Users/admin"}})
    show = {"ansible.builtin.debug": {"msg": "{{ ansible_facts.packages }} {{ ansible_facts.user_dir }}."}}
    assert "/Users/admin." in hostile.play(PING, show, PING)


def test_a_python_that_was_not_looked_for_is_refused(hostile: Hostile) -> None:
    """Where Ansible looks for one it keeps what it is told, also for the Mac when that is the same host."""
    shell = hostile.jail / "bin/sh"
    kept = shell.with_name("sh.kept")
    shell.resolve().rename(hostile.jail / "usr/bin/sh.kept")
    try:
        (hostile.jail / "usr/bin/sh").write_text(
            "#!/bin/sh.kept\ncase $* in *FOUND*) echo FOUND; echo /scratch/python; echo ENDFOUND;; "
            '*) exec /bin/sh.kept "$@" ;; esac\n'
        )
        (hostile.jail / "usr/bin/sh").chmod(0o755)
        said = hostile.play({**PING, "vars": {"ansible_python_interpreter": "auto"}})
    finally:
        (hostile.jail / "usr/bin/sh.kept").rename(hostile.jail / "usr/bin/sh")
    assert not kept.exists()
    assert "cannot take '/scratch/python' for the Python of" in said


# -- facts that are there already ------------------------------------------------------


REFUSED = "cannot take jail_path of dev from facts: "


@pytest.mark.parametrize("inject", ["true", "false"])
def test_a_setting_in_the_fact_cache_is_refused_by_all_that_reads_settings(
    tmp_path: Path, cache: dict[str, str], inject: str
) -> None:
    mine, other = tmp_path / "mine", tmp_path / "other"
    for path in (mine, other):
        jails.create(os.fsencode(path)).close()
    hostile = Hostile(mine, tmp_path)
    hostile.play({"ansible.builtin.set_fact": {"jail_path": str(other), "cacheable": True}}, **cache)
    destroy = {"darwin.jail.darwin_jail_rootfs": {"jail": "{{ jail_path }}", "state": "absent"}}
    remove = {"ansible.builtin.file": {"path": str(other), "state": "absent"}}
    tasks: list[dict[str, Any]] = [
        {**destroy, "delegate_to": "{{ jail_mac }}"},
        {**remove, "delegate_to": "{{ lookup('darwin.jail.mac') }}"},
        {"darwin.jail.darwin_jail_check_results": {}},
        {"ansible.builtin.raw": "true"},
        {"ansible.builtin.debug": {"msg": "{{ lookup('darwin.jail.mac', 'dev') }}"}, "delegate_to": "localhost"},
    ]
    named = [{**task, "name": f"number {number}", "ignore_errors": True} for number, task in enumerate(tasks)]
    said = hostile.play(*named, **cache, ANSIBLE_INJECT_FACT_VARS=inject)
    assert [REFUSED in part for part in said.split("TASK [number ")[1:]] == [True] * len(tasks), said
    assert other.exists()
    assert mine.exists()


def test_a_setting_among_the_facts_of_the_mac_is_refused(hostile: Hostile, cache: dict[str, str]) -> None:
    """A task that a play on the Mac delegates to a jail has its facts on the Mac."""
    hostile.play(
        {"ansible.builtin.set_fact": {"ansible_sudo_exe": "/x", "cacheable": True}}, hosts="localhost", **cache
    )
    on_mac = {"darwin.jail.darwin_mac_info": {}, "delegate_to": "{{ jail_mac }}", "ignore_errors": True}
    said = hostile.play(on_mac, {"ansible.builtin.raw": "true"}, **cache)
    assert ["cannot take ansible_sudo_exe of localhost from facts: " in part for part in said.split("TASK [")[1:]] == [
        True,
        True,
    ], said


def test_set_fact_sets_a_setting_unless_it_makes_a_fact_of_it(hostile: Hostile) -> None:
    set_fact = {"jail_path": "/nowhere"}
    raw = {"ansible.builtin.raw": "true"}
    assert "/nowhere does not exist" in hostile.play({"ansible.builtin.set_fact": set_fact}, raw)
    said = hostile.play({"ansible.builtin.set_fact": {**set_fact, "cacheable": True}}, raw)
    assert REFUSED in said
    assert "with set_fact without cacheable" in said


# -- what is meant for a Mac --------------------------------------------------------------


def test_no_module_of_the_collection_runs_in_a_jail(hostile: Hostile) -> None:
    tasks = [{f"darwin.jail.{name}": {}, "ignore_errors": True} for name in MODULES]
    hostile.says({})
    said = hostile.play(*tasks)
    assert said.count("it would run in a jail, where the connection darwin.jail.chroot leads") >= len(MODULES) > 10
    assert f"ok={len(MODULES)} " in said
    assert f"ignored={len(MODULES)} " in said


def test_a_jail_is_not_taken_for_a_mac(hostile: Hostile) -> None:
    said = hostile.play({"ansible.builtin.import_role": {"name": "darwin.jail.mac"}})
    assert "dev is a jail, but must be a Mac" in said
    assert "Gather facts about the Mac" not in said


def test_a_report_goes_where_no_jail_says(hostile: Hostile, cache: dict[str, str]) -> None:
    """On a Mac that is its own controller, whose facts a jail was taken for."""
    there = hostile.folder / "there"
    fact = {"jail_report": f"{there}/x.html", "cacheable": True}
    hostile.play({"ansible.builtin.set_fact": fact}, hosts="localhost", **cache)
    role = {"ansible.builtin.import_role": {"name": "darwin.jail.report"}, "vars": {"jail_path": str(hostile.jail)}}
    said = hostile.play(role, hosts="localhost", **cache)
    assert "cannot take jail_report of localhost from facts: " in said
    assert not there.exists()


def test_no_fact_takes_the_place_of_what_ansible_gives_to_every_play(hostile: Hostile) -> None:
    """`omit` stands for each option that is to be left out, such as the file that a report goes to."""
    there = hostile.folder / "there"
    hostile.says({"ansible_facts": {"omit": str(there)}})
    role = {"ansible.builtin.import_role": {"name": "darwin.jail.base", "tasks_from": "report"}}
    assert "it would set omit," in hostile.play({**PING, "ignore_errors": True}, role)
    assert not there.exists(), there.read_text()


@pytest.mark.parametrize("inject", ["true", "false"])
def test_no_fact_takes_the_place_of_a_variable_of_the_inventory(hostile: Hostile, inject: str) -> None:
    """Settings are often made of others. Facts that are gathered again stay facts."""
    hosts = json.loads(hostile.inventory.read_text())
    hosts["jails"]["hosts"]["dev"]["folder"] = "/mine"
    hostile.inventory.write_text(json.dumps(hosts))
    show = {"ansible.builtin.debug": {"msg": "folder is {{ folder }}."}}
    hostile.says({"ansible_facts": {"packages": {}, "ansible_folder": "/mine"}})
    assert "folder is /mine." in hostile.play(PING, PING, show, ANSIBLE_INJECT_FACT_VARS=inject)
    hostile.says({"ansible_facts": {"folder": "/theirs"}})
    said = hostile.play({**PING, "ignore_errors": True}, show, ANSIBLE_INJECT_FACT_VARS=inject)
    assert ("it would set folder, a variable that the inventory" in said) == (inject == "true")
    assert "folder is /mine." in said


def test_the_words_of_an_answer_move_no_cursor(hostile: Hostile) -> None:
    words = {"warnings": ["first\x1b[2J"], "deprecations": [{"msg": "old\x1b[2J", "version": "9"}]}
    hostile.says({**words, "diff": {"before": "x\x1b[2J", "after": "y"}, "data": "\x1b[2J", "changed": True})
    show = {"ansible.builtin.debug": {"msg": "data is {{ 'exact' if got.data == '\x1b[2J' else got }}."}}
    said = hostile.play({**PING, "register": "got", "diff": True}, show, ANSIBLE_DEPRECATION_WARNINGS="true")
    assert "data is exact." in said
    hostile.says({"failed": True, "msg": "failed\x1b[2J"})
    said += hostile.play(PING)
    assert "\x1b" not in said
    for word in ("first", "old", "x", "failed"):
        assert f"{word}\\x1b[2J" in said


def test_a_jail_without_a_mac_is_told(hostile: Hostile) -> None:
    task = {"ansible.builtin.command": "true", "delegate_to": "{{ lookup('darwin.jail.mac') }}"}
    said = hostile.play({**task, "vars": {"jail_mac": ""}})
    assert "cannot run on the Mac a task for dev: it would run in a jail" in said


def test_delegation_leads_to_the_mac(hostile: Hostile) -> None:
    task = {"ansible.builtin.command": "readlink /proc/self/root", "register": "ran"}
    show = {"ansible.builtin.debug": {"msg": "root is {{ ran.stdout }}."}}
    said = hostile.play({**task, "delegate_to": "{{ lookup('darwin.jail.mac') }}"}, show)
    assert "root is /." in said
    hosts = json.loads(hostile.inventory.read_text())
    del hosts["macs"]  # it is known all the same
    hostile.inventory.write_text(json.dumps(hosts))
    assert "root is /." in hostile.play({**task, "delegate_to": "{{ lookup('darwin.jail.mac') }}"}, show)
