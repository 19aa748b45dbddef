# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The audits of a jail with 5,000 Mach-O files among 20,000 others, in memory.

    python tests/bench/audit.py [--runs N] [--files N] [--others N] [--work DIR]

Half of the Mach-O files are universal, each is signed and needs some thirty libraries,
ten of them by @rpath. Against them stands macholib, which reads the load commands
and looks nothing up, if it is installed. Needs root.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "standin"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache" / "collections"))

import macho_files as make
from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from host.dyld_cache import IMAGES, Family
from rows import Contender, machine

COLLECTIONS = sys.path[0]
BAR = 5.0
"""Seconds for closure and signing of 5,000 files."""
INFO = """
import sys; sys.path.insert(0, sys.argv[1])
from ansible_collections.darwin.jail.plugins.module_utils.jail_info import gather
found = gather(sys.argv[2], sys.argv[3:]).values
assert not found.get("closure", {}).get("missing"), found["closure"]["missing"][:3]
"""
MACHOLIB = """
import os, sys
from macholib.MachO import MachO
for folder, _folders, names in os.walk(sys.argv[1]):
    for name in names:
        path = os.path.join(folder, name)
        with open(path, "rb") as file:
            magic = file.read(4)
        if magic in (b"\\xcf\\xfa\\xed\\xfe", b"\\xca\\xfe\\xba\\xbe"):
            for header in MachO(path).headers:
                list(header.walkRelocatables())
"""


def fill(jail: Path, files: int, others: int) -> None:
    """A jail like one with much from Homebrew in it."""
    jails.create(os.fsencode(jail)).close()
    for family in (Family("arm64e", "15.2", "24C101"), Family("x86_64", "15.2", "24C101")):
        for name, data in family.files().items():
            write(jail / "System/Library/dyld" / name, data)
    write(jail / "usr/lib/dyld", make.thin("arm64e", "dylinker", sign=make.Sign()))
    for number in range(files):
        write(*binary(jail, number))
    for number in range(others):
        write(jail / f"usr/share/{number // 100}/{number}", b"text " * (number % 1000))


def binary(jail: Path, number: int) -> tuple[Path, bytes]:
    """Every fifth file is a program; all need system libraries and some of the libraries before them."""
    commands = [make.need(path) for path in IMAGES[:20]]
    former = [one for one in range(max(0, number - 40), number) if one % 5 and one % 2 == number % 2]
    commands += [make.need(f"@rpath/lib{one}.dylib") for one in former[:10]]
    commands += [make.need(f"/opt/homebrew/lib/lib{one}.dylib") for one in former[10:15]]
    commands += [make.build_version(1, 0x000E0000), make.rpath("@loader_path/../lib")]
    if number % 5:
        name, kind = f"lib/lib{number}.dylib", "dylib"
        commands.append(make.install_name(f"/opt/homebrew/{name}"))
    else:
        name, kind = f"bin/tool{number}", "execute"
        commands.append(make.dylinker())
    archs = ("x86_64", "arm64") if number % 2 else ("arm64",)
    slices = [(arch, make.thin(arch, kind, *commands, sign=make.Sign(shift=14), filler=30000)) for arch in archs]
    data = make.universal(*slices) if len(slices) > 1 else slices[0][1]
    return jail / "opt/homebrew" / name, data


def write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--files", type=int, default=5000)
    parser.add_argument("--others", type=int, default=20000)
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/darwin.jail.bench.audit"))  # noqa: S108
    args = parser.parse_args()
    shutil.rmtree(args.work, ignore_errors=True)
    args.work.mkdir(parents=True)
    jail = args.work / "jail"
    try:
        fill(jail, args.files, args.others)
        ours = [sys.executable, "-I", "-S", "-c", INFO, COLLECTIONS, str(jail)]
        rows = [Contender(" and ".join(subsets), [*ours, *subsets]) for subsets in SUBSETS]
        if importlib.util.find_spec("macholib"):
            rows.append(Contender("macholib, load commands only", [sys.executable, "-c", MACHOLIB, str(jail)]))
        for row in rows:
            for _run in range(args.runs):
                row.run()
    finally:
        shutil.rmtree(args.work)
    print(f"{machine()}; {args.files} Mach-O files and {args.others} others; medians of {args.runs} runs", end="\n\n")
    print("| work | it takes | bar | met |\n|---|---|---|---|")
    for row in rows:
        met = ("yes" if row.median <= BAR else "**no**") if row.name == "closure and signing" else ""
        print(f"| {row.name} | {row.median:.2f} s | {f'{BAR:.0f} s' if met else ''} | {met} |")


SUBSETS = (("closure", "signing"), ("closure",), ("signing",), ("sizes",), ("identity", "mounts"))


if __name__ == "__main__":
    main()
