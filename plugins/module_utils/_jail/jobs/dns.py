# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""DNS in a jail: its /var/run/mDNSResponder leads to that of the Mac.

A launchd job for each jail keeps the socket (programs/dns_relay.py): a hard link
to the Mac's socket, or a socket that is relayed to it. This file installs and
removes the job, and tests the socket.
"""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import InputError, OperationError
from ..jail import jail_path, open_jail
from ..macos import launchd, third_party
from ..macos.launchd import Job
from ..plan import Change, apply
from ..predicted import open_predicted
from ..programs import chroot_exec, daemon, dns_relay, resolve_names, socket_peer
from ..programs.bundle import program
from ..result import Result
from ..system import nobody
from ..system.process import run
from ..system.rooted import Root
from ..system.sockets import connect_error
from . import service as services
from .service import Service

PURPOSE = "dns"
MODES = ("auto", "link", "relay")
SERVER = dns_relay.SERVER
SOCKET = f"{dns_relay.FOLDER}/{dns_relay.NAME}".encode()
PROGRAM = "dns_relay.py"
SCUTIL = "/usr/sbin/scutil"

SELF_REPAIR_SECONDS = 3 * dns_relay.TICK
"""Seconds within which the job repairs its socket."""
LOOKUP_TIME = 60.0
"""Seconds for looking up all names; mDNSResponder takes at most 30 for one."""


class SocketState(NamedTuple):
    """How the jail's socket leads to mDNSResponder."""

    mode: str
    """link, relay or none."""
    problem: str = ""
    """Why the socket leads nowhere."""


def probe(root: Root) -> SocketState:
    """The state of the jail's socket."""
    there = root.lstat(SOCKET)
    if there is None:
        return SocketState("none", f"there is no /{SOCKET.decode()} in it")
    if not stat.S_ISSOCK(there.st_mode):
        return SocketState("none", f"/{SOCKET.decode()} in it is not a socket")
    try:
        if os.path.samestat(there, os.lstat(SERVER)):
            return SocketState("link")
    except FileNotFoundError:
        return SocketState("none", f"{SERVER} does not exist")
    problem = connect_error(root, SOCKET)
    return (
        SocketState("none", f"/{SOCKET.decode()} in it leads nowhere: {problem}") if problem else SocketState("relay")
    )


def service_of(root: Root, mode: str, python: str) -> Service:
    """The service of a jail; it works when the socket has the mode and leads to mDNSResponder."""
    name = launchd.label(root.path, PURPOSE)
    words = (python, "-I", "-S", launchd.installed_path(name, PROGRAM), "--mode", mode, os.fsdecode(root.path))
    job = Job(name, words, {PROGRAM: program(daemon, socket_peer, dns_relay, call="main()").encode()})

    def problem() -> str:
        state = probe(root)
        if state.problem or mode in ("auto", state.mode):
            return state.problem
        return f"/{SOCKET.decode()} in it is a {state.mode} yet"

    return Service(job, problem, SELF_REPAIR_SECONDS, "let names resolve in", root.path)


def ensure(
    jail: str, state: str, mode: str, python: str, timeout: float, check: bool, names: Sequence[str] | None = None
) -> Result:
    """Make names resolve in a jail, or remove the job that does so."""
    if os.geteuid() != 0:
        raise InputError(f"cannot set up DNS in {jail}: only root can load launchd jobs: set become: true")
    if state == "absent":
        return _remove(jail, check)
    third_party.require_root_owned(python)
    with open_predicted(jail, check) as opened:
        service = service_of(opened.root, mode, python)
        result = services.ensure([service], services.plan(service), timeout, check)
        label, found = service.job.label, probe(opened.root)
        result.values = {"mode": found.mode, "job": label, "message": launchd.last_log_line(label)}
        if names is not None and not check:
            result.values.update(_look_up(opened.root, names), problem="")
    result.warnings += opened.prediction_warnings
    return result


def _remove(jail: str, check: bool) -> Result:
    """Remove the job and its socket. Without a job, the socket is of another program and stays."""
    path = jail_path(jail)
    name = launchd.label(path, PURPOSE)
    changes = launchd.plan_absent(name)
    if changes and os.path.isdir(path):
        with Root(path) as root:
            is_there = _has_socket(root)
        if is_there:
            changes.append(Change(f"- /{SOCKET.decode()}", lambda: remove_socket(path)))
    return apply(changes, check, {"mode": "none", "job": name, "message": ""})


def _has_socket(root: Root) -> bool:
    status = root.lstat(SOCKET)
    return status is not None and stat.S_ISSOCK(status.st_mode)


def remove_socket(path: bytes) -> None:
    """Remove the socket of a jail, if there is one."""
    with Root(path) as root:
        if _has_socket(root):
            root.unlink(SOCKET)


# -- looking up ----------------------------------------------------------------


def inspect(jail: str, names: Sequence[str]) -> Result:
    """The state of the socket, and the addresses that names resolve to."""
    with open_jail(jail) as opened:
        socket_state = probe(opened.root)
        found = _look_up(opened.root, names)
    return Result(False, {"mode": socket_state.mode, "problem": socket_state.problem, **found})


def _look_up(root: Root, names: Sequence[str]) -> dict[str, Any]:
    return look_up(root, list(names) or [local_host_name()])


def local_host_name() -> str:
    """The Mac's name in its local network, which only mDNSResponder resolves."""
    ended = run([SCUTIL, "--get", "LocalHostName"])
    name = ended.stdout.decode("utf-8", "replace").strip()
    if ended.rc or not name:
        raise OperationError("ask for the name of this Mac", SCUTIL, f"it ended with {ended.rc}", hint="give names")
    return f"{name}.local"


def look_up(root: Root, names: list[str]) -> dict[str, Any]:
    """The addresses of names, and the errors of the others, as a program in the jail gets them."""
    whoever = map(str, (root.fd, *nobody.ids()))
    command = [sys.executable, "-I", "-S", "-c", program(chroot_exec, resolve_names, call="main()"), *whoever, *names]
    ended = run(command, timeout=LOOKUP_TIME, inherited=[root.fd])
    if ended.timed_out:
        late = f"no answer within {LOOKUP_TIME:.0f} seconds"
        return {"entered": True, "addresses": {}, "errors": dict.fromkeys(names, late)}
    if ended.rc:
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("look up names in", root.path, said or f"the look-up ended with {ended.rc}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found
