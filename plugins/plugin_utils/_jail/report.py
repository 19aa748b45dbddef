# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The report on a fleet: the results of all Macs about their jails, as rows.

Root in a jail chooses the names in it, so everything from a jail is data: never
markup of the page, and never a formula of a spreadsheet.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.sizes import GROUPS
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import with_advice

COLUMNS = (
    "mac", "jail", "path", "macos", "build", "built", "age_days", "size", "drift", "health", "said", "host_drift",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r")
LIST_LIMITS = (200, 100, 50, 25, 10, 5, 2)
"""How many of a list the page shows: the most with which it stays in its bounds."""
PAGE = 4_500_000
"""How many bytes of data a page may have."""
LISTS = ("changed", "missing", "kept", "foreign", "libraries", "killed", "damaged", "mounts", "jobs")
COUNTED = ("changed", "missing", "kept", "foreign", "libraries", "killed", "damaged")
"""Lists of which a spreadsheet gets how many there are."""


def fleet(answers: Iterable[Mapping[str, Any]], now: str) -> dict[str, Any]:
    """The report: one row for each jail, the worst first."""
    rows = [row(answer, now) for answer in answers]
    rows.sort(key=lambda one: (HEALTH.index(one["health"]), one["mac"], one["jail"]))
    return {"made": now, "jails": rows}


HEALTH = ("unknown", "critical", "warning", "ok")


def row(answer: Mapping[str, Any], now: str) -> dict[str, Any]:
    """What one Mac answered about one jail: jail, mac and path, and the result of darwin_jail_info."""
    info = answer.get("told") or {}
    known = {"mac": str(answer["mac"]), "jail": str(answer["jail"]), "path": str(answer["path"])}
    if "identity" not in info:
        why = _unreachable_reason(info)
        return {**_nothing(), **known, "health": "unknown", "said": [why]}
    said = _critical_problems(info) + _problems(info)
    identity, drift = info["identity"], info.get("drift", {})
    return {
        **known,
        "macos": identity.get("macos_version") or "",
        "build": identity.get("macos_build") or "",
        "built": identity.get("built") or "",
        "age_days": _age(identity.get("built"), now),
        "size": info.get("sizes", {}).get("total", {}).get("disk"),
        "drift": drift.get("changed_total", 0) + drift.get("missing_total", 0),
        "health": "critical" if _critical_problems(info) else "warning" if said else "ok",
        "said": said,
        "host_drift": "; ".join(info.get("host", {}).get("drift", [])),
        **_lists(info),
        "sizes": {group: one["disk"] for group, one in info.get("sizes", {}).items() if group != "total"},
        "places": [[one["path"], one["disk"], int(one["directory"])] for one in info.get("largest", [])],
    }


def _nothing() -> dict[str, Any]:
    """A row of which nothing is known."""
    empty: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    lists: dict[str, Any] = {name: [] for name in LISTS}
    totals = {f"{name}_total": None for name in LISTS}
    return {**empty, **lists, **totals, "age_days": None, "size": None, "drift": None, "sizes": {}, "places": []}


def _unreachable_reason(info: Mapping[str, Any]) -> str:
    words = str(info.get("msg") or "").strip() or "the Mac did not answer"
    return f"the Mac could not be reached: {with_advice(words)}" if info.get("unreachable") else words


def _critical_problems(info: Mapping[str, Any]) -> list[str]:
    """Why the jail cannot be used as it is."""
    libraries, state = info.get("libraries", {}), info["identity"].get("state")
    said = [] if state in ("complete", None) else [f"its build is not finished: {state}"]
    said += libraries.get("cache_faults", [])
    return said + _some(libraries.get("missing_total", 0), "library is missing", "libraries are missing")


def _problems(info: Mapping[str, Any]) -> list[str]:
    """What somebody should look at."""
    drift = info.get("drift", {})
    said = _some(info.get("signing", {}).get("refused_total", 0), "file will be killed", "files will be killed")
    damaged = len(info.get("libraries", {}).get("damaged", []))
    said += _some(damaged, "damaged program or library", "damaged programs or libraries")
    said += _some(drift.get("changed_total", 0), "system file was changed", "system files were changed")
    said += _some(drift.get("missing_total", 0), "system file is gone", "system files are gone")
    said += info.get("host", {}).get("drift", [])
    said += _some(_not_loaded(info), "launchd job is not loaded", "launchd jobs are not loaded")
    base = (drift.get("base") or {}).get("message")
    return [*said, *([base] if base else []), *info.get("warnings", [])]


def _not_loaded(info: Mapping[str, Any]) -> int:
    return sum(not one["loaded"] for one in info.get("jobs", []))


def _some(count: int, one: str, many: str) -> list[str]:
    return [f"{count} {one if count == 1 else many}"] if count else []


def _age(built: str | None, now: str) -> int | None:
    try:
        return max(0, (datetime.fromisoformat(now) - datetime.fromisoformat(built or "")).days)
    except ValueError:
        return None


def _lists(info: Mapping[str, Any]) -> dict[str, Any]:
    """What is listed of a jail: [what, why], and how many there were."""
    drift, libraries, signing = info.get("drift", {}), info.get("libraries", {}), info.get("signing", {})
    causes = signing.get("causes", {})
    found: dict[str, tuple[Sequence[Any], int | None]] = {
        "changed": ([[one["path"], one["why"]] for one in drift.get("changed", [])], drift.get("changed_total")),
        "missing": ([[path, ""] for path in drift.get("missing", [])], drift.get("missing_total")),
        "kept": ([[one["path"], one["why"]] for one in drift.get("kept", [])], drift.get("kept_total")),
        "foreign": ([[path, ""] for path in drift.get("foreign", [])], drift.get("foreign_total")),
        "libraries": ([_library(one) for one in libraries.get("missing", [])], libraries.get("missing_total")),
        "killed": ([_killed(one, causes) for one in signing.get("refused", [])], signing.get("refused_total")),
        "damaged": ([[one["path"], one["why"]] for one in libraries.get("damaged", [])], None),
        "mounts": ([[one["path"], f"{one['type']} {one['source']}"] for one in info.get("mounts", [])], None),
        "jobs": ([_job(one) for one in info.get("jobs", [])], None),
    }
    lists = {name: listed for name, (listed, _total) in found.items()}
    return {**lists, **{f"{name}_total": len(one) if count is None else count for name, (one, count) in found.items()}}


def _library(one: Mapping[str, Any]) -> list[str]:
    others = one["needed_by_total"] - len(one["needed_by"])
    needed = ", ".join(one["needed_by"]) + (f" and {others} more" if others > 0 else "")
    return [one["library"], f"{one['why']}; needed by {needed}"]


def _killed(one: Mapping[str, Any], causes: Mapping[str, Any]) -> list[str]:
    cause = causes.get(one["cause"], {})
    words = [cause.get("why") or one["cause"], one.get("detail"), cause.get("remedy")]
    return [one["path"], "; ".join(word for word in words if word)]


def _job(one: Mapping[str, Any]) -> list[str]:
    words = ("" if one["loaded"] else "not loaded", one.get("last_log_line"))
    return [one["label"], "; ".join(word for word in words if word)]


# -- forms --------------------------------------------------------------------


def as_json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=1, ensure_ascii=True) + "\n"


