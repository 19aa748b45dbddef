# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The rootfs engine as a process of its own: engine.py JAIL SOURCE SRC DEST [--workers N] [--clone-of JAIL]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache" / "collections"))

from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("jail")
    parser.add_argument("source")
    parser.add_argument("src")
    parser.add_argument("dest")
    parser.add_argument("--workers", type=int)
    args = parser.parse_args()
    entries = [{"src": args.src, "dest": args.dest}]
    build(Wish(args.jail, args.source, entries=entries, workers=args.workers), check=False)


if __name__ == "__main__":
    main()
