# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Names of images that are refused: whiteouts of no name, the jail's own in any spelling, and two that are one."""

from __future__ import annotations

import os
import tarfile
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import staging
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.applying import Applier, apply_entries
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.layer_reader import Entry, path_of
from containers import contents
from foreign_images import Members, archive, member, put
from image_jails import fill

from .test_unpack import STATE, marker, unpacked
from .test_unpack import test_a_killed_run_is_finished as a_killed_run
from .test_unpack import test_the_same_tree_in_four_runs as four_runs

OWN, CHAIN = "lies where the collection keeps its own files", "every jail has, and cannot be replaced or hidden"
REFUSED = {
    **dict.fromkeys(
        (".wh...", ".wh..", ".wh.", "./.wh..", "private/.wh..", "private/var/db/.wh..", "a/.wh..wh.", "a/.wh..wh.x"),
        "is a whiteout that hides no name",
    ),
    "Private/var/db/darwin.jail/record.mtree": OWN,
    "private/VAR/db/DARWIN.jail/jail.json": OWN,
    "private/var/db/dar\u200dwin.jail": OWN,
    "private/var/db/.wh.Darwin.Jail": OWN,
    ".wh.PRIVATE": CHAIN,
    "private/var/.wh.DB": CHAIN,
    "Private/.wh..wh..opq": CHAIN,
    "PRIVATE": CHAIN,
}


class NoContents:
    """The contents of an entry that has none."""

    def contents(self, _size: int) -> tuple[bytes, ...]:
        return ()


