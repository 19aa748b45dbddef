# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Output without tasks that changed nothing: one line for each change, message and failure."""

from __future__ import annotations

DOCUMENTATION = r"""
name: brief
type: stdout
short_description: One line for each change, message and failure
version_added: 0.1.0
description:
  - Prints a line for each change, each message of M(ansible.builtin.debug), and each failure with its reason.
  - Does not show tasks that changed nothing, tasks that were skipped, and failures that are ignored or rescued.
  - With C(-v) or more, prints everything that P(ansible.builtin.default#callback) prints.
  - Prints control characters as escapes.
extends_documentation_fragment:
  - default_callback
  - result_format_callback
author:
  - darwin.jail contributors (@darwin-jail)
requirements:
  - C(stdout_callback = darwin.jail.brief) in the configuration
seealso:
  - plugin: darwin.jail.summary
    plugin_type: callback
"""

from typing import Any

from ansible import constants
from ansible.plugins.callback.default import CallbackModule as Default
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show_message
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import failure_lines

MESSAGES = {"debug", "ansible.builtin.debug", "ansible.legacy.debug"}


class CallbackModule(Default):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "darwin.jail.brief"

    def set_options(self, *given: Any, **options: Any) -> None:
        super().set_options(*given, **options)
        self._brief = self._display.verbosity == 0
        if self._brief:
            self.set_option("display_skipped_hosts", False)  # then no task is announced before it has a result

    def v2_runner_on_ok(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_on_ok(result)
            return
        self._handle_warnings(result.result)
        if result.result.get("changed"):
            self._say(result, "COLOR_CHANGED", [f"changed: {result.task.get_name()}"])
        elif result.task.action in MESSAGES:
            self._say(result, "COLOR_OK", self._message(result.result))

    def v2_playbook_on_include(self, included_file: Any) -> None:
        if not self._brief:
            super().v2_playbook_on_include(included_file)

    def v2_runner_item_on_ok(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_item_on_ok(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        if not self._brief:
            super().v2_runner_on_failed(result, ignore_errors)
        elif not ignore_errors and not _is_rescued(result.task):
            self._handle_warnings(result.result)
            in_items = result.task.loop and "results" in result.result
            self._fail(result, "failed", [] if in_items else failure_lines(result.result))

    def v2_runner_item_on_failed(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_item_on_failed(result)
        elif not result.task.ignore_errors and not _is_rescued(result.task):
            self._handle_warnings(result.result)
            self._fail(result, f"failed with {self._get_item_label(result.result)}", failure_lines(result.result))

    def v2_runner_on_unreachable(self, result: Any) -> None:
        if not self._brief:
            super().v2_runner_on_unreachable(result)
        elif not result.task.ignore_unreachable:
            self._fail(result, "unreachable", failure_lines(result.result))

    def _message(self, found: dict[str, Any]) -> list[str]:
        """What the task says, in lines."""
        text = found.get("msg")
        if isinstance(text, str):
            return text.splitlines()
        if isinstance(text, list) and all(isinstance(line, str) for line in text):
            return text
        self._clean_results(found, "ansible.builtin.debug")
        return str(self._dump_results(found)).strip().splitlines()

    def _fail(self, result: Any, verdict: str, why: list[str]) -> None:
        self._say(
            result, "COLOR_ERROR", [f"{verdict}: {result.task.get_name()}"], self.get_option("display_failed_stderr")
        )
        for line in why:
            self._display.display(
                f"    {show_message(line)}",
                color=_color("COLOR_ERROR"),
                stderr=self.get_option("display_failed_stderr"),
            )

    def _say(self, result: Any, color: str, lines: list[str], stderr: bool = False) -> None:
        for line in lines:
            self._display.display(f"{result.host.get_name()}: {show_message(line)}", color=_color(color), stderr=stderr)


def _is_rescued(task: Any) -> bool:
    """Whether a block deals with the failure of the task: what became of it is said there."""
    block = task._parent
    while block is not None:
        if getattr(block, "rescue", None) and _holds(block.block, task):
            return True
        block = block._parent
    return False


def _holds(tasks: list[Any], task: Any) -> bool:
    return any(one._uuid == task._uuid or _holds(getattr(one, "block", None) or [], task) for one in tasks)


def _color(name: str) -> Any:
    return constants.config.get_config_value(name)
