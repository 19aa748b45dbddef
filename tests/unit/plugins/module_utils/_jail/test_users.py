# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Users of a jail: their files, homes, rules for sudo, and that everything that enters a jail agrees who they are."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import users
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.directory_services import compatibility_uuid
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.jail_accounts import (
    find_jail_group,
    find_member,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import jail_session, passwd_lookup
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.chroot_exec import StepError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root

USERS = "# User Database\nroot:*:0:0:System Administrator:/var/root:/bin/sh\n"
STAFF = grp.getgrnam("staff").gr_gid
ALL_GROUPS = {group.gr_name for group in grp.getgrall()}
HOMES = (
    "/private/var/db/darwin.jail", "/var/db/darwin.jail/x", "/private/var/db", "/private/./var//", "/var", "/private",
    "/Users", "/usr", "/usr/local", "/usr/bin/x", "/System/Library", "/Library", "/private/tmp/", "/var/root", "/etc/x",
    "/Private/VAR/db/DARWIN.jail/x", "/USERS", "/users/shared", "/SYSTEM/x", "/usr/LOCAL", "/Etc/x",
)  # fmt: skip
"""No homes."""
ITEM = {"state": "present", "sudo": False, "remove": False}


class Bench:
    """A jail as macOS leaves it."""

    def __init__(self, folder: Path) -> None:
        self.jail = folder / "jail"
        jails.create(os.fsencode(self.jail)).close()
        (self.jail / "private/etc/sudoers.d").mkdir(parents=True)
        (self.jail / "Users").mkdir()
        (self.jail / "bin").mkdir()
        (self.jail / "bin/zsh").touch()
        for name, mode in (("passwd", 0o644), ("master.passwd", 0o600), ("group", 0o644)):
            self.etc(name).write_text(USERS if name != "group" else "wheel:*:0:root\nadmin:*:80:root\nmakers:*:4711:\n")
            self.etc(name).chmod(mode)
        self.etc("sudoers").write_text("%admin ALL = (ALL) ALL\n#includedir /private/etc/sudoers.d\n")

    def etc(self, name: str) -> Path:
        return self.jail / "private/etc" / name

    def ensure(self, *items: dict[str, Any], check: bool = False) -> Result:
        return users.ensure(str(self.jail), [{**ITEM, **item} for item in items], check)

    def snapshot(self) -> dict[str, Any]:
        return {
            str(path.relative_to(self.jail)): (path.lstat().st_mode, path.is_file() and path.read_bytes())
            for path in self.jail.rglob("*")
        }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    return Bench(tmp_path)


def test_check_real_check_real_and_out_again(bench: Bench) -> None:
    before = bench.snapshot()
    item = {"name": "builder", "groups": ["makers"], "sudo": True}
    predicted = bench.ensure(item, check=True)
    assert bench.snapshot() == before
    done = bench.ensure(item)
    assert (predicted.changed, done.changed, done.diff) == (True, True, predicted.diff)
    (user,) = done.values["users"]
    assert user["jail_only"]
    line = f"{user['uid']}:{STAFF}"
    assert bench.etc("passwd").read_text() == f"{USERS}builder:*:{line}:builder:/Users/builder:/bin/zsh\n"
    assert bench.etc("master.passwd").read_text() == f"{USERS}builder:*:{line}::0:0:builder:/Users/builder:/bin/zsh\n"
    assert stat.S_IMODE(bench.etc("master.passwd").stat().st_mode) == 0o600
    rule = bench.etc("sudoers.d/darwin_jail_builder")
    assert (rule.read_text(), stat.S_IMODE(rule.stat().st_mode)) == ("builder ALL = (ALL) NOPASSWD: ALL\n", 0o440)
    home = (bench.jail / "Users/builder").stat()
    assert (home.st_uid, home.st_gid, stat.S_IMODE(home.st_mode)) == (user["uid"], STAFF, 0o750)
    for check in (True, False):
        assert not bench.ensure(item, check=check).changed
    bench.ensure({"name": "builder", "state": "absent", "remove": True})
    after = {name: what for name, what in bench.snapshot().items() if not name.startswith("private/var/folders")}
    assert {name for name in after if after[name] != before.get(name)} <= {"private/etc/group"}
    assert b"builder" not in bench.etc("group").read_bytes()


def test_a_user_of_the_mac_has_no_entry_but_a_home_and_a_rule(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    person = pwd.struct_passwd(("dana", "*", 501, STAFF, "Dana", "/Users/dana", "/bin/zsh"))
    know(monkeypatch, person)
    before = bench.etc("passwd").read_bytes()
    done = bench.ensure({"name": "dana", "sudo": True})
    assert done.values["users"][0] == {
        "name": "dana", "uid": 501, "gid": STAFF, "home": "/Users/dana", "shell": "/bin/zsh", "jail_only": False,
    }  # fmt: skip
    assert bench.etc("passwd").read_bytes() == before
    assert (bench.jail / "Users/dana").stat().st_uid == 501
    assert bench.etc("sudoers.d/darwin_jail_dana").exists()
    assert bench.ensure({"name": "dana"}).diff == ["- /private/etc/sudoers.d/darwin_jail_dana"]


def know(monkeypatch: pytest.MonkeyPatch, person: pwd.struct_passwd) -> None:
    """Let the Mac have one user more."""
    by_name, by_number = pwd.getpwnam, pwd.getpwuid
    monkeypatch.setattr(pwd, "getpwnam", lambda name: person if name == person.pw_name else by_name(name))
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: person if uid == person.pw_uid else by_number(uid))
    uuid = "A5C5C2E0-6E5B-4C39-8A35-5D7B3F0C4D11"
    monkeypatch.setattr(
        "ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.directory_services.generated_uid",
        lambda name: uuid if name == person.pw_name else None,
    )


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([{"name": "a b"}], "'a b' is not a valid user name"),
        ([{"name": "../x"}], "is not a valid user name"),
        ([{"name": "x" * 32}], "is not a valid user name"),
        ([{"name": "root", "uid": 5}], "uid 5 is reserved for the system: .*, or omit uid"),
        ([{"name": "builder", "uid": 0, "home": "/x:y"}], "contains a colon"),
        ([{"name": "builder", "uid": 80}], "uid 80 is reserved for the system"),
        ([{"name": "builder", "uid": 65534}], "uid 65534 already belongs to nobody"),
        ([{"name": "one", "uid": 700}, {"name": "two", "uid": 700}], "uid 700 already belongs to one"),
        ([{"name": "builder"}, {"name": "builder"}], "names builder twice"),
        ([{"name": "builder", "home": "Users/x"}], "not an absolute path"),
        ([{"name": "builder", "home": "/Users/../../x"}], "not an absolute path"),
        ([{"name": "builder", "shell": "/bin/sh\nroot2:*:0:0::/:/bin/sh"}], "a line break"),
        ([{"name": "builder", "comment": "a:b"}], "comment contains a colon"),
        ([{"name": "builder", "group": "no-such-group"}], "no group 'no-such-group'"),
        ([{"name": "good"}, {"name": "builder", "groups": ["no-such-group"]}], "no group 'no-such-group'"),
        ([{"name": "ALL"}], "name 'ALL' is reserved in sudoers"),
        ([{"name": "ADMINS_2"}], "name 'ADMINS_2' is reserved in sudoers"),
        ([{"name": "Defaults"}], "name 'Defaults' is reserved in sudoers"),
        ([{"name": "User_Alias"}], "name 'User_Alias' is reserved in sudoers"),
        ([{"name": "builder", "group": "0"}], "group '0' belongs to the Mac"),
        ([{"name": "builder", "group": "80"}], "group '80' belongs to the Mac"),
        ([{"name": "builder", "groups": [grp.getgrgid(0).gr_name]}], "belongs to the Mac"),
        ([{"name": "builder", "groups": ["admin"]}], "its /etc/group gives it the number 80, which is .* on the Mac"),
        ([{"name": "4294967296"}], "is not a valid user name"),
        *(
            ([{"name": "builder", "home": home}], f"home '{home}' is (or contains a directory of macOS|the jail's own)")
            for home in HOMES
        ),
    ],
)
def test_what_cannot_be_meant_is_told_and_nothing_changed(bench: Bench, items: list[dict[str, Any]], says: str) -> None:
    before = bench.snapshot()
    with pytest.raises(InputError, match=says):
        bench.ensure(*items)
    assert bench.snapshot() == before


