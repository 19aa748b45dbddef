# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The connection with everything real but ssh and sudo, which are scripts that run what they are given here."""

from __future__ import annotations

import json
import os
import pwd
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from connections import FailedError, Link

SSH = """#!/bin/sh
printf '%s\\n' "$@" >>"$0.log"
for command do :; done
exec /bin/sh -c "$command"
"""
UNREACHABLE = "#!/bin/sh\necho 'ssh: connect to host there port 22: No route to host' >&2\nexit 255\n"
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
if [ -e "$0.refuses" ]; then cat "$0.refuses" >&2; exit 1; fi
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


def test_output_and_exit_code_come_apart_and_whole(link: Link) -> None:
    assert link.run("cat /bytes; echo no >&2; exit 7") == (7, bytes(range(256)), b"no\n")
    assert link.run(f"printf %s '{ODD.replace(chr(39), chr(39) + chr(92) + chr(39) * 2)}'").stdout == ODD.encode()


def test_input_is_read_to_its_end(link: Link) -> None:
    data = bytes(range(256)) * 200
    assert link.run("cat", stdin=data) == (0, data, b"")
    assert link.run("cat") == (0, b"", b""), "a command that is given nothing waits for something"
    assert link.run("cat", stdin=b"") == (0, b"", b"")


def test_it_is_the_jail_s_user_with_an_environment_of_its_own(link: Link) -> None:
    said = dict(line.split("=", 1) for line in link.text("env").splitlines())
    assert {name: said[name] for name in ("HOME", "LOGNAME", "USER", "PATH", "SHELL", "TMPDIR")} == {
        "HOME": SOMEBODY.pw_dir,
        "LOGNAME": SOMEBODY.pw_name,
        "USER": SOMEBODY.pw_name,
        "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        "SHELL": SOMEBODY.pw_shell,
        "TMPDIR": "/tmp",  # noqa: S108
    }
    assert set(said) - {"HOME", "LOGNAME", "USER", "PATH", "SHELL", "TMPDIR"} <= {"PWD", "OLDPWD", "_"}
    assert link.text("id -u; id -g").split() == [str(SOMEBODY.pw_uid), str(SOMEBODY.pw_gid)]
    assert link.text("pwd") == "/", "there is no home in this jail"


@pytest.mark.parametrize("who", [pwd.getpwuid(0), OTHER], ids=["root", "another"])
def test_become_needs_nothing_in_the_jail(link: Link, who: pwd.struct_passwd) -> None:
    assert link.text("id -u", become=who.pw_name) == str(who.pw_uid)
    assert link.text("id -u") == str(SOMEBODY.pw_uid)


def test_what_prepares_a_task_that_becomes_somebody_is_root(connect: Connect) -> None:
    """So that files can be given to any user."""
    link = connect()
    said = link.run("id -u >&2; true", become=None)
    assert said.stderr.split() == [str(SOMEBODY.pw_uid).encode()]


def test_the_end_by_a_signal_is_told_as_by_a_shell(link: Link) -> None:
    assert link.run("kill -TERM $$").rc == 128 + 15
    assert link.run("kill -KILL $$").rc == 128 + 9


# -- files --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_files_arrive_as_they_are(link: Link, furnished: Path, tmp_path: Path, size: int) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(size))
    source.chmod(0o640)
    link.put(source, "/scratch/file")
    there = furnished / "scratch/file"
    assert there.read_bytes() == source.read_bytes()
    status = there.stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (SOMEBODY.pw_uid, 0o640)
    link.fetch("/scratch/file", back)
    assert back.read_bytes() == source.read_bytes()
    there.unlink()


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
    assert "no such file" in refused(link.put, tmp_path / "missing", "/scratch/x").lower()


def test_a_large_file_needs_little_memory(connect: Connect, furnished: Path, tmp_path: Path) -> None:
    link = connect()
    source, back = tmp_path / "source", tmp_path / "back"
    with open(source, "wb") as file:
        file.truncate(400 << 20)
    link.put(source, "/scratch/large")
    link.fetch("/scratch/large", back)
    assert back.stat().st_size == 400 << 20
    assert link.memory() <= 150 << 20
    (furnished / "scratch/large").unlink()


# -- a jail that means ill ------------------------------------------------------------


