# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the role base asks a jail for the roles behind it, and when they take the answer."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import PROGRAM_OUTPUT
from templates import trusted

ROLES = Path(__file__).parents[3] / "roles"
BEHIND = ("dns", "terminal", "bindfs", "clt", "homebrew")
MAC: dict[str, Any] = {
    "can_enter": True,
    "homebrew": {"prefix": "/opt/homebrew"},
    "users": {"admin": {"home": "/Users/admin"}, "root": {"home": "/var/root"}},
}
UNCHANGED = {"changed": False}
BUILT: dict[str, Any] = {
    "jail_path": "/jails/one",
    "jail_user": "admin",
    "jail_packages": ["tree"],
    "ansible_run_tags": ["all"],
    "ansible_skip_tags": [],
    "ansible_check_mode": False,
    "ansible_play_role_names": [f"darwin.jail.{role}" for role in ("base", *BEHIND)],
    "__jail_mac_info": MAC,
    "__jail_rootfs": UNCHANGED,
    "__jail_post_build": UNCHANGED,
    "__jail_bindfs_mounted": UNCHANGED,
    "__jail_dns_connected": {**UNCHANGED, "entered": True},
}
GOOD = {"failed": False, "stdout": "controlled", "stderr": ""}
TAKEN = {
    "dns": "__dns_looked_up",
    "bindfs": "__bindfs_compared",
    "terminal": "__terminal_opened",
    "clt": "__clt_compiled",
    "homebrew": "__homebrew_used",
}
"""What each role says when there is nothing left for it to ask."""


def parsed(path: str) -> Any:
    return yaml.safe_load((ROLES / path).read_text())


def as_a_whole(role: str) -> dict[str, Any]:
    """What verify is given by the role that has its turn as a whole, and not by tasks_from."""
    found: dict[str, Any] = parsed(f"{role}/tasks/main.yml")[-1].get("vars", {})
    return found


def rendered(text: str, **given: Any) -> Any:
    known: dict[str, Any] = parsed("jail/defaults/main.yml")
    for role in ("jail", "base", *BEHIND):
        known |= parsed(f"{role}/vars/main.yml")
    for program in ("__clt_program", "__homebrew_program"):
        known[program]["stdin"] = "echo"  # plugins that look up files are not there
    return Templar(DataLoader(), variables=trusted({**known, **BUILT, **given})).template(trusted(text))


def question() -> dict[str, Any]:
    found = next(task for task in parsed("base/tasks/verify.yml") if task["name"] == "Run programs in the jail")
    options: dict[str, Any] = found["darwin.jail.darwin_chroot_exec"]
    return options


def asked(**given: Any) -> list[dict[str, Any]]:
    """The programs of other roles that verify of the role base runs with its own."""
    found: list[dict[str, Any]] = rendered(question()["extra_commands"], **given)
    return found


def taken(role: str, **given: Any) -> Any:
    answers = {one["name"]: GOOD for one in asked(**as_a_whole("base"))}
    tried = {"extra_commands": answers}
    return rendered(f"{{{{ {TAKEN[role]} }}}}", __jail_tried=tried, **{**as_a_whole(role), **given})


@pytest.mark.parametrize("role", BEHIND)
def test_a_role_asks_nothing_again_in_a_jail_that_is_as_it_was(role: str) -> None:
    assert len(asked(**as_a_whole("base"))) == 4
    assert taken(role) is True


def test_all_answers_together_are_within_the_limit_of_one_program() -> None:
    """A jail that says as much as it can costs its Mac and the controller no more than by one task of old."""
    programs = 1 + len(asked(**as_a_whole("base")))
    assert programs * question().get("output_limit", PROGRAM_OUTPUT) <= PROGRAM_OUTPUT


def test_verify_by_itself_asks_for_no_other_role() -> None:
    """Behind a build in the same run, too: in check_jail each role asks itself, and its line is in the report."""
    assert asked() == []


def compared_equal(**given: Any) -> dict[str, Any]:
    """What the role base registers of a jail that has all files that it compared."""
    found = rendered("{{ __base_files_to_compare }}", **given)
    return {**UNCHANGED, "compared_equal": [each["name"] for each in found]}


def files_are_there(**given: Any) -> Any:
    return rendered("{{ __homebrew_files_are_there }}", **{"__jail_post_build": compared_equal(), **given})


def test_files_are_compared_only_by_the_role_as_a_whole() -> None:
    """A deployment verifies Homebrew, and writes none of its files: the controller need not have the Brewfile."""
    compare = parsed("base/tasks/post_build.yml")[0]["darwin.jail.darwin_jail_files"]["compare"]
    (whole,) = (task["vars"] for task in parsed("base/tasks/main.yml") if task["name"] == "Build")
    assert rendered(compare, **whole) == rendered("{{ __base_files_to_compare }}") != []
    assert rendered(compare) == []


def test_files_of_homebrew_that_are_there_are_not_written_again() -> None:
    assert files_are_there() is True
    assert files_are_there(__jail_post_build={**UNCHANGED, "compared_equal": []}) is False
    assert files_are_there(__jail_post_build=UNCHANGED) is False
    assert files_are_there(__jail_post_build={**compared_equal(), "changed": True}) is False
    assert files_are_there(__jail_users_made={"changed": True}) is False


