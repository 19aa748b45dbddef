# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who uses a port of the Mac. All its jails share its network, so two of them cannot have one port.

A trial bind(2) does not tell: one to 127.0.0.1 succeeds beside a listener on all addresses. So lsof(8) is asked, whose
letters for programs (-F) are documented.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from ..errors import InputError, OperationError, show, show_message
from ..macos import launchd
from ..programs import process_table, service_files
from ..service_jobs import PURPOSE, Installed
from ..system import host
from ..system.build_lock import locked_directory
from ..system.process import run
from ..system.rooted import Root

LSOF = "/usr/sbin/lsof"
TIMEOUT = 30.0
"""Seconds. lsof(8) waits for network volumes that do not answer."""
ATTEMPTS = 600
"""How often to try to lock the jobs of this Mac, 20 times a second: a run keeps the lock while it writes one file."""


class Listener(NamedTuple):
    """A process that accepts connections on a port."""

    port: int
    pid: int
    command: str


def refuse_used(wanted: Mapping[int, str], prefix: str, own: Sequence[Installed]) -> None:
    """InputError for a port that a service of another jail or another program of the Mac has.

    `wanted` are the ports, each with who wants it. `prefix` begins the labels of this jail's services, and `own` are
    these.
    """
    if not wanted:
        return
    refuse_of_others(wanted, prefix)
    mark, table = f"{service_files.MARK}={prefix}".encode(), process_table.table()
    leaders = {one.leader.pid for one in own if one.leader and one.leader.may_lead(table)}
    for listener in listeners(sorted(wanted)):
        words = table.environment(listener.pid)
        if process_table.session(listener.pid) not in leaders and not any(word.startswith(mark) for word in words):
            raise InputError(
                f"{wanted[listener.port]}: port {listener.port} is in use on this Mac by "
                f"{show_message(listener.command)} (process {listener.pid}): choose another port, or end that program"
            )


@contextmanager
def claimed(wanted: Mapping[int, str], prefix: str) -> Iterator[None]:
    """Hold ports for a service while a file is written by which others know of them.

    Two runs for two jails can come here at once, and both have found a port unused.
    """
    if not wanted:
        yield
        return
    path = os.path.join(launchd.TOP, launchd.FILES)
    host.make_dirs(path)
    with Root(path) as root, locked_directory(root, attempts=ATTEMPTS):
        refuse_of_others(wanted, prefix)
        yield


def refuse_of_others(wanted: Mapping[int, str], prefix: str) -> None:
    """InputError for a port that a service of another jail is to have. Cost: two files for each of these services."""
    for other, ports in _ports_of_others(prefix):
        for port in sorted(wanted.keys() & ports):
            raise InputError(f"{wanted[port]}: port {port} is that of {other}: choose another port for one of them")


def _ports_of_others(prefix: str) -> Iterator[tuple[str, set[int]]]:
    """The services of other jails of this Mac, each with its jail, and the ports that they are to have."""
    for label in launchd.labels("darwin.jail."):
        if f".{PURPOSE}" in label and not label.startswith(prefix) and launchd.has_plist(label):
            try:
                spec: Any = json.loads(launchd.read_file(label, service_files.SPEC) or b"{}")
                ports = {port for port in spec.get("ports", []) if isinstance(port, int)}
                yield f"the service {label.rpartition('.')[2]} of {show(str(spec.get('jail')))}", ports
            except (ValueError, AttributeError, TypeError):
                continue


def listeners(ports: Sequence[int]) -> list[Listener]:
    """The processes that listen on these ports; OperationError when lsof(8) does not tell."""
    if not os.path.exists(LSOF):
        return []
    words = [LSOF, "-nP", "-iTCP:" + ",".join(map(str, ports)), "-sTCP:LISTEN", "-FpcLn"]
    ended = run(words, timeout=TIMEOUT)
    said = ended.stderr.decode("utf-8", "replace").strip()
    if ended.timed_out:
        raise OperationError(
            "ask who uses ports of", show(b"this Mac"), f"lsof has not ended after {TIMEOUT:.0f} seconds"
        )
    if ended.rc not in (0, 1) or (ended.rc and said):
        raise OperationError("ask who uses ports of", show(b"this Mac"), said or f"lsof ended with {ended.rc}")
    return list(parse(ended.stdout.decode("utf-8", "replace"), set(ports)))


def parse(text: str, ports: set[int]) -> Iterator[Listener]:
    """The output of lsof -FpcLn: a letter and a value on each line; p begins a process, n an address such as *:8080."""
    pid, command = 0, ""
    for line in text.splitlines():
        kind, value = line[:1], line[1:]
        if kind == "p":
            pid, command = int(value) if value.isdigit() else 0, ""
        elif kind == "c":
            command = value
        elif kind == "n":
            port = value.rpartition(":")[2]
            if port.isdigit() and int(port) in ports:
                yield Listener(int(port), pid, command)
