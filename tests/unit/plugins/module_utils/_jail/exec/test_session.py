# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The command of a visit, as root, with Python and with macOS's chroot(8): who is believed, and what is shut."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    InputError,
    JailError,
    NotAJailError,
    OperationError,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec import session_errors
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import Command, execute
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import (
    Session,
    has_entered,
    is_incomplete,
    strip_markers,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import chroot_exec, jail_session

CHROOT = Path(__file__).parents[5] / "standin/native/chroot.c"
SOMEBODY = pwd.getpwnam("nobody")
OURS = jail_session.ENTERED.encode()
WITH = (sys.executable,)

Ran = subprocess.CompletedProcess[bytes]
Go = Callable[..., Ran]


@pytest.fixture(scope="module")
def chroot(tmp_path_factory: pytest.TempPathFactory) -> str:
    """chroot(8) with the options and messages of macOS."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("there is no gcc")
    path = tmp_path_factory.mktemp("chroot") / "chroot"
    subprocess.check_call([gcc, "-o", path, CHROOT])
    return str(path)


@pytest.fixture(params=["python", "chroot"])
def go(request: pytest.FixtureRequest, furnished: Path) -> Go:
    """Makes a visit to the jail, or to another place."""
    (furnished / "dev/null").chmod(0o666)
    pythons: tuple[str, ...] = WITH
    programs = "/usr/sbin/chroot"
    if request.param == "chroot":
        pythons, programs = (), request.getfixturevalue("chroot")

    def make(*words: str, act: str = "run", jail: Path = furnished, given: bytes = b"", **options: object) -> Ran:
        visit = Session(str(jail), SOMEBODY.pw_name, act, words, bool(given), pythons)
        command = visit.command.replace("/usr/sbin/chroot", programs)
        ran = subprocess.run(["/bin/sh", "-c", command], input=given, capture_output=True, check=False, **options)  # type: ignore[call-overload]
        if not has_entered(ran.stderr):
            session_errors.raise_for(visit, ran.returncode, ran.stderr)
        return Ran(ran.args, *strip_markers(ran.returncode, ran.stdout, ran.stderr, terminal=False))

    return make


def shell(go: Go, text: str, **options: object) -> tuple[int, bytes, bytes]:
    ran = go("/bin/sh", "-c", text, **options)
    return ran.returncode, ran.stdout, ran.stderr


# -- whose words these are -----------------------------------------------------------


@pytest.mark.parametrize("step", ["marker ENOENT /x", "enter EPERM /x", "account 0 nobody", "others 0 /"])
def test_a_program_of_the_jail_does_not_speak_for_the_visitor(go: Go, step: str) -> None:
    said = f"{jail_session.FAILED} {step}\nchroot: /x: Operation not permitted\n"
    ran = shell(go, 'printf %s "$0" >&2; exit "$1"'.replace("$0", said).replace("$1", str(jail_session.REFUSED)))
    assert ran == (jail_session.REFUSED, b"", said.encode())


def test_only_the_first_line_is_taken_out(go: Go) -> None:
    assert shell(go, f"printf '{jail_session.ENTERED}x' >&2; printf '{jail_session.ENTERED}'; cat /bytes") == (
        0,
        OURS + bytes(range(256)),
        OURS + b"x",
    )


def test_nothing_that_others_can_read_is_a_secret(furnished: Path) -> None:
    """The words of a process are for all to see."""
    one, other = (Session(str(furnished), "nobody", "run", ("true",)) for _time in range(2))
    assert one.command == other.command


def test_what_stands_before_is_read() -> None:
    visit = Session("/jail", "nobody", "run", ("true",))
    lecture = b"We trust you have received the usual lecture\nPassword:"
    failed = lecture + f"{jail_session.FAILED} marker ENOENT /jail\n".encode()
    with pytest.raises(NotAJailError):
        session_errors.raise_for(visit, jail_session.REFUSED, failed)
    assert strip_markers(0, OURS, lecture + OURS + b"x", terminal=False) == (0, OURS, lecture + b"x")
    at_a_terminal = OURS.replace(b"\n", b"\r\n")
    assert strip_markers(0, lecture + at_a_terminal * 2, OURS, terminal=True) == (0, lecture + at_a_terminal, OURS)
    assert has_entered(at_a_terminal)
    building = jail_session.INCOMPLETE.encode()
    assert strip_markers(0, b"", lecture + building + OURS + building, terminal=False) == (0, b"", lecture + building)
    for_one = (building + OURS).replace(b"\n", b"\r\n")
    assert strip_markers(0, for_one * 2, b"", terminal=True) == (0, for_one, b"")
    assert [is_incomplete(said) for said in (building + OURS, for_one, building, OURS + building)] == [
        True,
        True,
        True,
        False,
    ]
    session_errors.raise_for(visit, jail_session.REFUSED, OURS + failed)
    session_errors.raise_for(visit, 1, failed)


def test_that_chroot_is_refused_is_known_before_a_program_runs(furnished: Path, tmp_path: Path) -> None:
    refused = tmp_path / "chroot"
    refused.write_text('#!/bin/sh\necho "chroot: $1: Operation not permitted" >&2; exit 1\n')
    refused.chmod(0o755)
    visit = Session(str(furnished), "nobody", "run", ("/bin/true",), pythons=())
    command = visit.command.replace("/usr/sbin/chroot", str(refused))
    ran = subprocess.run(["/bin/sh", "-c", command], capture_output=True, check=False)
    with pytest.raises(OperationError, match="System Integrity Protection"):
        session_errors.raise_for(visit, ran.returncode, ran.stderr)


def test_a_path_of_the_jail_s_is_shown_without_its_control_characters(furnished: Path) -> None:
    script = furnished / "scratch/odd"
    script.write_bytes(b"#!/no\x1b[2Jsuch\n")
    script.chmod(0o755)
    visit = Session(str(furnished), "nobody", "run", ("/scratch/odd",), pythons=WITH)
    ran = subprocess.run(["/bin/sh", "-c", visit.command], capture_output=True, check=False)
    with pytest.raises(JailError) as refused:
        session_errors.raise_for(visit, ran.returncode, ran.stderr)
    assert str(refused.value).isprintable()


def test_what_the_kernel_refuses_is_told_behind_the_line(furnished: Path) -> None:
    script = furnished / "scratch/no-program"
    script.write_text("no first line\n")
    script.chmod(0o755)
    visit = Session(str(furnished), "nobody", "run", ("/scratch/no-program",), pythons=WITH)
    ran = subprocess.run(["/bin/sh", "-c", visit.command], capture_output=True, check=False)
    assert (ran.returncode, ran.stderr) == (jail_session.REFUSED, OURS + b"/scratch/no-program: Exec format error\n")


def test_files_come_as_they_are(go: Go, furnished: Path) -> None:
    data = OURS + bytes(range(256)) * 1000
    (furnished / "scratch/file").write_bytes(data)
    got = go("/scratch/file", act="get")
    assert (got.returncode, got.stdout, got.stderr) == (0, data, b"")
    (furnished / "scratch/file").unlink()


# -- what is shut ----------------------------------------------------------------------

OPEN = 'for n in 3 4 5 6 7 8 9; do (eval ": <&$n") 2>/dev/null && echo $n; done; true'


def test_nothing_that_was_left_open_reaches_the_jail(go: Go) -> None:
    def forget() -> None:
        os.dup2(os.open("/etc", os.O_RDONLY), 7)
        os.dup2(os.open("/etc/passwd", os.O_RDONLY), 9)

    ran = go("/bin/sh", "-c", OPEN, preexec_fn=forget, close_fds=False)
    assert (ran.returncode, ran.stdout) == (0, b""), ran


@pytest.mark.parametrize("listing", ["/dev/fd", "/no/such", "/etc"])
def test_descriptors_are_closed_with_a_list_and_without(listing: str) -> None:
    code = (
        f"import os, sys; from {chroot_exec.__package__} import chroot_exec\n"
        f"chroot_exec.DESCRIPTORS, chroot_exec.MOST_DESCRIPTORS = {listing!r}, 300\n"
        "for n in (5, 6, 200): os.dup2(1, n)\n"
        "chroot_exec.close_inherited(6)\n"
        "print([n for n in range(300) if os.path.exists(f'/proc/self/fd/{n}')])"
    )
    path = os.pathsep.join(filter(None, sys.path))
    environment = {**os.environ, "PYTHONPATH": path}
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=environment)
    assert ran.stdout == b"[0, 1, 2, 6]\n"
    assert chroot_exec.MAX_DESCRIPTORS > 245760, "kern.maxfilesperproc of Macs with much memory"
    closed = [
        "sh",
        "-c",
        '"$0" -c "$1" 0<&- 2>&-',
        sys.executable,
        code.replace("close_inherited(6)", "close_inherited()"),
    ]
    assert subprocess.run(closed, capture_output=True, check=True, env=environment).stdout == b"[0, 1, 2]\n"


# -- the way there -------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A jail two directories down; nothing in it."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    jail = tmp_path / "parent/jail"
    jail.parent.mkdir()
    jails.create(os.fsencode(jail)).close()
    return jail


def said(go: Go, place: Path) -> str:
    try:
        return go("/bin/true", jail=place).stderr.decode()
    except JailError as exc:
        return str(exc)


@pytest.mark.parametrize("below", ["parent", "parent/jail", "parent/jail/private", "parent/jail/private/var/db"])
@pytest.mark.parametrize("how", ["owner", "others", "group"])
def test_no_one_else_can_change_the_way_to_a_jail(go: Go, place: Path, tmp_path: Path, below: str, how: str) -> None:
    folder = tmp_path / below
    os.chown(folder, SOMEBODY.pw_uid if how == "owner" else 0, 50 if how == "group" else 0)
    folder.chmod({"owner": 0o755, "others": 0o757, "group": 0o775}[how])
    with pytest.raises(InputError, match=f"cannot enter {place}: others than root can change {folder}: make it root's"):
        go("/bin/true", jail=place)
    os.chown(folder, 0, 0)
    folder.chmod(0o1777)  # nobody can rename what is root's there
    assert "o such" in said(go, place), "it is entered, but no program is there"


@pytest.mark.parametrize("check", [True, False])
def test_darwin_chroot_exec_says_the_same(place: Path, check: bool) -> None:
    place.parent.chmod(0o777)
    with pytest.raises(
        InputError, match=f"cannot enter {place}: others than root can change {place.parent}: make it root's"
    ):
        execute(Command(jail=str(place), argv=["true"]), check)
    place.parent.chmod(0o755)
    with pytest.raises(JailError, match="there is no such program in the jail"):
        execute(Command(jail=str(place), argv=["true"]), check)


def test_a_marker_that_is_not_root_s_or_lies_elsewhere_makes_no_jail(go: Go, place: Path, tmp_path: Path) -> None:
    state = place / "private/var/db/darwin.jail"
    os.chown(state / "jail.json", SOMEBODY.pw_uid, 0)
    with pytest.raises(NotAJailError):
        go("/bin/true", jail=place)
    os.chown(state / "jail.json", 0, 0)
    state.rename(tmp_path / "elsewhere")
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotAJailError):
        go("/bin/true", jail=place)
