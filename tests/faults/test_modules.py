# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Killed, out of space or failed at any call that writes: the next run of a module does all of it, and leaves no more.

`make soak` tries all calls, `make faults` some of each run, chosen by a seed.
"""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import tools, transport
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.applying import Applier
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts, bindfs, devfs, dns
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import thinning
from ansible_collections.darwin.jail.plugins.module_utils._jail.services import services
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import mounts
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.current import backend
from ansible_collections.darwin.jail.plugins.module_utils._jail.vm import lifecycle as vms
from ansible_collections.darwin.jail.plugins.module_utils._jail.vm.machine import User
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import apfs_volume as volumes
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import time_machine as time_machines
from bindfs_mounts import PROGRAM, UMOUNT, needs_bindfs
from containers import environment
from containers import program as peer
from dns_relay_mac import Mac
from faults import Module, SmallMac, Trial, went_well
from launchctl import Launchctl
from mac_programs import devfs_program, diskutil, tmutil, vmrun
from registry import registry
from volumes import lacks, volume
from writing_modules import JAIL, RUNS, TRIED_ELSEWHERE, Run

ALL = "DARWIN_JAIL_KILLS" in os.environ
SOME, SEED = 100, 20261130
PLUGINS = Path(__file__).parents[2] / "plugins/modules"
READING = ("_info", "_report", "_results")
"""How modules are called that write nothing."""

pytestmark = pytest.mark.usefixtures("not_the_controller")


@pytest.fixture
def mac(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallMac]:
    made = SmallMac(place)
    for owner, name, value in made.patches():
        monkeypatch.setattr(owner, name, value)
    yield made
    made.rest()


# -- what some modules also need of a Mac ---------------------------------------


@pytest.fixture
def on_a_mac_with_launchd(mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    mac.launchctl = Launchctl(mac.top)
    mac.launchctl.install(mac.top, monkeypatch)
    monkeypatch.setattr(launchd, "TIMEOUT", 5)
    monkeypatch.setattr(third_party, "require_root_owned", lambda program, remedy="": None)
    monkeypatch.setattr(mounts, "UMOUNT", UMOUNT)


@pytest.fixture
def on_a_mac_with_silicon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(thinning, "architecture", lambda: "arm64")


@pytest.fixture
def on_a_mac_with_diskutil(mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    (mac.top / "state").write_text("{}")
    monkeypatch.setattr(volumes, "DISKUTIL", diskutil(mac.top))
    monkeypatch.setattr(volumes, "MOUNTED_BELOW", str(mac.top / "Volumes"))
    monkeypatch.setattr(volumes, "TOP", os.fsencode(mac.top))


@pytest.fixture
def on_a_mac_with_tmutil(mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time_machines, "TMUTIL", tmutil(mac.top))


@pytest.fixture
def on_a_mac_with_names(
    mac: SmallMac, place: Path, monkeypatch: pytest.MonkeyPatch, on_a_mac_with_launchd: None
) -> Iterator[None]:
    (place / "names").mkdir()
    made = Mac(place / "names")

    def adapted(*modules: object, call: str) -> str:
        text = program(*modules, call=call)  # type: ignore[arg-type]
        return text.replace("/private/var/run/mDNSResponder", str(made.server)).replace("TICK = 2.0", "TICK = 0.1")

    with made.responder(made.listen()):
        monkeypatch.setattr(dns, "SERVER", str(made.server))
        monkeypatch.setattr(dns, "SELF_REPAIR_SECONDS", 0.5)
        monkeypatch.setattr(dns, "program", adapted)
        yield
        mac.rest()
    made.close()


@pytest.fixture
def on_a_mac_with_devfs(place: Path, monkeypatch: pytest.MonkeyPatch, on_a_mac_with_launchd: None) -> None:
    text = devfs_program(place)
    monkeypatch.setattr(devfs, "program", lambda *_modules, call: text)
    monkeypatch.setattr(devfs, "SELF_REPAIR_SECONDS", 0.5)


@pytest.fixture
def on_a_mac_with_bindfs(monkeypatch: pytest.MonkeyPatch, on_a_mac_with_launchd: None) -> None:
    needs_bindfs()
    monkeypatch.setattr(bind_mounts, "program", lambda *_modules, call: PROGRAM)
    monkeypatch.setattr(bind_mounts, "SELF_REPAIR_SECONDS", 0.6)
    monkeypatch.setattr(bindfs, "installed_fuses", lambda root: ["macfuse"])
    monkeypatch.setattr(bindfs, "USUAL_PATHS", (shutil.which("bindfs"),))


@pytest.fixture
def on_a_mac_with_services(
    mac: SmallMac, furnished: Path, monkeypatch: pytest.MonkeyPatch, on_a_mac_with_launchd: None
) -> None:
    """The supervisor only sleeps, for its state is another one each time."""
    (mac.top / "jails").mkdir()
    subprocess.run(["cp", "-a", furnished, mac.top / "jails/a"], check=True)
    with jails.open_jail(str(mac.top / "jails/a")) as jail:
        jail.update_entry(state="complete")
    monkeypatch.setattr(services, "program", lambda *_modules, call: "import time\ntime.sleep(60)\n")
    monkeypatch.setattr(services, "_see_working", lambda jail, names, started, timeout: None)


@pytest.fixture
def on_a_mac_with_vmrun(mac: SmallMac, monkeypatch: pytest.MonkeyPatch, on_a_mac_with_launchd: None) -> Iterator[None]:
    """All its machines are at one address, where something answers as an sshd does."""
    vmrun(mac.top)
    (mac.top / "vmrun.address").write_text("127.0.0.1\n")
    monkeypatch.setattr(vms, "user_of", lambda name: User(name, 0, 0, str(mac.top)))
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(vms, "SSH", server.getsockname()[1])
        monkeypatch.setattr(vms, "PAUSE", 0.2)

        def answer() -> None:
            while True:
                try:
                    connection, _address = server.accept()
                except OSError:
                    return
                with connection:
                    connection.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


@pytest.fixture
def on_a_mac_with_registry(mac: SmallMac, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    skopeo = place / "skopeo"
    skopeo.write_text(
        f"#!/bin/sh\nexport LD_LIBRARY_PATH={environment()['LD_LIBRARY_PATH']}\n"
        f'exec {peer("skopeo")} --insecure-policy "$@"\n'
    )
    skopeo.chmod(0o755)
    monkeypatch.setattr(tools, "PLACES", (str(place),))
    monkeypatch.setattr(transport, "PAUSE", 0.01)
    monkeypatch.setenv("HOME", str(place))
    (mac.top / "registry").mkdir()
    with registry(place / "registry") as served:
        (place / "registry/storage").symlink_to(mac.top / "registry")
        mac.words["registry"] = served.host
        yield


@pytest.fixture
def on_a_mac_with_programs(mac: SmallMac, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """On a volume whose files can share blocks."""
    if reason := lacks("xfs"):
        pytest.skip(reason)
    backend.cache_clear()  # it remembers volumes that refused, by numbers that are used again
    aside = mac.top.with_name("aside")
    mac.top.rename(aside)
    with volume("xfs", mac.top) as point:
        subprocess.run(["cp", "-a", f"{aside}/.", point], check=True)
        (point / "jails").mkdir()
        subprocess.run(["cp", "-a", furnished, point / "jails/a"], check=True)
        with jails.open_jail(str(point / "jails/a")) as jail:
            jail.update_entry(state="complete")
        yield


# -- trials ------------------------------------------------------------------------


@pytest.fixture(params=RUNS)
def run(request: pytest.FixtureRequest) -> Run:
    found = RUNS[request.param]
    if found.scene:
        request.getfixturevalue(f"on_a_mac_with_{found.scene}")
    return found


def share(name: str) -> int:
    """How many cases of a run are tried; all together are SOME."""
    each, more = divmod(SOME, len(RUNS))
    return each + (list(RUNS).index(name) < more)


def test_the_next_run_does_all_of_it(run: Run, mac: SmallMac, request: pytest.FixtureRequest) -> None:
    name = request.node.callspec.params["run"]
    _all(run.first, mac)
    trial = Trial(mac, run.module, partial(_all, run.live, mac), run.settled)
    cases = trial.cases()
    some = random.Random(f"{SEED} {name}").sample(cases, min(share(name), len(cases)))  # noqa: S311 (no secret)
    wrong = []
    for number, kind in cases if ALL else some:
        try:
            trial.judge(number, kind)
        except AssertionError as exc:
            wrong.append(f"{kind} before call {number} of {len(trial.calls)}, {trial.calls[number - 1]}: {exc}")
    assert not wrong, "\n".join(wrong)


def _all(steps: Sequence[Module | Callable[[Path], None]], mac: SmallMac) -> None:
    for step in steps:
        step.do(mac.words) if isinstance(step, Module) else step(mac.top)


def _not_known_as_begun(_mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that the next run would leave what is there."""
    create = jails.create
    monkeypatch.setattr(jails, "create", lambda path, closed=False, **values: create(path, **values))


