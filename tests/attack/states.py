# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Hostile states of a jail: what root in it could have made of its files, chosen by a seed.

Each function below is one action of that root, at one path of the jail. A state is a few of them after each other.
"""

from __future__ import annotations

import os
import random
import socket
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple

from contents import damaged, odd_json, odd_plist, odd_record
from host_changes import SECRET

STATE = "private/var/db/darwin.jail"
RECORDS = [f"{STATE}/{name}" for name in ("jail.json", "record.mtree", "journal.1", "journal.x", "stage/x")]
PLACES = [
    "", "private", "private/etc", "private/var", "private/var/db", "private/tmp", "private/var/run",
    "private/var/root", "usr", "usr/bin", "usr/lib", "dev", "Users", "Users/admin", "System/Library/CoreServices",
    "bin", "etc", "var", "tmp", "bin/sh", "usr/bin/id", "private/etc/passwd", "private/etc/hosts", STATE,
    f"{STATE}/stage", *RECORDS,
]  # fmt: skip
NAMES = [
    b"a\nb", b"\x1b[2J\x1b]0;x\x07", b"n" * 255, b"\xff\xfe", b"-rf", b"...", b"%s%n", b"Private", b"PRIVATE",
    b"ETC", "é".encode(), "é".encode(), b".darwin.jail.0", b".darwin.jail.runs", b".wh.x", b".wh..wh..opq", b"a:b",
    b"~", b" ", b"\xe2\x80\xa8", b"$(id)", b"`id`", b"{{ 7 * 7 }}", b"x.plist", b"\xc2\x9b31m", b"._x",
    b".DS_Store", b"nul\\000",
]  # fmt: skip
DEEP, WIDE = 600, 1000
TERA = 1 << 40

OF_RECORDS = ("odd marker", "forged record", "forged journal", "many journals")
AT_ROOT = [
    "odd names", "deep tree", "wide directory", "odd mode", "odd owner", "odd time", "extended attributes",
    "directory with the same name", *OF_RECORDS,
]  # fmt: skip
"""What can be done to the directory of the jail itself."""

Action = Callable[["Place"], None]
ACTIONS: dict[str, Action] = {}


class Place(NamedTuple):
    """One path of a jail, and what an action on it needs."""

    rng: random.Random
    jail: str
    rel: str
    outside: str
    """A directory of the Mac with the same names as the jail."""

    @property
    def path(self) -> str:
        return os.path.join(self.jail, self.rel) if self.rel else self.jail

    def clear(self) -> None:
        """See that nothing has the name, and that the directories above it are there."""
        folder = self.jail
        for part in self.rel.split("/")[:-1]:
            folder = os.path.join(folder, part)
            with suppress(OSError):
                os.mkdir(folder)
        _remove(self.path)

    def below(self) -> str:
        """A directory at this path, or else beside it."""
        if os.path.isdir(self.path) and not os.path.islink(self.path):
            return self.path
        self.clear()
        os.mkdir(self.path)
        return self.path


class Step(NamedTuple):
    """One action of a state."""

    name: str
    rel: str

    def __str__(self) -> str:
        return f"{self.name} at /{self.rel}"


def is_inside(jail: str, rel: str) -> bool:
    """Whether a path goes through no link, so that what is done there is done in the jail."""
    parts = rel.split("/")[:-1]
    folders = [os.path.join(jail, *parts[: number + 1]) for number in range(len(parts))]
    return all(not os.path.islink(path) and (os.path.isdir(path) or not os.path.lexists(path)) for path in folders)


def make(rng: random.Random, jail: str, outside: str, favourites: Sequence[str]) -> list[Step]:
    """Make a state, most of it at the paths that the one who is attacked goes through."""
    steps = []
    for _turn in range(rng.choice((1, 1, 2, 2, 3, 4, 6))):
        rel = rng.choice(list(favourites)) if favourites and rng.random() < 0.7 else rng.choice(PLACES)
        if rng.random() < 0.3:
            rel = os.path.dirname(rel)
        step = Step(rng.choice(_possible(rel)), rel)
        if is_inside(jail, rel):
            steps.append(step)
            with suppress(OSError):  # what an earlier action left does not allow it
                ACTIONS[step.name](Place(rng, jail, rel, outside))
    return steps


def _possible(rel: str) -> list[str]:
    """The actions that make sense at a path."""
    if not rel:
        return AT_ROOT
    return list(ACTIONS) if rel.startswith(STATE) else [name for name in ACTIONS if name not in OF_RECORDS]


def _remove(path: str) -> None:
    """Remove something at any depth that an action makes."""
    if os.path.isdir(path) and not os.path.islink(path):
        with os.scandir(path) as entries:
            for entry in entries:
                _remove(entry.path)
        os.rmdir(path)
    elif os.path.lexists(path):
        os.unlink(path)


def action(function: Action) -> Action:
    ACTIONS[function.__name__.strip("_").replace("_", " ")] = function
    return function


def _link(place: Place, target: str) -> None:
    place.clear()
    os.symlink(target, place.path)


# -- links ------------------------------------------------------------------------------


@action
def link_to_root(place: Place) -> None:
    _link(place, "/")


@action
def link_to_the_same_path_of_the_mac(place: Place) -> None:
    _link(place, f"/{place.rel}")


@action
def link_up_to_the_mac(place: Place) -> None:
    _link(place, "../" * 20 + place.rel)


@action
def link_to_a_neighbour(place: Place) -> None:
    _link(place, f"{place.outside}/{place.rel}")


@action
def link_up_to_a_neighbour(place: Place) -> None:
    _link(place, "../" * place.rel.count("/") + f"../{os.path.basename(place.outside)}/{place.rel}")


@action
def link_to_nothing_outside(place: Place) -> None:
    _link(place, f"{place.outside}/new")


@action
def link_to_a_secret(place: Place) -> None:
    _link(place, f"{place.outside}/secret")


@action
def link_to_itself(place: Place) -> None:
    _link(place, os.path.basename(place.rel) or ".")


@action
def link_within(place: Place) -> None:
    _link(place, place.rng.choice(("/usr", "/private/etc", "/bin/sh", ".", "..", "../usr", "/", "x" * 1000, "a\nb")))


@action
def hard_link_to_a_file_of_a_neighbour(place: Place) -> None:
    place.clear()
    there = f"{place.outside}/{place.rel}"
    if not os.path.isfile(there) or os.path.islink(there) or SECRET in _read(there):  # the jail has what is in it, then
        there = f"{place.outside}/linked"
    os.link(there, place.path)


# -- other types ------------------------------------------------------------------------


@action
def nothing(place: Place) -> None:
    _remove(place.path)


@action
def fifo(place: Place) -> None:
    place.clear()
    os.mkfifo(place.path)


@action
def listening_socket(place: Place) -> None:
    place.clear()
    here = os.open(".", os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as listener:
        os.chdir(os.path.dirname(place.path))
        try:
            listener.bind(os.path.basename(place.path)[:90])
        finally:
            os.fchdir(here)
            os.close(here)


@action
def device(place: Place) -> None:
    place.clear()
    kind, numbers = place.rng.choice(
        ((stat.S_IFCHR, (1, 3)), (stat.S_IFCHR, (1, 5)), (stat.S_IFCHR, (5, 0)), (stat.S_IFBLK, (7, 200)))
    )
    os.mknod(place.path, kind | 0o666, os.makedev(*numbers))


@action
def file(place: Place) -> None:
    _write(place, place.rng.choice((b"", b"\0", b"x", b"\xff" * 70000, b"#!/bin/sh\nexec sleep 3\n")))


@action
def empty_directory(place: Place) -> None:
    place.clear()
    os.mkdir(place.path)


@action
def directory_with_the_same_name(place: Place) -> None:
    os.makedirs(os.path.join(place.below(), os.path.basename(place.rel) or "private", STATE), exist_ok=True)


# -- names, depth, number, size -----------------------------------------------------------


@action
def odd_names(place: Place) -> None:
    folder = os.fsencode(place.below())
    for name in place.rng.sample(NAMES, 8):
        path = folder + b"/" + name
        with suppress(OSError):
            place.rng.choice((os.mkdir, os.mkfifo, lambda p: os.symlink("/", p), _touch))(path)


@action
def deep_tree(place: Place) -> None:
    fd = os.open(place.below(), os.O_RDONLY)
    name = place.rng.choice(("d", "d" * 200))
    for _level in range(DEEP):
        with suppress(FileExistsError):
            os.mkdir(name, dir_fd=fd)
        below = os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=fd)
        os.close(fd)
        fd = below
    os.close(fd)


@action
def wide_directory(place: Place) -> None:
    folder = place.below()
    for number in range(WIDE):
        _touch(os.fsencode(f"{folder}/{number}"))


@action
def endless_file(place: Place) -> None:
    place.clear()
    _touch(os.fsencode(place.path))
    os.truncate(place.path, TERA)


@action
def grown_file(place: Place) -> None:
    """What it holds stays, and a hole follows."""
    if os.path.isfile(place.path) and not os.path.islink(place.path):
        os.truncate(place.path, place.rng.choice((1 << 20, 300 << 20, TERA)))


# -- owners, modes, attributes -------------------------------------------------------------


@action
def odd_mode(place: Place) -> None:
    if not os.path.islink(place.path):
        os.chmod(place.path, place.rng.choice((0, 0o777, 0o1777, 0o2777, 0o4755, 0o6777, 0o7777, 0o200)))


@action
def odd_owner(place: Place) -> None:
    os.lchown(place.path, place.rng.choice((0, 501, 65534, (1 << 32) - 2)), place.rng.choice((0, 20, (1 << 32) - 2)))


@action
def odd_time(place: Place) -> None:
    seconds = place.rng.choice((-(1 << 31), 0, 1 << 31, (1 << 34) - 1))
    os.utime(place.path, (seconds, seconds), follow_symlinks=False)


@action
def extended_attributes(place: Place) -> None:
    if not os.path.islink(place.path):
        for number in range(place.rng.choice((1, 40))):
            os.setxattr(place.path, f"user.\x1b[1m{number}", place.rng.randbytes(900))


# -- contents ------------------------------------------------------------------------------


@action
def damaged_file(place: Place) -> None:
    _write(place, damaged(place.rng, _read(place.path)))


@action
def odd_marker(place: Place) -> None:
    was = _read(f"{place.jail}/{STATE}/jail.json")
    _write(place._replace(rel=f"{STATE}/jail.json"), odd_json(place.rng, was))


@action
def odd_json_file(place: Place) -> None:
    _write(place, odd_json(place.rng, b'{"format": 1}'))


@action
def odd_property_list(place: Place) -> None:
    _write(place, odd_plist(place.rng))


@action
def forged_record(place: Place) -> None:
    was = _read(f"{place.jail}/{STATE}/record.mtree")
    _write(place._replace(rel=f"{STATE}/record.mtree"), odd_record(place.rng, was))


@action
def forged_journal(place: Place) -> None:
    name = place.rng.choice(("journal.0", "journal.1", "journal.\x1b[1m", "journal." + "9" * 200))
    _write(place._replace(rel=f"{STATE}/{name}"), odd_record(place.rng, b""))


@action
def many_journals(place: Place) -> None:
    for number in range(100):
        _write(place._replace(rel=f"{STATE}/journal.{number}"), odd_record(place.rng, b""))


def _read(path: str) -> bytes:
    """What a usual file holds; OSError for anything else."""
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as stream:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise OSError(path)
        return stream.read(1 << 20)


def _touch(path: bytes) -> None:
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644))


def _write(place: Place, data: bytes) -> None:
    if is_inside(place.jail, place.rel):
        place.clear()
        with open(place.path, "wb") as stream:
            stream.write(data)
