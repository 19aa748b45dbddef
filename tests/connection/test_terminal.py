# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A person at a terminal: over ssh, by the command `enter`, into tmux and screen in a jail. devfs makes that work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from connection_place import MAC, Place
from shell import ENTER, by_ssh
from terminal_user import TerminalUser

TMUX = "/usr/local/bin/tmux"


@pytest.fixture
def terminal_user(place: Place) -> Iterator[TerminalUser]:
    """Somebody whose terminal the jail has never heard of, logged in as the jail's user."""
    place.on_mac("/bin/sh", "-c", f"install -o admin /dev/null {place.jail}/Users/admin/.zshrc")
    with TerminalUser([*by_ssh(MAC), "sudo", ENTER, place.jail, "admin"], term="xterm-kitty") as one:
        one.expect(r"[%$] $")
        yield one


def test_the_shell_has_a_terminal(terminal_user: TerminalUser) -> None:
    said = terminal_user.type("echo $TERM; tty; stat -c %U:%G:%a $(tty); stty size; echo done-$((40+2))", "done-42")
    lines = said.splitlines()
    assert "xterm-256color" in lines, "xterm-kitty is unknown there"
    assert "admin:tty:620" in lines, "screen opens the terminal by its name"
    assert any(line.startswith("/dev/pts/") for line in lines)


@pytest.mark.parametrize(
    ("start", "detach", "attach", "end"),
    [
        (f"{TMUX} new -s one", b"\x02d", f"{TMUX} attach -t one", r"\[exited\]"),
        ("screen -S two", b"\x01d", "screen -r two", "screen is terminating"),
    ],
    ids=["tmux", "screen"],
)
def test_sessions_are_left_and_found_again(
    terminal_user: TerminalUser, start: str, detach: bytes, attach: str, end: str
) -> None:
    terminal_user.type(f"{start}; echo back-$((1+1))", r"(?s)back-\$.*[%$] ")
    terminal_user.type("echo here-$((40+2)); id -un", r"here-42\s+admin")
    terminal_user.press(detach, "(?s)detached.*back-2")
    terminal_user.type(attach, "here-42")
    terminal_user.type("exit", end)


def devfs(place: Place, folder: Path, state: str, says: str = "") -> None:
    """Mount or unmount it; it fails when something is to be said."""
    task: dict[str, object] = {
        "darwin.jail.darwin_jail_devfs": {"jail": place.jail, "state": state},
        "register": "done",
    }
    if says:
        task["failed_when"] = f"done.msg is not search('{says}')"
    play = folder / "play.yml"
    play.write_text(json.dumps([{"hosts": MAC, "become": True, "gather_facts": False, "tasks": [task]}]))
    place.play(play)


def test_devfs_in_use_is_not_unmounted(place: Place, terminal_user: TerminalUser, tmp_path: Path) -> None:
    terminal_user.type("sleep 100 </dev/null & echo sleeps-$((1+1))", "sleeps-2")
    devfs(place, tmp_path, "absent", says="cannot unmount .*/dev: .*busy.*end the programs")
    assert f"{place.jail}/dev (devfs" in place.on_mac("mount")
    terminal_user.type("kill %1; tty", "/dev/pts/")


def test_without_devfs_people_are_told(place: Place, tmp_path: Path) -> None:
    devfs(place, tmp_path, "absent")
    try:
        with TerminalUser([*by_ssh(MAC), "sudo", ENTER, place.jail, "admin"], term="xterm") as one:
            one.expect("enter: /dev/pts/.* is not in the jail, so tmux and screen will not run there")
            one.type("tty", "not a tty")
    finally:
        devfs(place, tmp_path, "present")
