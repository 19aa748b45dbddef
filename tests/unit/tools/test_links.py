# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Broken links in the documentation are found, sound ones are left alone."""

from __future__ import annotations

from pathlib import Path

import links
import pytest

OTHER = "# The Other's page: `jail_path`\n\n## Twice\n\n## Twice\n"


@pytest.fixture
def top(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/other.md").write_text(OTHER)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "[a](docs/other.md)",
        "[a](docs/)",
        "[a](docs/other.md#the-others-page-jail_path)",
        "[a](docs/other.md#twice-1)",
        "# Here\n\n[a](#here)",
        '<a id="here"></a>\n\n[a](#here)',
        "[a](https://example.org/nowhere)",
        "`[a](nowhere.md)`",
        "```\n[a](nowhere.md)\n```",
        "[a][b]\n\n[b]: docs/other.md",
        '<a href="docs/other.md"><img alt="" src="docs/other.md"></a>',
    ],
)
def test_a_sound_link_passes(top: Path, text: str) -> None:
    (top / "README.md").write_text(text)
    assert links.check(top) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[a](nowhere.md)", "README.md:1: nowhere.md leads nowhere"),
        ("```\nx\n```\n\nx [a](docs/no.md)", "README.md:5: docs/no.md leads nowhere"),
        ("[a](docs/other.md#twice-2)", "README.md:1: docs/other.md#twice-2: there is no such heading in docs/other.md"),
        ("[a](#here)", "README.md:1: #here: there is no such heading in README.md"),
        ("[a](../x.md)", "README.md:1: ../x.md leads out of the project: write it relative to this file"),
        ("[a][b]\n\n[b]: no.md", "README.md:3: no.md leads nowhere"),
        ('<img alt="a"\n src="no.png">', "README.md:1: no.png leads nowhere"),
        ("<source srcset='no.png'>", "README.md:1: no.png leads nowhere"),
    ],
)
def test_a_broken_link_is_named(top: Path, text: str, said: str) -> None:
    (top / "README.md").write_text(text)
    assert links.check(top) == [said]
