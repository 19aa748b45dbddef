# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail check: what works in a jail."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NamedTuple

from .. import mounted_volume, register
from ..audit.jail_info import gather
from ..errors import JailError
from ..exec.command import Command, execute
from ..jail import open_jail
from ..jobs import devfs, dns
from ..macos import sip
from .answers import Answer, plain
from .request import Request

OK, FAILED, SKIPPED = "ok", "failed", "skipped"
COLORS = {OK: "good", FAILED: "bad"}
PATIENCE = 30.0
"""Seconds for each program."""
TOOLS = b"Library/Developer/CommandLineTools/usr/bin/clang"


class Check(NamedTuple):
    """One thing that was tried."""

    jail: str
    check: str
    result: str
    detail: str = ""


def check(request: Request) -> Answer:
    """All checks of one jail, or of each that is there."""
    paths = [request.jail()] if request["jail"] else _jails_that_are_there()
    user = request["user"] or "root"
    can_enter = not sip.status().protects_files
    found = [one for path in paths for one in _checks(path, user, can_enter)]
    rows = [[*plain(one.jail, one.check), (one.result, COLORS.get(one.result, "")), (one.detail, "")] for one in found]
    lines = request.style.table(("jail", "check", "result", "detail"), rows) if rows else ["this Mac has no jail"]
    code = 1 if any(one.result == FAILED for one in found) else 0
    return Answer({"checks": [one._asdict() for one in found]}, lines, code=code)


def _jails_that_are_there() -> list[str]:
    known = sorted(register.all_known())
    return [os.fsdecode(path) for path in known if os.path.isdir(path) and not mounted_volume.missing_mount(path)]


def _checks(path: str, user: str, can_enter: bool) -> Iterator[Check]:
    """The checks of one jail; none of them ends the others."""
    name = os.path.basename(path)
    try:
        values = gather(path, ("identity", "jobs")).values
    except JailError as exc:
        yield Check(name, "jail", FAILED, str(exc))
        return
    state, drift = str(values["identity"]["state"]), values["host"]["drift"]
    yield Check(name, "build", OK if state == "complete" else FAILED, state)
    yield Check(name, "macOS", FAILED if drift else OK, "; ".join(drift))
    yield from _jobs(name, values["jobs"])
    if not can_enter:
        yield Check(name, "programs", SKIPPED, "System Integrity Protection is on: csrutil disable in recoveryOS")
        return
    yield from _programs(name, path, user)
    purposes = {str(job["purpose"]) for job in values["jobs"]}
    if dns.PURPOSE in purposes:
        yield _names(name, path)
    if devfs.PURPOSE in purposes:
        yield _terminals(name, path)


def _jobs(name: str, jobs: list[dict[str, Any]]) -> Iterator[Check]:
    for job in jobs:
        yield Check(name, f"job {job['purpose']}", OK if job["loaded"] else FAILED, job["last_log_line"])


def _programs(name: str, path: str, user: str) -> Iterator[Check]:
    yield _program(name, path, user, "programs", ["/bin/sh", "-c", ":"])
    yield _program(name, path, user, "user", ["/usr/bin/id", "-un"])
    yield _program(name, path, user, "temporary files", ["/bin/sh", "-c", ': >"$TMPDIR/.djail" && rm "$TMPDIR/.djail"'])
    with open_jail(path) as jail:
        has_tools = jail.root.lstat(TOOLS) is not None
    if has_tools:
        yield _program(name, path, user, "compiler", ["/" + TOOLS.decode(), "--version"])


def _program(name: str, path: str, user: str, what: str, argv: list[str]) -> Check:
    try:
        result = execute(Command(path, argv=argv, user=user, timeout=PATIENCE, output_limit=4096), check=False)
    except JailError as exc:
        return Check(name, what, FAILED, str(exc))
    said = str(result.values["msg"] or result.values["stdout"].split("\n", 1)[0])
    return Check(name, what, FAILED if result.failed else OK, said)


def _names(name: str, path: str) -> Check:
    try:
        found = dns.inspect(path, ()).values
    except JailError as exc:
        return Check(name, "names", FAILED, str(exc))
    wrong = [f"{host}: {error}" for host, error in found["errors"].items()]
    wrong += [found["problem"]] if found["problem"] else []
    resolved = ", ".join(f"{host} is {', '.join(found['addresses'][host])}" for host in found["addresses"])
    return Check(name, "names", FAILED if wrong else OK, "; ".join(wrong) or resolved)


def _terminals(name: str, path: str) -> Check:
    try:
        with open_jail(path) as jail:
            count = devfs.mount_count(jail.root)
    except JailError as exc:
        return Check(name, "terminals", FAILED, str(exc))
    return Check(name, "terminals", OK if count else FAILED, "" if count else "devfs is not mounted on its /dev")
