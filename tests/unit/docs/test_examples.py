# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The example inventories say only what the collection reads."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible_collections.darwin.jail.plugins.lookup.misspelt import judge, known_names

CHECKOUT = Path(__file__).parents[3]
EXAMPLES = sorted(CHECKOUT.glob("docs/examples/*.yml"))
INVENTORIES = [InventoryManager(DataLoader(), [str(path)]) for path in EXAMPLES]
NAMES = [path.stem for path in EXAMPLES]


def test_there_are_examples() -> None:
    assert NAMES == ["this-mac", "two-macs"]


@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_each_jail_is_on_a_mac(inventory: InventoryManager) -> None:
    macs = {host.name for host in inventory.get_hosts("macs")}
    jails = inventory.get_hosts("jails")
    assert jails
    assert {host.vars["jail_mac"] for host in jails} == macs
    assert {"jail_path"} <= set.intersection(*(set(host.vars) for host in jails))


@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_every_variable_is_one(inventory: InventoryManager) -> None:
    known = known_names(CHECKOUT)
    for host in inventory.get_hosts():
        groups = [name for group in host.get_groups() for name in group.vars]
        assert judge([*host.vars, *groups], known) == ([], []), host.name
