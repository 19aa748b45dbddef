# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Create, start, change and delete the virtual machines of a Mac.

A run checks everything for all machines before it changes one: how many may run, and whether the disk is large enough.
Then it starts them in parallel. It reports each machine that does not come up with the log of its job. It removes that
machine if it created it, otherwise only the job.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Callable

from ..errors import InputError, JailError, SpaceError
from ..macos import launchd
from ..plan import Change, apply
from ..result import Result
from .fusion import Fusion
from .machine import NAME, Driver, MachineSpec, gigabytes, user_of
from .tart import Tart

DRIVERS: dict[str, Callable[..., Driver]] = {"tart": Tart, "fusion": Fusion}
MAX_GUESTS = 2
"""How many macOS guests a Mac runs at once: Apple's licence says so, and its kernel counts them."""
PAUSE = 1.0
SSH = 22
SETTING_LABELS = {"cpu": "processors", "memory": "MB of memory", "disk": "GB of disk"}
FATAL_LOG_LINES = {
    "exceeds the system limit": "the Mac runs two macOS guests already: stop one of them",
    "SecKeyCreateRandomKey_ios failed": "the login keychain is locked or missing",
    "Failed to generate keypair": "the login keychain is locked or missing",
    "Interaction is not allowed with the Security Server": "the login keychain is locked or missing",
    "Unable to access security information": "the login keychain is locked or missing",
}
"""Lines of a tool's log that mean that the machine will never run, and what they mean."""


def ensure(params: Mapping[str, Any], check: bool) -> Result:
    """The work of the module."""
    driver = DRIVERS[params["tool"]](user_of(params["user"]), params["program"])
    specs = [MachineSpec.of(vm) for vm in params["vms"]]
    for spec in specs:
        if not NAME.fullmatch(spec.name):
            raise InputError(f"{spec.name!r} is not a valid VM name: use letters, digits, '.', '_' and '-'")
    if len({spec.name for spec in specs}) != len(specs):
        raise InputError("two of the virtual machines have the same name: give one of them another one")
    if params["state"] == "absent":
        return absent(driver, [spec.name for spec in specs], check)
    return present(driver, specs, gigabytes("image_size", params["image_size"]), params["timeout"], check)


def label(name: str) -> str:
    return f"darwin.jail.{name}.vm"


# -- present -----------------------------------------------------------------------


def present(driver: Driver, specs: Sequence[MachineSpec], image_size: int, timeout: float, check: bool) -> Result:
    running = driver.running()
    check_limits(driver, running, specs, image_size)
    plans = {spec.name: plan(driver, running, spec) for spec in specs}
    jobs = {spec.name: launchd.plan_present(driver.job(spec.name, label(spec.name))) for spec in specs}
    diff = [step.description for spec in specs for step in [*plans[spec.name], *jobs[spec.name]]]
    warnings = driver.preflight_warnings() if any(jobs.values()) else []
    if check:
        return Result(bool(diff), {"vms": [describe(driver, spec, running) for spec in specs]}, diff, warnings)
    failures: dict[str, str] = {}
    for spec in specs:
        try:
            for step in plans[spec.name]:
                step.apply()
            for step in launchd.plan_present(driver.job(spec.name, label(spec.name))):
                step.apply()
        except JailError as exc:
            failures[spec.name] = str(exc)
    started = [spec.name for spec in specs if spec.name not in failures]
    failures.update(wait_for_ssh(driver, started, timeout))
    for name in failures:
        if name not in running or jobs[name]:
            failures[name] += clean_up(driver, name, made=name not in running)
    values: dict[str, Any] = {"vms": [describe(driver, spec, running) for spec in specs if spec.name not in failures]}
    if failures:
        values["msg"] = "; ".join(f"the virtual machine {name} does not run: {why}" for name, why in failures.items())
    return Result(bool(diff), values, diff, warnings, failed=bool(failures))


def check_limits(driver: Driver, running: Mapping[str, bool], specs: Sequence[MachineSpec], image_size: int) -> None:
    """Raise what would otherwise fail later."""
    new = [spec for spec in specs if spec.name not in running]
    for spec in new:
        if not spec.image:
            raise InputError(f"there is no virtual machine {spec.name}, and no image to create it from: set its image")
        driver.check(spec)
    wanted = [spec.name for spec in specs]
    others = [name for name, active in running.items() if active and name not in wanted and driver.is_macos(name)]
    guests = [*wanted, *others]
    if len(guests) > MAX_GUESTS:
        raise InputError(
            f"{len(guests)} macOS guests would run on this Mac ({', '.join(guests)}): Apple's licence and the kernel "
            f"allow {MAX_GUESTS}; ask for fewer, or stop others"
        )
    known = [driver.disk_growth(spec) for spec in new]
    needed = sum(image_size if growth is None else growth for growth in known)
    status = os.statvfs(driver.user.home)
    free = status.f_bavail * status.f_frsize // 10**9
    if needed > free:
        raise SpaceError(
            f"cannot make {', '.join(spec.name for spec in new)} in {driver.user.home}: no space left "
            f"(up to {needed} GB are needed, {free} GB free)"
        )


