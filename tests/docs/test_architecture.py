# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The page on the architecture names the packages that exist, in the layers that are checked."""

from __future__ import annotations

import re
import tomllib

import pytest
from documented_examples import CHECKOUT

PAGE = (CHECKOUT / "docs/architecture.md").read_text()
UTILS = CHECKOUT / "plugins/module_utils/_jail"
PICTURE = PAGE.partition("```mermaid\n")[2].partition("```")[0]
EXISTING = {path.stem for path in UTILS.iterdir() if path.is_dir() or path.suffix == ".py"} - {
    "__init__",
    "__pycache__",
}


def section(heading: str) -> str:
    return PAGE.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def test_the_layers_are_those_of_the_contract() -> None:
    items = [text.partition("\n\n")[0] for text in re.split(r"^\d+\. ", section("The layers"), flags=re.MULTILINE)[1:]]
    on_the_page = [set(re.findall(r"`(\w+)`[:,]", text)) for text in items]
    contracts = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    (layers,) = (one["layers"] for one in contracts if one["name"] == "Packages of module_utils import downwards")
    assert on_the_page == [set(line.split(" | ")) for line in layers]
    assert set().union(*on_the_page) == EXISTING


def test_the_picture_fits_on_a_screen_and_names_packages_that_exist() -> None:
    labels = dict(re.findall(r'(\w+)\["([^"]+)"\]', PICTURE))
    nodes = set(re.findall(r"^ *(\w+)|--> (\w+)", PICTURE.partition("\n")[2], flags=re.MULTILINE))
    assert 10 < len({one or other for one, other in nodes}) <= 20
    named = [name for label in labels.values() if ":" in label for name in label.partition(":")[0].split(", ")]
    packages = [name for name in named if name != "inventory"]
    assert len(packages) > 8
    assert [name for name in packages if not (UTILS / name).is_dir() and not (UTILS / f"{name}.py").is_file()] == []


@pytest.mark.parametrize("path", sorted(set(re.findall(r"`(?:python )?([\w/]+\.py)`?", PAGE))))
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (UTILS / path).is_file() or (CHECKOUT / path).is_file()


def test_the_table_stays_short() -> None:
    assert section("What to change for what").count("\n| ") <= 11
