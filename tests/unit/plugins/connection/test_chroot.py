# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The connection with everything real but ssh and sudo, which are scripts that run what they are given here.

What a stand-in Mac can show is in tests/connection; here is what it cannot, or what takes too long there.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import jail_session
from connections import FailedError, Link

SSH = """#!/bin/sh
printf '%s\\n' "$@" >>"$0.log"
for command do :; done
exec /bin/sh -c "$command"
"""
SUDO = """#!/bin/sh
prompt=
while :; do
    case $1 in
    -p) prompt=$2; shift 2 ;;
    -u) [ "$2" = root ] || exit 3; shift 2 ;;
    -*) shift ;;
    *) break ;;
    esac
done
if [ -e "$0.password" ]; then
    [ -n "$prompt" ] || { echo 'sudo: a password is required' >&2; exit 1; }
    printf '%s' "$prompt" >&2
    read -r given
    [ "$given" = "$(cat "$0.password")" ] || { echo 'Sorry, try again.' >&2; exit 1; }
fi
exec "$@"
"""
SOMEBODY, OTHER = pwd.getpwnam("nobody"), pwd.getpwnam("daemon")
ODD = "a 'b' \"c\" $HOME \N{SNOWMAN} *"

Connect = Callable[..., Link]


def script(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    script(tmp_path / "ssh", SSH)
    script(tmp_path / "sudo", SUDO)
    return tmp_path


@pytest.fixture
def connect(furnished: Path, programs: Path) -> Iterator[Connect]:
    """Makes connections to a jail; variables of the jail can be given, and those of its Mac in `mac`."""
    links: list[Link] = []

    def make(mac: dict[str, Any] | None = None, password: str = "", **variables: Any) -> Link:
        settings = {
            "ansible_connection": "darwin.jail.chroot",
            "jail_path": str(furnished),
            "jail_user": SOMEBODY.pw_name,
            "jail_mac_python": sys.executable,
            "jail_mac": "mac1",
            "ansible_sudo_exe": str(programs / "sudo"),
            "ansible_ssh_executable": str(programs / "ssh"),
            **variables,
        }
        macs = {"mac1": {"ansible_host": "there", "ansible_user": "admin", **(mac or {})}}
        inventory = programs / f"inventory{len(links)}.json"
        inventory.write_text(json.dumps({"macs": {"hosts": macs}, "jails": {"hosts": {"dev": settings}}}))
        link = Link(inventory, "dev", DRIVER_BECOME_PASS=password)
        links.append(link)
        return link

    yield make
    for link in links:
        link.close()


@pytest.fixture(params=["ssh", "local"])
def link(request: pytest.FixtureRequest, connect: Connect) -> Link:
    return connect(jail_transport=request.param)


def refused(call: Callable[..., object], *arguments: Any) -> str:
    with pytest.raises(FailedError) as caught:
        call(*arguments)
    return str(caught.value)


# -- commands -----------------------------------------------------------------------


def test_it_is_the_jail_s_user_with_an_environment_of_its_own(connect: Connect) -> None:
    """In a jail without homes and temporary directories."""
    link = connect()
    said = dict(line.split("=", 1) for line in link.text("env").splitlines())
    assert {name: said[name] for name in ("HOME", "LOGNAME", "USER", "PATH", "SHELL", "TMPDIR")} == {
        "HOME": SOMEBODY.pw_dir,
        "LOGNAME": SOMEBODY.pw_name,
        "USER": SOMEBODY.pw_name,
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "SHELL": SOMEBODY.pw_shell,
        "TMPDIR": "/tmp",  # noqa: S108
    }
    assert set(said) - {"HOME", "LOGNAME", "USER", "PATH", "SHELL", "TMPDIR", "JAIL_NAME"} <= {"PWD", "OLDPWD", "_"}
    assert link.text("id -u; id -g").split() == [str(SOMEBODY.pw_uid), str(SOMEBODY.pw_gid)]
    assert link.text("pwd") == "/", "there is no home in this jail"


@pytest.mark.parametrize("user", ["root", OTHER.pw_name])
def test_a_task_becomes_another_user(link: Link, user: str) -> None:
    assert link.text("id -u", become=user) == str(pwd.getpwnam(user).pw_uid)
    assert link.run("cat", stdin=b"data", become=user) == (0, b"data", b"")


def test_a_jail_whose_build_did_not_end_is_told(connect: Connect, furnished: Path, tmp_path: Path) -> None:
    """By the visitor alone: what a program says is its own."""
    says_so = f"echo x; printf '{jail_session.INCOMPLETE}{jail_session.ENTERED}' >&2"
    said = (0, b"x\n", (jail_session.INCOMPLETE + jail_session.ENTERED).encode())
    warning = f"{furnished} is not complete: its build did not end: build it again"
    done, building, at_a_terminal = connect(), connect(), connect(ansible_ssh_use_tty=True)
    assert done.run(says_so) == said
    assert "not complete" not in done.close()
    with jails.open_jail(str(furnished)) as jail:
        jail.update_entry(state="building")
        try:
            assert building.run(says_so) == said
            building.put(script(tmp_path / "file", "x"), "/scratch/told")
            assert "No such file" in refused(building.fetch, "/scratch/other", tmp_path / "back")
            assert at_a_terminal.run("true").rc == 0
        finally:
            jail.update_entry(state="complete")
    assert (furnished / "scratch/told").read_text() == "x"
    (furnished / "scratch/told").unlink()
    assert " ".join(building.close().split()).count(warning) == 1


def test_it_is_told_where_something_fails_for_it(connect: Connect, furnished: Path, tmp_path: Path) -> None:
    link = connect()
    with jails.open_jail(str(furnished)) as jail:
        jail.update_entry(state="building")
        try:
            assert "No such file" in refused(link.fetch, "/scratch/other", tmp_path / "back")
        finally:
            jail.update_entry(state="complete")
    assert f"{furnished} is not complete: its build did not end" in " ".join(link.close().split())


# -- files --------------------------------------------------------------------------


def test_names_can_hold_anything(link: Link, furnished: Path, tmp_path: Path) -> None:
    for number, name in enumerate([ODD, "-n", "new\nline", os.fsdecode(b"\xff\xfe")]):
        source = tmp_path / f"source {number} '"
        source.write_text(name, errors="surrogateescape")
        link.put(source, f"/scratch/{name}")
        assert (furnished / "scratch" / name).read_bytes() == os.fsencode(name)
        back = tmp_path / f'back {number} " $X'
        link.fetch(f"/scratch/{name}", back)
        assert back.read_bytes() == os.fsencode(name)
        (furnished / "scratch" / name).unlink()


def test_a_file_that_cannot_be_written_or_read_is_told(link: Link, furnished: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(bytes(1_000_000))  # more than a pipe holds, so that writing it fails too
    (furnished / "secret").write_text("x")
    (furnished / "secret").chmod(0o600)
    user = SOMEBODY.pw_name
    said = refused(link.put, source, "/etc-of-nobody/file")
    assert said == f"AnsibleError: cannot write /etc-of-nobody/file in {furnished}: No such file or directory"
    assert refused(link.put, source, "/secret").endswith(f"in {furnished}: Permission denied (as {user})")
    assert refused(link.fetch, "/secret", tmp_path / "x").endswith(f"in {furnished}: Permission denied (as {user})")
    assert refused(link.fetch, "/scratch", tmp_path / "x").endswith("Is a directory")
    os.mkfifo(furnished / "fifo")
    said = refused(link.fetch, "/fifo", tmp_path / "x")
    (furnished / "fifo").unlink()
    assert said == f"AnsibleError: cannot transfer /fifo in {furnished}: it is not a regular file"
    hostile = "/no\x1b[31m\x9b\nok: [mac]"
    for act in (lambda: link.put(source, hostile + "/x"), lambda: link.fetch(hostile, tmp_path / "x")):
        assert refused(act).isprintable()
    assert "no such file" in refused(link.put, tmp_path / "missing", "/scratch/x").lower()


def test_a_large_file_needs_little_memory(connect: Connect, furnished: Path, tmp_path: Path) -> None:
    link = connect()
    source, back = tmp_path / "source", tmp_path / "back"
    with open(source, "wb") as file:
        file.truncate(200 << 20)
    link.put(source, "/scratch/large")
    link.fetch("/scratch/large", back)
    assert back.stat().st_size == 200 << 20
    assert link.memory() <= 150 << 20
    (furnished / "scratch/large").unlink()


# -- what goes wrong ----------------------------------------------------------------


def test_a_marker_that_is_not_root_s_makes_no_jail(connect: Connect, tmp_path: Path) -> None:
    forged = tmp_path / "forged"
    jails.create(os.fsencode(forged)).close()
    os.chown(forged / "private/var/db/darwin.jail/jail.json", OTHER.pw_uid, 0)
    said = refused(connect(jail_path=str(forged)).run, "id")
    assert said.startswith("AnsibleConnectionFailure: ")
    assert f"{forged} is not a jail of this collection" in said


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"jail_path": "relative"}, "the jail 'relative' is not an absolute path"),
        ({"jail_path": "/a/../b"}, "without '..'"),
        ({"jail_path": "/"}, "the jail '/' is the Mac itself"),
        ({"jail_path": ""}, "has no jail_path, so there is no jail to go to"),
        ({"jail_user": ""}, "the user of the jail is empty"),
        ({"jail_mac": "mac9"}, "jail_mac is 'mac9', which is not in the inventory"),
    ],
)
def test_senseless_settings_are_told(connect: Connect, variables: dict[str, str], words: str) -> None:
    assert words in refused(connect(**variables).run, "id")


