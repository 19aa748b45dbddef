# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Settings of a host that no real Mac keeps in a file: /private/var/db/standin, JSON, one per subject."""

from __future__ import annotations

import json
import os
from typing import Any

FOLDER = "/private/var/db/standin"


def load(subject: str, default: Any) -> Any:
    try:
        with open(f"{FOLDER}/{subject}.json", encoding="utf-8") as handle:
            return json.load(handle)
    except FileNotFoundError:
        return default


def save(subject: str, value: Any) -> None:
    fresh = f"{FOLDER}/{subject}.json.new"
    with open(fresh, "w", encoding="utf-8") as handle:
        json.dump(value, handle)
    os.replace(fresh, f"{FOLDER}/{subject}.json")
