# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The engine against cp, tar, rsync and rm: in memory, on ext4 and on XFS and Btrfs in a file.

    python tests/bench/measure_files.py [--trees SIZE ...] [--runs N] [--minutes N] [--memory DIR] [--disk DIR]

Trees are those of tree.py; /usr/share of this machine is beside them. The large one is measured on the disk, where it
has room. Needs root, and 8 GB of memory for the real tree.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in ("fixtures", "standin", "../.cache/collections"):
    sys.path.insert(0, str(TESTS / folder))

from machos import fill  # noqa: E402
from ours import apart  # noqa: E402
from rows import OURS, Bench, Contender, arguments, new  # noqa: E402
from tree import SIZES, make  # noqa: E402
from volumes import lacks, volume  # noqa: E402

SHARE = Path("/usr/share")
LARGE = frozenset({"real", "large"})
"""Trees that the slowest programs without a limit take too long for."""
FEW = "usr/bin"
"""What stays when the rest of a tree is pruned."""


class Trees:
    """A source with a tree in it, and the copies of it, all in one file system."""

    def __init__(self, bench: Bench, folder: Path, name: str, where: str) -> None:
        self._bench, self._folder, self._name, self._where = bench, folder, name, where
        self.source, self.tree = folder / "source", folder / "source/tree"
        if name in SIZES:
            make(self.tree, SIZES[name])
        else:
            self.source.mkdir(parents=True)
            subprocess.run(["cp", "-a", name, self.tree], check=True)

    def measure(self, work: str, ours: Contender, *peers: Contender) -> None:
        self._bench.measure(work, ours, peers, self._name, self._where)

    def engine(self, *options: str, jail: str = "ours", few: str = "") -> list[str]:
        return [*OURS, "build", self.at(jail), str(self.source), f"/tree/{few}", f"/usr/share/{few}", *options]

    def at(self, name: str) -> str:
        return str(self._folder / name)

    def gone(self, *names: str) -> None:
        subprocess.run(["rm", "-rf", *map(self.at, names)], check=True)

    def build(self, *more: Contender) -> None:
        """Everything is copied; our copy and one of rsync's stay."""
        tar = f"mkdir {self.at('tar')} && tar -C {self.tree} -cf - . | tar -C {self.at('tar')} -xpf -"
        self.measure(
            "build",
            Contender("ours", self.engine(), before=lambda: self.gone("ours")),
            Contender("cp -a", ["cp", "-a", str(self.tree), self.at("cp")], after=lambda: self.gone("cp")),
            Contender("tar to tar", ["sh", "-c", tar], after=lambda: self.gone("tar")),
            Contender("rsync -aH", self.rsync("rsync"), before=lambda: self.gone("rsync")),
            *([] if self._name in LARGE else [self._rsync_with_attributes()]),
            *more,
        )

    def _rsync_with_attributes(self) -> Contender:
        return Contender("rsync -aHAX", self.rsync("rsync2", "-aHAX"), after=lambda: self.gone("rsync2"))

    def reflink(self) -> Contender:
        argv = ["cp", "-a", "--reflink=always", str(self.tree), self.at("reflink")]
        return Contender("cp -a --reflink=always", argv, after=lambda: self.gone("reflink"))

    def rsync(self, to: str, *options: str, source: str = "source/tree") -> list[str]:
        return ["rsync", *(options or ["-aH"]), f"{self.at(source)}/", self.at(to)]

    def again(self) -> None:
        """Nothing, or one file, has changed since both copies were made."""
        ours, rsync = self.engine(), self.rsync("rsync")
        self.measure("re-run, unchanged", Contender("ours", ours), Contender("rsync -aH", rsync))
        changed = next(path for path in sorted((self.tree / FEW).iterdir()) if path.is_file())

        def change() -> None:
            changed.write_bytes(os.urandom(200))

        self.measure("re-run, one file changed", Contender("ours", ours, change), Contender("rsync -aH", rsync))

    def closely(self) -> None:
        """By a seal, and by the contents of all files."""
        sealed = self.engine("seal=A")
        subprocess.run(sealed, check=True)
        rsync = Contender("rsync -aH", self.rsync("rsync"))
        self.measure("re-run, sealed", Contender("ours", sealed), rsync)
        checksum = Contender("rsync -aH --checksum", self.rsync("rsync", "-aH", "--checksum"))
        self.measure("re-run, verify: full", Contender("ours", self.engine("verify=full")), checksum)

    def prune(self) -> None:
        """All but a hundredth of the files goes."""
        shutil.copytree(self.tree / FEW, self.source / "few" / FEW, symlinks=True)
        self.measure(
            "prune",
            Contender("ours", self.engine(few=f"{FEW}/"), before=lambda: self.ready(self.engine(), "ours")),
            Contender(
                "rsync -aH --delete",
                self.rsync("rsync", "-aH", "--delete", source="source/few"),
                before=lambda: self.ready(["cp", "-a", str(self.tree), self.at("rsync")], "rsync"),
            ),
        )

    def remove(self) -> None:
        """The jail goes, with all that it holds."""
        self.measure(
            "state: absent",
            Contender("ours", [*OURS, "remove", self.at("ours")], before=lambda: self.ready(self.engine(), "ours")),
            Contender(
                "rm -rf",
                ["rm", "-rf", self.at("rsync")],
                before=lambda: self.ready(["cp", "-a", str(self.tree), self.at("rsync")], "rsync"),
            ),
        )

    def clone(self) -> None:
        """A jail beside the one that is there."""
        self.ready(self.engine(jail="base"), "base")
        ours = [*OURS, "build", self.at("ours"), "/", "", "", f"clone_of={self.at('base')}"]
        theirs = ["cp", "-a", "--reflink=always", self.at("base"), self.at("cp")]
        self.measure(
            "clone",
            Contender("ours", ours, before=lambda: self.ready(["sync", "-f", self.at("")], "ours")),
            Contender("cp -a --reflink=always", theirs, before=lambda: self.ready(["sync", "-f", self.at("")], "cp")),
        )

    def ready(self, argv: Sequence[str], name: str) -> None:
        self.gone(name)
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)