def as_csv(report: Mapping[str, Any]) -> str:
    """One line for each jail. A spreadsheet that opens it computes nothing of what is in it."""
    stream = io.StringIO()
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    counts = [f"{name}_total" for name in COUNTED]
    writer.writerow([*COLUMNS, *counts, *(f"size_{group}" for group in GROUPS), "mounts"])
    for one in report["jails"]:
        cells = [*(one[name] for name in (*COLUMNS, *counts)), *(one["sizes"].get(group) for group in GROUPS)]
        writer.writerow([_cell(cell) for cell in (*cells, [path for path, _what in one["mounts"]])])
    return stream.getvalue()


def _cell(value: Any) -> str:
    words = "" if value is None else "; ".join(value) if isinstance(value, list) else str(value)
    return "'" + words if words.startswith(FORMULA) else words


def as_page(report: Mapping[str, Any]) -> str:
    """The data of the page, for a <script>; lists are cut until it is small enough."""
    data = ""
    for most in LIST_LIMITS:
        jails = [{**one, **{name: one[name][:most] for name in (*LISTS, "places")}} for one in report["jails"]]
        data = json.dumps({**report, "jails": jails}, separators=(",", ":"), ensure_ascii=True)
        if len(data) <= PAGE:
            break
    # No tag, comment or entity begins or ends without these. JSON has them in strings alone.
    return data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
