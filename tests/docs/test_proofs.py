# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""docs/proofs holds proofs alone, and the tables that are made of them and of the claims are up to date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import proofs
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.judging import ordered_claims
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import proof


def written(tmp_path: Path, **changes: Any) -> Path:
    mac = {"system": "darwin", "macos": "15.2", "build": "24C101", "processor": "arm64", "sip": "disabled"}
    about = {"collection": "0.1.0", "ansible": "2.20.1", "date": "2026-12-01", "seconds": 9, "megabytes": 9}
    seen = [
        {"id": "M-POLL-1", "verdict": "proven", "seen": "POLLHUP"},
        {"id": "M-FD-1", "verdict": "disproven", "seen": "x"},
    ]
    path = tmp_path / "selftest.json"
    path.write_text(json.dumps(proof.document({**mac, "virtual": True, "over_ssh": False, **changes}, seen, about)))
    return path


def test_the_tables_are_up_to_date() -> None:
    for page, text in proofs.pages().items():
        assert page.read_text() == text, f"{page} is old: run tests/tools/proofs.py"


def test_what_is_collected_is_proof() -> None:
    for path in proofs.FOLDER.iterdir():
        assert path.suffix in (".json", ".md")
    for found in proofs.collected():
        assert (proofs.FOLDER / proofs.name(found)).is_file()


def test_a_run_on_a_stand_in_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, system="linux")
    before = sorted(proofs.FOLDER.iterdir())
    assert proofs.main([str(path)]) == 1
    assert "it ran on a stand-in, and proves nothing of macOS" in capsys.readouterr().err
    assert sorted(proofs.FOLDER.iterdir()) == before


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": 1}', "[" * 100_000, "\xff"])
def test_what_is_no_proof_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(proofs.NoProofError):
        proofs.read(path)
    with pytest.raises(proofs.NoProofError):
        proofs.read(tmp_path / "nowhere")


def test_a_table_without_proofs_says_so() -> None:
    assert (
        proofs.table_of_proofs([], ordered_claims()) == "No Mac has proven anything yet: `docs/proofs` holds no file.\n"
    )


def test_the_table_says_where_each_claim_was_proven(tmp_path: Path) -> None:
    folder = tmp_path / "proofs"
    folder.mkdir()
    for macos in ("26.1", "15.2"):
        found = proofs.read(written(tmp_path, macos=macos))
        (folder / proofs.name(found)).write_text(json.dumps(found))
    lines = proofs.table_of_proofs(proofs.collected(folder), ordered_claims()).splitlines()
    both = "; ".join(f"{macos} arm64, virtual, SIP disabled, 2026-12-01" for macos in ("15.2", "26.1"))
    (poll,) = (line for line in lines if line.startswith("| M-POLL-1 "))
    (fd,) = (line for line in lines if line.startswith("| M-FD-1 "))
    (other,) = (line for line in lines if line.startswith("| M-POLL-2 "))
    assert poll.endswith(f" | {both} | nowhere |")
    assert fd.endswith(f" | nowhere | {both} |")
    assert other.endswith(" | nowhere | nowhere |")


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(proofs.NoProofError, match="there is no place for proofs"):
        proofs.put("# x\n", "proofs", "y")
