# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is the jail's own or a system's stays so in every spelling, and all that is named after a jail agrees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import files
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.module_utils._jail.protected import STATE, is_state, leads_to_state
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import volume_names
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.mounts import is_mount, mounts_below
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import fill
from hypothesis import given
from hypothesis import strategies as st

INVISIBLE = st.sampled_from(["", "\u200d", "\ufeff", "\u00ad"])


@st.composite
def spellings(draw: st.DrawFn, text: str) -> bytes:
    return "".join(
        draw(st.sampled_from([char, char.swapcase()])) + ("" if char == "/" else draw(INVISIBLE)) for char in text
    ).encode()


@given(spellings(STATE.decode()))
def test_the_state_in_every_spelling(path: bytes) -> None:
    assert is_state(path)
    assert is_state(path + b"/\xff")
    assert not is_state(path + b"x")
    parts = path.split(b"/")
    for count in range(1, len(parts)):
        assert leads_to_state(b"/".join(parts[:count]))
    assert not leads_to_state(path)
    assert not leads_to_state(path[:3])


@pytest.mark.parametrize(
    "path",
    "/USERS /users/dana /Users/DANA /SYSTEM/Library /system/x /private/VAR /Private/var/db /Usr /OPT/ /ETC".split(),
)
def test_places_of_a_system_are_no_jails(path: str) -> None:
    with pytest.raises(InputError, match=r"belongs to the system|is a home directory|is a symbolic link"):
        jails.jail_path(path)


@pytest.fixture(params=["empty_jail", "folded"])
def jail(request: pytest.FixtureRequest) -> Path:
    """On a volume that compares bytes, and on one that folds names."""
    found: Path = request.getfixturevalue(request.param)
    if request.param == "folded":
        found = found / "Jails/First"
        jails.create(os.fsencode(found)).close()
    return found


def absent(jail: Path, path: str) -> None:
    item = {"path": path, "state": "absent", "owner": "root", "group": None, "mode": None, "name": "x"}
    files.ensure(str(jail), [item | dict.fromkeys(("content", "block", "target"))], False)


def filled(jail: Path, path: str) -> None:
    fill.ensure({"jail": str(jail), "dest": path, "src": str(jail.parent)}, False)


def mounted(jail: Path, path: str) -> None:
    bind_mounts.parse_mount(0, {"src": "/usr", "dest": path}, os.fsencode(jail))


def entry(jail: Path, path: str) -> None:
    build(BuildSpec(str(jail), "/", entries=[{"src": "/usr/bin/env", "dest": path}]), check=False)


@pytest.mark.parametrize("act", [absent, filled, mounted, entry])
@pytest.mark.parametrize(
    "path", ["/private/var/db/DARWIN.jail/jail.json", "/Private/var/db/darwin.jail", "/var/DB/darwin\u200b.jail/x"]
)
def test_no_task_names_the_state(jail: Path, act: Callable[[Path, str], None], path: str) -> None:
    with pytest.raises(InputError, match=r"is the jail's own|keeps its own files"):
        act(jail, path)
    assert (jail / os.fsdecode(STATE) / "jail.json").exists()


# -- what is named after a jail ---------------------------------------------------------


def test_all_spellings_of_a_jail_are_one_jail(folded: Path) -> None:
    jails.create(os.fsencode(folded / "Jails/\u00dcber")).close()
    found = {
        jails.jail_path(str(folded / path)) for path in ("Jails/\u00dcber", "JAILS/u\u0308BER", "jails/U\u0308ber")
    }
    assert found == {os.fsencode(folded / "Jails/\u00dcber")}
    assert len({launchd.label(path, "dns") for path in found}) == 1
    with pytest.raises(InputError, match="lies inside the jail"):
        jails.jail_path(str(folded / "jails/\u00fcber/x"))


def test_one_label_for_one_mount_point(folded: Path, place: Path) -> None:
    for where, count in ((folded, 1), (place, 2)):
        assert len({bind_mounts._label(os.fsencode(where), point) for point in (b"opt/Src", b"OPT/src")}) == count


@pytest.mark.parametrize("dest", ["/OPT/src", "/opt", "/opt/SRC/deep"])
def test_mounts_that_hide_each_other(folded: Path, dest: str) -> None:
    path = os.fsencode(folded)
    specs = [bind_mounts.parse_mount(n, {"src": "/usr", "dest": at}, path) for n, at in enumerate(("/Opt/src", dest))]
    with pytest.raises(InputError, match="is at or below dest of"):
        bind_mounts.refuse_overlaps(specs, volume_names.names_at(path))


@pytest.fixture
def occupied(folded: Path) -> Iterator[Path]:
    """A jail in which something is mounted by another spelling of its path."""
    jails.create(os.fsencode(folded / "Jail")).close()
    (folded / "Jail/Data").mkdir()
    (folded / "Jail.x").mkdir()
    point = folded / "JAIL/dATA"
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    yield folded / "Jail"
    subprocess.run(["umount", point], check=False, capture_output=True)


def test_what_is_mounted_by_another_spelling(occupied: Path) -> None:
    path = os.fsencode(occupied)
    assert [mount.point for mount in mounts_below(path)] == [path + b"/dATA"]
    assert mounts_below(path + b".x") == []
    assert is_mount(path + b"/Data")
    assert not is_mount(path)
    with pytest.raises(InputError, match=r"cannot remove .*: mounted below it: .*Jail/dATA: unmount first"):
        remove(str(occupied), unmount=False, check=False)
    with pytest.raises(InputError, match="something is mounted on"):
        absent(occupied, "/data/x")
    with pytest.raises(InputError, match="something is mounted on"):
        filled(occupied, "/DATA/x")


def test_a_tree_with_two_names_that_are_one(folded: Path, tmp_path: Path) -> None:
    jails.create(os.fsencode(folded / "jail")).close()
    (tmp_path / "tree/Inc").mkdir(parents=True)
    for name in ("A.h", "a.h"):
        (tmp_path / "tree/Inc" / name).write_text(name)
    subprocess.run(["tar", "-C", tmp_path, "-cf", tmp_path / "tree.tar", "tree"], check=True)
    for src in ("tree", "tree.tar"):
        for check in (True, False):
            with pytest.raises(InputError, match=r"'Inc/(A|a).h' and 'Inc/(A|a).h' in it are one name on its volume"):
                fill.ensure({"jail": str(folded / "jail"), "dest": "/opt/tree", "src": str(tmp_path / src)}, check)
    assert sorted(os.listdir(folded / "jail")) == ["private"]