def test_a_wrong_password_for_sudo_is_told(connect: Connect, programs: Path) -> None:
    word = "sesame"
    (programs / "sudo.password").write_text(word)
    assert connect(ansible_become_password=word).run("cat", stdin=b"data") == (0, b"data", b"")
    said = refused(connect(password=word[1:]).run, "id")
    assert said.startswith("AnsibleError: sudo on mac1 refuses to enter /")
    assert "give the password of the user there with --ask-become-pass" in said


def test_what_sudo_in_the_jail_refuses_is_the_task_s_own_failure(connect: Connect) -> None:
    said = "sudo: a password is required"
    assert connect().run(f"echo '{said}' >&2; exit 1") == (1, b"", f"{said}\n".encode())


def test_a_program_cannot_say_that_the_jail_is_none(link: Link) -> None:
    said = "darwin.jail: failed marker ENOENT /x\nchroot: /x: Operation not permitted"
    for rc in (1, 125):
        assert link.run(f"echo '{said}' >&2; exit {rc}") == (rc, b"", f"{said}\n".encode())
    assert link.run("echo 'darwin.jail: entered' >&2; cat /bytes") == (0, bytes(range(256)), b"darwin.jail: entered\n")


# -- the way to the Mac ---------------------------------------------------------------


def test_the_mac_says_how_to_reach_it(connect: Connect, programs: Path) -> None:
    mac = {"ansible_port": 2222, "ansible_ssh_common_args": "-o ProxyJump=gate", "jail_user": "daemon"}
    link = connect(mac=mac, ansible_user="nobody", ansible_host="elsewhere", ansible_ssh_extra_args="-o Extra=yes")
    assert link.text("id -u") == str(SOMEBODY.pw_uid), "the Mac's variables about jails are its own"
    words = (programs / "ssh.log").read_text().splitlines()
    assert {'User="admin"', "Port=2222", "ProxyJump=gate", "Extra=yes", "there"} <= set(words)
    assert not {"elsewhere", 'User="nobody"', "-tt"} & set(words)


def test_root_needs_no_sudo(connect: Connect, programs: Path) -> None:
    (programs / "sudo").unlink()
    assert connect(mac={"ansible_user": "root"}).text("id -u") == str(SOMEBODY.pw_uid)


@pytest.mark.parametrize("mac", [{"ansible_host": "localhost"}, {"ansible_connection": "local"}])
def test_this_mac_needs_no_ssh(connect: Connect, programs: Path, mac: dict[str, str]) -> None:
    (programs / "ssh").unlink()
    assert connect(mac=mac).text("id -u") == str(SOMEBODY.pw_uid)


def test_a_jail_without_a_mac_of_a_name_is_reached_by_its_own_address(connect: Connect, programs: Path) -> None:
    link = connect(jail_mac=None, ansible_host="here", ansible_user="dana")
    assert link.text("id -u") == str(SOMEBODY.pw_uid)
    assert {"here", 'User="dana"'} <= set((programs / "ssh.log").read_text().splitlines())
