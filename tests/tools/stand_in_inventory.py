# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Print an inventory with a jail on each running stand-in Mac: stand_in_inventory.py NAME [STAND-IN ...]

Jails are called NAME-STAND-IN. Without stand-ins named, all that run are taken.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

STANDIN = Path(__file__).parents[1] / "standin/standin"


def ask(*words: str) -> Any:
    """JSON is YAML, too."""
    return yaml.safe_load(subprocess.check_output([STANDIN, *words], text=True))


def inventory(macs: dict[str, Any], entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The Macs as they are, and the jails, which only say on which of them they are."""
    settings = {
        "ansible_connection": "darwin.jail.chroot",
        "jail_path": f"/private/var/jails/{name}",
        "jail_user": "admin",
        "jail_profile": "standard",
        # What Linux programs need in a jail, in addition to what those of macOS need.
        "jail_entries": entries,
    }
    return {
        "macs": macs,
        "jails": {"vars": settings, "hosts": {f"{name}-{mac}": {"jail_mac": mac} for mac in macs["hosts"]}},
    }


if __name__ == "__main__":
    jail, *stand_ins = sys.argv[1:]
    print(json.dumps(inventory(ask("inventory", *stand_ins)["macs"], ask("jail-entries"), jail), indent=2))
