# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What only a jail does: keep its user inside, and say why it cannot be entered."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from connection_place import MAC, Place
from connections import FailedError, Link

OURS = {"ansible_connection": "darwin.jail.chroot", "jail_mac": MAC}
ENTER = "sudo -n /Library/PrivilegedHelperTools/darwin.jail/enter"


def refused(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(FailedError) as caught:
        call(*arguments)
    return str(caught.value)


def visit(place: Place, password: str = "", **variables: Any) -> Link:
    return place.link("other", {**OURS, **variables}, password)


# -- who it is ---------------------------------------------------------------------


def test_the_user_has_all_groups_and_an_environment_of_its_own(place: Place, jail: Link) -> None:
    assert set(jail.text("id -G").split()) == set(place.on_mac("id", "-G", "admin").split())
    assert len(jail.text("id -G").split()) == 18
    said = dict(line.split("=", 1) for line in jail.text("env").splitlines())
    assert (said["HOME"], said["USER"], said["PATH"]) == ("/Users/admin", "admin", "/usr/bin:/bin:/usr/sbin:/sbin")
    assert said["TMPDIR"].startswith("/var/folders/")
    assert said["JAIL_NAME"] == os.path.basename(place.jail)
    assert not [name for name in said if name.startswith(("SSH", "SUDO"))]
    assert jail.text("pwd") == "/Users/admin"


def test_the_jail_s_user_need_not_be_the_one_of_ssh(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("x")
    source.chmod(0o640)
    with visit(place, jail_user="operator") as link:
        link.put(source, "/tmp/theirs")
        assert link.text("stat -c '%U %a' /tmp/theirs; rm /tmp/theirs") == "operator 640"


def test_a_user_of_the_jail_alone(place: Place, tmp_path: Path) -> None:
    """The Mac has never heard of them; modules, the connection and the command `enter` mean the same user."""
    users = {"jail": place.jail, "users": [{"name": "builder", "uid": 777, "sudo": True}]}
    exec_ = {"jail": place.jail, "user": "builder", "argv": ["id"]}
    own = {"jail": place.jail, "files": [{"path": "/Users/builder/own", "owner": "builder"}]}
    tasks = [
        {"darwin.jail.darwin_jail_users": users},
        {"darwin.jail.darwin_chroot_exec": exec_, "register": "ran"},
        {"darwin.jail.darwin_jail_files": own},
        {"ansible.builtin.debug": {"var": "ran.stdout"}},
    ]
    play = tmp_path / "play.yml"
    play.write_text(json.dumps([{"hosts": MAC, "become": True, "gather_facts": False, "tasks": tasks}]))
    said = "uid=777(builder) gid=20(staff) groups=20(staff)"
    assert said in place.play(play)
    with visit(place, jail_user="builder") as link:
        assert link.text("id") == said
        assert link.text("cd; pwd; stat -c %U own; sudo -n id -un").split() == ["/Users/builder", "builder", "root"]
        assert link.text("echo $TMPDIR").startswith("/var/folders/")
    with place.link(MAC) as link:
        assert link.run(f"{ENTER} {place.jail} builder", stdin=b"id; exit\n").stdout.decode().split("\n")[0] == said


def test_sudo_takes_a_password(place: Place, tmp_path: Path) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(3_000_000))
    with visit(place, "admin", jail_mac="link-operator") as link:
        assert link.run("cat", stdin=b"data") == (0, b"data", b"")
        assert link.run("id -un") == (0, b"admin\n", b"")
        link.put(source, "/tmp/secret")
        link.fetch("/tmp/secret", back)
        assert back.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("name", ["new\nline", os.fsdecode(b"\xff\xfe")])
def test_names_can_hold_anything(jail: Link, tmp_path: Path, name: str) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.fsencode(name))
    jail.put(source, f"/tmp/{name}")
    jail.fetch(f"/tmp/{name}", back)
    assert back.read_bytes() == os.fsencode(name)
    assert os.fsencode(name) in jail.run("ls /tmp/").stdout or name.startswith("new")


