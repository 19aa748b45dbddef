# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The engine against cp, tar and rsync, on a copy of /usr/share in memory, and against darwin-jail.

    [DARWIN_JAIL_CHECKOUT=DIR] python tests/bench/rootfs.py [--runs N] [--source DIR]

What a file costs is compared with what darwin-jail takes for each of 2,000 small ones. Its own code does that, from a
checkout of https://github.com/darwin-containers/darwin-jail, once, since it takes long; only platform.mac_ver() is
answered for it. Needs root, rsync and about 3 GB of /dev/shm (or --work DIR elsewhere).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from rows import HEAD, Contender, Row, machine

ENGINE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("engine.py"))]


CHECKOUT = os.environ.get("DARWIN_JAIL_CHECKOUT")
PEER = """
import platform, sys
platform.mac_ver = lambda: ("14.5", ("", "", ""), "arm64")
sys.path.insert(0, sys.argv.pop(1))
from darwinjail.main import main
main()
"""
PEER_FILES, PEER_LIMIT = 2000, 0.001


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
                (Contender("tar &#124; tar", ["sh", "-c", shell], lambda: self.gone("tar")), None),
                (Contender("rsync -aH", ["rsync", "-aH", f"{self.tree}/", rsync], lambda: self.gone("rsync")), 0.35),
            ],
        )

    def again(self) -> Row:
        """Nothing has changed; both trees are walked."""
        rsync = Contender("rsync -aH", ["rsync", "-aH", f"{self.tree}/", str(self.work / "rsync")])
        return Row(
            "re-run, nothing changed", Contender("darwin.jail", self._engine(str(self.work / "ours"))), [(rsync, None)]
        )

    def one_changed(self) -> Row:
        """One file is to be copied: no more than that is added to a run that finds nothing."""
        changed = next(path for path in sorted(self.tree.rglob("*")) if path.is_file() and not path.is_symlink())
        argv = self._engine(str(self.work / "ours"))

        def touch() -> None:
            changed.write_bytes(os.urandom(200))

        ours = Contender("darwin.jail", argv, touch)
        return Row("re-run, one file changed", ours, [(Contender("our re-run, nothing changed", argv), 1.1)])

    def per_file(self, ours: float) -> str:
        """What one file takes, when all of the tree took ours this many seconds."""
        if not CHECKOUT:
            return "| a file | | darwin-jail: left out, DARWIN_JAIL_CHECKOUT does not name its checkout | | | | | | |"
        small = self.work / "small"
        small.mkdir()
        for number in range(PEER_FILES):
            (small / str(number)).write_bytes(b"%d\n" % number * 30)
        files = self.work / "files"
        files.write_text(f"{small}\n")
        peer = Contender("", [sys.executable, "-c", PEER, CHECKOUT, str(self.work / "peer"), "-f", str(files)])
        peer.run()
        copies = self.work / "peer" / small.relative_to("/")
        if not all((copies / str(number)).is_file() for number in range(PEER_FILES)):
            sys.exit("darwin-jail has not copied the files: this figure is of something else")
        mine, theirs = ours / sum(1 for _path in self.tree.rglob("*")), peer.median / PEER_FILES
        met = "yes" if mine <= PEER_LIMIT * theirs else "**no**"
        figures = f"{mine * 1e6:.0f} µs | darwin-jail | {theirs * 1e6:.0f} µs | {mine / theirs:.5f}"
        return f"| a file | {figures} | {PEER_LIMIT} | {met} | | |"

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
        build = bench.build()
        for row in (build, bench.again(), bench.one_changed()):
            row.measure(args.runs)
            lines += row.lines()
        lines.append(bench.per_file(build.ours.median))
    finally:
        shutil.rmtree(args.work)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
