# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module that has the option `progress_file`, and show its progress while it runs.

When the module has not returned after a second, a thread begins to read the
progress file, over the same connection as Ansible's commands (with ssh's
multiplexing: without a new login). So a short run costs nothing. A file that
cannot be read is not an error.
"""

from __future__ import annotations

import copy
import json
import secrets
import shlex
import threading
import time
from collections.abc import Callable
from typing import Any

from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show_message
from ansible_collections.darwin.jail.plugins.module_utils._jail.progress_text import announced, described
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.on_mac import OnMac

DIRECTORY = "/private/var/run"
"""Belongs to root on every Mac, and is emptied at boot."""
SILENT, EVERY, LATER = 1.0, 5.0, 30.0
"""Seconds between two reads: until the first progress, after it, and at most."""
SLOWER = 1.2
"""The factor by which each interval is longer than the one before it."""
MOST_FAILURES = 10


class ActionModule(OnMac):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        if not self._shows(self._task.args):
            return super().run(tmp, task_vars)
        path, given = f"{DIRECTORY}/darwin.jail.{secrets.token_hex(8)}", self._task.args
        self._task.args = {**given, "progress_file": path}
        try:
            host = (task_vars or {}).get("inventory_hostname", "")
            with _Watch(self._connection, path, host, self._task.check_mode, self._note):
                return super().run(tmp, task_vars)
        finally:
            self._task.args = given  # the task may be retried

    def _note(self) -> None:
        """Note that progress was shown."""
        if self.still:
            self.still.shown = time.monotonic()

    def _shows(self, arguments: dict[str, Any]) -> bool:
        hidden = self._task.async_val or self._task.no_log
        return not hidden and "progress_file" not in arguments


class _Watch:
    """Shows the progress in the file from a thread, until the block ends."""

    def __init__(
        self, connection: Any, path: str, host: str, check: bool = False, note: Callable[[], None] = lambda: None
    ) -> None:
        # A copy, since a connection plugin stores the state of its current command in itself.
        self._connection, self._path, self._host, self._check = copy.copy(connection), path, host, check
        self._note = note
        self._announced = -1
        """The last stage whose total work was shown."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()
        self._thread.join(EVERY)

    def _show(self) -> None:
        failures, wait, then = 0, SILENT, EVERY
        while failures < MOST_FAILURES and not self._ended.wait(wait):
            lines = self._read()
            for line in [] if self._ended.is_set() else lines:
                Display().display(show_message(f"{self._host}: {line}"))
                self._note()
            wait = then if lines else SILENT
            then = min(then * SLOWER, LATER) if lines else then
            failures = 0 if lines else failures + 1

    def _read(self) -> list[str]:
        """The lines to show; none when there is no progress, or it cannot be read."""
        try:
            rc, out, _err = self._connection.exec_command(f"cat {shlex.quote(self._path)}", sudoable=False)
            if rc:
                return []
            report = json.loads(out)
            lines = [described(report, self._check)]
            stage, known = int(report.get("stage", 0)), report.get("bytes_total") or report.get("files_total")
            if known and stage != self._announced and not report.get("looking"):
                lines.insert(0, announced(report))
                self._announced = stage
            return lines
        except Exception:  # noqa: BLE001 (connection plugins raise anything, and the run matters more)
            return []