@pytest.fixture(params=["place", "folded"])
def where(request: pytest.FixtureRequest) -> Path:
    """A volume that compares bytes, and one that folds names."""
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("name", REFUSED)
def test_names_that_no_image_may_have(where: Path, name: str) -> None:
    (where / "other").mkdir()
    put(where, archive(member("usr/a", data=b"a")), archive(member(name)))
    for check in (True, False):
        with pytest.raises(InputError, match=f"refusing the layer sha256:.* in it .*{REFUSED[name]}"):
            unpacked(where, check=check)
    assert sorted(os.listdir(where)) == ["image", "other"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_layer_that_became_another_one_since_it_was_inspected(place: Path, name: str) -> None:
    base = os.path.basename(name)
    kind = "opaque" if base.endswith(".opq") else "whiteout" if base.startswith(".wh.") else "file"
    entry = Entry(os.fsencode(name), kind, 0o100644, 0, 0, 0, 0, b"", {}, path_of(os.fsencode(name), kind))
    with jails.create(os.fsencode(place / "new")) as jail:
        staging.ensure_empty(jail.root)
        with closing(Applier(jail.root)) as applier:
            act = partial(applier.hide, entry)
            if kind == "file":
                act = partial(apply_entries, [entry], NoContents(), applier.put)
            with pytest.raises(InputError, match=f"refusing a layer of the image: .*{REFUSED[name]}"):
                act()
    assert sorted(os.listdir(place / "new" / STATE)) == ["jail.json", "stage"]


ODD_TEXT = "\u00fcb er\n".encode()
TWO: dict[str, tuple[list[Members], str, str]] = {
    "files": ([member("inc/x_MARK.h", data=b"1"), member("inc/x_mark.h", data=b"2")], "inc/x_MARK.h", "inc/x_mark.h"),
    "a directory and a link": ([member("Dir/a"), member("dir", tarfile.SYMTYPE, "/etc")], "Dir", "dir"),
    "directories that are implied": ([member("a/Foo/x"), member("a/foo/y")], "a/Foo", "a/foo"),
    "two forms": ([member("\u00fcber", data=b"1"), member("u\u0308ber", data=b"2")], "\u00fcber", "u\u0308ber"),
    "the way to the marker": ([member("Private/etc/hosts")], "private", "Private"),
}


@pytest.mark.parametrize("apart", [False, True], ids=["one layer", "two layers"])
@pytest.mark.parametrize("what", TWO)
def test_two_names_that_are_one(folded: Path, what: str, apart: bool) -> None:
    members, one, other = TWO[what]
    put(folded, *([archive(*members[:1]), archive(*members[1:])] if apart else [archive(*members)]))
    for check in (True, False):
        with pytest.raises(
            InputError, match=f"'{one}' and '{other}' of the image are one name on the volume of .*/new"
        ):
            unpacked(folded, check=check)
    assert os.listdir(folded) == ["image"]


@pytest.mark.parametrize("what", TWO)
def test_two_names_that_are_two(place: Path, what: str) -> None:
    put(place, archive(*TWO[what][0]))
    unpacked(place)
    for info, data in (one for several in TWO[what][0] for one in several):
        path = place / "new" / info.name
        assert os.path.lexists(path)
        assert not info.isreg() or path.read_bytes() == data


def test_a_whiteout_in_any_spelling_makes_room_for_another(folded: Path) -> None:
    lower = archive(
        member("usr/a", data=b"old"), member("usr/B/b", data=b"b"), member("opt/x/y"), member("bin", data=b"f")
    )
    upper = archive(member("USR/.wh.A"), member(".wh.Opt"), member("OPT/X"), member(".wh.BIN"), member("Bin/new"))
    put(folded, lower, upper)
    assert unpacked(folded).changed
    found = {path for path in contents(folded / "new", (STATE,)) if not path.startswith(("private", "."))}
    assert found == {"usr", "usr/B", "usr/B/b", "OPT", "OPT/X", "Bin", "Bin/new"}
    assert not unpacked(folded).changed


def test_a_link_in_another_spelling_is_not_gone_through(folded: Path) -> None:
    put(folded, archive(member("a", tarfile.SYMTYPE, "/etc"), member("A/passwd", data=b"x")))
    with pytest.raises(InputError, match="lies below A, which is not a directory"):
        unpacked(folded)


@pytest.mark.parametrize("killed", [False, True])
def test_an_image_of_ours(folded: Path, killed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folded / "jail", odd=ODD_TEXT)
    export(str(folded / "jail"), str(folded / "image"), "latest", Settings(), False)
    if killed:
        a_killed_run(folded / "image", folded, 12, os.getpid, monkeypatch)
    else:
        four_runs(folded / "image", folded)


def test_what_is_left_out_of_an_image_is_left_out_in_any_spelling(folded: Path) -> None:
    fill(folded / "jail", odd=ODD_TEXT)
    for old, new in (("tmp", "Tmp"), ("var/folders", "var/FOLDERS"), ("var/db", "var/DB")):
        os.rename(folded / "jail/private" / old, folded / "jail/private" / new)
    export(str(folded / "jail"), str(folded / "image"), "latest", Settings(), False)
    with pytest.raises(InputError, match="'private/var/db' and 'private/var/DB' of the image are one name"):
        unpacked(folded)
    os.rename(folded / "jail/private/var/DB", folded / "jail/private/var/db")
    export(str(folded / "jail"), str(folded / "image"), "latest", Settings(), False)
    unpacked(folded)
    assert os.listdir(folded / "new/private/Tmp") == os.listdir(folded / "new/private/var/FOLDERS") == []
    assert marker(folded / "new")["id"] != marker(folded / "jail")["id"]


TOO_LONG = "has a name of more than 255 UTF-16 units, which is not supported by the volume of .*/new"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("d/" + "\U0001f600" * 128, TOO_LONG),
        (b"d/\xff", "has a name that is not UTF-8, which is not supported by the volume"),
    ],
)
def test_names_that_a_volume_of_apple_cannot_hold(folded: Path, name: str | bytes, why: str) -> None:
    """They are refused before anything is made, not when the volume refuses them."""
    put(folded, archive(member("a"), member(os.fsdecode(name))))
    for check in (True, False):
        with pytest.raises(InputError, match=why):
            unpacked(folded, check=check)
    assert os.listdir(folded) == ["image"]
