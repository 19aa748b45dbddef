# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names in a jail: the way from its /var/run/mDNSResponder to the Mac's.

A launchd job for each jail keeps that way open (programs/dns_relay.py): as a hard
link to the Mac's socket or as a socket that is relayed to it. What is here
installs and removes the job, and looks at what it made.
"""

from __future__ import annotations

import json
import os
import stat
import sys
import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import InputError, OperationError
from ..jail import jail_path, open_jail
from ..macos import launchd, third_party
from ..macos.launchd import Job, Step
from ..predicted import open_predicted
from ..programs import chroot_exec, daemon, dns_relay, resolve_names, socket_peer
from ..programs.bundle import program
from ..result import Result
from ..system import nobody
from ..system.process import run
from ..system.rooted import Root
from ..system.sockets import connect_error

PURPOSE = "dns"
MODES = ("auto", "link", "relay", "none")
SERVER = dns_relay.SERVER
SOCKET = f"{dns_relay.FOLDER}/{dns_relay.NAME}".encode()
PROGRAM = "dns_relay.py"
SCUTIL = "/usr/sbin/scutil"

SELF_REPAIR_SECONDS = 3 * dns_relay.TICK
"""Seconds after which the job has seen what became of its socket."""
PAUSE = 0.1
LOOKUP_TIME = 60.0
"""Seconds for looking up all names; mDNSResponder gives up on one after 30."""


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
        return SocketState("none", f"/{SOCKET.decode()} in it is no socket")
    try:
        if os.path.samestat(there, os.lstat(SERVER)):
            return SocketState("link")
    except FileNotFoundError:
        return SocketState("none", f"{SERVER} is not there")
    problem = connect_error(root, SOCKET)
    return (
        SocketState("none", f"/{SOCKET.decode()} in it leads nowhere: {problem}") if problem else SocketState("relay")
    )


def job(path: bytes, mode: str, python: str) -> Job:
    name = launchd.label(path, PURPOSE)
    words = (python, "-I", "-S", launchd.installed(name, PROGRAM), "--mode", mode, os.fsdecode(path))
    return Job(name, words, {PROGRAM: program(daemon, socket_peer, dns_relay, call="main()").encode()})


def ensure(
    jail: str, mode: str, python: str, timeout: float, check: bool, names: Sequence[str] | None = None
) -> Result:
    """Make names resolve in a jail, or with mode none take that back."""
    if os.geteuid() != 0:
        raise InputError(f"cannot arrange names in {jail}: launchd takes jobs from root only: set become: true")
    if mode == "none":
        return _end(jail, check)
    third_party.require_root_owned(python)
    path = jail_path(jail)
    wanted = job(path, mode, python)
    with open_predicted(jail, check) as opened:
        result = _keep(opened.root, wanted, mode, timeout, check)
        if names is not None and not check:
            result.values.update(_found(opened.root, names), problem="")
    result.warnings += opened.prediction_warnings
    return result


def _keep(root: Root, wanted: Job, mode: str, timeout: float, check: bool) -> Result:
    steps = launchd.plan_present(wanted)
    socket_state = probe(root) if steps else _wait(root, mode, SELF_REPAIR_SECONDS)
    if not steps and socket_state.problem:
        again = f"~ launchd job {wanted.label} (restarted, for {socket_state.problem})"
        steps = [Step(again, lambda: launchd.restart(wanted.label))]
    if steps and not check:
        for step in steps:
            step.execute()
        socket_state = _wait(root, mode, timeout)
        if socket_state.problem:
            said = launchd.last_log_line(wanted.label)
            raise OperationError("let names resolve in", root.path, socket_state.problem, hint=f"its job says: {said}")
    values = {"mode": socket_state.mode, "job": wanted.label, "said": launchd.last_log_line(wanted.label)}
    return Result(bool(steps), values, [step.describe for step in steps])


def _end(jail: str, check: bool) -> Result:
    """Remove the job and its socket; a socket of another program stays."""
    path = jail_path(jail)
    name = launchd.label(path, PURPOSE)
    steps = launchd.plan_absent(name)
    if steps and os.path.isdir(path):
        with Root(path) as root:
            status = root.lstat(SOCKET)
        if status and stat.S_ISSOCK(status.st_mode):
            steps.append(Step(f"- /{SOCKET.decode()}", lambda: _remove_socket(path)))
    for step in [] if check else steps:
        step.execute()
    return Result(bool(steps), {"mode": "none", "job": name, "said": ""}, [step.describe for step in steps])


def _remove_socket(path: bytes) -> None:
    with Root(path) as root:
        root.unlink(SOCKET)


def _wait(root: Root, mode: str, seconds: float) -> SocketState:
    """Wait until the socket has the wanted mode and leads to mDNSResponder; its last state."""
    deadline = time.monotonic() + seconds
    while True:
        socket_state = probe(root)
        if not socket_state.problem and mode not in ("auto", socket_state.mode):
            socket_state = socket_state._replace(problem=f"/{SOCKET.decode()} in it is a {socket_state.mode} yet")
        if not socket_state.problem or time.monotonic() > deadline:
            return socket_state
        time.sleep(PAUSE)


# -- looking up ----------------------------------------------------------------


def inspect(jail: str, names: Sequence[str]) -> Result:
    """The state of the socket, and the addresses that names resolve to."""
    with open_jail(jail) as opened:
        socket_state = probe(opened.root)
        found = _found(opened.root, names)
    return Result(False, {"mode": socket_state.mode, "problem": socket_state.problem, **found})


def _found(root: Root, names: Sequence[str]) -> dict[str, Any]:
    return look_up(root, list(names) or [own_name()])


def own_name() -> str:
    """The Mac's name in its own network, which only mDNSResponder knows."""
    ended = run([SCUTIL, "--get", "LocalHostName"])
    name = ended.stdout.decode("utf-8", "replace").strip()
    if ended.rc or not name:
        raise OperationError("ask for the name of this Mac", SCUTIL, f"it ended with {ended.rc}", hint="give names")
    return f"{name}.local"


def look_up(root: Root, names: list[str]) -> dict[str, Any]:
    """The addresses of names, and the errors of those that have none, for programs in a jail that can be entered."""
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
