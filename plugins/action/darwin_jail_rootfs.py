# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run the module of this name, and show how far it is while it runs.

The module runs as any other. When it has not come back after a few seconds, a
thread begins to read the file in which it says how far it is, over the same
connection as Ansible's own commands (with ssh's multiplexing: without logging
in again). So a short run costs nothing more, and what cannot be read is not
shown, but never an error.
"""

from __future__ import annotations

import copy
import json
import secrets
import shlex
import threading
from typing import Any

from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.plugin_utils.on_mac import OnMac

DIRECTORY = "/private/var/run"
"""Of root, on every Mac, and emptied when it starts."""
SILENT, EVERY = 4.0, 5.0
"""Seconds before the first look, and between two of them."""
MOST_FAILURES = 3
NOTHING_TO_SHOW = {"absent"}


class ActionModule(OnMac):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if not self._shows(self._task.args):
            return super().run(tmp, task_vars)
        path, given = f"{DIRECTORY}/darwin.jail.{secrets.token_hex(8)}", self._task.args
        self._task.args = {**given, "progress_file": path}
        try:
            with _Watch(self._connection, path, (task_vars or {}).get("inventory_hostname", "")):
                return super().run(tmp, task_vars)
        finally:
            self._task.args = given  # it may be tried again

    def _shows(self, arguments: dict[str, Any]) -> bool:
        hidden = self._task.check_mode or self._task.async_val or self._task.no_log
        return not hidden and "progress_file" not in arguments and arguments.get("state") not in NOTHING_TO_SHOW


class _Watch:
    """Shows, from a thread, what the file says, until the block ends."""

    def __init__(self, connection: Any, path: str, host: str) -> None:
        # A copy, for a plugin keeps in itself what belongs to the command that it runs.
        self._connection, self._path, self._host = copy.copy(connection), path, host
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._thread.join(EVERY)

    def _show(self) -> None:
        failures, wait = 0, SILENT
        while failures < MOST_FAILURES and not self._ended.wait(wait):
            wait = EVERY
            text = self._read()
            if text and not self._ended.is_set():
                Display().display(f"{self._host}: {text}")
            failures = 0 if text else failures + 1

    def _read(self) -> str:
        """What to show; empty when there is nothing, or it cannot be had."""
        try:
            rc, out, _err = self._connection.exec_command(f"cat {shlex.quote(self._path)}", sudoable=False)
            return described(json.loads(out)) if not rc else ""
        except Exception:  # noqa: BLE001 (connection plugins raise anything, and the run matters more)
            return ""


def described(report: dict[str, Any]) -> str:
    """A report of the module in words: 1.2 GB of 4.9 GB, 6000 of 46396 files, 240.0 MB/s, 15 s left."""
    if report.get("waiting"):
        return "waiting for another build on this Mac"
    size, files, seconds = int(report["bytes"]), int(report["files"]), float(report["seconds"])
    if not files:
        return f"comparing, nothing copied yet after {seconds:.0f} s"
    rate = size / seconds if seconds else 0.0
    rest = f"{_size(rate)}/s"
    if not report.get("bytes_total"):
        return f"{_size(size)}, {files} files, {rest}"
    whole = int(report["bytes_total"])
    if rate:
        rest += f", {_time((whole - size) / rate)} left"
    return f"{_size(size)} of {_size(whole)}, {files} of {int(report['files_total'])} files, {rest}"


def _size(count: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
