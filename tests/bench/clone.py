# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Clones of a jail against cp --reflink, on volumes in a file: clone.py [--runs N] [--source DIR] [--work DIR].

Needs root.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

from rows import HEAD, Contender, Row, machine
from volumes import lacks, volume

ENGINE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("engine.py"))]
BARS = {"xfs": 0.85, "btrfs": 1.0}
MORE = 1.01
"""How much more space than cp's clone ours may take."""


def taken(point: Path, argv: list[str]) -> int:
    """The space that a command takes, in kilobytes."""
    os.sync()
    before = os.statvfs(point)
    subprocess.run(argv, check=True)
    subprocess.run(["sync", "-f", point], check=True)
    return (before.f_bfree - os.statvfs(point).f_bfree) * before.f_frsize >> 10


def measure(kind: str, point: Path, source: Path, runs: int) -> tuple[list[str], str]:
    base, ours, theirs = (str(point / name) for name in ("base", "ours", "theirs"))
    parent, name = os.path.split(os.path.realpath(source))
    subprocess.run([*ENGINE, base, parent, f"/{name}/", "/usr/share/"], check=True)
    clone = [*ENGINE, ours, "/", "", "", f"clone_of={base}"]
    cp = ["cp", "-a", "--reflink=always", base, theirs]
    space = taken(point, clone), taken(point, cp)

    def gone(path: str) -> None:
        subprocess.run(["rm", "-rf", path], check=True)
        os.sync()

    row = Row(
        f"clone, {kind}",
        Contender("", clone, lambda: gone(ours)),
        [(Contender("cp -a --reflink=always", cp, lambda: gone(theirs)), BARS[kind])],
    )
    row.measure(runs)
    met = "yes" if space[0] <= space[1] * MORE else "**no**"
    return row.lines(), f"| {kind} | {space[0]} kB | {space[1]} kB | {met} |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", type=Path, default=Path("/usr/share"))
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/darwin.jail.bench.clone"))  # noqa: S108
    args = parser.parse_args()
    lines, spaces = [], ["| volume | our space | cp's | met |", "|---|---|---|---|"]
    shutil.rmtree(args.work, ignore_errors=True)
    for kind in BARS:
        if reason := lacks(kind):
            spaces.append(f"| {kind} | left out: {reason} | | |")
            continue
        with volume(kind, args.work / kind, megabytes=4000) as point:
            found, space = measure(kind, point, args.source, args.runs)
        lines += found
        spaces.append(space)
    shutil.rmtree(args.work, ignore_errors=True)
    print("\n".join([f"{machine()}; {args.source}; medians of {args.runs} runs", "", *HEAD, *lines, "", *spaces]))


if __name__ == "__main__":
    main()
