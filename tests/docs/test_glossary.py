# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The glossary is short, and its terms are those that the documentation or the code uses."""

from __future__ import annotations

import re

import pytest
from documented_examples import CHECKOUT

PAGE = CHECKOUT / "docs/glossary.md"
TERMS = dict(re.findall(r"^\| (?!term |---)([^|]+) \| ([^|]+) \|$", PAGE.read_text(), flags=re.MULTILINE))
TEXT = "\n".join(
    path.read_text()
    for path in (*CHECKOUT.glob("docs/*.md"), CHECKOUT / "README.md", *CHECKOUT.glob("plugins/**/*.py"))
    if path != PAGE
)


def test_it_has_at_most_forty_terms() -> None:
    assert 20 < len(TERMS) <= 40
    assert PAGE.read_text().count("\n| ") == len(TERMS) + 1, "a row is not a term and its sentence"


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_used(term: str) -> None:
    assert re.search(rf"\b{term}", TEXT.replace("_", " "), flags=re.IGNORECASE), f"nobody uses the term {term}"


@pytest.mark.parametrize("term", TERMS)
def test_a_term_is_explained_in_one_sentence(term: str) -> None:
    assert re.fullmatch(r"[A-Z](?:[^.]|\.(?! ))*\.", TERMS[term])


@pytest.mark.parametrize("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_it_is_linked(page: str) -> None:
    assert "glossary.md)" in (CHECKOUT / page).read_text()
