# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the Mac knows of a jail: whose an entry is, that nothing in the jail changes it, and that it is never lost."""

from __future__ import annotations

import json
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.identity import identity
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError, RecordError
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER, marker_of
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from system_calls import CHANGING, before_call, die, fail, in_child, refusal

DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def jail(place: Path) -> Path:
    path = place / "jail"
    with jails.create(os.fsencode(path)) as made:
        made.update_entry(state="complete", image=DIGEST)
    return path


def marker(jail: Path) -> Path:
    return jail / os.fsdecode(MARKER)


def entry(jail: Path) -> Path:
    """The file of the register."""
    return Path(os.fsdecode(register.DIRECTORY), os.fsdecode(register._name(os.fsencode(jail))))


def known(jail: Path) -> register.Entry:
    with jails.open_jail(str(jail)) as opened:
        return opened.entry


def unknown(jail: Path) -> str:
    with jails.open_jail(str(jail)) as opened:
        assert bool(opened.unknown) != bool(opened.entry)
        return opened.unknown


def test_only_root_can_read_it(jail: Path) -> None:
    assert known(jail)["image"] == DIGEST
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (entry(jail).parent, entry(jail))]
    assert modes == [0o700, 0o600]


def test_the_next_run_that_locks_the_jail_finishes_what_a_killed_one_began(jail: Path) -> None:
    """The marker is that of the entry, and nothing is left on its way in the register."""
    number, status = 0, -9
    while status:
        number += 1

        def run(number: int = number) -> None:
            with jails.open_jail(str(jail)) as opened, before_call(number, die, tuple(CHANGING)):
                opened.update_entry(source=f"of run {number}")

        status = in_child(run)
        with jails.open_jail(str(jail)) as opened:
            opened.lock()
            assert json.loads(marker(jail).read_text()) == marker_of(opened.entry)
            assert [*entry(jail).parent.glob(".*")] == []
    assert number > 10


def test_a_second_entry_goes_when_the_jail_is_locked(jail: Path) -> None:
    """Two jails that exchange their names have both entries under either name, until they have done so."""
    register.write(os.fsencode(jail), [{**known(jail), "id": "other", "inode": 1}, known(jail)])
    with jails.open_jail(str(jail)) as opened:
        opened.lock()
        assert json.loads(entry(jail).read_text())["jails"] == [opened.entry]


# -- whose an entry is ------------------------------------------------------------------


def moved(jail: Path) -> Path:
    return jail.rename(jail.with_name("other"))


def copied(jail: Path) -> Path:
    moved(jail)
    shutil.copytree(jail.with_name("other"), jail, symlinks=True)
    return jail


def another(jail: Path) -> Path:
    """Which was a jail elsewhere, and is in the place of this one now."""
    jails.create(os.fsencode(jail.with_name("another"))).close()
    moved(jail)
    return jail.with_name("another").rename(jail)


def older_jail(jail: Path) -> Path:
    """What an older snapshot of its volume has."""
    was = marker(jail).read_bytes()
    for number in range(2):  # after one change, it could be one that was killed
        with jails.open_jail(str(jail)) as opened:
            opened.update_entry(layers=number)
    marker(jail).write_bytes(was)
    return jail


def older_entry(jail: Path) -> Path:
    """What a backup of the Mac has."""
    was = entry(jail).read_bytes()
    with jails.open_jail(str(jail)) as opened:
        opened.update_entry(image=None)
    entry(jail).write_bytes(was)
    return jail


def lost(jail: Path) -> Path:
    entry(jail).unlink()
    return jail


CHANGES = [moved, copied, another, older_jail, older_entry, lost]


@pytest.mark.parametrize("change", CHANGES)
def test_of_a_jail_that_is_not_the_one_it_was_nothing_is_known(jail: Path, change: Callable[[Path], Path]) -> None:
    there = change(jail)
    assert unknown(there) == "this Mac has no entry of the jail as it is now"
    told = gather(str(there), ["identity"])
    assert (told.values["identity"]["state"], told.values["identity"]["image"]) == ("unknown", None)
    assert told.warnings[0].startswith(f"{there} is unknown: this Mac has no entry of the jail as it is now (build it")


