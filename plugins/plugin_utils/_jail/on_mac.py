# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where modules of this collection run, and on whose word: on a Mac, with settings that no host answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import normal
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.settings import refuse_facts

CHROOT = "darwin.jail.chroot"
COLLECTION = "darwin.jail"
SUDO = "sudo"
STILL_INTERVAL = 60.0
"""Seconds after which a task that has not ended is said to be at work, again and again."""


def refuse_jail(connection: str, host: str) -> None:
    """Raise when what is meant for a Mac would run in a jail."""
    if connection == CHROOT:
        raise AnsibleError(
            f"cannot run on the Mac a task for {host}: it would run in a jail, where the connection {CHROOT} leads "
            "(set jail_mac of the jail to its Mac, and delegate to that)"
        )


class OnMac(normal.ActionModule):
    """As for any module, when it may run."""

    still: StillAtWork | None = None

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        host = str(variables.get("inventory_hostname", ""))
        self.refuse(host, variables)
        refuse_jail(self._connection.transport, host)
        hidden = bool(self._task.async_val or self._task.no_log)
        with StillAtWork("" if hidden else f"{host}: {self._task.get_name()}") as self.still:
            result: dict[str, Any] = super().run(tmp, task_vars)
        if result.get("failed") and isinstance(result.get("msg"), str) and not result.get("cmd"):
            self._explain(result)
        return result

    def _is_pipelining_enabled(self, module_style: str, wrap_async: bool = False) -> bool:
        """Also where nobody said whether, which spares four commands of each module and a file that root runs.

        The sudo of macOS asks for no terminal (docs/macos.md). Other ways to become root may.
        """
        connection = self._connection
        if connection.transport == "ssh" and getattr(connection.become, "name", SUDO) == SUDO:
            if connection.get_option_and_origin("pipelining")[1] == "default":
                connection.set_option("pipelining", True)
        enabled: bool = super()._is_pipelining_enabled(module_style, wrap_async)
        return enabled

    def _explain(self, result: dict[str, Any]) -> None:
        """Say why the module did not come to an answer, which Ansible leaves to what was printed.

        Who runs a role of the collection knows no options of modules. (What programs say stays as it is.)
        """
        # Few tasks fail.
        from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import failure_line  # noqa: PLC0415
        from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import for_playbooks  # noqa: PLC0415

        if "module_stdout" in result:
            result["msg"] = failure_line(result)
        role = self._task._role
        if role and role._role_collection == COLLECTION:
            result["msg"] = for_playbooks(result["msg"], role.get_name().rpartition(".")[2])

    def refuse(self, host: str, variables: Mapping[str, Any]) -> None:
        """Raise when a setting of the host, or of the one that the task is delegated to, is among its facts."""
        read = constants.config.get_plugin_vars("connection", self._connection._load_name)
        refuse_facts(host, variables, read)
        for other, theirs in (variables.get("ansible_delegated_vars") or {}).items():
            refuse_facts(other, theirs, read)


class StillAtWork:
    """Says, until the block ends, that the task is still at work when nothing was shown for a minute.

    It says nothing without a text.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._ended = threading.Event()
        self.shown = time.monotonic()
        """When the task last showed something."""

    def __enter__(self) -> StillAtWork:
        if self._text:
            threading.Thread(target=self._say, daemon=True).start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._ended.set()

    def _say(self) -> None:
        began = self.shown
        while not self._ended.wait(max(self.shown + STILL_INTERVAL - time.monotonic(), 0)):
            now = time.monotonic()
            if now >= self.shown + STILL_INTERVAL:
                Display().display(f"{self._text}: still at work after {(now - began) / 60:.0f} min")
                self.shown = now
