# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The temporary directories of a user: their names, and that they are made safely."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.directory_services import (
    Account,
    compatibility_uuid,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.user_tmp import (
    ALPHABET,
    Owner,
    encode,
    ensure,
    find_owner,
    uuid_of,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    BusyError,
    InputError,
    JailError,
    NotAJailError,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from hypothesis import given
from hypothesis import strategies as st

# Published paths of system users, which have the compatibility UUID: a listing of /var/folders over about 200
# Macs (magnusviri.com), and for uid 4 a public log.
SYSTEM_USERS = {
    0: "0000000000000",
    4: "000000h000004",
    24: "000003000000r",
    26: "000003800000t",
    55: "000006w00001q",
    65: "0000084000021",
    88: "00000b000002r",
    89: "00000b400002s",
    92: "00000bh00002w",
    97: "00000c4000031",
    200: "00000s0000068",
    202: "00000s800006_",
    205: "00000sm00006d",
    212: "00000th00006m",
    213: "00000tm00006n",
    222: "00000vr00006y",
}

WINCENT = "DF3F7C85-14FF-4DC2-A089-5CA9D6E7479B"


@pytest.mark.parametrize(("uid", "tail"), SYSTEM_USERS.items())
def test_published_paths_of_system_users(uid: int, tail: str) -> None:
    assert Owner(uid, uid, compatibility_uuid(uid)).path == f"/var/folders/zz/zyxvpxvq6csfxvn_n{tail}"


@pytest.mark.parametrize("uid", [-2, 0xFFFFFFFE])
def test_published_path_of_nobody(uid: int) -> None:
    assert Owner(uid, uid, compatibility_uuid(uid)).path == "/var/folders/zz/zyxvpxvq6csfxvn_ngzzzzzvzzzzzy"


@pytest.mark.parametrize("text", [WINCENT, WINCENT.lower()])
def test_published_path_of_a_person(text: str) -> None:
    """From wincent.dev."""
    assert Owner(502, 20, text).path == "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp"


def test_compatibility_uuid_of_a_published_user() -> None:
    assert compatibility_uuid(502) == "FFFFEEEE-DDDD-CCCC-BBBB-AAAA000001F6"


def decode(name: str) -> tuple[str, int]:
    """The way back, from the description of the encoding."""
    bits = "".join(f"{ALPHABET.index(char):05b}" for char in name)
    return str(uuid.UUID(int=int(bits[:128], 2))), int(bits[128:], 2)


@given(st.uuids(), st.integers(0, 0xFFFFFFFF))
def test_names_are_32_letters_that_lead_back(who: uuid.UUID, uid: int) -> None:
    name = encode(str(who), uid)
    assert len(name) == 32
    assert decode(name) == (str(who), uid)


@pytest.mark.parametrize(
    "text", ["", "501", WINCENT[:-1], WINCENT + "0", f"{{{WINCENT}}}", WINCENT.replace("-", ""), "é"]
)
def test_what_is_no_uuid_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a UUID: give 8-4-4-4-12 hexadecimal digits"):
        encode(text, 501)


NO_JAIL = Root.missing("/no/jail")


def account(uid: int, text: str | None) -> Account:
    return Account("someone", uid, 20, "/Users/someone", "/bin/zsh", text)


def test_which_uuid_macos_takes() -> None:
    assert uuid_of(account(501, WINCENT)) == WINCENT
    assert uuid_of(account(0, WINCENT)) == compatibility_uuid(0), "for root nobody is asked"
    assert uuid_of(account(89, None)) == compatibility_uuid(89)
    assert uuid_of(account(0xFFFFFFFE, None)) == compatibility_uuid(-2)
    assert uuid_of(account(501, None)) is None


def test_what_is_given_is_not_asked_for() -> None:
    assert find_owner(NO_JAIL, "no-such-user", 600, 20, WINCENT) == Owner(600, 20, WINCENT)
    assert find_owner(NO_JAIL, "nobody", -2, -2, WINCENT) == Owner(0xFFFFFFFE, 0xFFFFFFFE, WINCENT)
    assert find_owner(NO_JAIL, "root", None, 5, None) == Owner(0, 5, compatibility_uuid(0))
    with pytest.raises(InputError, match="there is no user 'no-such-user'"):
        find_owner(NO_JAIL, "no-such-user", 600, 20, None)


@pytest.mark.parametrize("number", [-1, -3, 1 << 32, 0xFFFFFFFF])
def test_numbers_that_no_user_has(number: int) -> None:
    with pytest.raises(InputError, match=f"uid {number} is not valid"):
        find_owner(NO_JAIL, "x", number, 20, WINCENT)
    with pytest.raises(InputError, match=f"gid {number} is not valid"):
        find_owner(NO_JAIL, "x", 501, number, WINCENT)


# -- in a jail ----------------------------------------------------------------------

UID, GID = 502, 20
SHARED = "private/var/folders/vw"
OWN = f"{SHARED}/zqs18mzx6w5849bkmxdst7lc0000gp"
TREE = {
    "private/var/folders": (0o755, 0, 0),
    SHARED: (0o755, 0, 0),
    OWN: (0o755, UID, GID),
    f"{OWN}/0": (0o755, UID, GID),
    f"{OWN}/T": (0o700, UID, GID),
    f"{OWN}/C": (0o700, UID, GID),
}


def present(jail: Path, check: bool = False) -> Result:
    return ensure(str(jail), "someone", UID, GID, WINCENT, "present", check)


def absent(jail: Path, check: bool = False) -> Result:
    return ensure(str(jail), "someone", UID, GID, WINCENT, "absent", check)


def tree(jail: Path) -> dict[str, tuple[int, int, int]]:
    top = jail / "private/var/folders"
    found = {}
    for path in [top, *top.rglob("*")] if top.exists() else []:
        status = path.lstat()
        found[str(path.relative_to(jail))] = (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
    return found


def test_they_are_made_once(empty_jail: Path) -> None:
    predicted = present(empty_jail, check=True)
    assert tree(empty_jail) == {}
    result = present(empty_jail)
    assert tree(empty_jail) == TREE
    assert (result.changed, result.diff, result.values) == (True, predicted.diff, predicted.values)
    assert result.diff == [f"+ /{path} dir {mode:04o} {uid}:{gid}" for path, (mode, uid, gid) in TREE.items()]
    assert result.values == {
        "path": "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp",
        "user_dir": "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/0/",
        "temp_dir": "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/T/",
        "cache_dir": "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/C/",
    }
    again = present(empty_jail)
    assert (again.changed, again.diff) == (False, [])


def test_the_umask_does_not_matter(empty_jail: Path) -> None:
    before = os.umask(0o077)
    try:
        present(empty_jail)
    finally:
        os.umask(before)
    assert tree(empty_jail) == TREE


@pytest.mark.parametrize("path", TREE)
def test_a_wrong_mode_or_owner_is_corrected(empty_jail: Path, path: str) -> None:
    present(empty_jail)
    (empty_jail / OWN / "T/kept").touch()
    os.chown(empty_jail / path, 1, 2)
    (empty_jail / path).chmod(0o1777)
    mode, uid, gid = TREE[path]
    predicted = present(empty_jail, check=True)
    assert predicted.diff == [f"~ /{path} (mode 1777 -> {mode:04o}, owner 1:2 -> {uid}:{gid})"]
    assert present(empty_jail).diff == predicted.diff
    assert {**tree(empty_jail), f"{OWN}/T/kept": ()} == {**TREE, f"{OWN}/T/kept": ()}


@pytest.mark.parametrize("path", TREE)
def test_a_link_in_the_way_is_refused(empty_jail: Path, tmp_path: Path, path: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir(mode=0o700)
    before = outside.stat()
    present(empty_jail)
    shutil.rmtree(empty_jail / path)
    (empty_jail / path).symlink_to(outside)
    actions = [present, absent] if path in ("private/var/folders", SHARED, OWN) else [present]
    for action in actions:
        for check in (True, False):
            with pytest.raises(InputError, match=f"{path} is a symbolic link where a directory should be"):
                action(empty_jail, check)
    assert list(outside.iterdir()) == []
    assert (outside.stat().st_mode, outside.stat().st_uid) == (before.st_mode, before.st_uid)


def test_a_file_in_the_way_is_refused(empty_jail: Path) -> None:
    (empty_jail / "private/var/folders").write_text("precious")
    with pytest.raises(InputError, match="private/var/folders is a file where a directory should be: remove it first"):
        present(empty_jail)
    assert (empty_jail / "private/var/folders").read_text() == "precious"


SWAPPER = """
import os, shutil, sys
here, there = sys.argv[1:]
aside = here + ".aside"
while True:
    try:
        os.rename(here, aside)
        os.symlink(there, here)
        os.unlink(here)
        os.rename(aside, here)
    except OSError:
        shutil.rmtree(aside, ignore_errors=True)
"""


def test_a_link_that_is_swapped_in_meanwhile_is_not_followed(empty_jail: Path, tmp_path: Path) -> None:
    """Somebody in the jail plays with the user's directory while it is corrected, and the outside stays as it is."""
    outside = tmp_path / "outside"
    (outside / "T").mkdir(parents=True)
    (outside / "T").chmod(0o711)
    present(empty_jail)
    swapper = subprocess.Popen([sys.executable, "-c", SWAPPER, str(empty_jail / OWN), str(outside)])
    outcomes: list[str] = []
    limit = time.monotonic() + 120
    try:
        while (outcomes.count("refused") < 100 or outcomes.count("made") < 100) and time.monotonic() < limit:
            try:
                present(empty_jail)
                outcomes.append("made")
            except JailError:
                outcomes.append("refused")
    finally:
        swapper.kill()
        swapper.wait()
    assert outcomes.count("refused") >= 100, "nothing was swapped in while it mattered"
    assert [path.name for path in outside.rglob("*")] == ["T"]
    assert (stat.S_IMODE((outside / "T").stat().st_mode), (outside / "T").stat().st_uid) == (0o711, os.geteuid())


def test_a_var_that_is_not_the_link_is_refused(empty_jail: Path) -> None:
    (empty_jail / "var").unlink()
    (empty_jail / "var").mkdir()
    with pytest.raises(InputError, match=r"var is not a link to private/var, as on macOS"):
        present(empty_jail)
    (empty_jail / "var").rmdir()
    (empty_jail / "var").symlink_to("tmp")
    with pytest.raises(InputError, match=r"var is not a link to private/var, as on macOS"):
        present(empty_jail)
    assert tree(empty_jail) == {}


def test_they_are_removed_with_what_is_in_them(empty_jail: Path) -> None:
    present(empty_jail)
    (empty_jail / OWN / "T/deep/er").mkdir(parents=True)
    predicted = absent(empty_jail, check=True)
    assert (empty_jail / OWN / "T/deep/er").exists()
    result = absent(empty_jail)
    assert result.diff == predicted.diff == [f"- /{OWN}", f"- /{SHARED}"]
    assert result.changed
    assert tree(empty_jail) == {"private/var/folders": (0o755, 0, 0)}
    assert not absent(empty_jail).changed


def test_what_an_interrupted_removal_left_goes(empty_jail: Path) -> None:
    (empty_jail / SHARED).mkdir(parents=True)
    assert absent(empty_jail).diff == [f"- /{SHARED}"]
    assert not (empty_jail / SHARED).exists()
    assert not absent(empty_jail).changed


def test_the_directory_of_another_user_stays(empty_jail: Path) -> None:
    present(empty_jail)
    (empty_jail / SHARED / "another").mkdir()
    assert absent(empty_jail, check=True).diff == [f"- /{OWN}"]
    assert absent(empty_jail).diff == [f"- /{OWN}"]
    assert (empty_jail / SHARED / "another").is_dir()


def mount(*words: str) -> None:
    made = subprocess.run(["mount", *words], check=False, capture_output=True, text=True)
    if made.returncode:
        pytest.skip(f"nothing can be mounted here: {made.stderr.strip()}")


@pytest.mark.parametrize("where", [f"{OWN}/T", OWN, SHARED, "private/var/folders"])
def test_what_is_mounted_there_is_not_touched(empty_jail: Path, tmp_path: Path, where: str) -> None:
    """A bind mount has the device number of the rest, so that only the mount table tells."""
    present(empty_jail)
    source = tmp_path / "source"
    shutil.copytree(empty_jail / where, source)
    (source / "precious").touch()
    mount("--bind", str(source), str(empty_jail / where))
    try:
        before = {str(path): path.stat().st_mode for path in source.rglob("*")}
        for action in (absent, present):  # present, for the copy does not belong to the user
            with pytest.raises(InputError, match=f"something is mounted on {empty_jail / where}: unmount it first"):
                action(empty_jail)
        assert {str(path): path.stat().st_mode for path in source.rglob("*")} == before
    finally:
        subprocess.run(["umount", str(empty_jail / where)], check=True)


def test_a_mount_that_is_as_it_should_be_is_fine(empty_jail: Path) -> None:
    present(empty_jail)
    mount("-t", "tmpfs", "-o", f"mode=700,uid={UID},gid={GID}", "none", str(empty_jail / OWN / "T"))
    try:
        assert not present(empty_jail).changed
    finally:
        subprocess.run(["umount", str(empty_jail / OWN / "T")], check=True)


def test_one_writer(empty_jail: Path) -> None:
    with jails.open_jail(str(empty_jail)) as other:
        other.lock()
        for check in (True, False):
            with pytest.raises(BusyError, match="is in use by another run"):
                present(empty_jail, check)


def test_only_in_a_jail(tmp_path: Path) -> None:
    with pytest.raises(NotAJailError, match="is not a jail of this collection"):
        present(tmp_path)
    with pytest.raises(InputError, match="is not an absolute path"):
        present(Path("relative"))
