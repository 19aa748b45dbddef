# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs run in clones of a jail that are thrown away: on a volume whose files can share blocks."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec import ephemeral
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import Command, execute
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.current import backend
from volumes import lacks, volume

RUNS = ".darwin.jail.runs"


@pytest.fixture(scope="module")
def place(furnished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if reason := lacks("xfs"):
        pytest.skip(reason)
    backend.cache_clear()  # it remembers volumes that refused, by numbers that are used again
    with volume("xfs", tmp_path_factory.mktemp("ephemeral") / "volume") as point:
        subprocess.run(["cp", "-a", furnished, point / "jail"], check=True)
        with jails.open_jail(str(point / "jail")) as jail:
            jail.update_entry(state="complete")
        (point / "jail/private/var/run").mkdir()
        yield point


@pytest.fixture
def jail(place: Path) -> Iterator[Path]:
    before = listing(place), sorted(os.listdir(register.DIRECTORY))
    yield place / "jail"
    assert (listing(place), sorted(os.listdir(register.DIRECTORY))) == before


def listing(place: Path) -> list[str]:
    form = ["-type", "d", "-printf", "%P %m %U\n", "-o", "-printf", "%P %s %m %U %T@\n"]
    found = subprocess.run(["find", place, *form], check=True, capture_output=True)
    return sorted(found.stdout.decode().splitlines())


def run(jail: Path, script: str, **options: object) -> Result:
    return execute(Command(str(jail), argv=["/bin/sh", "-c", script], ephemeral=True, **options), False)  # type: ignore[arg-type]


def test_nothing_is_left_of_a_run(jail: Path) -> None:
    result = run(jail, "echo made >/scratch/made; cat /scratch/made; echo >/bytes")
    assert (result.values["rc"], result.values["stdout"], result.failed, result.warnings) == (0, "made", False, [])


def test_nor_when_it_fails_or_takes_too_long_or_cannot_start(jail: Path) -> None:
    assert run(jail, "echo made >/scratch/made; exit 3").values["rc"] == 3
    assert run(jail, "echo made >/scratch/made; exec sleep 60", timeout=0.5).failed
    with pytest.raises(OperationError, match=rf"cannot run nothing in {jail}: there is no such program"):
        execute(Command(str(jail), argv=["nothing"], ephemeral=True), False)


def test_in_check_mode_nothing_is_cloned(jail: Path) -> None:
    execute(Command(str(jail), argv=["cat"], ephemeral=True), True)


def begin(jail: Path, *argv: str) -> subprocess.Popen[bytes]:
    package = "ansible_collections.darwin.jail.plugins.module_utils._jail"
    modules = f"import sys; sys.path[:] = {sys.path!r}; from {package}.exec.command import *"
    place = f"from {package} import register; register.DIRECTORY = {register.DIRECTORY!r}"
    run = f"execute(Command({str(jail)!r}, argv={list(argv)}, ephemeral=True), False)"
    program = f"{modules}; {place}; print(*{run}.values.items())"
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)


def test_what_a_killed_run_left_is_removed_by_the_next_one(jail: Path) -> None:
    killed = begin(jail, "sleep", "60")
    try:
        deadline = time.monotonic() + 20
        while not sleeping(killed.pid) and time.monotonic() < deadline:
            time.sleep(0.02)
        (alive,) = (path for path in (jail.parent / RUNS).iterdir() if path.is_dir())
        assert run(jail, "true").values["rc"] == 0
        assert alive.exists()
    finally:
        for pid in [killed.pid, *sleeping(killed.pid)]:
            os.kill(pid, signal.SIGKILL)
        killed.communicate()
    assert (alive / "jail/usr/bin").exists()
    assert run(jail, "true").warnings == []
    assert not alive.exists()


def sleeping(parent: int) -> list[int]:
    """The program in the clone, which outlives who started it."""
    said = subprocess.run(["pgrep", "--parent", str(parent), "sleep"], check=False, capture_output=True, text=True)
    return [int(word) for word in said.stdout.split()]


