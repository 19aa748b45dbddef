# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root directories of processes."""

from __future__ import annotations

import os

from ..programs import process_table
from ..services.ports import LSOF
from ..system import call_probes
from ..system.rooted import Root
from .claims import Verdict, claim, found
from .context import Context, run_program


@claim(
    "M-PROCESS-1",
    "proc_pidinfo tells the same processes of a root directory as lsof",
    source="Services in a jail: xnu bsd/kern/proc_info.c; lsof dialects/darwin/libproc/dproc.c",
    judged="lsof -d rtd",
)
def told_by_lsof(context: Context) -> Verdict:
    place = os.path.realpath(context.place("scratch"))
    with call_probes.process_with_root(place) as pid, Root(place) as root:
        ended = run_program(LSOF, "-nPw", "-d", "rtd", "-Fpn")
        ours = [process.pid for process in process_table.processes_of(root.fd, os.fsdecode(place))]
    theirs = _with_root(ended.stdout, place)
    holds = ours == theirs == [pid]
    return found(holds, "one process" if holds else f"it tells of {len(ours)}, lsof of {len(theirs)}, and there is one")


def _with_root(text: bytes, root: bytes) -> list[int]:
    """The processes with a root directory, in the output of lsof -Fpn."""
    pids, pid = set(), 0
    for line in text.splitlines():
        if line[:1] == b"p" and line[1:].isdigit():
            pid = int(line[1:])
        elif line == b"n" + root:
            pids.add(pid)
    return sorted(pids)
