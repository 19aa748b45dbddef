# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What people are told about the results of tasks: a word, a line, a table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show, show_message
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import advised

PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")
SILENT = re.compile(
    "(The command exited with a )?non-zero return code|MODULE FAILURE|Module result deserialization failed"
)
"""What Ansible says of a command or module that failed, whatever that said."""
NOISE = re.compile(r"Shared connection to .* closed[.]")
"""What ssh says at the end of each session with a terminal."""
HELP = {
    "Missing sudo password": "add -K to the command, and Ansible asks for it",
    "sorry, you must have a tty to run sudo": "set ansible_pipelining to false for this Mac",
}
"""What to do about what Ansible or sudo says."""
MOST_LINES = 6
"""Of what a failed command said, the last ones."""
LONGEST = 1000
"""Characters of a cell of a table. All lines are as wide as the widest."""
MEANT = {"ansible_check_mode": "is not tried in check mode"}
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
        return "failed", reason(found)
    if found.get("skipped"):
        needed = found.get("false_condition")
        return "skipped", condition(needed) if needed else _last_line(found.get("skipped_reason"))
    return "ok", _last_line(found.get("stdout")) or _last_line(found.get("msg"))


def condition(text: Any) -> str:
    """Why a task was skipped, in words of who runs it: which variable is to be set."""
    found = VARIABLE.search(str(text))
    if not found:
        return "could not be tried, because of what is above"
    return MEANT.get(found[0], f"needs {found[0]}")


def reason(found: Mapping[str, Any]) -> str:
    """Why a task failed, in one line."""
    wrong = _listed(found, "argument_errors")
    if wrong:
        return "; ".join(show_message(str(error)) for error in wrong)
    said = _said(found)
    if said and (found.get("stderr") or SILENT.match(str(found.get("msg", "")))):
        return _helped(_last_line(said[-1]))
    why = _difference(found) or _last_line(found.get("msg"))
    return advised(why) if found.get("unreachable") else _helped(why)


def _helped(line: str) -> str:
    return next((f"{line} ({what})" for end, what in HELP.items() if line.endswith(end)), line)


def _said(found: Mapping[str, Any]) -> list[str]:
    """The lines that a command or a module wrote, to standard error if there were any."""
    for name in ("stderr", "module_stderr", "stdout", "module_stdout"):
        lines = [line for line in str(found.get(name) or "").splitlines() if line.strip() and not NOISE.match(line)]
        if lines:
            return lines
    return []


def cause(found: Mapping[str, Any]) -> list[str]:
    """Why a task failed, in as many lines as it takes."""
    msg = found.get("msg")
    if _listed(found, "argument_errors") or _difference(found) or not isinstance(msg, str) or not msg.strip():
        return [reason(found)]
    lines = msg.strip().removeprefix("Task failed: ").splitlines()
    if SILENT.match(lines[0]):
        lines = _said(found)[-MOST_LINES:] or lines
    shown = [show_message(_helped(PASSWORD.sub("***@", line))) for line in lines]
    return [advised(line) for line in shown] if found.get("unreachable") else shown


def _difference(found: Mapping[str, Any]) -> str:
    """What is unlike it should be: such a task fails without a reason in words."""
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
    lines = [[name.capitalize() for name in columns], *([show(word[:LONGEST]) for word in row] for row in rows)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(columns))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
