# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Images of a jail against tar, gzip, pigz, zstd and umoci, in memory.

    python tests/bench/measure_images.py [--zstd SIZE] [--gzip SIZE] [--runs N] [--minutes N] [--memory DIR]

The jail holds a tree of tree.py; gzip has a small one, since it takes ten times as long. Needs root.
"""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
from pathlib import Path

from rows import OURS, Bench, Contender, arguments, new, which
from tree import SIZES, make

VERSION = "System/Library/CoreServices/SystemVersion.plist"
PACK = {"gzip": "gzip -5", "zstd": "zstd -q -3 -T2"}
"""At the levels of image/packing.py and image/zstd.py."""
NAMES = {"gzip": "tar to gzip -5", "zstd": "tar to zstd -3 -T2"}


class Images:
    """A jail, the layouts that it goes to, and the directories that it comes back to."""

    def __init__(self, bench: Bench, folder: Path, size: str, compression: str) -> None:
        self._bench, self._folder, self._size, self._kind = bench, folder, size, compression
        tree = folder / "source/tree"
        make(tree, SIZES[size])
        (tree / VERSION).parent.mkdir(parents=True)
        (tree / VERSION).write_bytes(plistlib.dumps({"ProductVersion": "15.2", "ProductBuildVersion": "24C101"}))
        self.jail = folder / "jail"
        subprocess.run([*OURS, "build", self.jail, folder / "source", "/tree/", "/"], check=True)
        shutil.rmtree(folder / "source")

    def at(self, name: str) -> str:
        return str(self._folder / name)

    def gone(self, *names: str) -> None:
        subprocess.run(["rm", "-rf", *map(self.at, names)], check=True)

    def measure(self, work: str, ours: Contender, *peers: Contender) -> None:
        self._bench.measure(work, ours, peers, self._size, "tmpfs")

    def ours(self, layout: str) -> list[str]:
        return [*OURS, "export", str(self.jail), self.at(layout), self._kind]

    def export(self) -> None:
        """From nothing."""
        peers = [self._tar(NAMES[self._kind], PACK[self._kind])]
        if self._kind == "gzip":
            if shutil.which("pigz"):
                peers.append(self._tar("tar to pigz -5", "pigz -5"))
            else:
                self._bench.leave_out("pigz", "it is not installed")
            peers += self._umoci_insert()
        ours = Contender("ours", self.ours("image"), before=lambda: self.gone("image", "state/images"))
        ours.after = lambda: ours.figures.setdefault("bytes", []).append(self._size_of_blobs())
        self.measure(f"export, {self._kind}", ours, *peers)

    def _tar(self, name: str, pack: str) -> Contender:
        packed = self.at("packed")
        one = Contender(name, ["sh", "-c", f"tar -C {self.jail} -cf - . | {pack} > {packed}"])
        one.after = lambda: one.figures.setdefault("bytes", []).append(os.stat(packed).st_size)
        return one

    def _umoci_insert(self) -> list[Contender]:
        umoci, layout = which("umoci"), self.at("umoci")
        if not shutil.which(umoci):
            self._bench.leave_out("umoci", "it is not installed")
            return []

        def empty() -> None:
            self.gone("umoci")
            subprocess.run([umoci, "init", "--layout", layout], check=True)
            subprocess.run([umoci, "new", "--image", f"{layout}:latest"], check=True)

        return [Contender("umoci insert", [umoci, "insert", "--image", f"{layout}:latest", str(self.jail), "/"], empty)]

    def _size_of_blobs(self) -> int:
        return sum(path.stat().st_size for path in Path(self.at("image")).rglob("*") if path.is_file())

    def unchanged(self) -> None:
        """Nothing has changed since it was exported."""
        look = Contender("a look at all files", [*OURS, "look", str(self.jail)])
        subprocess.run(self.ours("image"), check=True)
        self.measure(f"export, {self._kind}, unchanged", Contender("ours", self.ours("image")), look)

    def one_new_file(self) -> None:
        """One file is new in a large layer since it was exported; and all is exported as if new."""
        subprocess.run(self.ours("image"), check=True)
        places = self._folder / "jail/System/Library/Frameworks"

        def add() -> None:
            (places / f"new{len(os.listdir(places))}").write_bytes(os.urandom(1000))

        def forget() -> None:
            self.gone("all", "forgetful")
            shutil.copytree(self.at("state/jails"), self.at("forgetful/jails"))

        everything = Contender("all of it", self.ours("all"), forget, environment={"BENCH_STATE": self.at("forgetful")})
        self.measure(
            f"export, {self._kind}, after one new file", Contender("ours", self.ours("image"), add), everything
        )
        self.gone("all", "forgetful")

    def unpack(self) -> None:
        """The image becomes a jail."""
        layout, tree = self.at("image"), self.at("tree")
        unpack = PACK[self._kind].split()[0] + " -dc"
        loop = (
            f'mkdir {tree} && for blob in {" ".join(self._blobs())}; do {unpack} "$blob" | tar -C {tree} -xpf -; done'
        )
        peers = [Contender(f"{self._kind} -d to tar", ["sh", "-c", loop], after=lambda: self.gone("tree"))]
        umoci = which("umoci")
        if self._kind == "gzip" and shutil.which(umoci):
            argv = [umoci, "raw", "unpack", "--image", f"{layout}:latest", tree]
            peers.append(Contender("umoci raw unpack", argv, after=lambda: self.gone("tree")))
        ours = Contender("ours", [*OURS, "unpack", self.at("other"), layout], after=lambda: self.gone("other"))
        self.measure(f"import, {self._kind}", ours, *peers)

    def _blobs(self) -> list[str]:
        """The layers, in their order."""
        layout = Path(self.at("image"))

        def blob(descriptor: dict[str, str]) -> Path:
            return layout / "blobs" / descriptor["digest"].replace(":", "/")

        (entry,) = json.loads((layout / "index.json").read_text())["manifests"]
        return [str(blob(layer)) for layer in json.loads(blob(entry).read_text())["layers"]]


def measure(bench: Bench, folder: Path, size: str, compression: str) -> None:
    with new(folder):
        images = Images(bench, folder, size, compression)
        images.export()
        images.unchanged()
        images.one_new_file()
        images.unpack()


def one_new_file(bench: Bench, folder: Path, size: str, compression: str) -> None:
    with new(folder):
        Images(bench, folder, size, compression).one_new_file()


def main() -> None:
    parser = arguments(runs=3, minutes=8)
    parser.add_argument("--zstd", default="real", choices=SIZES)
    parser.add_argument("--gzip", default="small", choices=SIZES)
    parser.add_argument("--memory", type=Path, default=Path("/dev/shm/darwin.jail.bench"))  # noqa: S108
    args = parser.parse_args()
    bench = Bench("images", args.runs, args.minutes)
    with bench.saved(args.json):
        for compression, size in (("zstd", args.zstd), ("gzip", args.gzip)):
            if shutil.which(compression):
                bench.attempt(compression, measure, args.memory, size, compression)
            else:
                bench.leave_out(compression, "it is not installed")
        if args.zstd != args.gzip:  # what is new is small beside a layer that is large
            bench.attempt("gzip of a large layer", one_new_file, args.memory, args.zstd, "gzip")


if __name__ == "__main__":
    main()
