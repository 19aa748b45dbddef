# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write docs/benchmarks.md from docs/benchmarks.json: page.py [JSON [PAGE]]."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rows import JSON, LIMITS, Limit, Row, load, median, ratio, verdict
from tree import SIZES

PAGE = JSON.with_suffix(".md")
INTRODUCTION = """\
# Benchmarks

`make bench` measures on the current machine, saves the figures in [benchmarks.json](benchmarks.json), and generates
this page from them (`tests/bench/page.py`). **No Mac was measured**: all figures are from Linux, and Macs are
stand-ins on the same machine. The figures say nothing about APFS, HFS+ or the speed of a Mac.

The important figures are the ratios of the collection ("ours") to the other program. All programs of a row run in
turn. A first round measures memory and is not timed. The ratio is computed for each round; the table shows its
median, minimum and maximum. CPU is the processor time of a program and its child processes. Memory is their highest
total at one time, with shared memory counted once. The load is the load of the machine before the row. On two
processors, times of rows with a load of more than 2 are unreliable; compare processor times instead.
"""
TREES = """\
## The trees

`tests/bench/tree.py` makes the trees small, real and large with a fixed seed, in the shape of a jail:

- frameworks with a directory for each language, headers of an SDK, and nested packages up to 20 levels deep
- a few directories with at least a hundredth of the files each
- one shared cache of the dynamic loader, in four files

Half of the files have fewer than 800 bytes. None has extended attributes, ACLs or flags. The measurements also use
`/usr/share` of the machine.
"""
FILES = """\
`tests/bench/measure_files.py` measures the engine as a separate process. *tmpfs* is memory, *ext4* the disk of the
machine; *xfs* and *btrfs* are volumes in a file on it. Measurements do not wait until data is written to the disk.
"""
IMAGES = """\
`tests/bench/measure_images.py` measures with a jail that contains the tree, in memory. All programs compress with
level 5 of gzip and level 3 of zstd. The collection also computes digests of all data that it reads and writes, and
inspects the contents of an image before it keeps them.
"""
MACS = """\
`tests/bench/measure_macs.py` measures stand-in Macs, reached over ssh, on the machine that runs Ansible. Simulated
hosts run nothing, so those rows measure only the controller. The rows of 20 tasks and of a further jail exclude the
time that Ansible takes without them.
"""
DJAIL = """\
`tests/bench/measure_djail.py` measures the command on a stand-in Mac, called by a user who becomes root by sudo. What
it is compared with is measured apart, and added up round by round. Root lists jails of this machine.
"""
SECTIONS = {
    "files": ("The root file system", FILES),
    "images": ("Images", IMAGES),
    "macs": ("Macs and their controller", MACS),
    "djail": ("The command djail", DJAIL),
}
MEASURES = {"seconds": "time", "cpu": "CPU", "memory": "memory", "bytes": "size", "calls": "calls of modules a jail"}


def page(parts: dict[str, Any]) -> str:
    """All of it."""
    rows = [row for part in parts.values() for row in part["rows"]]
    lines = [INTRODUCTION, "## Limits", ""]
    lines += table(("work", "on", "against", "measured", "figure", "range", "limit", "met"), map(cells, limits(rows)))
    lines += ["", TREES, *table(("tree", "files", "directories", "hard links", "shared cache"), trees()), ""]
    for name, (title, text) in SECTIONS.items():
        if name in parts:
            lines += [f"## {title}", "", text, *section(parts[name]), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def trees() -> Iterator[list[str]]:
    for name, size in SIZES.items():
        counts = (f"{count:,}" for count in (size.files, size.directories, size.hard_links))
        yield [name, *counts, f"{size.cache / 1e9:.1f} GB"]


def table(head: Iterable[str], rows: Iterable[list[str]]) -> list[str]:
    names = list(head)
    return [line(names), "|---" * len(names) + "|", *map(line, rows)]


def line(words: Iterable[str]) -> str:
    return f"| {' | '.join(words)} |".replace("|  |", "| |").replace("|  |", "| |")


def limits(rows: list[Row]) -> Iterator[tuple[Limit, Row | None]]:
    """Each with the row that it is for, if that was measured."""
    for limit in LIMITS:
        found = [row for row in rows if (row.work, row.peer, row.tree, row.where) == limit.row]
        yield limit, found[0] if found else None


def cells(judged: tuple[Limit, Row | None]) -> list[str]:
    limit, row = judged
    found = ratio(row, limit.measure) if row else None
    named = [limit.work, place(limit.tree, limit.where), limit.peer or "", MEASURES[limit.measure]]
    unit = limit.unit
    if not found:
        return [*named, "", "", f"{limit.most:g}{unit}", "not measured"]
    width = f"{number(found.least)} to {number(found.most)}" if found.least != found.most else ""
    return [*named, f"{number(found.middle)}{unit}", width, f"{limit.most:g}{unit}", verdict(found, limit.most)]


def place(tree: str | None, where: str | None) -> str:
    return ", ".join(word for word in (tree, where) if word)


def number(value: float) -> str:
    """Two digits after the point, none where there are enough before it."""
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.0f}"


def section(part: dict[str, Any]) -> list[str]:
    head = (
        "work",
        "on",
        "ours",
        "against",
        "it takes",
        "ratio",
        "our CPU",
        "its CPU",
        "memory",
        "its",
        "rounds",
        "load",
    )
    return [*taken_on(part), "", *table(head, map(figures, part["rows"]))]


def figures(row: Row) -> list[str]:
    found = ratio(row, "seconds")
    width = f" ({number(found.least)} to {number(found.most)})" if found and found.least != found.most else ""
    against = f"{number(found.middle)}{width}" if row.peer and found else ""
    times = (middle(of, "seconds", " s") for of in (row.ours, row.theirs))
    mine, others = times
    more = [
        middle(of, what, unit) for what, unit in (("cpu", " s"), ("memory", " MB")) for of in (row.ours, row.theirs)
    ]
    rounds = str(len(row.ours.get("seconds", ())))
    return [
        row.work,
        place(row.tree, row.where),
        mine,
        row.peer or "",
        others,
        against,
        *more,
        rounds,
        f"{row.load:.1f}",
    ]


def middle(of: dict[str, list[float]], what: str, unit: str) -> str:
    values = of.get(what)
    return f"{number(median(values))}{unit}" if values else ""


def taken_on(part: dict[str, Any]) -> list[str]:
    """The machine, the others' versions, and what is missing."""
    machine = part["machine"]
    programs = machine["programs"].items()
    there = ", ".join(f"{name} {version}" for name, version in programs if version)
    missing = [name for name, version in programs if not version]
    lines = [
        f"{machine['date']}, {machine['system']}, {machine['processors']} processors, Python {machine['python']};",
        f"{there}.",
    ]
    if missing:
        lines.append(f"Not installed, and therefore not compared: {', '.join(missing)}.")
    return lines + [f"Left out: {one}." for one in part["left out"]]


def main(source: str = str(JSON), target: str = str(PAGE)) -> None:
    Path(target).write_text(page(load(Path(source))))


if __name__ == "__main__":
    main(*sys.argv[1:])
