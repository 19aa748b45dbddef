# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sockets and descriptors, on which it depends when a run ends."""

from __future__ import annotations

import select

from ..system import call_probes
from .claims import Verdict, claim, found
from .context import Context

NAMES = {"POLLIN": select.POLLIN, "POLLOUT": select.POLLOUT, "POLLERR": select.POLLERR, "POLLHUP": select.POLLHUP}


def words(answer: int) -> str:
    return ", ".join(name for name, bit in NAMES.items() if answer & bit) or "nothing"


@claim(
    "M-POLL-1",
    "POLLHUP that is asked for is answered as soon as the other end has shut down its writing",
    source="Copying: aoss/xnu sys_generic.c, poll_nocancel; uipc_socket.c, filt_soread_common",
    judged="poll(2)",
)
def asked_for(_context: Context) -> Verdict:
    answer = call_probes.poll_answer(select.POLLHUP, closed=False)
    return found(bool(answer & select.POLLHUP), words(answer))


@claim(
    "M-POLL-2",
    "POLLOUT alone is answered without POLLHUP while the other end has only shut down its writing",
    source="Copying: aoss/xnu sys_generic.c, poll_nocancel",
    judged="poll(2)",
)
def half_closed(_context: Context) -> Verdict:
    answer = call_probes.poll_answer(select.POLLOUT, closed=False)
    return found(bool(answer & select.POLLOUT) and not answer & select.POLLHUP, words(answer))


@claim(
    "M-POLL-3",
    "POLLOUT alone is answered with POLLHUP once the other end is closed",
    source="Copying: aoss/xnu sys_generic.c, poll_nocancel",
    judged="poll(2)",
)
def closed(_context: Context) -> Verdict:
    answer = call_probes.poll_answer(select.POLLOUT, closed=True)
    return found(bool(answer & select.POLLHUP), words(answer))


@claim(
    "M-FD-1",
    "Opening /dev/fd/N shares the offset of descriptor N",
    source="Entering a jail: aoss/xnu devfs_fdesc_support.c, fdesc_open",
    judged="open(2)",
)
def shared(context: Context) -> Verdict:
    path = context.place("scratch", "offset")
    call_probes.write(path, b"x" * 20)
    offset = call_probes.offset_when_opened_again(path)
    return found(offset == 10, f"reading begins at {offset}, not at 10" if offset != 10 else "it is shared")
