# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Print an inventory of the running stand-in Macs with one jail, named as given, on each of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

STANDIN = Path(__file__).parents[1] / "standin/standin"


def ask(verb: str) -> Any:
    """JSON is YAML, too."""
    return yaml.safe_load(subprocess.check_output([STANDIN, verb], text=True))


def inventory(macs: dict[str, Any], entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    """The Macs as they are, and the jails below them, reached in the same way."""
    jails = {f"{name}-{mac}": {"jail_mac": mac} for mac in macs["hosts"]}
    settings = {
        "jail_path": f"/private/var/jails/{name}",
        "jail_user": "admin",
        "jail_profile": "standard",
        # What Linux programs need in a jail besides what those of macOS need.
        "jail_entries": entries,
    }
    return {"macs": macs, "jails": {"vars": {**macs.get("vars", {}), **settings}, "hosts": jails}}


if __name__ == "__main__":
    print(json.dumps(inventory(ask("inventory")["macs"], ask("jail-entries"), sys.argv[1]), indent=2))
