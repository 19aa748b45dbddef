# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Proofs of what is claimed of macOS: proofs.py [FILE ...]

Takes files that the playbook darwin.jail.selftest wrote on Macs into docs/proofs, and writes the tables that are made
of them and of the claims: in docs/testing.md and docs/selftest.md. A file that tells of no Mac is refused.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.claims import DISPROVEN, PROVEN, Claim
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.judging import ordered_claims
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import proof

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / "docs/proofs"
LARGEST = 1 << 20
BEGIN, END = "<!-- made by tests/tools/proofs.py: {} -->", "<!-- the end of {} -->"
NONE = "No Mac has proven anything yet: `docs/proofs` holds no file.\n"


class NoProofError(Exception):
    """A file that cannot be taken for a proof, with the reason."""


def read(path: Path) -> dict[str, Any]:
    """A proof; NoProofError when it is none."""
    try:
        if path.stat().st_size > LARGEST:
            raise NoProofError(f"{path}: larger than {LARGEST} bytes")
        found = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError) as exc:
        raise NoProofError(f"{path}: {exc}") from exc
    if wrong := proof.errors_in(found):
        raise NoProofError(f"{path}: {'; '.join(wrong)}")
    if not proof.is_proof(found):
        raise NoProofError(f"{path}: it ran on a {proof.STAND_IN}, and proves nothing of macOS")
    assert isinstance(found, dict)
    return found


def name(found: dict[str, Any]) -> str:
    """Two runs on one day on such a Mac are one proof."""
    return "-".join(found[key] for key in ("macos", "processor", "sip", "date")) + ".json"


def take(paths: Iterable[Path]) -> None:
    FOLDER.mkdir(exist_ok=True)
    for path in paths:
        found = read(path)
        (FOLDER / name(found)).write_text(json.dumps(found, indent=1) + "\n")


def collected(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """All proofs, those of older macOS first."""
    found = [read(path) for path in sorted(folder.glob("*.json"))]
    return sorted(found, key=lambda one: ([int(part) for part in one["macos"].split(".")], name(one)))


def where(found: dict[str, Any]) -> str:
    kind = ", virtual" if found["virtual"] else ""
    return f"{found['macos']} {found['processor']}{kind}, SIP {found['sip']}, {found['date']}"


def table_of_proofs(proofs: Sequence[dict[str, Any]], claims: Sequence[Claim]) -> str:
    """On which macOS, processor and date each claim was proven or disproven."""
    if not proofs:
        return NONE
    lines = ["| claim | proven | disproven |", "|---|---|---|"]
    for claim in claims:
        cells = [
            "; ".join(where(one) for one in proofs for what in one["claims"] if (what["id"], what["verdict"]) == wanted)
            for wanted in ((claim.id, PROVEN), (claim.id, DISPROVEN))
        ]
        lines.append(f"| {claim.id} {proof.cell(claim.says)} | {cells[0] or 'nowhere'} | {cells[1] or 'nowhere'} |")
    return "\n".join(lines) + "\n"


def table_of_claims(claims: Sequence[Claim]) -> str:
    lines = ["| id | claim | source, in [macos.md](macos.md) | judged by | needs |", "|---|---|---|---|---|"]
    for claim in claims:
        words = (claim.says, claim.source, claim.judged, ", ".join(claim.needs) or "nothing")
        lines.append(f"| {claim.id} | {' | '.join(map(proof.cell, words))} |")
    return "\n".join(lines) + "\n"


def put(page: str, subject: str, text: str) -> str:
    """A page with another text between the marks of a subject."""
    begin, end = BEGIN.format(subject), END.format(subject)
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(page)) != 1:
        raise NoProofError(f"there is no place for {subject}: {begin}")
    return pattern.sub(lambda _match: f"{begin}\n\n{text}\n{end}", page)


def pages() -> dict[Path, str]:
    """What the pages are to be."""
    testing, selftest = CHECKOUT / "docs/testing.md", CHECKOUT / "docs/selftest.md"
    claims = ordered_claims()
    return {
        testing: put(testing.read_text(), "proofs", table_of_proofs(collected(), claims)),
        selftest: put(selftest.read_text(), "claims", table_of_claims(claims)),
    }


def main(words: Sequence[str]) -> int:
    try:
        take(map(Path, words))
        for page, text in pages().items():
            page.write_text(text)
    except NoProofError as exc:
        print(exc, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