def test_one_that_was_moved_away_and_back_is_known(jail: Path) -> None:
    moved(jail).rename(jail)
    assert known(jail)["image"] == DIGEST


def test_the_next_change_makes_an_unknown_jail_known_with_another_id(jail: Path) -> None:
    first = known(jail)["id"]
    entry(jail).unlink()
    with jails.open_jail(str(jail)) as opened:
        opened.update_entry(state="complete")
    assert set(known(jail)) == {"inode", "stamps", "id", "created", "state"}
    assert known(jail)["id"] != first


def test_who_waited_for_the_lock_knows_what_the_run_before_wrote(jail: Path) -> None:
    with jails.open_jail(str(jail)) as waiting:
        assert "layers" not in waiting.entry
        with jails.open_jail(str(jail)) as before:
            before.lock()
            before.update_entry(layers=3)
        waiting.lock()
        waiting.update_entry(state="building")
    assert (known(jail)["layers"], known(jail)["state"]) == (3, "building")


# -- hostile jails ----------------------------------------------------------------------

FORGED: list[dict[str, Any]] = [
    {"image": "sha256:" + "2" * 64},
    {"image": {}},
    {"state": ["complete"]},
    {"state": {}, "fingerprint": {}, "adopted": [], "inherited": []},
    {"format": True},
    {"format": 1.0},
    {"clone_of": "/", "clone_id": "x", "clone_time": 0.0, "cloned": True},
    {"clone_of": 5, "built": 1e300, "created": -1, "layers": 1e9},
    {"replaces": "x", "replaced_by": True},
    {"macos_build": {}, "macos_version": ["x"], "source": "a\n\x1b[31m"},
]


@pytest.mark.parametrize("forged", FORGED)
def test_what_the_marker_says_decides_nothing(jail: Path, forged: dict[str, Any]) -> None:
    with jails.open_jail(str(jail)) as opened:
        before = identity(opened, [])
    told = json.loads(marker(jail).read_bytes())
    marker(jail).write_text(json.dumps({**told, **forged}))
    with jails.open_jail(str(jail)) as opened:
        assert identity(opened, []) == before
    found = gather(str(jail), ["identity", "drift"])
    assert (found.values["drift"]["base"], found.warnings) == (None, [])


@pytest.mark.parametrize("forged", [{"id": {}}, {"id": "0" * 32}, {"stamp": []}, {"stamp": "0" * 16}])
def test_one_that_forges_who_it_is_is_unknown(jail: Path, forged: dict[str, Any]) -> None:
    told = json.loads(marker(jail).read_bytes())
    marker(jail).write_text(json.dumps({**told, **forged}))
    assert unknown(jail)


def test_one_that_says_it_is_another_one_is_unknown(jail: Path, place: Path) -> None:
    with jails.create(os.fsencode(place / "hostile")):
        pass
    marker(place / "hostile").write_bytes(marker(jail).read_bytes())
    assert unknown(place / "hostile")


def test_one_whose_marker_makes_no_sense_is_taken_over_as_the_message_says(jail: Path) -> None:
    marker(jail).write_bytes(b"nonsense")
    with pytest.raises(RecordError, match=r"not JSON \(remove the file, then adopt the jail with the option adopt"):
        jails.open_jail(str(jail))
    marker(jail).unlink()
    spec = BuildSpec(str(jail), entries=[{"src": "/nothing", "optional": True}], adopt=True)
    assert build(spec, check=False).changed
    assert not unknown(jail)
    assert "image" not in known(jail)


# -- damage -----------------------------------------------------------------------------


