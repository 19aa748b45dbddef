# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The sentences of the README and of the guides stay short."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented_examples import CHECKOUT, FENCED, INDENTED

GUIDES = sorted(CHECKOUT.glob("docs/guide-*.md"))
PAGES = (CHECKOUT / "README.md", *GUIDES, CHECKOUT / "docs/from-darwin-jail.md")
MOST_WORDS = 35

CODE = re.compile(r"``.+?``|`[^`]+`")
LINK = re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])")
ADDRESS = re.compile(r"<?https?://\S+|^\[[^\]]+\]:.*$", re.MULTILINE)
RULE = re.compile(r"^\|[-:| ]+\|$", re.MULTILINE)
PARAGRAPHS = re.compile(r"\n(?:\s*\n|(?=\s*(?:[-*>] |\d+\. |#+ |\|)))")
MARKER = re.compile(r"^\s*(?:[-*>] |\d+\. |#+ )+")
SENTENCES = re.compile(r"(?<=[.?!])[*)\"]*\s+")
WORD = re.compile(r"\w")


def paragraphs(text: str) -> Iterator[str]:
    """The prose of a page: paragraphs, headings, items of lists and cells of tables, without what is code.

    A piece of code within a sentence counts as one word, and a link as its text.
    """
    text = INDENTED.sub("\n\n", FENCED.sub("\n\n", text))
    text = RULE.sub("", ADDRESS.sub("X", LINK.sub(r"\1", CODE.sub("X", text))))
    for block in PARAGRAPHS.split(text):
        yield from block.strip().strip("|").split(" | ") if block.lstrip().startswith("|") else (MARKER.sub("", block),)


def sentences(text: str) -> Iterator[str]:
    for paragraph in paragraphs(text):
        yield from (" ".join(sentence.split()) for sentence in SENTENCES.split(paragraph))


def words(sentence: str) -> int:
    return sum(1 for word in sentence.split() if WORD.search(word))


def too_long(text: str) -> list[str]:
    return [f"{words(sentence)} words: {sentence}" for sentence in sentences(text) if words(sentence) > MOST_WORDS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_no_sentence_is_too_long(page: Path) -> None:
    assert too_long(page.read_text()) == []


@pytest.mark.parametrize(
    ("text", "counts"),
    [
        ("One two. Three four\nfive!", [2, 3]),
        ("# One\n\n- two `three four` (*five*).\n- [six seven](https://a.b/c), ![eight](d.png)\n", [1, 3, 3]),
        ("| one | two three |\n|---|---|\n| **four**. Five six | `seven` |\n", [1, 2, 1, 2, 1]),
        ("One\n\n    two three\n\n```sh\nfour five\n```\n\nsix - seven: v1.2.3.\n", [1, 3]),
    ],
)
def test_what_is_a_sentence(text: str, counts: list[int]) -> None:
    assert [words(sentence) for sentence in sentences(text) if words(sentence)] == counts
