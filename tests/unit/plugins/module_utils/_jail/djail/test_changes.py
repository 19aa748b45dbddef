# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail clone, destroy and run on real volumes; create needs a Mac, see the scenario djail."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.directory_services import Account
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import base_files, changes
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import apfs_volume
from installed_djail import InstalledDjail
from terminal_user import TerminalUser
from volumes import lacks, volume
from waiting import until

ROLES = Path(__file__).parents[6] / "roles"


@pytest.fixture(scope="module")
def xfs(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if reason := lacks("xfs"):
        pytest.skip(reason)
    with volume("xfs", tmp_path_factory.mktemp("changes") / "volume") as point:
        subprocess.run(["cp", "-a", furnished, point / "base"], check=True)
        yield point


@pytest.fixture
def base(xfs: Path) -> Path:
    """A jail called base, which the register knows."""
    jail = jails.open_jail(str(xfs / "base"))
    jail.update_entry(state="complete")
    jail.close()
    return xfs / "base"


def known() -> set[str]:
    return {os.fsdecode(os.path.basename(path)) for path in register.all_known()}


def test_a_clone_is_made_and_removed(djail: InstalledDjail, base: Path) -> None:
    assert djail.json("clone", "base", "new", "--dry-run")["changed"]
    assert not (base.parent / "new").exists()
    assert [djail.json("clone", "base", "new")["changed"] for _time in range(2)] == [True, False]
    assert djail.run("exec", "new", "--", "cat", "/bytes").stdout == bytes(range(256))
    assert djail.json("destroy", "new", "--dry-run")["changed"]
    assert djail.json("destroy", "new", "--yes")["path"] == str(base.parent / "new")
    assert not (base.parent / "new").exists()
    assert "new" not in known()
    assert djail.json("destroy", "new", "--yes", code=66)["error"] == "this Mac knows no jail new: djail list shows all"


def test_advice_is_given_in_words_of_djail(djail: InstalledDjail, base: Path) -> None:
    said = djail.json("clone", "base", "base", code=64)["error"]
    assert said == f"{base} is a jail already and no clone of {base}: remove it, or choose another name"


def test_what_an_update_left_goes_with_it(djail: InstalledDjail, base: Path) -> None:
    for name in ("new", "next.new", "next.other"):
        with jails.create(os.fsencode(base.parent / name)) as jail:
            jail.update_entry(state="complete")
    said = djail.run("destroy", "new", "--dry-run").stdout.decode()
    assert "next.other" not in said
    djail.json("destroy", "new", "--yes")
    assert not {"new", "next.new"} & {*known(), *os.listdir(base.parent)}
    djail.json("destroy", "next.other", "--yes")


def test_a_jail_whose_volume_is_not_mounted_stays(djail: InstalledDjail) -> None:
    path = "/Volumes/not-mounted/jail"
    error = djail.json("destroy", path, "--yes", code=64)["error"]
    assert error == f"cannot remove {path}: nothing is mounted on /Volumes/not-mounted: mount its volume first"


@pytest.mark.parametrize("note", [True, False])
def test_a_volume_that_was_made_for_it_goes_when_it_is_empty(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, note: bool
) -> None:
    asked: list[tuple[object, ...]] = []

    def ensure(*words: object) -> Result:
        asked.append(words)
        return Result(True)

    monkeypatch.setattr(apfs_volume, "ensure", ensure)
    monkeypatch.setattr(apfs_volume, "NOTES", os.fsencode(tmp_path)[1:])
    if note:
        (tmp_path / "jails").touch()
    steps = changes.Steps(True)
    for path in ("/Volumes/jails/dev", "/Volumes/jails/deeper/dev", "/Volumes/others/dev", "/private/var/jails"):
        changes._remove_volume(path, steps)
    assert asked == ([("jails", None, "absent", "/Volumes/jails/dev", True)] if note else [])


@pytest.mark.parametrize("answer", ["no", "", "y"])
def test_nothing_is_destroyed_unless_it_is_confirmed(djail: InstalledDjail, base: Path, answer: str) -> None:
    ran = djail.run("destroy", "base", stdin=b"yes\n")
    assert (ran.returncode, b"nobody can confirm it: give --yes" in ran.stderr) == (64, True)
    with TerminalUser(djail.argv("destroy", "base"), "xterm") as person:
        person.expect("Type yes: $")
        person.type(answer, "stays: it was not confirmed")
    assert base.is_dir()


def test_what_is_confirmed_is_destroyed(djail: InstalledDjail, base: Path) -> None:
    djail.json("clone", "base", "new")
    with TerminalUser(djail.argv("destroy", "new"), "xterm") as person:
        person.expect("Type yes: $")
        person.type("yes", "removed .*/new")
    assert not (base.parent / "new").exists()


@pytest.mark.parametrize("command", ["clone", "destroy"])
def test_what_was_killed_is_finished_by_the_same_command(djail: InstalledDjail, base: Path, command: str) -> None:
    new = base.parent / "new"
    for number in range(400):
        path = base / f"many/{number % 20}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    words = ("clone", "base", "new") if command == "clone" else ("destroy", "new", "--yes")
    if command == "destroy":
        djail.json("clone", "base", "new")
    for count in (1, 3, 9):
        process = subprocess.Popen(djail.argv(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        until(partial(is_far, process, new, command, count))
        process.send_signal(signal.SIGKILL)
        process.wait()
    ran = djail.run(*words)
    assert ran.returncode == 0 or (command == "destroy" and ran.returncode == 66), ran
    if command == "clone":
        assert len(list((new / "many").rglob("*"))) == 420
        assert djail.run("exec", "new", "--", "true").returncode == 0
        djail.json("destroy", "new", "--yes")
    assert not new.exists()
    assert "new" not in known()


def is_far(process: subprocess.Popen[bytes], new: Path, command: str, goal: int) -> bool:
    return process.poll() is not None or entries(new, command) >= goal


def entries(new: Path, command: str) -> int:
    """How far a command is."""
    try:
        found = len(list((new / "many").iterdir()))
    except FileNotFoundError:
        return 20 if command == "destroy" else 0
    return found if command == "clone" else 20 - found


def test_a_run_leaves_nothing(djail: InstalledDjail, base: Path) -> None:
    before = sorted(os.listdir(base.parent)), known()
    script = "cat; echo made >/made; cat /made; echo $JAIL_NAME >&2; exit 9"
    ran = djail.run("run", "base", "--", "sh", "-c", script, stdin=b"in\n")
    assert (ran.returncode, ran.stdout, ran.stderr) == (9, b"in\nmade\n", b"base\n")
    assert (sorted(os.listdir(base.parent)), known()) == before
    assert not (base / "made").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_nor_one_that_was_ended(djail: InstalledDjail, base: Path, number: signal.Signals) -> None:
    before = sorted(os.listdir(base.parent))
    argv = djail.argv("run", "base", "--", "sh", "-c", "echo ready; exec sleep 100")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, bufsize=0)
    assert process.stdout
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    assert process.wait(30) == 128 + number
    process.stdout.close()
    assert sorted(os.listdir(base.parent)) == before


def test_what_a_killed_one_left_is_removed_by_the_next(djail: InstalledDjail, base: Path) -> None:
    argv = djail.argv("run", "base", "--", "sh", "-c", "echo $$; exec sleep 100")
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, bufsize=0, start_new_session=True)
    assert process.stdout
    program = int(process.stdout.readline())
    for number in (process.pid, program):
        os.kill(number, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert djail.run("run", "base", "--", "true").returncode == 0
    assert not (base.parent / ".darwin.jail.runs").exists()


# -- the same as the playbook ------------------------------------------------------------


def test_create_puts_the_same_into_a_jail_as_the_roles() -> None:
    """With the defaults of their variables."""
    base, clt = (yaml.safe_load((ROLES / name / "vars/main.yml").read_text()) for name in ("base", "clt"))
    tools = [{"optional": False, **entry} for entry in base["__base_clt_entries"]]
    assert tools[0].pop("optional") == "{{ jail_source != '/' }}"
    assert [{**tools[0], "optional": False}, *tools[1:]] == base_files.TOOLS
    left_out = base["__base_sandbox_exec"]["leave_out"]
    home = base["__base_home"]
    assert home == {**home, "state": "directory", "owner": "{{ jail_user }}", "mode": "0750"}
    admin = Account("admin", 501, 20, "/Users/admin", "/bin/zsh", None)
    named = {"path": "/Users/admin", "owner": "admin"}
    assert given(base_files.of_base(admin)) == given([{**home, **named}, *left_out, *base["__base_prompts"]])
    assert given(base_files.of_base(admin._replace(name="root", uid=0))) == given([*left_out, *base["__base_prompts"]])
    links = [{**link, "target": clt["__clt_directory"]} for link in clt["__clt_links"]]
    assert given(base_files.TOOL_LINKS) == given(links)
    assert [*base_files.EXCLUDED] == [item["path"] for item in left_out]


def given(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items of the option `files`, with the defaults of the others."""
    return [{**base_files.DEFAULTS, **item} for item in items]