@pytest.mark.parametrize("state", ["locked", "empty", "unmarked"])
def test_what_a_run_left_that_was_killed_early_is_removed(jail: Path, state: str) -> None:
    place = jail.with_name(RUNS)
    place.mkdir(mode=0o700)
    (place / "0123456789ab.lock").touch(mode=0o600)
    if state != "locked":
        (place / "0123456789ab").mkdir(mode=0o700)
    if state == "unmarked":
        (place / "0123456789ab/jail/.darwin.jail.0123").mkdir(parents=True)
    run(jail, "true")
    assert not place.exists()


def test_what_no_run_made_is_left(jail: Path) -> None:
    """Neither beside the jail, whatever it is called, nor without a lock of ours."""
    place = jail.with_name(RUNS)
    theirs = [jail.with_name("run.jail.backups"), jail.with_name("run.jail.0123456789ab"), place / "0123456789ab"]
    (jail.parent / RUNS).mkdir(mode=0o700)
    for path in [*theirs, place / "backups"]:
        (path / "2026").mkdir(parents=True)
        path.chmod(0o700)
    (place / "backups.lock").touch(mode=0o600)
    (place / "ba98765432ff").mkdir(mode=0o700)
    (place / "ba98765432ff.lock").touch()
    (place / "ba98765432ff.lock").chmod(0o644)
    before = listing(jail.parent)
    assert run(jail, "true").warnings == []
    assert listing(jail.parent) == before
    for path in (place, *theirs[:2]):
        shutil.rmtree(path)


@pytest.mark.parametrize("made", ["mode", "owner", "file", "link"])
def test_a_place_that_is_not_ours_alone_is_refused(jail: Path, made: str) -> None:
    place = jail.with_name(RUNS)
    if made == "link":
        place.symlink_to(jail)
    elif made == "file":
        place.touch()
    else:
        place.mkdir(mode=0o755 if made == "mode" else 0o700)
        os.chown(place, 501 if made == "owner" else 0, 0)
    before = listing(jail.parent)
    with pytest.raises(InputError, match=r"runs is not a directory that only root can change: move it away"):
        run(jail, "true")
    assert listing(jail.parent) == before
    place.rmdir() if place.is_dir() and made != "link" else place.unlink()


def test_several_at_once(jail: Path) -> None:
    runs = [begin(jail, "/bin/sh", "-c", "echo $$ >/scratch/own.$$; echo /scratch/*") for _number in range(4)]
    said = [one.communicate(timeout=60)[0] for one in runs]
    assert [text.count(b"/scratch/own.") for text in said] == [2] * 4, said  # in the command, and in what it says


def test_names_resolve_where_the_socket_is_on_the_same_volume(
    jail: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = place / "mDNSResponder"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(server))
        monkeypatch.setattr(ephemeral, "SERVER", str(server))
        assert run(jail, "test -S /var/run/mDNSResponder").values["rc"] == 0
    server.unlink()


def test_it_has_the_plain_devices_though_the_jail_has_its_dev_mounted(jail: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "none", jail / "dev"], check=True)
    try:
        result = run(
            jail, "for name in null random urandom zero; do test -c /dev/$name || echo $name; done; : >/dev/null"
        )
    finally:
        subprocess.run(["umount", jail / "dev"], check=True)
    assert (result.values["rc"], result.values["stdout"]) == (0, "")


def test_a_volume_that_cannot_clone_is_refused(furnished: Path, tmp_path: Path) -> None:
    with volume("tmpfs", tmp_path / "volume") as point:
        subprocess.run(["cp", "-a", furnished, point / "jail"], check=True)
        with jails.open_jail(str(point / "jail")) as opened:
            opened.update_entry(state="complete")
        with pytest.raises(InputError, match="do not lie on one volume that lets files share blocks"):
            run(point / "jail", "true")
        assert os.listdir(point) == ["jail"]
