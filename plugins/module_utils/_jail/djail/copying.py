# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail cp: files and trees into a jail, and out of it."""

from __future__ import annotations

import os
import stat

from ..errors import InputError, show
from ..programs.djail_session import path_of
from ..result import Result
from ..sizes import size
from ..system import progress
from ..tree import copy as copies
from .answers import Answer
from .progress_lines import shown_progress
from .request import Request, absolute, caller

USAGE = "give one of the two as JAIL:PATH, the other as a path of the Mac"


def copy(request: Request) -> Answer:
    """Copy into the jail or out of it."""
    if request.flag("owner") and request.flag("keep_owners"):
        raise InputError("--owner and --keep-owners exclude each other: give one of them")
    src, dest = request["src"], request["dst"]
    from_jail, to_jail = _is_in_jail(src), _is_in_jail(dest)
    if from_jail == to_jail:
        raise InputError(f"{show(src)} and {show(dest)} are both {'in jails' if from_jail else 'on the Mac'}: {USAGE}")
    jail, _colon, path = (dest if to_jail else src).partition(":")
    place, check = path_of(jail), request.is_dry_run
    if not path.startswith("/"):
        raise InputError(f"'{show(path)}' is not an absolute path in the jail: give it from /, as seen in the jail")
    into = True if (path if to_jail else dest).endswith("/") else None
    owner = _owner(request, to_jail or _is_roots(_on_mac(dest)))
    with shown_progress(request, f"copying {show(src)}") as progress_file, progress.reporting(progress_file):
        if to_jail:
            result = copies.copy_in(place, _on_mac(src), path, owner, check, into)
        else:
            result = copies.copy_out(place, path, _on_mac(dest), owner, check, into)
    return Answer({"changed": result.changed, **result.values}, _lines(result, check), result.shown_warnings())


def _is_in_jail(text: str) -> bool:
    """Whether it is JAIL:PATH. A relative path of the Mac with a colon begins with a dot, or has a slash before it.

    An absolute one has no slash behind it.
    """
    jail, colon, path = text.partition(":")
    if jail.startswith("/"):
        return path.startswith("/")
    return bool(colon) and bool(jail) and "/" not in jail and not jail.startswith(".")


def _on_mac(path: str) -> str:
    """The absolute path; that of the working directory is the one that the kernel has."""
    kept_slash = "/" if path.endswith("/") else ""
    return os.path.normpath(absolute(path)) + kept_slash


def _is_roots(dest: str) -> bool:
    """Whether only root can put something there. Who called sudo is not to own what lies among files of the system."""
    folder = dest if os.path.isdir(dest) else os.path.dirname(dest.rstrip("/"))
    try:
        status = os.stat(folder)
    except FileNotFoundError:
        return False
    return status.st_uid == 0 and not status.st_mode & stat.S_IWOTH


def _owner(request: Request, is_roots: bool) -> copies.Owner:
    if request.flag("keep_owners"):
        return None
    return request["owner"] or ((0, 0) if is_roots else caller())


def _lines(result: Result, check: bool) -> list[str]:
    stats, done = result.values["stats"], "would copy" if check else "copied"
    if not result.changed:
        return [f"{show(result.values['dest'])} is a copy already"]
    skipped = f", {stats['skipped']} sockets, devices and mounts left out" if stats["skipped"] else ""
    count = f"{stats['files']} files and {stats['directories']} directories, {size(stats['bytes'])}"
    return [f"{done} {count} to {show(result.values['dest'])}{skipped}"]
