# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the role mac refuses: what is wrong is said alone."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

FOLDER = Path(__file__).parents[3] / "roles/mac"
ROOT = ["Darwin", "0"]
BEGIN = "darwin.jail"
LECTURE = ["WARNING: Improper use of the sudo command could lead to data loss", "", "To proceed, enter your password"]


def rendered(text: str, **given: Any) -> Any:
    texts = [(FOLDER.parent / name).read_text() for name in ("jail/defaults/main.yml", "mac/vars/main.yml")]
    variables = {name: value for text in texts for name, value in yaml.safe_load(text).items()}
    known = {**variables, **given, "inventory_hostname": "mac1"}
    return Templar(DataLoader(), variables=trusted(known)).template(trusted(text))


def complaints(said: list[str], **given: Any) -> str:
    found = rendered("{{ __mac_complaints | join('. ') }}", __mac_seen={"stdout_lines": [BEGIN, *said]}, **given)
    assert isinstance(found, str)
    return found


def asked(folder: Path) -> list[str]:
    """What the question is answered with where there is all that it asks for below a folder, by this system."""
    tasks = {task["name"]: task for task in yaml.safe_load((FOLDER / "tasks/preflight.yml").read_text())}
    places = {
        name: f"{folder}/{name.removeprefix('__mac_')}"
        for name in ("__mac_enter_rule", "__mac_sudo_rule", "__mac_djail_rule", "__mac_git")
    }
    question = rendered(
        tasks["Gather facts about the Mac"]["ansible.builtin.raw"],
        **places,
        __mac_enter_command=f"{folder}/bin/enter",
        __mac_djail_command=f"{folder}/bin/djail",
    )
    done = subprocess.run(["/bin/sh", "-c", question], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.stdout.splitlines()


@pytest.mark.parametrize("before", [[], [""], LECTURE])
def test_a_mac_is_one_also_after_sudo_asked_for_a_password(before: list[str]) -> None:
    seen = {"stdout_lines": [*before, BEGIN, *ROOT, "/private/etc/sudoers.d/darwin_jail"]}
    assert rendered("{{ __mac_complaints }}", __mac_seen=seen) == []
    assert "/private/etc/sudoers.d/darwin_jail" in rendered("{{ __mac_there }}", __mac_seen=seen)


def test_what_may_be_a_rule_is_found(tmp_path: Path) -> None:
    """Also a link that leads nowhere yet."""
    (tmp_path / "enter_rule").symlink_to("nowhere")
    lines = asked(tmp_path)
    assert f"{tmp_path}/enter_rule" in lines
    assert not {f"{tmp_path}/sudo_rule", f"{tmp_path}/git"} & {*lines}
    (tmp_path / "sudo_rule").touch()
    (tmp_path / "git").touch()
    assert {f"{tmp_path}/{name}" for name in ("enter_rule", "sudo_rule", "git")} < {*asked(tmp_path)}


def test_rules_are_removed_where_nobody_looked_for_them() -> None:
    assert rendered("{{ __mac_enter_rule in __mac_there and __mac_sudo_rule in __mac_there }}") is True


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o757, 0o1755, 0o4755])
def test_a_directory_is_left_alone_that_root_alone_can_change(tmp_path: Path, mode: int) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(mode)
    command = f"{tmp_path}/bin/enter"
    seen = {"stdout_lines": asked(tmp_path)}
    text = "{{ __mac_there | select('match', __mac_enter_directory) | length }}"
    assert rendered(text, __mac_seen=seen, __mac_enter_command=command) == int(mode == 0o755 and os.geteuid() == 0)
    (tmp_path / "bin").rename(tmp_path / "elsewhere")
    (tmp_path / "bin").symlink_to("elsewhere")
    seen = {"stdout_lines": asked(tmp_path)}
    assert rendered(text, __mac_seen=seen, __mac_enter_command=command) == 0


