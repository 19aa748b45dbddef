# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""A host whose volume of jails compares names as APFS does. Needs Linux, root, FUSE and mfusepy."""

from __future__ import annotations

import os

import pytest
from host import folding, prepare
from stand_ins import standin

REASON = prepare.missing_for_hosts() or folding.missing()
NAME = f"folding-{os.getpid()}"

pytestmark = pytest.mark.skipif(REASON is not None, reason=str(REASON))


def jails(script: str) -> str:
    done = standin("enter", NAME, "/bin/sh", "-ec", f"cd /private/var/jails; {script}")
    return done.stdout + done.stderr


def test_its_jails_are_found_by_any_spelling_and_stay_over_a_reboot() -> None:
    assert standin("create", NAME, "--folding").returncode == 0
    try:
        assert jails("mkdir First; touch first/FILE; ls FIRST; ls") == "FILE\nFirst\n"
        assert jails("find . -newer /private/var/run/boottime") != "", "it has a time of its own"
        assert standin("reboot", NAME).returncode == 0
        assert jails("ls fIRST; mount | grep -c /private/var/jails") == "FILE\n2\n"
        assert jails("cp /bin/echo First/Echo; first/ECHO runs") == "runs\n"
    finally:
        assert standin("destroy", NAME).returncode == 0
