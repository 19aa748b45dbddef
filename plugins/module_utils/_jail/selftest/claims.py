# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The facts about macOS that the collection relies on, and how they are tested on a Mac.

A claim is written once, at the function that tests it, in the file of its subject.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..errors import JailError
from .context import Context, NotTriedError

PROVEN, DISPROVEN, NOT_TRIED = "proven", "disproven", "not tried"


class Verdict(NamedTuple):
    """The result of testing a claim on this Mac."""

    verdict: str
    seen: str
    """What was seen, or why it was not tried."""


class Claim(NamedTuple):
    id: str
    says: str
    source: str
    """The section of docs/macos.md, and the source there."""
    judged: str
    """The program or call that tests it."""
    needs: tuple[str, ...]
    """Words of NEEDS, or a range of releases: ">=13" or "<13"."""
    judge: Callable[[Context], Verdict]

    @property
    def waits(self) -> bool:
        """Whether the test needs a jail."""
        return any(need in NEEDS_A_JAIL for need in self.needs)


NEEDS: dict[str, tuple[Callable[[Context], bool], str]] = {
    "SIP off": (lambda context: not context.protected, "System Integrity Protection is on"),
    "SIP on": (lambda context: context.protected, "System Integrity Protection is off"),
    "arm64": (lambda context: context.arm64, "this Mac has no Apple silicon"),
    "Intel": (lambda context: not context.arm64, "this Mac has Apple silicon"),
    "network": (lambda context: context.network, "no network"),
    "FUSE": (lambda context: context.fuse, "no FUSE"),
    "tart": (lambda context: context.tart, "no tart"),
    "ssh": (lambda context: context.over_ssh, "not over ssh"),
    "restart": (lambda _context: False, "it takes a restart of the Mac"),
    "steps": (lambda context: bool(context.steps), "the run did not come to it"),
    "jail": (lambda context: context.has("build"), "no jail was built"),
    "clone": (lambda context: context.has("clone"), "no clone was made"),
    "image": (lambda context: context.has("image"), "no image was made"),
}
NEEDS_A_JAIL = ("steps", "jail", "clone", "image", "ssh", "FUSE", "tart")
"""Needs that are known once the jails exist; all others are known before."""

CLAIMS: list[Claim] = []


def claim(
    name: str, says: str, *, source: str, judged: str, needs: tuple[str, ...] = ()
) -> Callable[[Callable[[Context], Verdict]], Callable[[Context], Verdict]]:
    """Register a function as the test of a claim."""

    def enter(judge: Callable[[Context], Verdict]) -> Callable[[Context], Verdict]:
        CLAIMS.append(Claim(name, says, source, judged, needs, judge))
        return judge

    return enter


def found(holds: bool, seen: str) -> Verdict:
    """The verdict for a claim that holds, or does not."""
    return Verdict(PROVEN if holds else DISPROVEN, seen)


def unmet_need(needs: tuple[str, ...], context: Context) -> str:
    """Why a claim cannot be tested here; empty when it can."""
    for need in needs:
        if need[0] in "<>":
            number = int(need.lstrip("<>="))
            if (context.major >= number) is need.startswith("<"):
                return f"it is about macOS {'before ' + str(number) if need[0] == '<' else str(number) + ' and later'}"
        elif not NEEDS[need][0](context):
            return NEEDS[need][1]
    return ""


def judge(claim_: Claim, context: Context) -> Verdict:
    """Test one claim; an error in it does not keep the others from being tested."""
    why = unmet_need(claim_.needs, context)
    if why:
        return Verdict(NOT_TRIED, why)
    try:
        return claim_.judge(context)
    except NotTriedError as exc:
        return Verdict(NOT_TRIED, str(exc))
    except (JailError, OSError, ValueError, KeyError) as exc:
        return Verdict(NOT_TRIED, f"it could not be judged: {exc}")


def as_values(claim_: Claim, verdict: Verdict) -> dict[str, Any]:
    return {"id": claim_.id, "verdict": verdict.verdict, "seen": verdict.seen}
