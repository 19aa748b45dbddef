# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a registry holds, and what it gave to whom, in bytes: carried.py, on the Mac with the registry."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

PLACE = Path("/private/var/registry")


def given() -> Counter[str]:
    """Bytes of layers and configurations, by the address of who asked."""
    found: Counter[str] = Counter()
    for line in (PLACE / "log").read_text().splitlines():
        entry = json.loads(line) if line.startswith("{") else {}
        asked = entry.get("http.request.method"), "/blobs/" in entry.get("http.request.uri", "")
        if entry.get("msg") == "response completed" and asked == ("GET", True):
            found[entry["http.request.remoteaddr"].rpartition(":")[0]] += int(entry["http.response.written"])
    return found


print(
    json.dumps(
        {
            "given": given(),
            "held": sum(path.stat().st_size for path in PLACE.glob("storage/**/blobs/**/data")),
        }
    )
)
