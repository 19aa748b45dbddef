# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A Mac that is not as claimed is told: this machine, which is none, is one, and others are made of trees and steps.

The scenario selftest judges a stand-in as it is, and one with planted faults.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import dns
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import process_table
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import reruns, roots, volumes
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.claims import (
    DISPROVEN,
    NOT_TRIED,
    PROVEN,
    judge,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import call_probes
from dns_relay_mac import mac_in_temporary_directory
from launchctl import Launchctl
from selftest_contexts import CLAIMS, OK, context
from waiting import until


@pytest.fixture
def directory(place: Path) -> Path:
    (place / "scratch").mkdir()
    (place / "traversable").mkdir()
    return place


def verdict(name: str, directory: Path, **changes: Any) -> tuple[str, str]:
    return judge(CLAIMS[name], context(directory, **changes))


@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("M-POLL-1", "nothing"),
        ("M-FD-1", "reading begins at 0, not at 10"),
        ("M-DEVICE-1", "it did not change"),
    ],
)
def test_linux_is_not_as_macos(directory: Path, name: str, seen: str) -> None:
    assert verdict(name, directory) == (DISPROVEN, seen)


@pytest.mark.parametrize("name", ["M-POLL-2", "M-POLL-3", "M-LINK-1", "M-SWAP-1", "M-GROUP-2", "M-USER-2"])
def test_what_is_alike_on_both_is_proven(directory: Path, name: str) -> None:
    if name == "M-USER-2":  # root has another home here
        assert verdict(name, directory)[0] == DISPROVEN
        return
    for folder in (directory, directory / "traversable"):
        folder.chmod(0o711)
    assert verdict(name, directory)[0] == PROVEN, verdict(name, directory)


