# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Check that relative links in the Markdown files lead somewhere, down to the heading."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

PAGES = ("*.md", "docs/**/*.md", "roles/*/README.md", "tests/**/*.md", "extensions/**/*.md")

FENCE = re.compile(r"^(```|~~~).*?^\1[^\n]*$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(
    r"""\]\(\s*<?([^)>\s]+)>?[^)]*\)|^\[[^\]]+\]:\s*(\S+)|<(?:a|img|source)\b[^>]*?\b(?:href|src|srcset)=["']([^"'\s]+)""",
    re.MULTILINE,
)
ANCHOR = re.compile(r"""<a\b[^>]*?\bid=["']([^"']+)""")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:")


def blank(match: re.Match[str]) -> str:
    """As many lines as there were, without what is in them."""
    return "\n" * match.group().count("\n")


def anchors(text: str) -> set[str]:
    """The names that headings get on GitHub and GitLab, and those that the page gives itself."""
    found: set[str] = set()
    for heading in HEADING.findall(FENCE.sub(blank, text)):
        slug = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        repeats = sum(1 for name in found if re.fullmatch(re.escape(slug) + r"(-\d+)?", name))
        found.add(f"{slug}-{repeats}" if repeats else slug)
    return found.union(ANCHOR.findall(text))


def broken(page: Path, top: Path) -> Iterator[str]:
    text = CODE.sub("", FENCE.sub(blank, page.read_text()))
    for match in LINK.finditer(text):
        link = str(match[match.lastindex or 0])
        if ELSEWHERE.match(link):
            continue
        where = f"{page.relative_to(top)}:{text.count(chr(10), 0, match.start()) + 1}"
        path, _hash, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if path.startswith("/") or not target.is_relative_to(top):
            yield f"{where}: {link} leads out of the project: write it relative to this file"
        elif not target.exists():
            yield f"{where}: {link} leads nowhere"
        elif anchor and (target.suffix != ".md" or anchor not in anchors(target.read_text())):
            yield f"{where}: {link}: there is no such heading in {target.relative_to(top)}"


def check(top: Path) -> list[str]:
    pages = {page for pattern in PAGES for page in top.glob(pattern) if "output" not in page.parts}
    return [line for page in sorted(pages) for line in broken(page, top)]


if __name__ == "__main__":
    lines = check(Path(__file__).resolve().parents[2])
    print(*lines, sep="\n")
    sys.exit(1 if lines else 0)
