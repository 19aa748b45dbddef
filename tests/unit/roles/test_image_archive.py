# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""jail_image names an image in a registry, or an archive on the Mac."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

ROLES = Path(__file__).parents[3] / "roles"
REFERENCE, ARCHIVE, OTHER = "registry.example.com/jails/dev:1", "/private/var/images/dev.tar", "/private/var/other.tar"


@pytest.mark.parametrize("state", ["exported", "present"])
@pytest.mark.parametrize(
    ("image", "also", "given"),
    [
        (REFERENCE, "", (REFERENCE, "")),
        (ARCHIVE, "", ("", ARCHIVE)),
        ("", OTHER, ("", OTHER)),
        ("", "", ("", "")),
        (REFERENCE, OTHER, {"exported": (REFERENCE, OTHER), "present": (REFERENCE, "")}),
    ],
)
def test_the_module_is_given_one_of_them(image: str, also: str, given: object, state: str) -> None:
    variables = yaml.safe_load((ROLES / "image/vars/main.yml").read_text())
    variables |= {"jail_image": image, "jail_image_archive": also, "__image_state": state}
    templar = Templar(DataLoader(), variables=trusted(variables))
    found = tuple(templar.template(trusted("{{ " + name + " }}")) for name in ("__image_reference", "__image_archive"))
    assert found == (given[state] if isinstance(given, dict) else given)
