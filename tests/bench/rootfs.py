# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The engine against cp, tar and rsync, on a copy of /usr/share in memory.

    python tests/bench/rootfs.py [--runs N] [--source DIR]

Needs root, rsync and about 3 GB of /dev/shm (or --work DIR elsewhere).
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from rows import HEAD, Contender, Row, machine

ENGINE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("engine.py"))]


class Bench:
    """The trees, and the rows that use them."""

    def __init__(self, work: Path, source: Path) -> None:
        self.work = work
        self.tree = work / "source" / "tree"
        shutil.rmtree(work, ignore_errors=True)
        self.tree.parent.mkdir(parents=True)
        subprocess.run(["cp", "-a", f"{source}/.", str(self.tree)], check=True)

    def gone(self, name: str) -> None:
        subprocess.run(["rm", "-rf", str(self.work / name)], check=True)

    def build(self) -> Row:
        """Everything is copied."""
        ours, cp, tar, rsync = (str(self.work / name) for name in ("ours", "cp", "tar", "rsync"))
        shell = f"mkdir {tar} && tar -C {self.tree} -cf - . | tar -C {tar} -xpf -"
        return Row(
            "build",
            Contender("darwin.jail", self._engine(ours), lambda: self.gone("ours")),
            [
                (Contender("cp -a", ["cp", "-a", str(self.tree), cp], lambda: self.gone("cp")), 0.70),
                (Contender("tar &#124; tar", ["sh", "-c", shell], lambda: self.gone("tar")), 0.70),
                (Contender("rsync -aH", ["rsync", "-aH", f"{self.tree}/", rsync], lambda: self.gone("rsync")), 0.35),
            ],
        )

    def again(self) -> Row:
        """Nothing has changed; both trees are walked."""
        rsync = Contender("rsync -aH", ["rsync", "-aH", f"{self.tree}/", str(self.work / "rsync")])
        return Row(
            "re-run, nothing changed", Contender("darwin.jail", self._engine(str(self.work / "ours"))), [(rsync, 0.75)]
        )

    def _engine(self, jail: str) -> list[str]:
        return [*ENGINE, jail, str(self.work / "source"), "/tree/", "/usr/share/"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--source", type=Path, default=Path("/usr/share"))
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/darwin.jail.bench"))  # noqa: S108
    args = parser.parse_args()
    bench = Bench(args.work, args.source)
    files = sum(1 for _path in bench.tree.rglob("*"))
    lines = [f"{machine()}; {files} files of {args.source}; medians of {args.runs} runs", "", *HEAD]
    try:
        for row in (bench.build(), bench.again()):
            row.measure(args.runs)
            lines += row.lines()
    finally:
        shutil.rmtree(args.work)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
