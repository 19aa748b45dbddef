# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The parts of the launcher that a run on this system cannot tell from others."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import chroot_exec, launcher
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What is asked of the kernel, instead of asking."""
    found: list[tuple[Any, ...]] = []
    for name in ("setgid", "setgroups", "initgroups"):
        monkeypatch.setattr(os, name, lambda *args, name=name: found.append((name, *args)))
    return found


def test_the_group_is_taken_before_the_groups(calls: list[tuple[Any, ...]]) -> None:
    """On macOS the other order puts the group in the place of one of them (see docs/macos.md)."""
    chroot_exec.take_groups("admin", 20, [])
    assert calls == [("setgid", 20), ("initgroups", "admin", 20)]


def test_the_group_is_the_first_of_the_groups(calls: list[tuple[Any, ...]]) -> None:
    """On macOS the first one is the effective one, and a list of none means group 0."""
    chroot_exec.take_groups(None, 20, [12, 20, 80])
    chroot_exec.take_groups(None, 20, [])
    assert calls == [("setgid", 20), ("setgroups", [20, 12, 80]), ("setgid", 20), ("setgroups", [20])]


def test_nobody_has_a_negative_group_where_python_wants_one(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []

    def initgroups(login: str, gid: int) -> None:
        if gid >= 1 << 31:
            raise OverflowError("signed integer is greater than maximum")
        taken.append((login, gid))

    monkeypatch.setattr(os, "setgid", lambda _gid: None)
    monkeypatch.setattr(os, "initgroups", initgroups)
    chroot_exec.take_groups("nobody", 0xFFFFFFFE, [])
    assert taken == [("nobody", -2)]


def test_nothing_is_imported_once_the_root_has_changed() -> None:
    """An import would come from the jail."""
    probe = "import sys\nprint(*sorted(sys.modules))\n"
    use = (
        "try:\n    find('true', '/bin'); check_interpreter('/bin/sh'); glob.glob('/b*/s?')\n"
        "    with step('x', 'y'):\n        os.stat('/no/such')\n"
        "except StepError as exc:\n    json.dumps(dict(zip('abc', exc.args)))\n"
    )
    before, at_the_end = (
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", program(chroot_exec, launcher, call=call)],
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
        ).stdout
        for call in (probe, use + probe)
    )
    assert at_the_end == before