def test_numbers_are_kept_and_free_ones_given(bench: Bench) -> None:
    def numbers(result: Result) -> list[int]:
        return [user["uid"] for user in result.values["users"]]

    assert numbers(bench.ensure({"name": "one"}, {"name": "two"})) == [600, 601]
    assert numbers(bench.ensure({"name": "three"}, {"name": "two"})) == [602, 601]
    bench.ensure({"name": "one", "state": "absent"})
    assert numbers(bench.ensure({"name": "four"})) == [600]


def test_users_who_go_leave_the_directory_that_they_had_in_common_to_those_who_come(bench: Bench) -> None:
    """The temporary directories of users of the jail alone are in one: Directory Services make up their UUIDs."""
    common = bench.jail / "private/var/folders/zz"
    bench.ensure({"name": "one"}, {"name": "two"})
    gone = [{"name": name, "state": "absent", "remove": True} for name in ("one", "two")]
    for items in ([*gone, {"name": "three"}], [{**gone[0], "name": "three"}]):
        predicted = bench.ensure(*items, check=True)
        assert bench.ensure(*items).diff == predicted.diff
        assert not bench.ensure(*items).changed
        assert len(list(common.glob("*"))) == (len(items) == 3)
    assert not common.exists()


def test_a_link_in_the_jail_is_not_followed(bench: Bench, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for name in ("passwd", "sudoers.d/darwin_jail_builder"):
        bench.etc(name).unlink(missing_ok=True)
        (outside / name.replace("/", "-")).write_text("precious")
        bench.etc(name).symlink_to(outside / name.replace("/", "-"))
        with pytest.raises((InputError, OperationError)):
            bench.ensure({"name": "builder", "sudo": True})
        bench.etc(name).unlink()
        bench.etc("passwd").write_text(USERS)
    (bench.jail / "Users").rmdir()
    (bench.jail / "Users").symlink_to(outside)
    with pytest.raises((InputError, OperationError), match=r"Users"):
        bench.ensure({"name": "builder"})
    assert sorted(path.read_text() for path in outside.iterdir()) == ["precious", "precious"]


def test_on_a_full_disk_no_file_of_users_is_cut_short(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small]) != 0:
        pytest.skip("only root can mount")
    try:
        bench = Bench(small)
        bench.ensure({"name": "builder"})
        before = bench.etc("passwd").read_bytes()
        with pytest.raises(SpaceError, match=r"cannot write .*No space left on device \(needs 2.*free some space"):
            bench.ensure({"name": "later", "comment": "x" * 200_000})
        assert bench.etc("passwd").read_bytes() == before, "nobody knows a user who is half made"
        assert all(bench.etc(name).read_bytes().endswith(b"\n") for name in ("group", "master.passwd"))
        assert bench.ensure({"name": "later", "comment": "Later"}).values["users"][0]["uid"] == 601
        for name in ("passwd", "master.passwd"):
            assert b"x" * 9 not in bench.etc(name).read_bytes()
            assert b":Later:/Users/later:/bin/zsh\n" in bench.etc(name).read_bytes()
    finally:
        subprocess.check_call(["umount", "-l", small])