@pytest.mark.parametrize(
    "given",
    [
        {"jail_packages": ["tree", "tmux"]},
        {"jail_homebrew_environment": {"HOMEBREW_ARTIFACT_DOMAIN": "https://mirror.example"}},
        {"jail_homebrew_dotfiles": False},
        {"__jail_path": "/jails/other"},
    ],
)
def test_an_answer_about_other_files_of_homebrew_is_not_taken(given: dict[str, Any]) -> None:
    """A playbook can set variables for one role alone, or work on another jail with the same roles."""
    assert files_are_there(**given) is False
    assert files_are_there(**given, __jail_post_build=compared_equal(**given)) is True


def homebrew_is_complete(**given: Any) -> Any:
    known = {"__jail_post_build": compared_equal(), "ansible_verbosity": 0, **given}
    answers = {one["name"]: GOOD for one in asked(**as_a_whole("base"))}
    tried = {"extra_commands": {name: answer for name, answer in answers.items() if name not in given}}
    return rendered("{{ __homebrew_is_complete }}", __jail_tried=tried, **known)


def test_a_homebrew_that_is_complete_is_left_out_as_a_whole() -> None:
    assert homebrew_is_complete() is True
    for name in ("the packages of admin in /jails/one", "the brew of admin in /jails/one"):
        assert homebrew_is_complete(**{name: "no answer"}) is False
    for given in ({"jail_homebrew_policy": "upgrade"}, {"jail_homebrew_cache": "/cache"}, {"jail_usr_local": True}):
        assert homebrew_is_complete(**given) is False
    assert homebrew_is_complete(__jail_post_build=UNCHANGED) is False
    assert homebrew_is_complete(ansible_verbosity=1) is False


WELL = {"macos": "15.2", "uid": "501", "named": "501", "certificates": "9"} | dict.fromkeys(
    ("temporary", "cache"), "/var/folders/x"
)


@pytest.mark.parametrize(
    ("said", "work"),
    [
        ({}, True),
        ({"certificates": ""}, True),
        ({"certificates": "0"}, False),
        ({"uid": "502", "named": "502"}, False),
        ({"named": ""}, False),
        ({"temporary": ""}, False),
        ({"cache": ""}, False),
    ],
)
def test_what_does_not_work_is_reported_by_a_build_that_found_nothing_to_change(
    said: dict[str, str], work: bool
) -> None:
    given = {"__base_said": {**WELL, **said}, "__base_account": {"uid": 501}}
    (report,) = [task for task in parsed("base/tasks/verify.yml") if "verify_answers.yml" in str(task)]
    conditions = [f"{{{{ {condition} }}}}" for condition in report["when"]]
    for quiet in (True, False):
        given |= {"__base_is_quiet": quiet, "__base_programs_ran": True}
        reported = all(rendered(condition, **given) for condition in conditions)
        assert reported is not (quiet and work)


def test_a_build_is_quiet_only_where_it_found_nothing_to_change() -> None:
    quiet = as_a_whole("base")["__base_is_quiet"]
    assert rendered(quiet, ansible_verbosity=0) is True
    for given in ({"ansible_verbosity": 1}, {"ansible_run_tags": ["verify"]}, {"__jail_rootfs": {"changed": True}}):
        assert rendered(quiet, **{"ansible_verbosity": 0, **given}) is False
    assert rendered("{{ __base_is_quiet }}") is False, "verify by itself reports everything"


@pytest.mark.parametrize(
    "given",
    [
        {"jail_packages": []},
        {"jail_user": "root"},
        {"jail_proxy": "http://me:secret@proxy"},
        {"ansible_run_tags": ["base"]},
        {"ansible_play_role_names": ["darwin.jail.base"]},
    ],
)
def test_files_of_homebrew_are_compared_early_only_where_they_are_for_all_to_see(given: dict[str, Any]) -> None:
    (compared,) = rendered("{{ __base_files_to_compare }}")
    assert len(compared["files"]) == 3
    assert rendered("{{ __base_files_to_compare }}", **given) == []


@pytest.mark.parametrize("role", ["dns", "bindfs"])
def test_verify_by_itself_takes_no_answer_of_a_build(role: str) -> None:
    assert rendered(f"{{{{ {TAKEN[role]} }}}}") is False


@pytest.mark.parametrize("role", ["terminal", "clt", "homebrew"])
@pytest.mark.parametrize("other", ["path", "user"])
def test_an_answer_is_of_one_jail_and_one_user(role: str, other: str) -> None:
    given = {"path": {"__jail_path": "/jails/two"}, "user": {"jail_user": "root"}}[other]
    assert taken(role, **given) is False


@pytest.mark.parametrize("tags", [["preflight", "verify"], ["bindfs_verify"]])
def test_what_was_only_tried_is_compared(tags: list[str]) -> None:
    assert taken("bindfs", ansible_run_tags=tags) is False
    assert taken("bindfs", ansible_skip_tags=["bindfs_mount"]) is False


@pytest.mark.parametrize("user", ["root", "0", 0])
def test_root_does_not_run_the_brew_of_a_user(user: Any) -> None:
    users = {**MAC["users"], user: MAC["users"]["root"]}
    names = [
        one["name"] for one in asked(**as_a_whole("base"), jail_user=user, __jail_mac_info={**MAC, "users": users})
    ]
    assert [name for name in names if "brew" in name or "packages" in name] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can try it")
def test_a_check_of_brew_as_root_runs_none_of_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/brew").write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    (tmp_path / "bin/brew").chmod(0o755)
    script = (ROLES / "homebrew/files/try-homebrew.sh").read_text()
    argv = ["/bin/sh", "-eu", "-s", str(tmp_path), "False"]
    done = subprocess.run(argv, input=script, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Homebrew cannot belong to root: set jail_user to the user that owns it in the jail\n"
    assert not (tmp_path / "ran").exists()
