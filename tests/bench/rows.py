# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Time commands side by side: all in turn, several times, and compare medians.

Figures are kept as ratios, since machines differ and are never quiet; runs of
the commands alternate, so that what disturbs one disturbs all.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field


@dataclass
class Contender:
    """A command, and what has to be done before each of its runs, which is not timed."""

    name: str
    argv: Sequence[str]
    before: Callable[[], None] = lambda: None
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)

    def run(self) -> None:
        self.before()
        used = _children()
        started = time.perf_counter()
        subprocess.run(self.argv, check=True, stdout=subprocess.DEVNULL)
        self.seconds.append(time.perf_counter() - started)
        self.cpu.append(_children() - used)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @property
    def processor(self) -> float:
        return statistics.median(self.cpu)


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


@dataclass
class Row:
    """One line of the table: ours against others, with the limit that ours must meet against each, if any."""

    work: str
    ours: Contender
    others: Sequence[tuple[Contender, float | None]]

    def measure(self, runs: int) -> None:
        contenders = [self.ours, *(other for other, _limit in self.others)]
        for number in range(runs + 1):
            for contender in contenders:
                contender.run()
            if number == 0:  # the first round warms the caches
                for contender in contenders:
                    contender.seconds.clear()
                    contender.cpu.clear()
            print(".", end="", file=sys.stderr, flush=True)
        print(file=sys.stderr)

    def lines(self) -> list[str]:
        """Rows of a Markdown table."""
        found = []
        for other, limit in self.others:
            ratio = self.ours.median / other.median
            verdict = "| |" if limit is None else f"{limit:.2f} | {'yes' if ratio <= limit else '**no**'} |"
            found.append(
                f"| {self.work} | {self.ours.median:.2f} s | {other.name} | {other.median:.2f} s "
                f"| {ratio:.2f} | {verdict} {self.ours.processor:.2f} s "
                f"| {other.processor:.2f} s |"
            )
        return found


HEAD = [
    "| work | ours | against | it takes | ratio | limit | met | our CPU | its CPU |",
    "|---|---|---|---|---|---|---|---|---|",
]


def machine() -> str:
    """What the figures were taken on."""
    name = os.uname()
    return f"{name.sysname} {name.release} {name.machine}, {os.cpu_count()} processors, Python {sys.version.split()[0]}"
