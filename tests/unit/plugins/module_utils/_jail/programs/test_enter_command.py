# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the command `enter` does about the terminal."""

from __future__ import annotations

import os
import pty
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import enter_command, jail_session

TERMINAL = -1
"""Set by the fixture."""


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where a jail shows a terminal that is open here; nothing is there yet."""
    controller, terminal = pty.openpty()
    path = os.ttyname(terminal)
    monkeypatch.setattr(sys.modules[__name__], "TERMINAL", terminal)
    made = tmp_path / path.strip("/")
    made.parent.mkdir(parents=True)
    yield made
    for fd in (controller, terminal):
        os.close(fd)


def hand_over(jail: Path) -> str:
    fd = os.open(jail, os.O_RDONLY | os.O_DIRECTORY)
    try:
        return enter_command.hand_over_terminal(fd, TERMINAL, 501)
    finally:
        os.close(fd)


def test_the_terminal_becomes_the_users_where_the_jail_sees_it(node: Path, tmp_path: Path) -> None:
    outside = os.stat(TERMINAL).st_uid
    try:
        os.mknod(node, 0o020620, os.fstat(TERMINAL).st_rdev)
    except PermissionError:
        pytest.skip("only root can make devices")
    assert hand_over(tmp_path) == ""
    assert node.stat().st_uid == 501
    assert os.stat(TERMINAL).st_uid == outside, "the Mac's own node is not the jail's to give"


@pytest.mark.parametrize("kind", ["nothing", "file", "another device", "link"])
def test_nothing_else_is_given_away(node: Path, tmp_path: Path, kind: str) -> None:
    precious = tmp_path / "precious"
    precious.touch()
    if kind == "file":
        node.touch()
    elif kind == "another device":
        if os.geteuid() != 0:
            pytest.skip("only root can make devices")
        os.mknod(node, 0o020620, os.makedev(1, 3))
    elif kind == "link":
        node.symlink_to(os.ttyname(TERMINAL))
    said = hand_over(tmp_path)
    assert said.startswith(f"{os.ttyname(TERMINAL)} is not in the jail")
    assert precious.stat().st_uid == os.geteuid()
    assert kind == "nothing" or node.lstat().st_uid == os.geteuid()


def test_a_link_above_the_terminal_is_not_followed(node: Path, tmp_path: Path) -> None:
    node.parent.rmdir()
    node.parent.symlink_to("/dev/pts")
    assert "is not in the jail" in hand_over(tmp_path)


@pytest.mark.parametrize(
    ("described", "name", "expected"),
    [
        (("x/xterm",), "xterm", "xterm"),
        (("78/xterm",), "xterm", "xterm"),
        (("x/xterm-256color", "x/xterm"), "xterm-kitty", "xterm-256color"),
        (("76/vt100",), "ghostty", "vt100"),
        ((), "xterm", "dumb"),
        (("x/xterm",), "../x/xterm", "xterm"),
        (("x/xterm",), "", "xterm"),
    ],
)
def test_a_terminal_that_the_jail_knows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, described: tuple[str, ...], name: str, expected: str
) -> None:
    monkeypatch.setattr(enter_command, "TERMINFO", (".terminfo", str(tmp_path / "system")))
    for entry in described:
        file = tmp_path / "system" / entry
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    assert enter_command.known_terminal(name, str(tmp_path / "home")) == expected


def test_the_users_own_descriptions_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enter_command, "TERMINFO", (".terminfo",))
    own = tmp_path / ".terminfo/78/xterm-kitty"
    own.parent.mkdir(parents=True)
    own.touch()
    assert enter_command.known_terminal("xterm-kitty", str(tmp_path)) == "xterm-kitty"


@pytest.mark.parametrize(
    ("said", "warns"),
    [
        ("System Integrity Protection status: enabled.\n", True),
        ("System Integrity Protection status: disabled.\n", False),
        (
            (
                "System Integrity Protection status: unknown (Custom Configuration).\n\nConfiguration:\n"
                "\tApple Internal: disabled\n\tFilesystem Protections: enabled\n"
            ),
            True,
        ),
        (
            (
                "System Integrity Protection status: enabled (Custom Configuration).\n\nConfiguration:\n"
                "\tKext Signing: enabled\n\tFilesystem Protections: disabled\n"
            ),
            False,
        ),
        ("", False),
    ],
)
def test_who_enters_is_told_when_csrutil_says_that_no_program_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, warns: bool
) -> None:
    program = tmp_path / "csrutil"
    (tmp_path / "said").write_text(said)
    program.write_text(f'#!/bin/sh\n[ "$*" = status ] && cat {tmp_path}/said\n')
    program.chmod(0o755)
    monkeypatch.setattr(enter_command, "CSRUTIL", str(program))
    assert enter_command.is_protected() is warns


def test_a_mac_that_does_not_say_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enter_command, "CSRUTIL", "/no/such/csrutil")
    assert not enter_command.is_protected()


def test_a_jail_that_is_not_complete_is_told(tmp_path: Path) -> None:
    def told() -> bool:
        fd = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            return jail_session.is_building(fd)
        finally:
            os.close(fd)

    assert not told()
    state = {"building": True, "complete": False}
    with jails.create(os.fsencode(tmp_path)) as jail:
        for name, expected in state.items():
            jail.update_entry(state=name)
            assert told() is expected
    marker = tmp_path / os.fsdecode(MARKER)
    marker.unlink()
    os.mkfifo(marker)
    assert not told(), "nor does it hang"
