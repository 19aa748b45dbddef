# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the checks of a run found, of all jails: a table for people, JSON for machines.

A check is a task whose result is registered as `__ROLE_check_WHAT`. Nobody keeps
a list of them: a role's verify entry point has another check when it registers
another such name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase

CHECK = re.compile(r"__[a-z0-9]+_check_([a-z0-9_]+)")
COLUMNS = ("mac", "jail", "check", "result", "detail")
PASSWORD = re.compile(r"(?<=://)[^/@\s]+@")


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _given, options = self.validate_argument_spec({"dest": {"type": "path"}})  # type: ignore[no-untyped-call]
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        checks = [
            row
            for jail in variables["ansible_play_hosts_all"]
            for row in rows(hostvars[jail].get("jail_mac", jail), jail, hostvars.raw_get(jail))
        ]
        for line in table(checks):
            self._display.display(line)
        if options["dest"] and not self._task.check_mode:
            Path(options["dest"]).write_text(json.dumps(checks, indent=2) + "\n")
        return result | {"checks": checks, "changed": False}


def rows(mac: str, jail: str, variables: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """What the checks of a jail found, in the order in which they were made."""
    for name, found in variables.items():
        check = CHECK.fullmatch(name)
        if check:
            verdict, detail = judged(found)
            words = (mac, jail, check[1].replace("_", " "), verdict, PASSWORD.sub("***@", detail))
            yield dict(zip(COLUMNS, words, strict=True))


def judged(found: Mapping[str, Any]) -> tuple[str, str]:
    """The result of a task in a word, and what it says in one line. In a loop, each says something until one fails."""
    if found.get("results"):
        each = [judged(one) for one in found["results"]]
        return next(
            (verdict for verdict in each if verdict[0] != "ok"), ("ok", ", ".join(detail for _ok, detail in each))
        )
    if found.get("unreachable") or found.get("failed"):
        return "failed", last_line(found.get("stderr")) or difference(found) or last_line(found.get("msg"))
    if found.get("skipped"):
        needed = found.get("false_condition")
        return "left out", f"needs {needed}" if needed else last_line(found.get("skipped_reason"))
    return "ok", last_line(found.get("stdout")) or last_line(found.get("msg"))


def difference(found: Mapping[str, Any]) -> str:
    """What is unlike it should be: such a task fails without a reason in words."""
    lines = found.get("diff", {}).get("prepared", "").splitlines()
    return f"is to be: {'; '.join(lines)}" if lines else ""


def last_line(text: Any) -> str:
    lines = text.strip().splitlines() if isinstance(text, str) else []
    return lines[-1].strip() if lines else ""


def table(checks: Sequence[Mapping[str, str]]) -> list[str]:
    """Lines with columns, the first one with their names."""
    lines = [[name.capitalize() for name in COLUMNS], *([row[name] for name in COLUMNS] for row in checks)]
    widths = [max(len(line[number]) for line in lines) for number in range(len(COLUMNS))]
    return ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