def test_sudo_without_its_directory_is_warned_of(bench: Bench) -> None:
    bench.etc("sudoers").write_text("root ALL = ALL\n")
    done = bench.ensure({"name": "builder", "sudo": True, "shell": "/bin/fish"})
    assert [warning.partition(":")[0][-40:] for warning in done.warnings] != []
    assert "there is no /bin/fish in" in done.warnings[0]
    assert "no includedir for sudoers.d" in done.warnings[1]


def test_sudo_believes_the_rule(bench: Bench) -> None:
    if not shutil.which("visudo"):
        pytest.skip("there is no visudo")
    bench.ensure({"name": "builder.one-x_2", "sudo": True})
    (rule,) = bench.etc("sudoers.d").iterdir()
    assert "." not in rule.name
    subprocess.check_call(["visudo", "-cqf", rule])


# -- everything that enters a jail agrees ----------------------------------------


def test_they_agree(bench: Bench) -> None:
    bench.ensure({"name": "builder", "uid": 777, "groups": ["makers"]})
    with Root(os.fsencode(bench.jail)) as root:
        for name in ("builder", "777"):
            account, groups = find_member(root, name)
            entry, theirs = jail_session.account(root.fd, name)
            assert (account.name, account.uid, account.gid, account.home) == tuple(entry[i] for i in (0, 2, 3, 5))
            assert groups == theirs == [4711]
            assert account.uuid == compatibility_uuid(777)
        assert find_jail_group(root, "makers") == 4711
        with pytest.raises(StepError):
            jail_session.account(root.fd, "nobody-known")
        with pytest.raises(InputError, match="there is no user 'nobody-known'"):
            find_member(root, "nobody-known")


