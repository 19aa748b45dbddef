# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Where the stand-ins of this checkout keep themselves, and the record of each host."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent


class StandinError(Exception):
    """Something the caller can correct; the text says what."""


def state_directory() -> Path:
    """Shared by all checkouts: the cached lower roots live here."""
    chosen = os.environ.get("DARWIN_JAIL_STANDIN_STATE")
    if chosen:
        return Path(chosen).absolute()
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(cache, "darwin.jail", "standin")


def checkout_id() -> str:
    """Short name of this checkout: in directory, bridge and interface names."""
    return hashlib.sha256(f"{HERE}\0{state_directory()}".encode()).hexdigest()[:6]


def checkout_directory() -> Path:
    return state_directory() / "checkouts" / checkout_id()


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """One writer at a time; the others wait."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass
class Host:
    name: str
    arch: str
    macos: str
    cpu: str
    sip: str
    index: int
    address: str
    bare: bool = False  # without the Command Line Tools, and so without Python
    vms: bool = False  # its tart can start machines
    xnu: bool = False  # its system calls are answered as macOS answers them
    folding: bool = False  # its jails are on a volume that compares names as APFS does
    volume: str = ""  # xfs, or why not
    lower: str = ""
    pid: int = 0
    started: int = 0  # start time of that process, so that a reused pid is not taken for it
    personal: bool = False  # its own files are written
    written: str = ""  # the macOS that they are of

    @property
    def directory(self) -> Path:
        return checkout_directory() / "hosts" / self.name

    @property
    def hostname(self) -> str:
        return f"{self.name}.local"

    def save(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = self.directory / "host.json.new"
        fresh.write_text(json.dumps(asdict(self), indent=1), encoding="utf-8")
        fresh.replace(self.directory / "host.json")

    def running(self) -> bool:
        return self.pid > 0 and start_time(self.pid) == self.started


def start_time(pid: int) -> int:
    """Field 22 of /proc/PID/stat; 0 when there is no such process or it is a zombie."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return 0
    fields = text.rpartition(")")[2].split()
    return 0 if fields[0] == "Z" else int(fields[19])


def load(name: str) -> Host | None:
    return _read(checkout_directory() / "hosts" / name / "host.json")


def _read(path: Path) -> Host | None:
    """Another checkout may know more of its hosts, and needs what this one takes for unused all the same."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Host(**{field.name: found[field.name] for field in fields(Host) if field.name in found})
    except (OSError, ValueError, TypeError):
        return None


def names() -> list[str]:
    """Every host that left anything, half-made ones too."""
    folder = checkout_directory() / "hosts"
    return sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []


def hosts() -> list[Host]:
    return [host for host in map(load, names()) if host is not None]


def everybodys_hosts() -> list[Host]:
    """Those of all checkouts."""
    found = map(_read, state_directory().glob("checkouts/*/hosts/*/host.json"))
    return [host for host in found if host is not None]
