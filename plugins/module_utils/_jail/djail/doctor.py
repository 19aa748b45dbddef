# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail doctor: what this Mac lacks for jails. Only reads."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import NamedTuple

from .. import leftovers, mounted_volume
from ..audit.mac_info import gather
from ..errors import JailError, show
from ..macos.release import OLDEST
from ..sizes import size
from ..system import host
from . import places
from .answers import Answer, plain
from .request import Request

OK, ATTENTION, NOTE = "ok", "attention", "note"
COLORS = {OK: "good", ATTENTION: "bad", NOTE: "warning"}
LITTLE_SPACE = 5_000_000_000
"""Bytes; a jail of the profile standard takes about as much."""


class Finding(NamedTuple):
    """Something that was looked at."""

    subject: str
    result: str
    detail: str
    remedy: str = ""


def doctor(request: Request) -> Answer:
    """Look at all that jails need of the Mac."""
    found: list[Finding] = []
    for part in (_mac, _directories, _leftovers, _djail):
        try:
            found += part()
        except JailError as exc:
            found.append(Finding(part.__name__.strip("_"), ATTENTION, str(exc)))
    rows = [
        [
            *plain(one.subject),
            (one.result, COLORS[one.result]),
            *plain(" - ".join(filter(None, (one.detail, one.remedy)))),
        ]
        for one in found
    ]
    code = 1 if any(one.result == ATTENTION for one in found) else 0
    values = {"findings": [one._asdict() for one in found]}
    return Answer(values, request.style.table(("subject", "result", "detail"), rows), code=code)


def _finding(subject: str, good: bool, detail: str, remedy: str) -> Finding:
    return Finding(subject, OK if good else ATTENTION, detail, "" if good else remedy)


def _mac() -> Iterator[Finding]:
    mac = gather(()).values
    version, tools = mac["macos"]["version"], mac["command_line_tools"]
    detail = f"{version} ({mac['macos']['build']}) on {mac['architecture']}"
    yield _finding("macOS", int(version.split(".", 1)[0]) >= OLDEST, detail, f"update it to {OLDEST} or later")
    remedy = "programs cannot start in jails: csrutil disable in recoveryOS turns it off"
    yield _finding("System Integrity Protection", mac["can_enter"], mac["sip"], remedy)
    yield _finding("Command Line Tools", tools is not None, tools or "missing", "xcode-select --install installs them")
    homebrew, fuse = mac["homebrew"], mac["fuse"]
    yield Finding("Homebrew", NOTE, homebrew["prefix"] if homebrew["installed"] else "not installed")
    yield Finding(
        "FUSE", NOTE, ", ".join(fuse) or "not installed, so directories of the Mac cannot be mounted in jails"
    )


def _directories() -> Iterator[Finding]:
    place = os.fsencode(places.JAILS)
    writable = host.writable_ancestors(place + b"/jail")
    detail = f"others than root can write to {', '.join(map(show, writable))}" if writable else places.JAILS
    yield _finding("directory of jails", not writable, detail, "chown root and chmod go-w make it safe")
    for warning in mounted_volume.warnings(place):
        yield Finding("volume of jails", ATTENTION, warning)
    free = host.free_bytes(place)
    yield _finding("free space", free >= LITTLE_SPACE, size(free), f"a jail needs about {size(LITTLE_SPACE)}")


def _leftovers() -> Iterator[Finding]:
    found = leftovers.find(False, ())
    for one in found:
        remedy = one.advice or "the playbook darwin.jail.remove_leftovers removes it"
        yield Finding("left of a jail that is gone", ATTENTION, f"{one.kind} {show(one.name)}", remedy)
    if not found:
        yield Finding("left of jails that are gone", OK, "nothing")


def _djail() -> Iterator[Finding]:
    again = "run the role darwin.jail.mac again"
    command = places.COMMAND
    if not os.path.exists(command):
        yield Finding("djail", ATTENTION, f"{command} is missing", again)
        return
    loose = host.first_untrusted_part(command)
    detail = f"others than root can change {show(loose)}" if loose else command
    yield _finding("djail", loose is None, detail, f"make it root's alone, and {again}")
    linked = os.path.realpath(places.LINK) == command
    remedy = f"its directory is a person's, or something else has the name: call {command}, or set an alias"
    yield Finding("link", OK if linked else NOTE, places.LINK if linked else "none", "" if linked else remedy)
