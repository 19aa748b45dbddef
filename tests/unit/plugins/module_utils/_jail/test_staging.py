# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What has its name in a jail is finished, at every moment of a run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import files, users
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import devfs
from system_calls import CHANGING, before_call

STATE = "private/var/db/darwin.jail"
UNSET: dict[str, Any] = {"content": None, "block": None, "target": None, "mode": None, "owner": "root", "group": None}
NEW_USER = {
    "name": "zed", "state": "present", "uid": None, "group": "4711", "groups": ["makers"], "home": None, "shell": None,
    "comment": None, "sudo": True, "remove": False,
}  # fmt: skip


def change_files(place: Path) -> object:
    items: list[dict[str, Any]] = [
        {"path": "/private/etc/new/deep/a", "content": "hello", "mode": "0640"},
        {"path": "/private/etc/conf", "block": "B=1", "mode": None},
        {"path": "/usr/l", "state": "link", "target": "share", "owner": "nobody"},
        {"path": "/opt/gone", "state": "absent"},
        {"path": "/Users/zed", "state": "directory", "mode": "0750", "owner": "nobody"},
    ]
    full = [{**UNSET, "state": "file", "name": "darwin.jail", **item} for item in items]
    return files.ensure(str(place / "jail"), full, False)


def add_a_user(place: Path) -> object:
    return users.ensure(str(place / "jail"), [NEW_USER], False)


def make_dev(place: Path) -> object:
    """As far as it goes before a job is needed."""
    with jails.open_jail(str(place / "jail")) as jail:
        jail.lock()
        return [step.apply() for step in devfs._make_mount_point(jail.root)]


WORK: dict[str, Callable[[Path], object]] = {"files": change_files, "user": add_a_user, "devfs": make_dev}


@pytest.fixture
def bench(place: Path) -> Path:
    """A jail that people live in."""
    ready = place / "ready"
    with jails.create(os.fsencode(ready / "jail")) as jail:
        jail.update_entry(state="complete")
    for name in ("etc/sudoers.d", "var/folders"):
        (ready / "jail/private" / name).mkdir(parents=True)
    for name, mode in (("passwd", 0o644), ("master.passwd", 0o600), ("group", 0o644), ("conf", 0o604)):
        path = ready / "jail/private/etc" / name
        path.write_text(
            "makers:*:4711:\n" if name == "group" else "root:*:0:0:System Administrator:/var/root:/bin/sh\n"
        )
        path.chmod(mode)
    (ready / "jail/opt/gone/below").mkdir(parents=True)
    (ready / "jail/usr").mkdir()
    return ready


def look(place: Path) -> dict[str, object]:
    """All that there is, but who holds a lock, and what is different in each marker and record."""
    found: dict[str, object] = {}
    for path in sorted(place.rglob("*")):
        rel, status = str(path.relative_to(place)), path.lstat()
        contents: object = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        if path.name in ("lock", "jail.json", "record.mtree"):
            contents = None
        found[rel] = (status.st_mode if not path.is_symlink() else 0, status.st_uid, status.st_gid, contents)
    return found


def copy(ready: Path, name: str) -> Path:
    """Of the same length as any other, since messages and records hold paths."""
    target = ready.with_name(name)
    subprocess.run(["rm", "-rf", target], check=True)
    subprocess.run(["cp", "-a", ready, target], check=True)
    return target


@pytest.mark.parametrize("what", WORK)
def test_nobody_sees_what_is_not_finished(bench: Path, what: str) -> None:
    """Before each call, all that has a name of its own has the owner, mode and contents of before or of the end."""
    begun, names = look(bench), tuple(CHANGING)
    done = copy(bench, "done0")
    WORK[what](done)
    end = look(done)
    number, count = 0, 1
    while number < count:
        number += 1
        place = copy(bench, "work0")

        def see(place: Path = place) -> None:
            for path, seen in look(place).items():
                if not path.startswith(f"jail/{STATE}/"):
                    assert seen in (begun.get(path), end.get(path)), path

        with before_call(number, see, names) as calls:
            WORK[what](place)
        count = calls.count
    assert count > 5