def plan(driver: Driver, running: Mapping[str, bool], spec: MachineSpec) -> list[Change]:
    """The steps that create or change the stopped machine; none when it is as specified."""
    if spec.name not in running:
        return [Change(f"+ virtual machine {spec.name} of {spec.image}", lambda: create(driver, spec))]
    found = driver.settings(spec.name)
    wrong = {key: value for key, value in spec.settings.items() if found.get(key) != value}
    if wrong.get("disk", 0) and wrong["disk"] < found.get("disk", 0):
        raise InputError(
            f"the disk of {spec.name} has {found['disk']} GB and cannot shrink to {wrong['disk']}: retire it"
        )

    def change() -> None:
        launchd.unload(label(spec.name))
        driver.stop(spec.name)
        driver.configure(spec.name, wrong)

    what = ", ".join(
        f"{found.get(key, 'unknown')} -> {value} {SETTING_LABELS[key]}" for key, value in sorted(wrong.items())
    )
    return [Change(f"~ virtual machine {spec.name}: {what}", change)] if wrong else []


def create(driver: Driver, spec: MachineSpec) -> None:
    driver.clone(spec)
    if spec.settings:
        driver.configure(spec.name, spec.settings)


def describe(driver: Driver, spec: MachineSpec, before: Mapping[str, bool]) -> dict[str, Any]:
    there = spec.name in before or launchd.is_loaded(label(spec.name))
    address = driver.address(spec.name) if there else None
    return {"name": spec.name, "image": spec.image, "address": address, "created": spec.name not in before}


# -- until they answer -------------------------------------------------------------


def wait_for_ssh(driver: Driver, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Wait until all answer to ssh; why not, for those that do not."""
    waiting, failed = list(names), {}
    deadline = time.monotonic() + timeout
    while waiting:
        for name in list(waiting):
            why = fatal_log_line(name)
            if why:
                failed[name] = why
            elif not answers_ssh(driver.address(name)):
                continue
            waiting.remove(name)
        if waiting and time.monotonic() > deadline:
            late = f"it does not answer to ssh after {timeout:.0f} seconds"
            return {**failed, **{name: f"{late}; {job_log(name)}" for name in waiting}}
        if waiting:
            time.sleep(PAUSE)
    return failed


def answers_ssh(address: str | None) -> bool:
    if not address:
        return False
    try:
        with socket.create_connection((address, SSH), timeout=PAUSE) as connection:
            connection.settimeout(PAUSE)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def fatal_log_line(name: str) -> str:
    """The line of the job's log that means that the machine will never run; empty when there is none."""
    said = launchd.log(label(name))
    return next((f"{hint}; {job_log(name)}" for text, hint in FATAL_LOG_LINES.items() if text in said), "")


def job_log(name: str) -> str:
    said = launchd.log(label(name)).splitlines()[-5:]
    return f"output of its job: {' / '.join(said)}" if said else "its job has no output"


def clean_up(driver: Driver, name: str, made: bool) -> str:
    """Take away what this run made; says what was done."""
    try:
        for step in launchd.plan_absent(label(name)):
            step.apply()
        if not made:
            return "; its job was removed, the machine was there before and is left"
        if name in driver.running():
            driver.stop(name)
            driver.delete(name)
    except JailError as exc:
        return f"; it could not be removed: {exc}"
    return "; it was removed again"


# -- absent ------------------------------------------------------------------------


def absent(driver: Driver, names: Sequence[str], check: bool) -> Result:
    """Stop and delete them: the job first, which would start them again."""
    running = driver.running()
    changes: list[Change] = []
    for name in names:
        changes += launchd.plan_absent(label(name))
        if name in running:
            changes.append(Change(f"- virtual machine {name}", partial(remove, driver, name)))
    return apply(changes, check, {"vms": []})


def remove(driver: Driver, name: str) -> None:
    driver.stop(name)
    driver.delete(name)
