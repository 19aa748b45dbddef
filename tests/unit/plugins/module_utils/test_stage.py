# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What changes a jail is killed at each call that writes; the next run makes all as it is to be, and leaves nothing."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils import devfs, files, user_tmp, users
from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils.image import archive
from ansible_collections.darwin.jail.plugins.module_utils.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils.image.layout import open_layout
from ansible_collections.darwin.jail.plugins.module_utils.image.present import unpack
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build
from ansible_collections.darwin.jail.plugins.module_utils.tree import fill
from image_jails import fill as fill_image_jail
from system_calls import CHANGING, before_call, die, in_child

STATE = "private/var/db/darwin.jail"
SOME = int(os.environ.get("DARWIN_JAIL_KILLS", "15"))
"""How many moments of each are tried, evenly spread."""
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
    return files.arrange(str(place / "jail"), full, False)


def add_a_user(place: Path) -> object:
    return users.arrange(str(place / "jail"), [NEW_USER], False)


def remove_a_user(place: Path) -> object:
    return users.arrange(str(place / "jail"), [{**NEW_USER, "state": "absent", "remove": True}], False)


def fill_a_tree(place: Path) -> object:
    return fill.arrange(str(place / "jail"), "/opt/tree/below", str(place / "source"), "nobody", None, None, False)


def make_temporary(place: Path) -> object:
    return user_tmp.arrange(str(place / "jail"), "root", None, None, None, "present", False)


def make_dev(place: Path) -> object:
    """As far as it goes before a job is needed."""
    with jails.open_jail(str(place / "jail")) as jail:
        jail.lock()
        return [step.execute() for step in devfs._make_point(jail.root)]


def unpack_an_image(place: Path) -> object:
    return unpack(str(place / "new"), str(place / "image"), "latest", False)


def write_an_archive(place: Path) -> object:
    with closing(open_layout(os.fsencode(place / "image"), check=False)) as store:
        return archive.write(str(place / "out/image.tar"), store, "latest", False)


def adopt(place: Path) -> object:
    (place / "nothing").mkdir(exist_ok=True)
    wish = Wish(str(place / "foreign"), str(place / "nothing"), entries=[{"src": "/x", "optional": True}], adopt=True)
    return build(wish._replace(workers=1), False)


def swept(place: Path) -> object:
    """A run that changes nothing removes, too, what a killed one left."""
    return files.arrange(str(place / "jail"), [], False)


WORK: dict[str, Callable[[Path], object]] = {
    "files": change_files,
    "user": add_a_user,
    "no user": remove_a_user,
    "tree": fill_a_tree,
    "user_tmp": make_temporary,
    "devfs": make_dev,
    "unpack": unpack_an_image,
    "archive": write_an_archive,
    "adopt": adopt,
}
INTO_A_JAIL = ("files", "user", "no user", "tree", "user_tmp", "devfs")


@pytest.fixture
def bench(place: Path, request: pytest.FixtureRequest) -> Path:
    """A jail that people live in, a source for a tree, an image, and what another tool made."""
    ready = place / "ready"
    with jails.create(os.fsencode(ready / "jail")) as jail:
        jail.mark(state="complete")
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
    (ready / "source/bin").mkdir(parents=True)
    (ready / "source/bin/tool").write_bytes(b"x" * 5000)
    (ready / "source/bin/tool").chmod(0o4755)
    (ready / "source/link").symlink_to("bin/tool")
    (ready / "foreign/etc").mkdir(parents=True)
    (ready / "foreign/usr").mkdir(parents=True)
    what = request.node.callspec.params.get("what")
    if what == "no user":
        add_a_user(ready)
    if what in ("unpack", "archive"):
        fill_image_jail(ready / "made")
        export(str(ready / "made"), str(ready / "image"), "latest", Settings(), False)
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
def test_killed_at_any_moment_the_next_run_completes_it_and_leaves_nothing(bench: Path, what: str) -> None:
    work, names = WORK[what], tuple(CHANGING)
    done = copy(bench, "done0")
    with before_call(0, die, names) as calls:
        work(done)
    end = look(done)
    kills = 0
    for number in range(1, calls.count + 1, max(1, calls.count // SOME)):
        place = copy(bench, "work0")

        def run(number: int = number, place: Path = place) -> None:
            with before_call(number, die, names):
                work(place)

        kills += in_child(run) == -9
        if what in INTO_A_JAIL:
            swept(place)
            assert os.listdir(place / "jail" / STATE / "stage") == []
            assert list((place / "jail").rglob(".darwin.jail.*")) == []
        work(place)
        assert look(place) == end, f"after a kill at call {number} of {calls.count}"
    assert kills >= min(SOME, calls.count) - 1


@pytest.mark.parametrize("what", ["files", "user", "devfs"])
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
