# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail info and djail df."""

from __future__ import annotations

import os
from typing import Any

from .. import mounted_volume, register
from ..audit.jail_info import gather
from ..errors import JailError, show
from ..sizes import size
from ..system import host
from .answers import Answer, plain
from .progress_lines import shown_progress
from .request import Request

SHOWN_DIRECTORIES = 15


def info(request: Request) -> Answer:
    """What darwin_jail_info tells without a walk over the jail."""
    result = gather(request.jail(), ("identity", "mounts", "jobs"))
    lines = [line for name, value in result.values.items() for line in _described(request, name, value)]
    return Answer(result.values, lines, result.shown_warnings())


def _described(request: Request, title: str, value: Any) -> list[str]:
    """A part of a report: a heading, and a line for each field or item."""
    lines = [request.style.paint("head", title.replace("_", " "))]
    if isinstance(value, list):
        items = [", ".join(f"{key} {_text(one)}" for key, one in item.items()) for item in value]
        return lines + [f"  {show(item)}" for item in items or ["none"]]
    width = max(map(len, value), default=0)
    return lines + [f"  {key.replace('_', ' ').ljust(width)}  {show(_text(one))}" for key, one in value.items()]


def _text(value: Any) -> str:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, dict):
        return " ".join(f"{key}={_text(one)}" for key, one in value.items() if one not in (None, [], ""))
    return str(value)


def disk_usage(request: Request) -> Answer:
    """The sizes of all jails, or of one with its groups and largest directories."""
    if request["jail"]:
        return _of_one(request, request.jail())
    jails: list[dict[str, Any]] = []
    warnings: list[str] = []
    for path in sorted(register.all_known()):
        if mounted_volume.missing_mount(path) or not os.path.lexists(path):
            continue
        try:
            with shown_progress(request, f"reading {show(path)}") as progress_file:
                result = gather(os.fsdecode(path), ("sizes",), progress_file)
        except JailError as exc:
            warnings.append(f"{show(path)} is left out: {exc}")
            continue
        warnings += result.shown_warnings()
        total, free = result.values["sizes"]["total"], host.free_bytes(path)
        jails.append({"name": os.fsdecode(os.path.basename(path)), "path": os.fsdecode(path), **total, "free": free})
    rows = [
        plain(jail["name"], str(jail["files"]), size(jail["bytes"]), size(jail["disk"]), size(jail["free"]))
        for jail in jails
    ]
    return Answer({"jails": jails}, request.style.table(("name", "files", "size", "on disk", "free"), rows), warnings)


def _of_one(request: Request, path: str) -> Answer:
    with shown_progress(request, f"reading {show(path)}") as progress_file:
        result = gather(path, ("sizes", "largest"), progress_file)
    groups = [
        plain(name.replace("_", " "), str(found["files"]), size(found["bytes"]), size(found["disk"]))
        for name, found in result.values["sizes"].items()
        if found["files"]
    ]
    directories = [
        plain(size(found["disk"]), found["path"]) for found in result.values["largest"] if found["directory"]
    ]
    lines = request.style.table(("group", "files", "size", "on disk"), groups)
    lines += ["", *request.style.table(("on disk", "directory"), directories[:SHOWN_DIRECTORIES])]
    values = {"path": path, "free": host.free_bytes(os.fsencode(path)), **result.values}
    return Answer(values, lines, result.shown_warnings())
