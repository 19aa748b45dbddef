# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Each claim has one home, names facts that are written down, and comes out as one of three."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.claims import (
    NEEDS,
    NOT_TRIED,
    PROVEN,
    Claim,
    Verdict,
    judge,
    unmet_need,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.context import (
    Context,
    NotTriedError,
    run_program,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.judging import SUBJECTS, ordered_claims
from selftest_contexts import CLAIMS, context

PAGE = Path(__file__).parents[6] / "docs/macos.md"
HEADINGS = re.findall(r"^## (.+)$", PAGE.read_text(), re.MULTILINE)


def test_they_are_told_in_the_order_of_the_plan() -> None:
    ids = [claim.id for claim in ordered_claims()]
    assert len(ids) == len(set(ids)) > 60
    assert ids[0] == "M-XATTR-1"
    assert [one.judge.__module__ for one in ordered_claims()] == [
        subject.__name__ for subject in SUBJECTS for one in ordered_claims() if one.judge.__module__ == subject.__name__
    ]


@pytest.mark.parametrize("claim", ordered_claims(), ids=lambda claim: claim.id)
def test_a_claim_says_all_of_itself(claim: Claim) -> None:
    assert re.fullmatch(r"M-[A-Z]{2,12}-\d{1,3}", claim.id)
    assert not claim.says.endswith(".")
    assert claim.judged
    assert all(need in NEEDS or re.fullmatch(r"(>=|<)\d\d", need) for need in claim.needs)
    named = [part.split(":")[0].strip() for part in claim.source.split(";")]
    assert any(heading.startswith(named[0]) for heading in HEADINGS), f"{named[0]} is no heading of docs/macos.md"


@pytest.mark.parametrize(
    ("needs", "changes", "why"),
    [
        (("SIP off",), {"protected": True}, "System Integrity Protection is on"),
        (("SIP on",), {}, "System Integrity Protection is off"),
        (("FUSE",), {}, "no FUSE"),
        (("tart",), {}, "no tart"),
        (("network",), {}, "no network"),
        (("ssh",), {"over_ssh": False}, "not over ssh"),
        (("jail",), {"steps": {"build": {"ok": False, "changed": True, "message": "x"}}}, "no jail was built"),
        (("clone",), {"steps": {}}, "no clone was made"),
        (("steps",), {"steps": {}}, "the run did not come to it"),
        (("restart",), {}, "it takes a restart of the Mac"),
        (("<13",), {}, "it is about macOS before 13"),
        ((">=16",), {}, "it is about macOS 16 and later"),
        ((">=13",), {}, ""),
        (("<13",), {"version": "12.7.6"}, ""),
        (("SIP off", "jail", "ssh"), {}, ""),
    ],
)
def test_what_is_missing_is_the_reason(tmp_path: Path, needs: tuple[str, ...], changes: Any, why: str) -> None:
    assert unmet_need(needs, context(tmp_path, **changes)) == why


@pytest.mark.parametrize(
    "exc", [NotTriedError("no such thing"), OperationError("run", "x", "y"), OSError(1, "z"), ValueError()]
)
def test_what_cannot_be_judged_is_not_disproven(tmp_path: Path, exc: Exception) -> None:
    def judged(_context: Context) -> Verdict:
        raise exc

    claim = Claim("M-XX-1", "x", "Copying", "x", (), judged)
    assert judge(claim, context(tmp_path)).verdict == NOT_TRIED


def test_a_program_that_is_not_there_is_the_reason(tmp_path: Path) -> None:
    with pytest.raises(NotTriedError, match="there is no /nowhere/codesign"):
        run_program("/nowhere/codesign", "-v", str(tmp_path))


def test_a_program_that_hangs_is_the_reason() -> None:
    with pytest.raises(NotTriedError, match="sleep did not answer within 0 seconds"):
        run_program("/bin/sleep", "20", seconds=0.2)


def test_a_failed_step_is_what_was_seen(tmp_path: Path) -> None:
    steps = {"build": {"ok": False, "changed": True, "message": "cannot create x: Operation not permitted"}}
    verdict = judge(CLAIMS["M-BUILD-1"], context(tmp_path, steps=steps))
    assert verdict == ("disproven", "cannot create x: Operation not permitted")
    assert judge(CLAIMS["M-BUILD-1"], context(tmp_path)).verdict == PROVEN
