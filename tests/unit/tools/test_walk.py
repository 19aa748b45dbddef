# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The ways of the guides are walked whole, and a changed guide changes them."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
import walk
import yaml

SCENARIOS = Path(__file__).parents[3] / "extensions/molecule"
PAGES = sorted(walk.WALKTHROUGHS)


def test_each_way_has_a_scenario() -> None:
    found = [yaml.safe_load(path.read_text())["all"]["vars"] for path in SCENARIOS.glob("walk_*/inventory/jails.yml")]
    assert sorted(variables["molecule_page"] for variables in found) == PAGES


@pytest.mark.parametrize("page", PAGES)
def test_each_command_of_the_page_is_typed_or_known_to_be_left_out(page: str) -> None:
    lines = walk.printed(page)
    assert set(walk.WALKTHROUGHS[page].left_out) <= set(lines)
    strange = [line for line in lines if line not in walk.WALKTHROUGHS[page].left_out and not walk.typed(line)]
    assert strange == []
    assert len([line for line in lines if "ansible-playbook" in line]) > 2


@pytest.mark.parametrize("page", PAGES)
def test_what_happens_meanwhile_has_its_command(page: str) -> None:
    way = walk.WALKTHROUGHS[page]
    for beginning in way.before:
        assert [line for line in walk.printed(page) if line.startswith(beginning)], beginning
    if way.inventory_from:
        assert set(way.first) <= set(walk.printed(way.inventory_from))


@pytest.mark.parametrize("page", PAGES)
def test_what_commands_read_is_saved(page: str) -> None:
    saved = dict(walk.files(page))
    assert "ansible.cfg" in saved
    for line in walk.printed(page):
        words = shlex.split(line) if line.startswith("ansible") else []
        for number, word in enumerate(words):
            if word == "-i":
                assert words[number + 1].removeprefix("~/") in saved, line