def test_the_mac_comes_first(bench: Bench) -> None:
    bench.etc("passwd").write_text("nobody:*:600:20::/Users/x:/bin/sh\n")
    with Root(os.fsencode(bench.jail)) as root:
        assert find_member(root, "nobody")[0].uid == jail_session.account(root.fd, "nobody")[0].pw_uid == 65534


@pytest.mark.parametrize(
    "line",
    [
        "x:*:0:0::/:/bin/sh",
        "x:*:499:20::/:/bin/sh",
        "x:*:-5:20::/:/bin/sh",
        "x:*:600:20",
        "x:*:six:20::/:/bin/sh",
        "x:*:99999999999:20::/:/bin/sh",
        "x:*:\u0666\u0666\u0666:20::/:/bin/sh",
        "#x:*:600:20::/:/bin/sh",
        ":*:600:20::/:/bin/sh",
    ],
)
def test_lines_that_are_not_believed(bench: Bench, line: str) -> None:
    bench.etc("passwd").write_text(f"{line}\n")
    with Root(os.fsencode(bench.jail)) as root:
        assert [passwd_lookup.find_user(root.fd, name) for name in ("x", "", "600")] == [None] * 3


# -- numbers of the Mac ------------------------------------------------------------


def ways_in(bench: Bench, user: str) -> list[str]:
    """What each way to find a user of the jail says against it."""
    said = []
    with Root(os.fsencode(bench.jail)) as root:
        with pytest.raises(InputError) as refused:
            find_member(root, user)
        said.append(str(refused.value))
        with pytest.raises(StepError) as failed:
            jail_session.account(root.fd, user)
        said.append(str(failed.value.args[1]))
    return said


@pytest.mark.parametrize("user", ["builder", "501"])
def test_a_user_of_the_jail_is_nobody_of_the_mac(bench: Bench, monkeypatch: pytest.MonkeyPatch, user: str) -> None:
    know(monkeypatch, pwd.struct_passwd(("dana", "*", 501, STAFF, "Dana", "/Users/dana", "/bin/zsh")))
    bench.etc("passwd").write_text(f"builder:*:501:{STAFF}:x:/:/bin/sh\n")
    with Root(os.fsencode(bench.jail)) as root:
        if user == "501":  # the Mac is asked first, so this is dana
            assert find_member(root, user)[0].name == jail_session.account(root.fd, user)[0].pw_name == "dana"
            return
    assert all("uid 501, which belongs to dana on the Mac" in said for said in ways_in(bench, user))


@pytest.mark.parametrize("gid", [0, 80, 499])
def test_a_user_of_the_jail_has_no_group_of_the_mac(bench: Bench, gid: int) -> None:
    bench.etc("passwd").write_text(f"builder:*:600:{gid}:x:/:/bin/sh\n")
    assert all(f"group {gid}, which is " in said for said in ways_in(bench, "builder"))