def test_links_in_the_jail_lead_nowhere_else(link: Link, furnished: Path, tmp_path: Path) -> None:
    """Not even root's writes and reads, by absolute links, by "..", and for parents."""
    host = tmp_path / "host"
    host.mkdir(mode=0o777)
    host.chmod(0o777)
    (host / "secret").write_text("of the host")
    source = tmp_path / "source"
    source.write_text("of the controller")
    up = "../" * 40
    for number, target in enumerate((str(host), up + str(host).lstrip("/"))):
        (furnished / f"scratch/out{number}").symlink_to(target)
        (furnished / f"scratch/file{number}").symlink_to(f"{target}/new")
        (furnished / f"scratch/read{number}").symlink_to(f"{target}/secret")
        for path in (f"/scratch/out{number}/new", f"/scratch/file{number}"):
            assert "No such file or directory" in refused(link.put, source, path)
        for path in (f"/scratch/out{number}/secret", f"/scratch/read{number}", f"/scratch/{up}{host}/secret"):
            assert "No such file or directory" in refused(link.fetch, path, tmp_path / "x")
            assert link.run(f"cat {path}", become="root").stdout == b""
    assert sorted(os.listdir(host)) == ["secret"]
    for left in (furnished / "scratch").iterdir():
        left.unlink()


def test_a_jail_behind_a_link_is_refused(connect: Connect, furnished: Path, tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(furnished.parent)
    said = refused(connect(jail_path=f"{tmp_path}/way/jail").run, "id")
    assert f"{tmp_path}/way is a symbolic link or no directory" in said


# -- what goes wrong ----------------------------------------------------------------


def test_what_is_no_jail_is_not_entered(connect: Connect, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    forged = tmp_path / "forged"
    jails.create(os.fsencode(forged)).close()
    os.chown(forged / "private/var/db/darwin.jail/jail.json", OTHER.pw_uid, 0)
    for path in ("empty", "forged"):
        said = refused(connect(jail_path=f"{tmp_path}/{path}").run, "id")
        assert said.startswith("AnsibleConnectionFailure: ")
        assert f"{tmp_path}/{path} is not a jail of this collection" in said
    said = refused(connect(jail_path=f"{tmp_path}/missing").run, "id")
    assert f"{tmp_path}/missing does not exist: build the jail first" in said
    assert "(on mac1)" in said


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"jail_path": "relative"}, "the jail 'relative' is not an absolute path"),
        ({"jail_path": "/a/../b"}, "without '..'"),
        ({"jail_path": "/"}, "the jail '/' is the Mac itself"),
        ({"jail_path": ""}, "has no jail_path, so there is no jail to go to"),
        ({"jail_user": ""}, "the user of the jail is empty"),
        ({"jail_user": "no-such-user"}, "there is no user 'no-such-user' in Directory Services"),
        ({"jail_mac": "mac9"}, "jail_mac is 'mac9', which is not in the inventory"),
    ],
)
def test_senseless_settings_are_told(connect: Connect, variables: dict[str, str], words: str) -> None:
    assert words in refused(connect(**variables).run, "id")


def test_a_mac_that_cannot_be_reached_is_named(connect: Connect, programs: Path) -> None:
    script(programs / "ssh", UNREACHABLE)
    said = refused(connect().run, "id")
    assert said.startswith("AnsibleConnectionFailure: cannot reach mac1, the Mac of the jail /")
    assert "No route to host" in said


def test_the_password_for_sudo(connect: Connect, programs: Path, tmp_path: Path) -> None:
    word = "sesame"
    (programs / "sudo.password").write_text(word)
    source = tmp_path / "source"
    source.write_bytes(os.urandom(300_000))
    for link in (connect(ansible_become_password=word), connect(password=word)):
        assert link.run("cat", stdin=b"data") == (0, b"data", b"")
        assert link.run("cat") == (0, b"", b"")
        link.put(source, "/scratch/secret")
        link.fetch("/scratch/secret", tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == source.read_bytes()
    for wrong in (connect(), connect(password=word[1:])):
        said = refused(wrong.run, "id")
        assert said.startswith("AnsibleError: sudo on mac1 refuses to enter /")
        assert "give the password of the user there with --ask-become-pass" in said


def test_somebody_who_may_not_use_sudo_is_told(connect: Connect, programs: Path) -> None:
    (programs / "sudo.refuses").write_text("dana is not in the sudoers file.\n")
    said = refused(connect().run, "id")
    assert "sudo on mac1 refuses to enter" in said
    assert "dana is not in the sudoers file." in said


def test_what_sudo_in_the_jail_refuses_is_the_task_s_own_failure(connect: Connect) -> None:
    said = "sudo: a password is required"
    assert connect().run(f"echo '{said}' >&2; exit 1") == (1, b"", f"{said}\n".encode())


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