@pytest.mark.parametrize("mode", [0o755, 0o775, 0o700, 0o4755])
@pytest.mark.parametrize("text", ["ours\n", "another\n"])
@pytest.mark.parametrize("above", [0o755, 0o777])
def test_a_command_is_left_alone_that_is_ours(tmp_path: Path, mode: int, text: str, above: int) -> None:
    """Where others can change its directory, it may be another one by the time that the directory is taken from them.

    And nothing else is to be done then, so that no task of that is run.
    """
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin").chmod(above)
    (tmp_path / "git").touch()
    command, djail = tmp_path / "bin/enter", tmp_path / "bin/djail"
    for file in (command, djail):
        file.write_text(text)
        file.chmod(mode)
    given: dict[str, Any] = {
        "__mac_enter_command": str(command),
        "__mac_enter_text": "ours\n",
        "__mac_djail_command": str(djail),
        "__mac_djail_text": "ours\n",
        "__mac_git": f"{tmp_path}/git",
        "__mac_seen": {"stdout_lines": [BEGIN, *ROOT, *asked(tmp_path)]},
    }
    expected = mode == above == 0o755 and text == "ours\n" and os.geteuid() == 0
    assert rendered("{{ __mac_enter_has_command }}", **given) is expected
    assert rendered("{{ __mac_djail_is_current }}", **given) is expected
    assert rendered("{{ __mac_prepared }}", **given) is expected
    others: list[dict[str, Any]] = [
        {"jail_bootstrap_sudo_users": ["a"]},
        {"jail_bootstrap_enter": [{}]},
        {"jail_bootstrap_djail_users": ["a"]},
        {"jail_bootstrap_djail_grants": [{}]},
        {"__mac_djail_text": "newer\n"},
        {"jail_bootstrap_homebrew_user": "a"},
        {"__mac_git": "/nowhere"},
    ]
    for more in others:
        assert rendered("{{ __mac_prepared }}", **{**given, **more}) is False
    there = {"stdout_lines": [*given["__mac_seen"]["stdout_lines"], "/private/etc/sudoers.d/darwin_jail"]}
    assert rendered("{{ __mac_prepared }}", **{**given, "__mac_seen": there}) is False


def test_a_mac_that_was_not_asked_is_prepared() -> None:
    assert rendered("{{ __mac_prepared }}", __mac_enter_text="", __mac_djail_text="") is False


@pytest.mark.parametrize(
    ("said", "given", "expected"),
    [
        (["Linux", "0"], {}, "mac1 is not a Mac: its system is Linux, and must be Darwin"),
        ([], {}, "mac1 is not a Mac: its system is unknown, and must be Darwin"),
        (
            ["Darwin", "501"],
            {},
            "mac1 runs tasks as the user with the uid 501, and must run them as root; set become to true",
        ),
        (
            ROOT,
            {"jail_bootstrap_sudo_users": ["a b"]},
            "jail_bootstrap_sudo_users is ['a b']; use names of users, or % and a group",
        ),
        (
            ROOT,
            {"jail_bootstrap_djail_users": ["ALL, b"]},
            "jail_bootstrap_djail_users is ['ALL, b']; use names of users, or % and a group",
        ),
        (
            ROOT,
            {"jail_bootstrap_homebrew_user": "root"},
            "jail_bootstrap_homebrew_user is root, and Homebrew cannot belong to root; ",
        ),
        (ROOT, {"jail_bootstrap_enter": [{"user": "a", "as": "b", "jail": "/x y"}]}, "jail_bootstrap_enter is [{"),
        (ROOT, {"jail_bootstrap_enter": [{"user": "a b", "as": "b", "jail": "/x"}]}, "jail_bootstrap_enter is [{"),
    ],
)
def test_what_is_wrong_is_said_alone(said: list[str], given: dict[str, Any], expected: str) -> None:
    found = complaints(said, **given)
    assert found.startswith(expected)
    assert ". " not in found


@pytest.mark.parametrize("check", [True, False])
def test_tags_can_leave_out_the_tools(check: bool) -> None:
    assert rendered("{{ __mac_no_python }}", ansible_check_mode=check) is False