def test_groups_of_the_mac_are_dropped(bench: Bench) -> None:
    bench.etc("passwd").write_text(f"builder:*:600:{STAFF}:x:/:/bin/sh\n")
    numbers = (0, 80, STAFF, 4711, 4711, grp.getgrnam("daemon").gr_gid, 499)
    bench.etc("group").write_text("".join(f"g{place}:*:{gid}:builder\n" for place, gid in enumerate(numbers)))
    with Root(os.fsencode(bench.jail)) as root:
        assert find_member(root, "builder")[1] == jail_session.account(root.fd, "builder")[1] == [STAFF, 4711]
        assert find_jail_group(root, "g3") == 4711
        with pytest.raises(InputError, match=r"cannot take the group g1 of .*the number 80"):
            find_jail_group(root, "g1")


@pytest.mark.parametrize("user", ["4294967296", "\u0660", "\u00b2", "4294967295" + "0" * 5000, "-1", ""])
def test_a_number_that_is_none_is_nobody(bench: Bench, user: str) -> None:
    """2^32 would be root, if it were cut off."""
    with Root(os.fsencode(bench.jail)) as root:
        assert passwd_lookup.find_user(root.fd, user) is None
        with pytest.raises(InputError, match="no user"):
            find_member(root, user)
        with pytest.raises(InputError, match="no group"):
            find_jail_group(root, user)


# -- what a jail says about a home ------------------------------------------------------


@pytest.mark.parametrize("home", [*HOMES[:3], "/private", "/", "/x/../private", ""])
def test_the_home_that_a_jail_says_is_neither_given_away_nor_removed(bench: Bench, home: str) -> None:
    line = f"builder:*:777:{STAFF}:x:{home}:/bin/zsh\n"
    bench.etc("passwd").write_text(line)
    before = bench.snapshot()
    with pytest.raises(InputError, match=r"home '.*' is"):
        bench.ensure({"name": "builder"})
    assert bench.snapshot() == before
    predicted = bench.ensure({"name": "builder", "state": "absent", "remove": True}, check=True)
    done = bench.ensure({"name": "builder", "state": "absent", "remove": True})
    assert "a directory of macOS: it is left" in done.warnings[0]
    assert (predicted.diff, predicted.warnings) == (done.diff, done.warnings)
    assert (bench.jail / "private/var/db/darwin.jail/jail.json").exists()
    assert bench.etc("passwd").read_text() == ""


def test_a_user_called_all_can_be_taken_out(bench: Bench) -> None:
    bench.etc("passwd").write_text(f"ALL:*:777:{STAFF}:x:/Users/ALL:/bin/zsh\n")
    bench.etc("sudoers.d/darwin_jail_ALL").write_text("ALL ALL = (ALL) NOPASSWD: ALL\n")
    bench.ensure({"name": "ALL", "state": "absent"})
    assert bench.etc("passwd").read_text() == ""
    assert not list(bench.etc("sudoers.d").iterdir())


@pytest.mark.parametrize("kind", ["link", "fifo", "directory", "above"])
def test_odd_files_are_not_read(bench: Bench, tmp_path: Path, kind: str) -> None:
    outside = tmp_path / "etc"
    outside.mkdir()
    (outside / "passwd").write_text("x:*:600:20::/:/bin/sh\n")
    passwd = bench.etc("passwd")
    passwd.unlink()
    if kind == "link":
        passwd.symlink_to(outside / "passwd")
    elif kind == "fifo":
        os.mkfifo(passwd)
    elif kind == "directory":
        passwd.mkdir()
    else:
        shutil.rmtree(passwd.parent)
        passwd.parent.symlink_to(outside)
    with Root(os.fsencode(bench.jail)) as root:
        before = len(os.listdir("/proc/self/fd"))
        assert passwd_lookup.find_user(root.fd, "x") is None
        assert len(os.listdir("/proc/self/fd")) == before