def _of_somebody_else(_mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who can open it."""

    def close(self: Applier, new: bool) -> None:
        lock_out_others(self, new)
        os.fchown(self._root.fd, 501, 20)

    lock_out_others = Applier.lock_out_others
    monkeypatch.setattr(Applier, "lock_out_others", close)


def _not_closed(_mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Applier, "lock_out_others", lambda self, new: None)


def _in_another_jail(mac: SmallMac, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which nobody but root can enter, either."""

    def close(self: Applier, new: bool) -> None:
        lock_out_others(self, new)
        (mac.top / "jails/a").chmod(0o700)
        (mac.top / "jails/a/usr/bin/half").write_text("ha")

    lock_out_others = Applier.lock_out_others
    monkeypatch.setattr(Applier, "lock_out_others", close)


IN_PLACE = ["create", "write", "fchown", "fchmod", "utime"]
"""How a file is made under its name."""


@pytest.mark.parametrize("mutant", [None, _not_known_as_begun, _of_somebody_else, _not_closed, _in_another_jail])
def test_what_is_unfinished_is_excused_where_the_next_run_removes_it(
    mac: SmallMac, monkeypatch: pytest.MonkeyPatch, mutant: Callable[[SmallMac, pytest.MonkeyPatch], None] | None
) -> None:
    """In a new jail of an image that only root can enter, and nowhere else."""
    run = RUNS["a jail of an archive"]
    for step in run.first:
        step.do(mac.words) if isinstance(step, Module) else step(mac.top)
    trial = Trial(mac, run.module, lambda: None)
    number = next(n for n in range(len(trial.calls)) if trial.calls[n : n + len(IN_PLACE)] == IN_PLACE)
    if mutant is None:
        trial.judge(number + 3, "KILL")
        return
    mutant(mac, monkeypatch)
    with pytest.raises(AssertionError, match="was seen unfinished"):
        trial.judge(number + 3, "KILL")


def test_all_modules_that_write_are_tried() -> None:
    there = {path.stem for path in PLUGINS.glob("darwin_*.py") if not path.stem.endswith(READING)}
    assert {run.module.name for run in RUNS.values()} | TRIED_ELSEWHERE.keys() == there


def test_a_module_that_looks_writes_nothing(mac: SmallMac) -> None:
    for step in RUNS["files"].first:
        step.do(mac.words) if isinstance(step, Module) else step(mac.top)
    found, calls = mac.run(Module("darwin_jail_info", {"jail": JAIL, "gather_subset": ["all"]}))
    went_well(found)
    assert set(calls) <= {"start", "write"}, "programs are asked, over pipes"