def damaged(path: Path, **fields: object) -> None:
    data = json.loads(path.read_bytes())
    data["jails"][0].update(fields)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"[]", b"{}", b"[" * 60000, b'{"format": 2}', b'{"format": 1, "path": "/x", "jails": []}']
)
def test_an_entry_that_makes_no_sense_is_unknown_with_a_message(jail: Path, text: bytes) -> None:
    entry(jail).write_bytes(text)
    assert unknown(jail) == f"its entry {entry(jail)} is damaged or of a newer version"


@pytest.mark.parametrize(
    "fields",
    [{"image": 5}, {"layers": True}, {"stamps": [5]}, {"stamps": "x"}, {"clone_time": 1}, {"more": 1}, {"inode": "1"}],
)
def test_so_is_one_of_other_types(jail: Path, fields: dict[str, object]) -> None:
    damaged(entry(jail), **fields)
    assert "is damaged" in unknown(jail)


def test_so_is_one_that_is_too_large_or_no_file(jail: Path) -> None:
    entry(jail).write_bytes(b" " * (register.MAX_SIZE + 1))
    assert "larger than" in unknown(jail)
    entry(jail).unlink()
    entry(jail).mkdir()
    assert "not a regular file" in unknown(jail)
    entry(jail).rmdir()


def test_so_are_all_where_others_can_write(jail: Path) -> None:
    entry(jail).parent.chmod(0o777)
    assert unknown(jail) == f"{entry(jail).parent} is not root's alone"
    with jails.open_jail(str(jail)) as opened:
        opened.update_entry(state="complete")
    assert stat.S_IMODE(entry(jail).parent.stat().st_mode) == 0o700


def test_a_passing_failure_makes_nothing_unknown(jail: Path) -> None:
    def look() -> object:
        with jails.open_jail(str(jail)) as opened:
            return opened.entry

    with before_call(0, die, ("open",)) as calls:
        look()
    for number in range(1, calls.count + 1):
        with before_call(number, fail(5), ("open",)):
            assert isinstance(refusal(look), OperationError)


def test_what_is_unknown_is_refused_with_what_to_do(jail: Path) -> None:
    entry(jail).unlink()
    with jails.open_jail(str(jail)) as opened, pytest.raises(InputError) as caught:
        opened.refuse_unknown("clone")
    assert str(caught.value) == (
        f"cannot clone {jail}: this Mac has no entry of the jail as it is now (build it again with darwin_jail_rootfs, "
        "which enters it, or remove it and make it again)"
    )


# -- kills and names --------------------------------------------------------------------


def test_killed_at_any_moment_of_a_change_the_jail_stays_known(jail: Path) -> None:
    def change() -> None:
        with jails.open_jail(str(jail)) as opened:
            opened.update_entry(layers=opened.entry.get("layers", 0) + 1)

    with before_call(0, die, tuple(CHANGING)) as calls:
        change()
    assert calls.count > 5
    for number in range(1, calls.count + 1):
        before = known(jail)["layers"]

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                change()

        assert in_child(run) == -9
        assert known(jail)["layers"] in (before, before + 1)
        change()
        assert known(jail)["layers"] in (before + 1, before + 2)


def test_each_path_has_a_file_of_its_own() -> None:
    paths = [b"/j/a", b"/k/a", b"/j/A", b"/j/a.", b"/j/a-", b"/j/" + b"n" * 255, b"/j/\xff\n", b"/" + b"long/" * 190]
    names = [register._name(path) for path in paths]
    assert len({name.lower() for name in names}) == len(paths)
    assert all(len(name) < 100 and b"/" not in name and name.isascii() for name in names)


def test_all_spellings_of_a_path_are_one_jail(folding: Path) -> None:
    """On a volume that compares names without regard to case."""
    (folding / "Jails").mkdir()
    with jails.create(os.fsencode(folding / "jails/First")) as made:
        made.update_entry(image=DIGEST)
    for spelling in ("Jails/First", "JAILS/FIRST", "jails/first"):
        assert known(folding / spelling)["image"] == DIGEST