def kind_of(folder: Path) -> str:
    """Of a directory's file system."""
    said = subprocess.run(["stat", "-f", "-c", "%T", folder], check=True, capture_output=True, text=True)
    return said.stdout.strip().replace("ext2/ext3", "ext4")


def in_memory(bench: Bench, folder: Path, name: str) -> None:
    with new(folder):
        trees = Trees(bench, folder, name, kind_of(folder))
        trees.build()
        if name in SIZES:
            trees.again()
            trees.closely()
            trees.prune()
            trees.remove()


def on_disk(bench: Bench, folder: Path, name: str) -> None:
    with new(folder):
        trees = Trees(bench, folder, name, kind_of(folder))
        trees.build()
        trees.again()


def on_volume(bench: Bench, folder: Path, name: str, kind: str) -> None:
    """In a file on the disk; the volume shares blocks."""
    if reason := lacks(kind):
        bench.leave_out(kind, reason)
        return
    with new(folder), volume(kind, folder / kind, megabytes=4000) as point:
        trees = Trees(bench, point / "bench", name, kind)
        trees.build(trees.reflink())
        trees.again()
        trees.clone()


def audit(bench: Bench, folder: Path) -> None:
    with new(folder):
        apart(os.environ["BENCH_STATE"])
        fill(folder / "jail", 5000, 5000)
        argv = [*OURS, "audit", str(folder / "jail"), "libraries", "signing"]
        bench.measure("audit of closure and signing", Contender("ours", argv), [], "5,000 Mach-O files", "tmpfs")


def main() -> None:
    parser = arguments(runs=3, minutes=10)
    parser.add_argument("--trees", nargs="+", default=["real", "small"])
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm/darwin.jail.bench"))  # noqa: S108
    parser.add_argument("--disk", type=Path, default=Path("/var/tmp/darwin.jail.bench"))  # noqa: S108
    args = parser.parse_args()
    bench = Bench("files", args.runs, args.minutes)
    with bench.saved(args.json):
        for name in args.trees:
            if name == "large":
                bench.attempt("large, on the disk", on_disk, args.disk, name)
            else:
                bench.attempt(f"{name}, in memory", in_memory, args.memory, name)
        for kind in ("xfs", "btrfs"):
            bench.attempt(kind, on_volume, args.disk, "small", kind)
        bench.attempt("audit", audit, args.memory)
        bench.attempt(f"{SHARE}, in memory", in_memory, args.memory, str(SHARE))
        bench.attempt("small, on the disk", on_disk, args.disk, "small")


if __name__ == "__main__":
    main()
