# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The export of an image against `tar | gzip -6`, on a jail with a copy of /usr/share, in memory.

    python tests/bench/image.py [--runs N] [--source DIR]

Needs root and about 2 GB of /dev/shm (or --work DIR elsewhere).
"""

from __future__ import annotations

import argparse
import json
import os
import plistlib
import shutil
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache" / "collections"))

from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from rows import HEAD, Contender, Row, machine

COLLECTIONS = sys.path[0]
MEMORY = 120
"""The most that an export may take, in MB."""
SIZE = 1.02
"""The most that the layers may take, against gzip -6."""
OURS = """
import json, resource, sys; sys.path.insert(0, sys.argv[1])
from ansible_collections.darwin.jail.plugins.module_utils.image import config, export
on_the_mac.NOTES = (sys.argv[2] + "/mac").encode()
found = export.export(sys.argv[2] + "/jail", sys.argv[2] + "/image", "latest", config.Settings("arm64"), False)
print(json.dumps({"changed": found.changed, "rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
                  **found.values["stats"]}))
"""
SCAN = """
import sys; sys.path.insert(0, sys.argv[1])
from ansible_collections.darwin.jail.plugins.module_utils import jail, sizes, survey
with jail.open_jail(sys.argv[2] + "/jail") as opened:
    survey.walk(opened.root, opened.mounts(), [sizes.Sizes()])
"""


class Bench:
    """The jail, and the rows that use it."""

    def __init__(self, work: Path, source: Path) -> None:
        self.work = work
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        with jails.create(os.fsencode(work / "jail")) as jail:
            jail.mark(state="complete")
        share = work / "jail/usr/share"
        share.mkdir(parents=True)
        subprocess.run(["cp", "-a", f"{source}/.", str(share)], check=True)
        version = work / "jail/System/Library/CoreServices/SystemVersion.plist"
        version.parent.mkdir(parents=True)
        version.write_bytes(plistlib.dumps({"ProductVersion": "15.2", "ProductBuildVersion": "24C101"}))

    def _python(self, program: str) -> list[str]:
        return [sys.executable, "-I", "-S", "-c", program, COLLECTIONS, str(self.work)]

    def forget(self) -> None:
        for name in ("image", "mac"):
            shutil.rmtree(self.work / name, ignore_errors=True)

    def export(self) -> Row:
        tar = f"tar -C {self.work}/jail -cf - . | gzip -6 > {self.work}/theirs.tar.gz"
        return Row(
            "export",
            Contender("darwin.jail", self._python(OURS), self.forget),
            [(Contender("tar &#124; gzip -6", ["sh", "-c", tar]), 0.65)],
        )

    def again(self) -> Row:
        return Row(
            "export, nothing changed",
            Contender("darwin.jail", self._python(OURS)),
            [(Contender("a look at all files", self._python(SCAN)), 2.0)],
        )

    def figures(self) -> list[str]:
        """How large it becomes, and how much memory that takes."""
        self.forget()
        said = subprocess.run(self._python(OURS), check=True, capture_output=True, text=True).stdout
        found = json.loads(said)
        ratio = found["bytes_packed"] / (self.work / "theirs.tar.gz").stat().st_size
        return [
            f"size: {found['bytes_packed']} bytes, {ratio:.3f} x gzip -6; limit {SIZE}; {_met(ratio <= SIZE)}",
            f"memory: {found['rss']} MB; limit {MEMORY} MB; {_met(found['rss'] <= MEMORY)}",
        ]


def _met(met: bool) -> str:
    return "met" if met else "**not met**"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--source", type=Path, default=Path("/usr/share"))
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/darwin.jail.bench.image"))  # noqa: S108
    args = parser.parse_args()
    bench = Bench(args.work, args.source)
    lines = [f"{machine()}; {args.source}; medians of {args.runs} runs", "", *HEAD]
    try:
        for row in (bench.export(), bench.again()):
            row.measure(args.runs)
            lines += row.lines()
        lines += ["", *bench.figures()]
    finally:
        shutil.rmtree(args.work)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
