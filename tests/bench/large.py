# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The engine on many small files: re-runs, memory, and how both grow.

    python tests/bench/large.py [--runs N] [--files N ...] [--svg FILE] [--work DIR]

Files of 200 bytes, 20 in a directory, 25 directories in each of those above. For the first count of files the
re-runs are compared with rsync's; for all of them time and memory are shown, as a table and as a plot. The plot shows
processor time, which depends little on what else the machine does. Needs root, rsync and about 9 GB of /dev/shm for
500,000 files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from memory import peak
from rows import HEAD, Contender, Row, machine

ENGINE = [sys.executable, "-I", "-S", str(Path(__file__).with_name("engine.py"))]
BARS = {50_000: 120, 500_000: 250}
"""Megabytes, all processes together."""


def plant(tree: Path, files: int) -> None:
    for number in range(0, files, 20):
        folder = tree / str(number // 500) / str(number // 20 % 25)
        folder.mkdir(parents=True)
        for name in range(number, min(number + 20, files)):
            (folder / f"file{name}").write_bytes(b"%d\n" % name * 30)


class Bench:
    """A tree, a jail and rsync's copy of it."""

    def __init__(self, work: Path, files: int) -> None:
        self.work, self.files = work, files
        shutil.rmtree(work, ignore_errors=True)
        self.tree, self.jail = work / "source/tree", work / "jail"
        plant(self.tree, files)

    def engine(self, *options: str) -> list[str]:
        return [*ENGINE, str(self.jail), str(self.work / "source"), "/tree/", "/usr/share/", *options]

    def rsync(self) -> Contender:
        return Contender("rsync -aH", ["rsync", "-aH", f"{self.tree}/", str(self.work / "rsync")])

    def rows(self) -> list[Row]:
        """What a run costs when there is nothing, or nearly nothing, to do."""
        changed = [self.tree / "0/0/file1", self.tree / "0/1/file21"]

        def touch(path: Path) -> None:
            path.write_bytes(os.urandom(200))

        ours, theirs = Contender("", self.engine()), self.rsync()
        ours.before, theirs.before = lambda: touch(changed[0]), lambda: touch(changed[1])
        sealed = self.engine("seal=A")
        subprocess.run(sealed, check=True)
        return [
            Row(f"re-run, nothing changed, {self.files} files", Contender("", self.engine()), [(self.rsync(), 0.75)]),
            Row(f"re-run, source sealed, {self.files} files", Contender("", sealed), [(self.rsync(), 0.5)]),
            Row(f"re-run, one file changed, {self.files} files", ours, [(theirs, 0.75)]),
        ]


def plot(points: list[tuple[int, float, float]]) -> str:
    """Processor time of a build and a re-run over files, as SVG."""
    width, height, left, top = 560, 260, 60, 20
    most, longest = points[-1][0], max(build for _files, build, _again in points)

    def line(column: int, colour: str, name: str) -> str:
        at = [(left + width * p[0] / most, top + height * (1 - float(p[column]) / longest)) for p in points]
        path = " ".join(f"{x:.0f},{y:.0f}" for x, y in [(left, top + height), *at])
        dots = "".join(f'<circle cx="{x:.0f}" cy="{y:.0f}" r="3" fill="{colour}"/>' for x, y in at)
        x, y = at[-1]
        label = f'<text x="{x - 4:.0f}" y="{y - 8:.0f}" text-anchor="end" fill="{colour}">{name}</text>'
        return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>{dots}{label}'

    ticks = "".join(
        f'<text x="{left + width * files / most:.0f}" y="{top + height + 18}" text-anchor="middle">'
        f"{files // 1000}k</text>"
        for files, _build, _again in points
    )
    scale = "".join(
        f'<text x="{left - 8}" y="{top + height * (1 - part):.0f}" text-anchor="end">{longest * part:.1f} s</text>'
        for part in (0, 0.5, 1)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 30}" height="{top + height + 40}" '
        'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<path d="M{left},{top}V{top + height}H{left + width}" fill="none" stroke="black"/>'
        f'<text x="{left}" y="{top - 6}">processor time, both workers together, over the number of files</text>'
        f"{scale}{ticks}{line(1, '#1f5fa8', 'build')}{line(2, '#b03a2e', 're-run')}</svg>\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, nargs="+", default=[160_000, 50_000, 100_000, 250_000, 500_000])
    parser.add_argument("--svg", type=Path, default=Path(__file__).resolve().parents[2] / "docs/benchmarks.svg")
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/darwin.jail.bench.large"))  # noqa: S108
    args = parser.parse_args()
    points, lines = [], [f"{machine()}; medians of {args.runs} runs", "", *HEAD]
    growth = ["| files | build | its CPU | re-run | its CPU | memory | limit | met |", f"|{'---|' * 8}"]
    try:
        for number, files in enumerate(args.files):
            bench = Bench(args.work, files)
            build, again = Contender("", bench.engine()), Contender("", bench.engine())
            build.run()
            if number == 0:
                subprocess.run(bench.rsync().argv, check=True)
                for row in bench.rows():
                    row.measure(args.runs)
                    lines += row.lines()
                subprocess.run(["rm", "-rf", bench.work / "rsync"], check=True)
            for _run in range(3):
                again.run()
            subprocess.run(["rm", "-rf", bench.jail], check=True)
            most = max(peak(bench.engine()), peak(bench.engine()))
            limit = BARS.get(files)
            met = "" if limit is None else "yes" if most <= limit else "**no**"
            points.append((files, build.processor, again.processor))
            times = " | ".join(f"{one.median:.2f} s | {one.processor:.2f} s" for one in (build, again))
            growth.append(f"| {files} | {times} | {most:.0f} MB | {f'{limit} MB' if limit else ''} | {met} |")
    finally:
        shutil.rmtree(args.work, ignore_errors=True)
    args.svg.write_text(plot(sorted(points)))
    print("\n".join([*lines, "", *growth]))


if __name__ == "__main__":
    main()
