# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The rootfs engine as a process of its own: engine.py JAIL SOURCE SRC DEST [OPTION=VALUE ...].

Options are those of Wish, and seal=IDENTITY for a source that does not change. Nothing is imported but what the
engine needs.
"""

from __future__ import annotations

import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.cache/collections"))

from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.seal import Seal


def main(jail: str, source: str, src: str, dest: str, *options: str) -> None:
    given: dict[str, Any] = dict(option.split("=", 1) for option in options)
    if "workers" in given:
        given["workers"] = int(given["workers"])
    seal = Seal(given.pop("seal")) if "seal" in given else None
    entries = [{"src": src, "dest": dest}] if src else []
    build(Wish(jail, source, entries=entries, **given), check=False, seal=seal)


if __name__ == "__main__":
    main(*sys.argv[1:])
