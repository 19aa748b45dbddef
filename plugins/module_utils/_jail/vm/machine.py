# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines of a Mac, and what a tool that runs them has to offer: one class with these methods for each."""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from ..errors import InputError, OperationError
from ..macos import third_party
from ..macos.launchd import Job
from ..sizes import parse_size
from ..system import host
from ..system.process import CompletedRun, run

SUDO = "/usr/bin/sudo"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,60}")
NOT_INSTALLED = "there is no {tool} in {places}: {hint}"
SHORT_TIMEOUT, LONG_TIMEOUT = 60.0, 7200.0
"""Seconds for a command that looks, and for one that fetches an image."""


class MachineSpec(NamedTuple):
    """The desired state of a virtual machine."""

    name: str
    image: str
    cpu: int | None = None
    memory: int | None = None
    """In megabytes."""
    disk: int | None = None
    """In gigabytes."""

    @classmethod
    def of(cls, vm: Mapping[str, Any]) -> MachineSpec:
        """The spec in an item of the option `vms`, whose sizes are texts such as 8g."""
        memory, disk = vm["memory"], vm["disk"]
        megabytes = None if memory is None else -(-parse_size("memory", memory, 1024) // 1024**2)
        return cls(vm["name"], vm["image"], vm["cpu"], megabytes, None if disk is None else gigabytes("disk", disk))

    @property
    def settings(self) -> dict[str, int]:
        """The settings of the spec; others stay as the image has them."""
        given = {"cpu": self.cpu, "memory": self.memory, "disk": self.disk}
        return {name: value for name, value in given.items() if value is not None}


def gigabytes(option: str, text: str) -> int:
    """Gigabytes in a size such as 60g, rounded up."""
    return -(-parse_size(option, text) // 10**9)


class User(NamedTuple):
    """Whose virtual machines they are."""

    name: str
    uid: int
    gid: int
    home: str


class Driver(Protocol):
    """A tool. Names are those of its virtual machines; it runs as their user."""

    user: User

    def running(self) -> Mapping[str, bool]:
        """All machines, and whether each of them runs."""

    def is_macos(self, name: str) -> bool:
        """Whether Apple's limit counts it."""

    def settings(self, name: str) -> Mapping[str, int]:
        """Its current cpu, memory and disk, as far as the tool reports them."""

    def disk_growth(self, spec: MachineSpec) -> int | None:
        """Gigabytes that a new one may grow to; None when that is unknown."""

    def check(self, spec: MachineSpec) -> None:
        """InputError for what this tool cannot do."""

    def clone(self, spec: MachineSpec) -> None:
        """Make it of its image, stopped."""

    def configure(self, name: str, settings: Mapping[str, int]) -> None:
        """Change a stopped one."""

    def job(self, name: str, label: str) -> Job:
        """The launchd job that runs it."""

    def address(self, name: str) -> str | None:
        """Its address, once it has one."""

    def stop(self, name: str) -> None:
        """Shut it down, or end it when that fails; nothing when it does not run."""

    def delete(self, name: str) -> None:
        """Remove a stopped one and its disk."""

    def preflight_warnings(self) -> list[str]:
        """Warnings about what may hinder it."""


def user_of(name: str) -> User:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        raise InputError(f"there is no user {name} to own the virtual machines: choose a user of the Mac") from None
    return User(name, entry.pw_uid, entry.pw_gid, entry.pw_dir)


def find_program(user: User, tool: str, places: Sequence[str], hint: str) -> str:
    """Where the tool is; InputError when it is nowhere, or the user is root and others could replace it."""
    found = next((place for place in places if host.is_program(place)), None)
    if found is None:
        raise InputError(NOT_INSTALLED.format(tool=tool, places=" or ".join(places), hint=hint))
    if user.uid == 0:
        third_party.require_root_owned(found, "let the virtual machines be another user's, or name a program of root's")
    return found


def run_as(user: User, argv: Sequence[str], timeout: float = SHORT_TIMEOUT) -> CompletedRun:
    """Run a program as the user: files and keychain are that user's."""
    sudo = [] if os.geteuid() == user.uid else [SUDO, "-n", "-H", "-u", user.name, "--"]
    return run([*sudo, *argv], timeout=timeout)


def failure_of(ended: CompletedRun) -> str:
    """The error message of a program, in one line."""
    words = (ended.stderr + ended.stdout).decode("utf-8", "replace").split()
    return "its time is up" if ended.timed_out else " ".join(words) or f"it ended with {ended.rc}"


def output_of(user: User, argv: Sequence[str], verb: str, name: str, timeout: float = SHORT_TIMEOUT) -> bytes:
    """What a program prints; OperationError when it fails."""
    ended = run_as(user, argv, timeout)
    if ended.rc or ended.timed_out:
        raise OperationError(verb, name, failure_of(ended))
    return ended.stdout
