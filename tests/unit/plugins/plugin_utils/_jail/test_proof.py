# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is written of a run says on what it ran and holds no markup of others; what is not as it is to be is refused."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import proof

MAC = {"system": "darwin", "macos": "26.1", "build": "25B78", "processor": "arm64", "sip": "enabled", "virtual": False}
ABOUT = {"collection": "0.1.0", "ansible": "2.20.1", "date": "2026-12-01", "seconds": 1500, "megabytes": 6200}
SEEN = [
    {"id": "M-POLL-1", "verdict": "proven", "seen": "POLLHUP"},
    {"id": "M-FD-1", "verdict": "disproven", "seen": "reading begins at 0, not at 10"},
]


def document(**changes: Any) -> dict[str, Any]:
    return proof.document({**MAC, "over_ssh": True, **changes}, SEEN, ABOUT)


def test_all_claims_are_in_it_and_those_that_were_not_judged_say_so() -> None:
    found = document()
    assert proof.errors_in(found) == []
    assert proof.is_proof(found)
    verdicts = {one["id"]: (one["verdict"], one["seen"]) for one in found["claims"]}
    assert verdicts["M-POLL-1"] == ("proven", "POLLHUP")
    assert verdicts["M-POLL-2"] == ("not tried", "the run ended before")
    assert proof.counts(found["claims"]).startswith("1 proven, 1 disproven, ")


@pytest.mark.parametrize("system", ["linux", "", "freebsd14", "Darwin"])
def test_what_ran_on_anything_else_says_so(system: str) -> None:
    found = document(system=system)
    assert found["machine"] == "stand-in"
    assert not proof.is_proof(found)
    assert "**This is a stand-in and no Mac: " in proof.page(found)
    assert "stand-in" not in proof.page(document())


def test_one_that_claims_to_be_a_mac_is_refused() -> None:
    found = document(system="linux")
    found["machine"] = "mac"
    assert proof.errors_in(found) == ["a Mac whose system is not darwin is none"]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("schema", True),
        ("date", "yesterday"),
        ("macos", "26.1; rm"),
        ("build", ""),
        ("seconds", -1),
        ("seconds", 1.5),
        ("virtual", 1),
        ("claims", []),
        ("claims", {}),
        ("claims", [{"id": "M-X-1", "verdict": "proven", "seen": "x"}] * 2),
        ("claims", [{"id": "M-POLL-1", "verdict": "true", "seen": "x"}]),
        ("claims", [{"id": "M-POLL-1", "verdict": "proven", "seen": "x\n"}]),
        ("claims", [{"id": "M-POLL-1", "verdict": "proven", "seen": "x" * 1000}]),
        ("claims", [{"id": "M-POLL-1", "verdict": "proven", "seen": "x", "host": "dana"}]),
        ("claims", [{"id": "../x", "verdict": "proven", "seen": "x"}]),
        ("claims", ["M-POLL-1"]),
        ("sip", "off"),
    ],
)
def test_what_is_not_right_is_named(key: str, value: Any) -> None:
    assert proof.errors_in({**document(), key: value})


def test_what_is_missing_or_unknown_is_named() -> None:
    found = document()
    for key in list(found):
        lacking = copy.deepcopy(found)
        del lacking[key]
        assert proof.errors_in(lacking)
    assert proof.errors_in({**found, "host": "dana"}) == ["host is unknown"]
    others: tuple[object, ...] = (None, [], "x", 3)
    for other in others:
        assert proof.errors_in(other)


def test_what_was_seen_is_no_markup_and_calls_nobody() -> None:
    hostile = "a|b <script>x</script> @octocat `rm` [x](http://y) *z* #1 \u202e"
    found = document()
    found["claims"][0] = {**found["claims"][0], "seen": hostile}
    (line,) = (line for line in proof.page(found).splitlines() if line.startswith(f"| {found['claims'][0]['id']} "))
    assert line.count(" | ") == 3
    assert "<script" not in line
    assert "@octocat" not in line
    assert "[x](" not in line.replace("\\[", "").replace("\\]", "")
    assert "\u202e" not in line


def test_it_is_json_and_a_page() -> None:
    found = document()
    assert json.loads(json.dumps(found)) == found
    assert proof.page(found).startswith("# Selftest of darwin.jail on macOS 26.1 (25B78), arm64\n")
    assert "| M-FD-1 | Opening /dev/fd/N shares the offset of descriptor N | **disproven** | reading" in proof.page(
        found
    )
