# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail full of Mach-O files, for the bench of the audits.

Half of them are universal, each is signed and needs some thirty libraries, ten of them by @rpath.
"""

from __future__ import annotations

import os
from pathlib import Path

import macho_files as make
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from host.dyld_cache import IMAGES, Family


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
