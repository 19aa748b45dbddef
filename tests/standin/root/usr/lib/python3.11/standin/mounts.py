# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The mount table as macOS shows it, from the kernel's. Lines: transcript of mount(8), arm64."""

from __future__ import annotations

import os
import pwd
from dataclasses import dataclass

JOURNALED = ("apfs", "local", "journaled", "nobrowse")
HIDDEN = {"proc", "devpts", "sysfs", "mqueue"}
DATA = "/System/Volumes/Data"


@dataclass(frozen=True)
class Mount:
    source: str
    path: str
    words: tuple[str, ...]
    type: str

    def line(self) -> str:
        return f"{self.source} on {self.path} ({', '.join(self.words)})"


def table(text: str | None = None) -> list[Mount]:
    if text is None:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as handle:
            text = handle.read()
    found: list[Mount] = []
    for line in text.splitlines():
        mount = _translate(line)
        if mount is not None and not (mount.path == DATA and any(m.path == DATA for m in found)):
            found.append(mount)
    return found


def unescape(text: str) -> str:
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text


def _translate(line: str) -> Mount | None:
    left, _dash, right = line.partition(" - ")
    _id, _parent, device, _root, path, options, *_tags = left.split()
    kind, source, *rest = right.split()
    if kind in HIDDEN:
        return None
    path, source = unescape(path), unescape(source)
    if source == "devfs":
        return Mount("devfs", path, ("devfs", "local", "nobrowse"), "devfs")
    if kind.startswith("fuse"):
        return _fuse(source, path, options.split(","), rest[-1] if rest else "")
    if kind == "tmpfs" and source.startswith("/dev/disk"):  # attached by hdiutil
        return Mount(source, path, ("apfs", "local", "nodev", "nosuid", "journaled", "noowners"), "apfs")
    return _apfs(path, device) if kind != "tmpfs" else Mount("tmpfs", path, ("tmpfs", "local"), "tmpfs")


def _apfs(path: str, device: str) -> Mount:
    """Every volume of the machine below plays one of APFS: the system, its data, or another one."""
    if path == "/":
        return Mount("/dev/disk3s1s1", "/", ("apfs", "sealed", "local", "read-only", "journaled"), "apfs")
    if path == DATA or path.startswith(DATA + "/"):
        return Mount("/dev/disk3s5", DATA, (*JOURNALED, "protect", "root data"), "apfs")
    return Mount(f"/dev/disk{4 + int(device.split(':')[1])}s1", path, JOURNALED, "apfs")


def _fuse(source: str, path: str, options: list[str], super_options: str) -> Mount:
    uid = next((int(o[8:]) for o in super_options.split(",") if o.startswith("user_id=")), 0)
    read_only = ("read-only",) if "ro" in options else ()
    words = ("macfuse", "local", "nodev", "nosuid", *read_only, "synchronous", f"mounted by {pwd.getpwuid(uid)[0]}")
    return Mount(source, path, words, "macfuse")


def at(path: str) -> Mount | None:
    """The topmost mount on exactly this directory."""
    real = os.path.realpath(path)
    return next((mount for mount in reversed(table()) if mount.path == real), None)
