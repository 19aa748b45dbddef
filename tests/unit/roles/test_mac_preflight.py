# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the role mac refuses: what is wrong is said alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

FOLDER = Path(__file__).parents[3] / "roles/mac"
ROOT = ["Darwin", "0"]


def complaints(said: list[str], **given: Any) -> str:
    texts = [(FOLDER / name).read_text() for name in ("defaults/main.yml", "vars/main.yml")]
    variables = {name: value for text in texts for name, value in yaml.safe_load(text).items()}
    known = {**variables, **given, "__mac_seen": {"stdout_lines": said}, "inventory_hostname": "mac1"}
    found = Templar(DataLoader(), variables=trusted(known)).template(trusted("{{ __mac_complaints | join('. ') }}"))
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("said", [ROOT, ["", *ROOT], [*ROOT, "/private/etc/sudoers.d/darwin_jail"]])
def test_a_mac_is_one_also_after_sudo_asked_for_a_password(said: list[str]) -> None:
    assert complaints(said) == ""


@pytest.mark.parametrize(
    ("said", "given", "expected"),
    [
        (["Linux", "0"], {}, "mac1 is no Mac: its system is Linux, and Darwin is needed"),
        ([], {}, "mac1 is no Mac: its system is not told, and Darwin is needed"),
        (
            ["Darwin", "501"],
            {},
            "mac1 is looked at as the user with the number 501, and root is needed; set become to true",
        ),
        (ROOT, {"mac_sudo_users": ["a b"]}, "jail_mac_sudo_users is ['a b']; write names, or groups behind %"),
        (ROOT, {"mac_homebrew_user": "root"}, "jail_mac_homebrew_user is root, and Homebrew refuses to be root's; "),
        (ROOT, {"mac_enter": [{"user": "a", "as": "b", "jail": "/x y"}]}, "jail_mac_enter is [{"),
        (ROOT, {"mac_enter": [{"user": "a b", "as": "b", "jail": "/x"}]}, "jail_mac_enter is [{"),
    ],
)
def test_what_is_wrong_is_said_alone(said: list[str], given: dict[str, Any], expected: str) -> None:
    found = complaints(said, **given)
    assert found.startswith(expected)
    assert ". " not in found