@pytest.mark.skipif(not shutil.which("lsof"), reason="lsof is not on this machine")
def test_lsof_tells_the_processes_of_a_root(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(roots, "LSOF", shutil.which("lsof"))
    assert verdict("M-PROCESS-1", directory) == (PROVEN, "one process")
    monkeypatch.setattr(process_table, "processes_of", lambda *_words: [])
    assert verdict("M-PROCESS-1", directory) == (DISPROVEN, "it tells of 0, lsof of 1, and there is one")
    monkeypatch.setattr(roots, "LSOF", "/usr/sbin/no-lsof")
    assert verdict("M-PROCESS-1", directory) == (NOT_TRIED, "there is no /usr/sbin/no-lsof")


@pytest.mark.parametrize("name", ["M-RERUN-1", "M-RERUN-2", "M-RERUN-3"])
def test_a_second_build_that_changes_something_is_told(directory: Path, name: str) -> None:
    assert verdict(name, directory)[0] == PROVEN
    step = {"M-RERUN-1": "again", "M-RERUN-2": "full", "M-RERUN-3": "with_devfs"}[name]
    steps = {"build": OK, "terminal": OK, step: {**OK, "changed": True}}
    assert verdict(name, directory, steps=steps) == (DISPROVEN, "something changed")
    steps[step]["message"] = "replace /dev/zero owner 0:5, wanted 0:0"
    assert verdict(name, directory, steps=steps) == (DISPROVEN, "replace /dev/zero owner 0:5, wanted 0:0")
    assert verdict(name, directory, steps={"build": OK})[0] == NOT_TRIED


@pytest.mark.parametrize(("name", "step"), [("M-CLONE-5", "clone"), ("M-LAUNCHD-5", "relay"), ("M-CHROOT-3", "enter")])
def test_a_step_that_failed_is_told(directory: Path, name: str, step: str) -> None:
    steps = {**context(directory).steps, step: {"ok": False, "changed": True, "message": "cannot clone x: why"}}
    assert verdict(name, directory)[0] == PROVEN
    found = verdict(name, directory, steps=steps)
    assert found[0] == DISPROVEN
    assert found[1].endswith("cannot clone x: why")


@pytest.mark.parametrize(("name", "jail"), [("M-DEVICE-2", "clone"), ("M-DEVICE-3", "unpacked")])
def test_a_copy_without_its_devices_is_told(directory: Path, name: str, jail: str) -> None:
    dev = directory / jail / "dev"
    dev.mkdir(parents=True)
    for node in reruns.PLAIN_DEVICES[:3]:
        os.mknod(dev / node, stat.S_IFCHR | 0o666, os.stat("/dev/null").st_rdev)
    (dev / "urandom").write_text("no device")
    assert verdict(name, directory) == (DISPROVEN, "without urandom")
    (dev / "urandom").unlink()
    assert verdict(name, directory) == (DISPROVEN, "without urandom")
    os.mknod(dev / "urandom", stat.S_IFCHR | 0o666, os.stat("/dev/urandom").st_rdev)
    assert verdict(name, directory) == (PROVEN, "all four are there")
    steps = {**context(directory).steps, "terminal": {"ok": False, "changed": True, "message": "x"}}
    assert verdict(name, directory, steps=steps) == (NOT_TRIED, "devfs was not mounted")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes nobody")
def test_a_relay_that_reaches_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with mac_in_temporary_directory() as mac:
        monkeypatch.setattr(launchd, "last_log_line", lambda _name: mac.log.read_text().splitlines()[-1])
        steps = {"build": OK, "relay": {"ok": False, "changed": True, "message": "cannot load it"}}
        assert verdict("M-DNS-3", mac.folder, steps=steps) == (DISPROVEN, "cannot load it")
        with mac.responder(mac.listen()):
            mac.relay("--mode", "relay")
            until(mac.is_relayed)
            assert verdict("M-DNS-3", mac.folder) == (PROVEN, "it answers")
            mac.server.chmod(0o600)
            found = verdict("M-DNS-3", mac.folder)
        assert found[0] == DISPROVEN
        assert found[1].endswith(f"cannot reach {mac.server}: Permission denied")


def test_a_job_that_is_not_taken_is_told(directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    monkeypatch.setattr(launchd, "PYTHON", sys.executable)
    launchctl.answers["bootstrap"] = [125]
    found = verdict("M-LAUNCHD-3", directory)
    assert found[0] == DISPROVEN
    assert found[1].startswith("cannot load the launchd job darwin.jail.selftest:")
    assert launchd.labels("darwin.jail.") == []


def test_an_image_that_became_another_jail_is_told(directory: Path) -> None:
    for jail in ("small", "unpacked"):
        (directory / jail / "bin").mkdir(parents=True)
        (directory / jail / "bin/sh").write_text("one")
    assert verdict("M-IMAGE-1", directory)[0] == PROVEN
    (directory / "unpacked/bin/sh").write_text("two")
    assert verdict("M-IMAGE-1", directory)[0] == DISPROVEN


def test_a_socket_that_is_another_one_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = directory / "server"
    monkeypatch.setattr(dns, "SERVER", str(server))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(server))
        listener.listen()
        os.chmod(server, 0o600)
        assert verdict("M-DNS-1", directory) == (DISPROVEN, "its mode is 0600")
        assert verdict("M-DNS-2", directory) == (PROVEN, "it answers")
    (directory / "scratch/socket").unlink()
    assert verdict("M-DNS-2", directory) == (DISPROVEN, "ECONNREFUSED")


def test_modes_that_are_others_are_told(directory: Path) -> None:
    found = verdict("M-LAYOUT-1", directory)
    assert found[0] == DISPROVEN
    assert "/ " in found[1]


def test_a_volume_of_which_mount_says_something_else_is_told(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(volumes, "options_of", lambda _path: ["apfs", "local"])
    assert verdict("M-VOLUME-3", directory)[0] == (DISPROVEN if lacks_rights(directory) else PROVEN)
    monkeypatch.setattr(volumes, "options_of", lambda _path: ["apfs", "noowners"])
    assert verdict("M-VOLUME-3", directory)[0] == DISPROVEN


def lacks_rights(directory: Path) -> bool:
    return bool(os.statvfs(directory).f_flag & (os.ST_NODEV | os.ST_NOSUID))


def test_what_is_tried_stays_in_the_directory(directory: Path) -> None:
    before = sorted(os.listdir(directory))
    call_probes.symlink_status(
        os.fsencode(directory / "scratch/one"), call_probes.Metadata(stat.S_IFLNK | 0o755, 1, 2, 10**18)
    )
    assert sorted(os.listdir(directory)) == before
