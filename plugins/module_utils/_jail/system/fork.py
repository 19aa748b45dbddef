# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A fork that is safe from signals: all processes of the collection are forked here."""

from __future__ import annotations

import os
import signal

ENDINGS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM)
"""Signals that end a process. Ctrl-C and the end of a terminal send them to its whole process group."""


def fork() -> int:
    """As os.fork. The new process ends by these signals, or ignores those that its parent ignores.

    A handler of the parent raises KeyboardInterrupt or SystemExit. In the new process that would go up the stack of the
    parent, whose cleanup would then run twice. No signal comes before the handlers are gone (fork(2): the new process
    has the signal mask of its parent, and no pending signals).
    """
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        pid = os.fork()
        if not pid:
            for number in ENDINGS:
                if callable(signal.getsignal(number)):
                    signal.signal(number, signal.SIG_DFL)
        return pid
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
