# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Known failures of macOS are explained, others are not."""

from __future__ import annotations

import errno
import signal
from datetime import datetime

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.launch import Report
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.outcome import (
    completed,
    failed_before_start,
    raise_for,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import CompletedRun

# darwin-jail issue 2 (macOS 11), and the form of macOS 13 (apache/doris issue 15637).
CACHE_11 = b"""dyld: dyld cache load error: syscall to map cache into shared region failed
dyld: Library not loaded: /usr/lib/libutil.dylib
  Referenced from: /bin/ls
  Reason: image not found
"""
CACHE_13 = b"dyld[96962]: dyld cache '(null)' not loaded: syscall to map cache into shared region failed\n"
# rund issue 39.
LIBRARY = b"dyld[1981]: Library not loaded: '/usr/lib/libncurses.5.4.dylib'\n"

SHARED_CACHE = ": the kernel refused to map the jail's copy of the dyld shared cache"
MISSING = ": dyld misses a library: the jail lacks it, or the dyld shared cache"
KILLED = ": killed: if nobody sent it SIGKILL, macOS refused to run this copy (launch constraints"


def message(rc: int, stderr: bytes = b"", stdout: bytes = b"") -> str:
    result = completed(["x"], CompletedRun(rc, stdout, stderr), True, None, datetime.now().astimezone())
    assert result.failed
    return str(result.values["msg"])


@pytest.mark.parametrize("rc", [-signal.SIGABRT, 134])
def test_dyld(rc: int) -> None:
    how = "ended with signal 6" if rc < 0 else f"ended with exit code {rc}"
    assert message(rc, CACHE_11).startswith(how + SHARED_CACHE)
    assert message(rc, CACHE_13).startswith(how + SHARED_CACHE)
    assert message(rc, LIBRARY).startswith(how + MISSING)
    assert message(rc, b"assertion failed") == f"{how}: assertion failed"


@pytest.mark.parametrize("rc", [-signal.SIGKILL, 137])
def test_killed(rc: int) -> None:
    assert KILLED in message(rc)


@pytest.mark.parametrize("rc", [1, 6, 9, -signal.SIGTERM])
def test_others_are_told_by_what_the_program_said_last(rc: int) -> None:
    how = f"ended with signal {-rc}" if rc < 0 else f"ended with exit code {rc}"
    assert message(rc, CACHE_13) == f"{how}: {CACHE_13.decode().strip()}"
    assert message(rc, b"first\n  last  \n\n", b"output") == f"{how}: last"
    assert message(rc, b" \n", b"only here\n") == f"{how}: only here"
    assert message(rc) == f"{how}, without output"


def test_what_a_program_said_has_bounds() -> None:
    assert len(message(1, b"x" * 10_000)) < 600
    assert "\ufffd" in message(1, b"\xff")


def test_what_could_not_be_run_has_the_values_of_a_program() -> None:
    result = failed_before_start(OperationError("run", "make", "there is none"))
    assert (result.failed, result.changed) == (True, False)
    assert result.values == {"rc": None, "stdout": "", "stderr": "", "msg": "cannot run make: there is none"}


def refusal(event: str, number: int, path: str = "") -> str:
    with pytest.raises(OperationError) as caught:
        raise_for(Report(event, path, number), "make", "/usr/bin:/bin", "/jails/a", "admin")
    return str(caught.value)


def test_chroot_is_refused() -> None:
    assert refusal("enter", errno.EPERM) == (
        "cannot enter /jails/a: Operation not permitted (System Integrity Protection refuses it while it is on: "
        "csrutil status tells, and csrutil disable in recoveryOS turns it off)"
    )
    assert refusal("enter", errno.ENOMEM) == "cannot enter /jails/a: Cannot allocate memory"


def test_other_steps_are_named() -> None:
    assert refusal("groups", errno.EINVAL) == "cannot take the groups of admin: Invalid argument"
    assert refusal("user", errno.EAGAIN) == "cannot become admin: Resource temporarily unavailable"
    assert refusal("execute", 86) == "cannot run make in /jails/a: it is for a processor of another kind"
    assert refusal("execute", errno.E2BIG) == "cannot run make in /jails/a: Argument list too long"
