# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Each difference between macOS and Linux that docs/macos.md lists has code, and a test that exists or a reason."""

from __future__ import annotations

import ast
import re
from functools import cache

import pytest
from documented_examples import CHECKOUT

PAGE = CHECKOUT / "docs/macos.md"
HEADING = "## Where macOS differs from Linux, and what tests have in its place"
NOT_MODELLED = re.compile(r"not modelled[^:]*: \w.{15,}")
CODE = re.compile(r"`([\w/]+\.(?:py|sh))`")
TEST = re.compile(r"`((?:\w+/)*test_\w+\.py)::([\w:]+)`")
"""The name of a file, with as many folders as tell it from others, and of a function or a class and its function."""


def rows() -> list[list[str]]:
    section = PAGE.read_text().partition(HEADING)[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


ROWS = rows()


@cache
def functions(name: str) -> frozenset[str]:
    """The tests of a file, as pytest calls them but for parameters."""
    folders = [CHECKOUT / "tests" / folder for folder in ("unit", "faults", "fuzz", "browser")]
    (path,) = (path for folder in folders for path in folder.rglob(name) if path.parent.name != "standin")
    found = set()
    for node in ast.parse(path.read_bytes()).body:
        if isinstance(node, ast.FunctionDef):
            found.add(node.name)
        elif isinstance(node, ast.ClassDef):
            found |= {f"{node.name}::{inner.name}" for inner in node.body if isinstance(inner, ast.FunctionDef)}
    return frozenset(found)


def judge(row: list[str]) -> None:
    _difference, code, model, tests = row
    paths = CODE.findall(code)
    assert paths
    for path in paths:
        assert (CHECKOUT / "plugins/module_utils/_jail" / path).is_file() or (CHECKOUT / path).is_file()
    named = TEST.findall(tests)
    if model.startswith("not modelled"):
        assert NOT_MODELLED.fullmatch(model)
        assert tests == "-"
        return
    assert model
    assert len(named) == tests.count("`") / 2 > 0
    for file, test in named:
        assert test in functions(file)


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_a_difference_has_a_test_or_a_reason(row: list[str]) -> None:
    judge(row)


def test_the_table_is_read_whole() -> None:
    section = PAGE.read_text().partition(HEADING)[2]
    assert len(ROWS) == section.count("\n|") - 2 > 40
    assert len({row[0] for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize(
    "row",
    [
        ["x", "`macos/release.py`", "a model", "`test_release.py::test_of_nobody`"],
        ["x", "`macos/release.py`", "a model", "-"],
        ["x", "`macos/release.py`", "", "`test_release.py::test_rosetta_hides_the_processor_from_uname`"],
        ["x", "`no.py`", "a model", "`test_release.py::test_rosetta_hides_the_processor_from_uname`"],
        ["x", "`macos/release.py`", "not modelled: why", "-"],
        ["x", "`macos/release.py`", "not modelled", "-"],
    ],
)
def test_a_row_that_names_nothing_is_noticed(row: list[str]) -> None:
    with pytest.raises(AssertionError):
        judge(row)
