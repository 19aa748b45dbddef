# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The page about limits has all of them; write it again with: python tests/docs/test_limits.py."""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail import limits

PAGE = Path(__file__).parents[2] / "docs/limits.md"
HEAD = "| name | limit | of | reason |\n|---|---|---|---|\n"


def rows() -> str:
    """A row for each limit: its name, its text, its docstring and its reason."""
    body = ast.parse(inspect.getsource(limits)).body
    found = ""
    for statement, following in pairwise(body):
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        limit = getattr(limits, target.id) if isinstance(target, ast.Name) else None
        if isinstance(target, ast.Name) and isinstance(limit, limits.Limit):
            assert isinstance(following, ast.Expr)
            assert isinstance(following.value, ast.Constant)
            text = str(following.value.value)
            found += f"| {target.id} | {limit.text} | {text} | {limit.reason} |\n"
    return found


def page() -> str:
    before, _head, after = PAGE.read_text().partition(HEAD)
    return before + HEAD + rows() + "\n" + after.partition("\n\n")[2]


def test_the_page_is_true() -> None:
    assert PAGE.read_text() == page()
    assert rows().count("\n") > 20


def test_a_limit_names_itself() -> None:
    text = limits.TAR_HEADERS.exceeded("read", "the archive")
    assert text.startswith("cannot read the archive: it has more than 2 MiB, which is the limit: ")
    assert (
        limits.Limit(5, "bytes", "why")
        .exceeded("read", "x", hint="do")
        .endswith("5 bytes, which is the limit: why (do)")
    )


if __name__ == "__main__":
    PAGE.write_text(page())
