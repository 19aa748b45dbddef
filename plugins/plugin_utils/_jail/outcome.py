# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of tasks for people: a word, a line, a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show, show_message
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import with_advice

PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
GENERIC_MESSAGE = re.compile(
    "(The command exited with a )?non-zero return code|MODULE FAILURE|Module result deserialization failed"
)
"""Messages of Ansible that are the same for all failed commands and modules."""
SSH_NOISE = re.compile(r"Shared connection to .* closed[.]")
"""The last line of ssh in each session with a terminal."""
ADVICE = {
    "Missing sudo password": "add -K to the command, and Ansible asks for it",
    "sorry, you must have a tty to run sudo": "set ansible_pipelining to false for this Mac",
}
"""Advice for messages of Ansible and sudo."""
MAX_LINES = 6
"""The last lines of the output of a failed command."""
MAX_CELL = 1000
"""Characters of a cell of a table. All lines are as wide as the widest."""
CONDITIONS = {"ansible_check_mode": "is not tried in check mode"}
VARIABLE = re.compile(r"\b(?:jail_[a-z0-9_]+|ansible_check_mode)\b")
"""What users set, in a condition."""


def outcome_of(found: Mapping[str, Any]) -> tuple[str, str]:
    """The result of a task in a word, and what it says in one line. In a loop, each says something until one fails."""
    each = [outcome_of(one) for one in _listed(found, "results") if isinstance(one, Mapping)]
    if each:
        return next(
            (verdict for verdict in each if verdict[0] != "ok"), ("ok", ", ".join(detail for _ok, detail in each))
        )
    if found.get("unreachable") or found.get("failed"):
        return "failed", failure_line(found)
    if found.get("skipped"):
        needed = found.get("false_condition")
        return "skipped", condition(needed) if needed else _last_line(found.get("skipped_reason"))
    return "ok", _last_line(found.get("stdout")) or _last_line(found.get("msg"))


def condition(text: Any) -> str:
    """Why a task was skipped, in words of who runs it: which variable is to be set."""
    found = VARIABLE.search(str(text))
    if not found:
        return "could not be checked, because of the failure above"
    return CONDITIONS.get(found[0], f"needs {found[0]}")


def failure_line(found: Mapping[str, Any]) -> str:
    """Why a task failed, in one line."""
    wrong = _listed(found, "argument_errors")
    if wrong:
        return "; ".join(show_message(str(error)) for error in wrong)
    said = _error_lines(found)
    if said and (found.get("stderr") or GENERIC_MESSAGE.match(str(found.get("msg", "")))):
        return _with_advice(_last_line(said[-1]))
    why = _difference(found) or _last_line(found.get("msg"))
    return with_advice(why) if found.get("unreachable") else _with_advice(why)


def _with_advice(line: str) -> str:
    return next((f"{line} ({what})" for end, what in ADVICE.items() if line.endswith(end)), line)


def _error_lines(found: Mapping[str, Any]) -> list[str]:
    """The lines that a command or a module wrote, to standard error if there were any."""
    for name in ("stderr", "module_stderr", "stdout", "module_stdout"):
        lines = [line for line in str(found.get(name) or "").splitlines() if line.strip() and not SSH_NOISE.match(line)]
        if lines:
            return lines
    return []


def failure_lines(found: Mapping[str, Any]) -> list[str]:
    """Why a task failed, in as many lines as it takes."""
    msg = found.get("msg")
    if _listed(found, "argument_errors") or _difference(found) or not isinstance(msg, str) or not msg.strip():
        return [failure_line(found)]
    lines = msg.strip().removeprefix("Task failed: ").splitlines()
    if GENERIC_MESSAGE.match(lines[0]):
        lines = _error_lines(found)[-MAX_LINES:] or lines
    shown = [show_message(_with_advice(PASSWORD.sub("***@", line))) for line in lines]
    return [with_advice(line) for line in shown] if found.get("unreachable") else shown


def _difference(found: Mapping[str, Any]) -> str:
    """The difference to the wanted state: such a task fails without a message."""
    diff = found.get("diff")  # of some modules a list
    prepared = diff.get("prepared") if isinstance(diff, Mapping) else None
    lines = prepared.splitlines() if isinstance(prepared, str) else []
    return f"is to be: {'; '.join(map(show_message, lines))}" if lines else ""


def _listed(found: Mapping[str, Any], name: str) -> list[Any]:
    """A list that Ansible itself makes; a module, in a jail too, can return anything by this name."""
    value = found.get(name)
    return value if isinstance(value, list) else []


def _last_line(text: Any) -> str:
    """Without passwords of URLs, and without what is not printed."""
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return show_message(PASSWORD.sub("***@", lines[-1].strip())) if lines else ""


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines with columns, the first one with their names. What a jail said cannot move a terminal's cursor."""
    lines = [[name.capitalize() for name in columns], *([show(word[:MAX_CELL]) for word in row] for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
