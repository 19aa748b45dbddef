# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of programs in jails, with the messages and values of ansible.builtin.command."""

from __future__ import annotations

import base64
import errno
import os
import signal
from datetime import datetime
from typing import Any

from ..errors import InputError, JailError, OperationError
from ..result import Result
from ..system.process import CompletedRun
from .launch import Report

# macOS: "Bad CPU type in executable" (xnu bsd/sys/errno.h); other systems have no such errno.
EBADARCH = 86

# Of dyld, when the kernel refuses to map the jail's shared cache: no program can start then.
CACHE_REFUSED = b"syscall to map cache into shared region failed"

SIP = (
    "System Integrity Protection refuses it while it is on: csrutil status tells, and csrutil disable in recoveryOS "
    "turns it off"
)

# The exit code of a shell that does not find the program.
NOT_FOUND = 127

# Bytes at the end of the output of a program among which the last line is.
MAX_LAST_LINE = 500

# -- it could not be run -------------------------------------------------------


def raise_for(report: Report, program: str, search: str, jail: str, user: str) -> None:
    """JailError when a step before the program failed."""
    reason = os.strerror(report.errno)
    if report.event == "others":
        raise InputError(
            f"cannot enter {jail}: others than root can change {report.path}: make it root's alone (chown root, chmod "
            "go-w), or move the jail, to /private/var/jails for example"
        )
    if report.event == "enter":
        raise OperationError("enter", jail, reason, report.errno, SIP if report.errno == errno.EPERM else "")
    if report.event in ("groups", "user"):
        what = "take the groups of" if report.event == "groups" else "become"
        raise OperationError(what, user, reason, report.errno)
    explain = {"chdir": _chdir, "find": _find, "interpreter": _interpreter, "execute": _execute}.get(report.event)
    if explain:
        raise OperationError("run", f"{program} in {jail}", explain(report, program, search, user), report.errno)


def _chdir(report: Report, _program: str, _search: str, user: str) -> str:
    what = {
        errno.ENOENT: "does not exist in the jail",
        errno.ENOTDIR: "is not a directory",
        errno.EACCES: f"may not be entered by {user}",
    }.get(report.errno, os.strerror(report.errno))
    return f"{report.path} (chdir) {what}"


def _find(report: Report, program: str, search: str, user: str) -> str:
    if report.errno == errno.ENOENT:
        place = "" if "/" in program else f", in none of {search.replace(':', ', ')}"
        return f"there is no such program in the jail{place}: install it there or give the whole path"
    if report.errno == errno.EISDIR:
        return "it is a directory"
    if report.errno == errno.EACCES:
        return f"{user} may not execute it"
    return os.strerror(report.errno)


def _interpreter(report: Report, _program: str, _search: str, _user: str) -> str:
    return f"its interpreter {report.path} cannot be found in the jail: {os.strerror(report.errno)}"


def _execute(report: Report, _program: str, _search: str, _user: str) -> str:
    return {
        errno.ENOENT: "the loader that it names is not in the jail (on macOS that is /usr/lib/dyld)",
        errno.ENOEXEC: "it is neither a program nor a script whose first line names an interpreter",
        EBADARCH: "it is for a processor of another kind",
    }.get(report.errno, os.strerror(report.errno))


def failed_before_start(why: JailError) -> Result:
    """The result when no program ran. It has the values of a run, so that conditions can use them."""
    return Result(False, {"rc": None, "stdout": "", "stderr": "", "msg": str(why)}, failed=True)


# -- it was not to be run --------------------------------------------------------


def skipped(event: str, creates: str | None, removes: str | None, words: list[str], check: bool) -> Result:
    """The result when O(creates) or O(removes) prevented the run."""
    state = f"{creates} exists" if event == "creates" else f"{removes} does not exist"
    quoted = f"'{creates}' exists" if event == "creates" else f"'{removes}' does not exist"
    said = f"{'Would' if check else 'Did'} not run command since {quoted}"
    return Result(False, {**_nothing(words, said), "stdout": f"skipped, since {state}"})


def would_run(words: list[str], decided: bool) -> Result:
    """The result of check mode."""
    values = _nothing(words, "Command would have run if not in check mode")
    return Result(decided, values if decided else {**values, "skipped": True})


def _nothing(words: list[str], said: str) -> dict[str, Any]:
    blank = {"stdout": "", "stderr": "", "start": None, "end": None, "delta": None}
    return {**blank, "cmd": words, "rc": 0, "msg": said}


# -- it ran --------------------------------------------------------------------------


def completed(words: list[str], ended: CompletedRun, strip: bool, timeout: float | None, start: datetime) -> Result:
    """The result of a program that ended or timed out."""
    end = datetime.now().astimezone()
    found: dict[str, Any] = {
        "cmd": words,
        "rc": ended.rc,
        "start": str(start.replace(tzinfo=None)),
        "end": str(end.replace(tzinfo=None)),
        "delta": str(end - start),
        "msg": _failure_message(ended, timeout),
    }
    for name, data in (("stdout", ended.stdout), ("stderr", ended.stderr)):
        try:
            text = data.decode()
        except UnicodeDecodeError:  # Ansible refuses a result that is not UTF-8
            text = data.decode("utf-8", "backslashreplace")
            found[f"{name}_base64"] = base64.b64encode(data).decode()
        found[name] = text.rstrip("\r\n") if strip else text
    return Result(True, found, failed=bool(found["msg"]))


def _failure_message(ended: CompletedRun, timeout: float | None) -> str:
    """Why the task fails; empty when the program succeeded."""
    if ended.timed_out:
        return f"timed out: still running after {timeout:g} seconds, so it was ended with all it had started"
    if not ended.rc:
        return ""
    how = f"signal {-ended.rc}" if ended.rc < 0 else f"exit code {ended.rc}"
    why = explain(ended.rc, ended.stderr) or _last_line(ended.stderr) or _last_line(ended.stdout)
    return f"ended with {how}: {why}" if why else f"ended with {how}, without output"


def _last_line(said: bytes) -> str:
    """The last line that is not empty."""
    lines = said[-MAX_LAST_LINE:].decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip() if lines else ""


def explain(rc: int, stderr: bytes) -> str:
    """The known meaning of an exit code on macOS (docs/macos.md); a shell reports 128 + signal."""
    if rc in (-signal.SIGABRT, 128 + signal.SIGABRT):
        if CACHE_REFUSED in stderr:
            return (
                "the kernel refused to map the jail's copy of the dyld shared cache, as it does while the file system "
                "protection of System Integrity Protection is on (csrutil status tells)"
            )
        if b"Library not loaded" in stderr:
            return "dyld misses a library: the jail lacks it, or the dyld shared cache of this Mac's macOS"
    if rc in (-signal.SIGKILL, 128 + signal.SIGKILL):
        return (
            "killed: if nobody sent it SIGKILL, macOS refused to run this copy (launch constraints bind system apps "
            "and daemons to their place, entitled programs may be refused in a chroot, and a changed program needs "
            "a new signature)"
        )
    return ""
