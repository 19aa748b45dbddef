# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What a host that was made with --xnu does as macOS does. Needs Linux, root and FUSE."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from host import prepare, state
from stand_ins import ssh, standin

NAME = f"xnu-{os.getpid()}"

pytestmark = pytest.mark.skipif(prepare.missing_for_hosts() is not None, reason=str(prepare.missing_for_hosts()))


@pytest.fixture(scope="module")
def host() -> Iterator[state.Host]:
    made = standin("create", NAME, "--xnu", "--sip", "on")
    assert made.returncode == 0, made.stderr
    host = state.load(NAME)
    assert host is not None
    yield host
    assert standin("destroy", NAME).returncode == 0


def python(program: str) -> list[str]:
    """What a program of root's says."""
    done = standin("enter", NAME, "/usr/bin/python3", "-B", "-c", program)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


POLL = """
import os, select, stat, sys
print(*(stat.S_ISSOCK(os.fstat(fd).st_mode) for fd in (0, 1, 2)), os.fstat(0).st_ino == os.fstat(1).st_ino)
sys.stdin.read()
for asked in (select.POLLOUT, select.POLLHUP, select.POLLIN):
    poll = select.poll()
    poll.register(1, asked)
    answer = dict(poll.poll(0)).get(1, 0)
    print(*(name for name in ("POLLIN", "POLLOUT", "POLLHUP") if answer & getattr(select, name)))
"""


def test_one_socketpair_is_stdin_and_stdout_and_half_closed_when_stdin_ends(host: state.Host) -> None:
    said = ssh(host, f"sudo -n /usr/bin/python3 -c '{POLL}'", stdin="x\n")
    assert said.splitlines() == ["True True True True", "POLLOUT", "POLLHUP", "POLLIN POLLHUP"]


def test_a_command_has_its_input_output_and_status(host: state.Host) -> None:
    assert ssh(host, "cat; echo error >&2; exit 3", stdin="much\n" * 100_000) == "much\n" * 100_000 + "error\n[3]"
    assert ssh(host, "head -c 3; kill -9 $$", stdin="abcdef") == "abc[255]"


DESCRIPTORS = """
import os
fd = os.open("/etc/shells", os.O_RDONLY)
start = os.read(fd, 5)
again = os.open(f"/dev/fd/{fd}", os.O_RDONLY)
print(start + os.read(again, 1000) == open("/etc/shells", "rb").read(), os.read(fd, 10))
try:
    os.open(f"/dev/fd/{fd}", os.O_WRONLY)
except PermissionError:
    print("not for writing")
"""


def test_a_path_of_a_descriptor_is_the_descriptor(host: state.Host) -> None:
    assert python(DESCRIPTORS) == ["True b''", "not for writing"]


def test_a_here_document_is_a_file_that_is_read_once(host: state.Host) -> None:
    script = "exec 3<<'END'\nprint('ran')\nEND\nreadlink /dev/fd/3\ncat <&3 >/dev/null\npython3 /dev/fd/3\n"
    standin("enter", NAME, "/bin/sh", "-c", "cat >/private/tmp/here.sh", stdin=script)
    done = standin("enter", NAME, "/bin/sh", "/private/tmp/here.sh")
    assert (done.returncode, done.stderr) == (0, "")
    (place,) = done.stdout.splitlines()
    assert place.startswith("/private/tmp/")


ATTRIBUTES = """
import os
os.mkdir("/private/tmp/made")
fd = os.open("/private/tmp/made/file", os.O_WRONLY | os.O_CREAT)
print(os.listxattr("/private/tmp/made"), os.listxattr(fd))
for name in ("com.apple.rootless", "com.apple.provenance", "com.apple.macl", "com.apple.note"):
    try:
        os.setxattr(fd, name, b"1")
        print(name, os.getxattr(fd, name))
    except PermissionError:
        print(name, "refused")
try:
    os.removexattr(fd, "com.apple.provenance")
except PermissionError:
    print("it stays")
"""


def test_some_attributes_are_kept_and_others_come_by_themselves(host: state.Host) -> None:
    own = "['com.apple.provenance']"
    refused = [f"com.apple.{name} refused" for name in ("rootless", "provenance", "macl")]
    assert python(ATTRIBUTES) == [f"{own} {own}", *refused, "com.apple.note b'1'", "it stays"]


def test_what_system_integrity_protection_marks(host: state.Host) -> None:
    marked = "import os; print(*(os.listxattr(f'/{name}') for name in ('bin', 'sbin', 'usr', 'System', 'Users')))"
    assert python(marked) == [" ".join(["['com.apple.rootless']"] * 4 + ["[]"])]


def test_with_protection_off_the_mark_can_be_set(host: state.Host) -> None:
    domain = standin("enter", NAME, "cat", "/proc/sys/kernel/domainname").stdout.strip()
    standin("enter", NAME, "sh", "-c", f"echo {domain.replace(',on,', ',off,')} >/proc/sys/kernel/domainname")
    assert python("import os; os.setxattr('/private/tmp', 'com.apple.rootless', b''); print(os.listxattr('/tmp'))") == [
        "['com.apple.rootless']"
    ]
    standin("enter", NAME, "sh", "-c", f"echo {domain} >/proc/sys/kernel/domainname")


def test_a_device_that_is_written_to_has_another_time(host: state.Host) -> None:
    stat = "stat -c %.9Y /dev/null"
    before = ssh(host, stat)
    assert ssh(host, f"echo >/dev/null; {stat}") not in ("", before)


def test_before_macos_13_nothing_comes_by_itself() -> None:
    name = f"{NAME}-12"
    assert standin("create", name, "--xnu", "--arch", "x86_64", "--macos", "12.7.6").returncode == 0
    try:
        asked = "import os; os.mkdir('/private/tmp/made'); print(os.listxattr('/private/tmp/made'))"
        assert standin("enter", name, "/usr/bin/python3", "-c", asked).stdout == "[]\n"
    finally:
        standin("destroy", name)
