# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run says at its end which hosts are not done, and why, and keeps their names for the next one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).parents[4]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
NOBODY = {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1}
INVENTORY = {
    "macs": {"hosts": {"mac": {}}},
    "jails": {"hosts": {"asleep": NOBODY, **{f"jail{number}": {} for number in range(1, 6)}}},
}
FAIL = {"name": "Copy", "ansible.builtin.fail": {"msg": "no space left\nat http://me:secret@proxy:1 (needs 7 GB)"}}
RESCUED: dict[str, Any] = {"block": [{"ansible.builtin.fail": {}}], "rescue": [{"ansible.builtin.debug": {}}]}
IGNORED = {"ansible.builtin.fail": {}, "ignore_errors": True}
ASK = {"name": "Ask", "ansible.builtin.raw": ":"}


def play(*tasks: dict[str, Any], **words: Any) -> dict[str, Any]:
    return {"hosts": "{{ 'jails' if groups.all else [] }}", "gather_facts": False, "tasks": list(tasks), **words}


class Run:
    def __init__(self, folder: Path, *plays: dict[str, Any], limit: str = "all") -> None:
        (folder / "hosts.json").write_text(json.dumps(INVENTORY))
        (folder / "build.yml").write_text(json.dumps(plays))
        environment = {
            **os.environ,
            "ANSIBLE_CALLBACKS_ENABLED": "darwin.jail.summary",
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
            "DARWIN_JAIL_SUMMARY_DIRECTORY": str(folder / "kept"),
        }
        words = [str(PROGRAM), "-i", f"{folder}/hosts.json", "-c", "local", "--limit", limit, f"{folder}/build.yml"]
        ended = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
        self.code, self.said, self.complained = ended.returncode, ended.stdout, ended.stderr
        self.kept = folder / "kept/build.limit"

    @property
    def rows(self) -> dict[str, list[str]]:
        """The table: what is said of each host."""
        lines = self.said.partition("HOSTS THAT ARE NOT DONE")[2].partition("\n\n")[0].splitlines()[2:]
        return {
            words[0]: words[1:] for words in ([word.strip() for word in line.split("  ") if word] for line in lines)
        }


@pytest.fixture(scope="module")
def ended_early(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return Run(
        tmp_path_factory.mktemp("early"),
        play(ASK, {**FAIL, "when": "inventory_hostname == 'jail1'"}),
        play(RESCUED, IGNORED, {**FAIL, "when": "inventory_hostname == 'jail3'", "loop": [1, 2]}, serial=1),
        play(hosts="{{ groups.macs | first }}"),
    )


def test_each_host_that_is_not_done_is_told_with_the_step_and_why(ended_early: Run) -> None:
    why = ["failed", "Copy", "at http://***@proxy:1 (needs 7 GB)"]
    asleep = ended_early.rows.pop("asleep")
    assert asleep[:2] == ["unreachable", "Ask"]
    assert "Connection refused" in asleep[2]
    never = ["not reached", "the run ended early"]
    assert ended_early.rows | {"asleep": []} == {
        "asleep": [], "jail1": why, "jail3": why, "jail4": never, "jail5": never, "mac": never,
    }  # fmt: skip
    assert ended_early.code != 0


def test_they_can_be_run_alone(ended_early: Run) -> None:
    assert ended_early.kept.read_text().split() == ["asleep", "jail1", "jail3", "jail4", "jail5", "mac"]
    assert f"--limit @{ended_early.kept}" in ended_early.said
    again = Run(ended_early.kept.parents[1], play({"ansible.builtin.debug": {}}), limit=f"@{ended_early.kept}")
    assert again.code == 0
    assert "jail2" not in again.said
    assert "jail3" in again.said


def test_those_of_a_batch_that_was_stopped_are_told(tmp_path: Path) -> None:
    one = {**FAIL, "when": "inventory_hostname == 'jail1'"}
    run = Run(tmp_path, play(one, serial=2, max_fail_percentage=0, hosts="jails:!asleep"))
    assert [words[0] for words in run.rows.values()] == ["failed", *["not reached"] * 4]


def test_nothing_is_said_when_all_are_done(tmp_path: Path) -> None:
    run = Run(tmp_path, play(RESCUED, IGNORED, hosts="macs"))
    assert run.code == 0
    assert "NOT DONE" not in run.said
    assert not run.kept.exists()


def test_a_list_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    run = Run(tmp_path, play(FAIL, hosts="macs"))
    assert run.rows == {"mac": ["failed", "Copy", "at http://***@proxy:1 (needs 7 GB)"]}
    assert "cannot write" in run.complained
    assert "--limit" not in run.said
