# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The progress of what takes longer than a second, on one line of the terminal.

The work writes it to a file (system/progress.py); a thread shows that on standard error, if it is a terminal.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import show_message
from ..progress_text import described
from ..system import host
from .request import Request

PLACE = "/private/var/run"
"""Root's on every Mac, and emptied at boot."""
EVERY = 0.5
"""Seconds between two looks at the file."""
CLEAR = "\r\x1b[K"
WIDTH = 100


@contextmanager
def shown_progress(request: Request, doing: str) -> Iterator[str | None]:
    """Yield the path for the reports of the block, which are shown meanwhile; None when nobody would see them."""
    if not os.isatty(2) or request.flag("json") or not os.path.isdir(PLACE):
        yield None
        return
    path, ended = f"{PLACE}/darwin.jail.{os.urandom(8).hex()}", threading.Event()
    thread = threading.Thread(target=_show, args=(path, doing, ended, request.is_dry_run), daemon=True)
    thread.start()
    try:
        yield path
    finally:
        ended.set()
        thread.join()


def _show(path: str, doing: str, ended: threading.Event, check: bool) -> None:
    wrote = False
    while not ended.wait(EVERY):
        try:
            line = described(json.loads(host.tail(path)), check)
        except (ValueError, KeyError, TypeError):
            continue  # there is none yet, or it is written just now
        sys.stderr.write(f"{CLEAR}{show_message(f'{doing}: {line}')[:WIDTH]}")
        sys.stderr.flush()
        wrote = True
    if wrote:
        sys.stderr.write(CLEAR)
        sys.stderr.flush()
