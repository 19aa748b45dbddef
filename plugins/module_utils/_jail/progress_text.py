# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The reports of system/progress.py as text, for tasks of Ansible and for djail."""

from __future__ import annotations

from typing import Any

from . import sizes


def announced(report: dict[str, Any]) -> str:
    """The total work and the free space."""
    return f"{_todo(report)} to {_work(report)[0]}{_room(report)}"


def _todo(report: dict[str, Any]) -> str:
    whole, parts = int(report.get("bytes_total", 0)), f"{int(report.get('files_total', 0))} {_work(report)[1]}"
    return f"{sizes.size(whole)} in {parts}" if whole else parts


def described(report: dict[str, Any], check: bool = False) -> str:
    """A progress report as text: 1.2 GB of 4.9 GB, 6000 of 46396 files, 240.0 MB/s, 15 s left."""
    if report.get("waiting"):
        return "waiting for another build on this Mac"
    work, unit = _work(report)
    size, parts, seconds = int(report["bytes"]), int(report["files"]), float(report["seconds"])
    if work != "copy" and not (size or parts):  # the progress of a program is not known before it ends
        todo = f"{_todo(report)}, " if report.get("files_total") else ""
        return f"{work.rstrip('e')}ing: {todo}{_time(seconds)} so far"
    if work != "copy":
        return f"{work.rstrip('e')}ing: {_done(report, unit)}"
    check = check or bool(report.get("looking"))
    if check or not parts:
        found = f"{sizes.size(size)} in {parts} files to copy so far" if check else "nothing copied yet"
        return f"comparing, {int(report['directories'])} directories after {seconds:.0f} s, {found}{_room(report)}"
    return _done(report, unit)


def _work(report: dict[str, Any]) -> tuple[str, str]:
    """The verb of the work, and its unit."""
    return str(report.get("work", "copy")), str(report.get("unit", "files"))


def _room(report: dict[str, Any]) -> str:
    return f", {sizes.size(int(report['free']))} free" if report.get("free") else ""


def _done(report: dict[str, Any], unit: str) -> str:
    """Progress, total, speed and time left."""
    size, parts, seconds = int(report["bytes"]), int(report["files"]), float(report["seconds"])
    whole, all_parts = int(report.get("bytes_total", 0)), int(report.get("files_total", 0))
    count = f"{parts} of {all_parts} {unit}" if all_parts else f"{parts} {unit}"
    if not (size or whole):
        rate = parts / seconds if seconds else 0.0
        return f"{count}, {rate:.0f}/s{_left(all_parts - parts, rate) if all_parts else ''}"
    rate = size / seconds if seconds else 0.0
    volume = f"{sizes.size(size)} of {sizes.size(whole)}" if whole else sizes.size(size)
    counted = f", {count}" if parts else ""  # a program does not report them
    return f"{volume}{counted}, {sizes.size(int(rate))}/s{_left(whole - size, rate) if whole else ''}"


def _left(rest: int, rate: float) -> str:
    return f", {_time(rest / rate)} left" if rate else ""


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