def test_the_end_by_a_signal_is_told_as_by_a_shell(jail: Link) -> None:
    assert jail.run("kill -TERM $$").rc == 128 + 15


def test_the_way_to_a_jail_follows_no_links(place: Place) -> None:
    place.on_mac("ln", "-sfn", place.jail, "/private/var/jails/way")
    with visit(place, jail_path="/private/var/jails/way") as link:
        assert "/private/var/jails/way is a symbolic link or no directory" in refused(link.run, "id")
    place.on_mac("rm", "/private/var/jails/way")


def test_at_a_terminal_both_streams_are_the_program_s_own(place: Place) -> None:
    with visit(place, ansible_ssh_use_tty=True) as link:
        ran = link.run("echo out; echo 'darwin.jail: entered' >&2; exit 3")
        assert (ran.rc, ran.stdout) == (3, b"out\r\ndarwin.jail: entered\r\n")
    with visit(place, ansible_ssh_use_tty=True, jail_path="/private/var/jails/missing") as link:
        assert "/private/var/jails/missing does not exist: build the jail first" in refused(link.run, "id")


def test_what_a_program_says_is_not_taken_for_the_mac_s(jail: Link) -> None:
    said = b"darwin.jail: failed marker ENOENT /x\nsudo: a password is required\n"
    for rc in (1, 125):
        assert jail.run(f"printf '{said.decode()}' >&2; exit {rc}") == (rc, b"", said)


# -- what goes wrong ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        (
            {"jail_path": "/private/var/jails/missing"},
            "/private/var/jails/missing does not exist: build the jail first",
        ),
        ({"jail_path": "/Users"}, "/Users is not a jail of this collection"),
        ({"jail_user": "no-such-user"}, "there is no user 'no-such-user' in Directory Services"),
        ({"jail_mac": "link-operator"}, "sudo on link-operator refuses to enter"),
        ({"jail_mac": "link-user1"}, "sudo on link-user1 refuses to enter"),
        (
            {"jail_mac": "", "ansible_host": "127.0.0.2", "ansible_port": 9},
            "cannot reach 127.0.0.2, the Mac of the jail",
        ),
    ],
)
def test_what_is_wrong_is_told(place: Place, variables: dict[str, Any], words: str) -> None:
    with visit(place, **variables) as link:
        assert words in refused(link.run, "id")


def test_files_need_sudo_as_well(place: Place, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(3_000_000))  # more than a pipe holds
    with visit(place, jail_mac="link-operator") as link:
        words = "sudo on link-operator refuses to enter .* a password is required.*--ask-become-pass"
        assert re.search(words, refused(link.put, source, "/tmp/x"), re.DOTALL)
        assert re.search(words, refused(link.fetch, "/tmp/x", tmp_path / "back"), re.DOTALL)


def test_somebody_who_may_not_use_sudo_is_told(place: Place) -> None:
    with visit(place, "admin", jail_mac="link-user1") as link:
        said = refused(link.run, "id")
        assert "sudo on link-user1 refuses to enter" in said
        assert "user1 is not in the sudoers file" in said


def test_what_macos_refuses_is_told(place: Place) -> None:
    """The first program of the jail ends so; what it says is not taken for the Mac's, so this is but a warning."""
    link = visit(place)
    before = place.on_mac("cat", "/proc/sys/kernel/domainname").strip()
    arch, _sip, rest = before.split(",", 2)
    try:
        place.on_mac("sh", "-c", f"echo {arch},on,{rest} >/proc/sys/kernel/domainname")
        assert link.run("id").rc == 134
    finally:
        place.on_mac("sh", "-c", f"echo {before} >/proc/sys/kernel/domainname")
    assert "System Integrity Protection" in link.close()


def test_a_killed_program_is_explained(place: Place) -> None:
    link = visit(place)
    assert link.run("echo 'dyld: Library not loaded: x' >&2; kill -ABRT $$").rc == 134
    assert link.run("kill -KILL $$").rc == 137
    warnings = link.close()
    assert "dyld misses a library" in warnings
    assert "macOS refused to run this copy" in warnings
