# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The virtual machines of a Mac, as they are wished: made, running and answering, or gone.

All is checked before anything is touched, for all of them together: how many may run, whether the disk is large enough.
Then they are started side by side. One that does not come up is reported with what its job said; when this run made it,
it is removed, otherwise its job is.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any, Callable

from ..errors import InputError, JailError, SpaceError
from ..macos import launchd
from ..macos.launchd import Step
from ..result import Result
from .fusion import Fusion
from .machine import NAME, Driver, Wish, user_of
from .tart import Tart

DRIVERS: dict[str, Callable[..., Driver]] = {"tart": Tart, "fusion": Fusion}
MOST = 2
"""How many macOS guests a Mac runs at once: Apple's licence says so, and its kernel counts them."""
PAUSE = 1.0
SSH = 22
TRAITS = {"cpu": "processors", "memory": "MB of memory", "disk": "GB of disk"}
HINTS = {
    "exceeds the system limit": "the Mac runs two macOS guests already: stop one of them",
    "SecKeyCreateRandomKey_ios failed": "the login keychain is locked or missing",
    "Failed to generate keypair": "the login keychain is locked or missing",
    "Interaction is not allowed with the Security Server": "the login keychain is locked or missing",
    "Unable to access security information": "the login keychain is locked or missing",
}
"""What a tool says when it will never run the machine, and what that means."""


def arrange(params: Mapping[str, Any], check: bool) -> Result:
    """What the module does."""
    driver = DRIVERS[params["tool"]](user_of(params["user"]), params["program"])
    wishes = [Wish(**vm) for vm in params["vms"]]
    for wish in wishes:
        if not NAME.fullmatch(wish.name):
            raise InputError(f"{wish.name!r} is no name for a virtual machine: letters, digits, dots and dashes are")
    if len({wish.name for wish in wishes}) != len(wishes):
        raise InputError("two of the virtual machines have the same name: give one of them another one")
    if params["state"] == "absent":
        return absent(driver, [wish.name for wish in wishes], check)
    return present(driver, wishes, params["image_size"], params["timeout"], check)


def label(name: str) -> str:
    return f"darwin.jail.{name}.vm"


# -- present -----------------------------------------------------------------------


def present(driver: Driver, wishes: Sequence[Wish], image_size: int, timeout: float, check: bool) -> Result:
    running = driver.running()
    refuse(driver, running, wishes, image_size)
    plans = {wish.name: plan(driver, running, wish) for wish in wishes}
    jobs = {wish.name: launchd.plan_present(driver.job(wish.name, label(wish.name))) for wish in wishes}
    diff = [step.describe for wish in wishes for step in [*plans[wish.name], *jobs[wish.name]]]
    warnings = driver.concerns() if any(jobs.values()) else []
    if check:
        return Result(bool(diff), {"vms": [describe(driver, wish, running) for wish in wishes]}, diff, warnings)
    failures: dict[str, str] = {}
    for wish in wishes:
        try:
            for step in plans[wish.name]:
                step.execute()
            for step in launchd.plan_present(driver.job(wish.name, label(wish.name))):
                step.execute()
        except JailError as exc:
            failures[wish.name] = str(exc)
    started = [wish.name for wish in wishes if wish.name not in failures]
    failures.update(await_all(driver, started, timeout))
    for name in failures:
        if name not in running or jobs[name]:
            failures[name] += clean_up(driver, name, made=name not in running)
    values: dict[str, Any] = {"vms": [describe(driver, wish, running) for wish in wishes if wish.name not in failures]}
    if failures:
        values["msg"] = "; ".join(f"the virtual machine {name} does not run: {why}" for name, why in failures.items())
    return Result(bool(diff), values, diff, warnings, failed=bool(failures))


def refuse(driver: Driver, running: Mapping[str, bool], wishes: Sequence[Wish], image_size: int) -> None:
    """Raise for what could only fail later."""
    new = [wish for wish in wishes if wish.name not in running]
    for wish in new:
        if not wish.image:
            raise InputError(f"there is no virtual machine {wish.name}, and no image to make it of: give it an image")
        driver.check(wish)
    mine = [wish.name for wish in wishes]
    others = [name for name, active in running.items() if active and name not in mine and driver.is_macos(name)]
    if len(others) + len(mine) > MOST:
        raise InputError(
            f"{len(others) + len(mine)} macOS guests would run on this Mac ({', '.join([*mine, *others])}): Apple's "
            f"licence and the kernel allow {MOST}; wish for fewer, or stop others"
        )
    growths = [driver.growth(wish) for wish in new]
    needed = sum(image_size if growth is None else growth for growth in growths)
    status = os.statvfs(driver.user.home)
    free = status.f_bavail * status.f_frsize // 10**9
    if needed > free:
        raise SpaceError(
            f"cannot make {', '.join(wish.name for wish in new)} in {driver.user.home}: no space left "
            f"(up to {needed} GB are needed, {free} GB free)"
        )


def plan(driver: Driver, running: Mapping[str, bool], wish: Wish) -> list[Step]:
    """What makes the machine, stopped, as it is to be; nothing when it is."""
    if wish.name not in running:
        return [Step(f"+ virtual machine {wish.name} of {wish.image}", lambda: make(driver, wish))]
    found = driver.settings(wish.name)
    wrong = {key: value for key, value in wish.settings.items() if found.get(key) != value}
    if wrong.get("disk", 0) and wrong["disk"] < found.get("disk", 0):
        raise InputError(
            f"the disk of {wish.name} has {found['disk']} GB and cannot shrink to {wrong['disk']}: retire it"
        )

    def change() -> None:
        launchd.unload(label(wish.name))
        driver.stop(wish.name)
        driver.configure(wish.name, wrong)

    what = ", ".join(f"{found.get(key, 'unknown')} -> {value} {TRAITS[key]}" for key, value in sorted(wrong.items()))
    return [Step(f"~ virtual machine {wish.name}: {what}", change)] if wrong else []


def make(driver: Driver, wish: Wish) -> None:
    driver.clone(wish)
    if wish.settings:
        driver.configure(wish.name, wish.settings)


def describe(driver: Driver, wish: Wish, before: Mapping[str, bool]) -> dict[str, Any]:
    there = wish.name in before or launchd.is_loaded(label(wish.name))
    address = driver.address(wish.name) if there else None
    return {"name": wish.name, "image": wish.image, "address": address, "created": wish.name not in before}


# -- until they answer -------------------------------------------------------------


def await_all(driver: Driver, names: Sequence[str], timeout: float) -> dict[str, str]:
    """Wait until all answer to ssh; why not, for those that do not."""
    waiting, failed = list(names), {}
    deadline = time.monotonic() + timeout
    while waiting:
        for name in list(waiting):
            why = hopeless(name)
            if why:
                failed[name] = why
            elif not answers(driver.address(name)):
                continue
            waiting.remove(name)
        if waiting and time.monotonic() > deadline:
            late = f"it does not answer to ssh after {timeout:.0f} seconds"
            return {**failed, **{name: f"{late}; {words(name)}" for name in waiting}}
        if waiting:
            time.sleep(PAUSE)
    return failed


def answers(address: str | None) -> bool:
    if not address:
        return False
    try:
        with socket.create_connection((address, SSH), timeout=PAUSE) as connection:
            connection.settimeout(PAUSE)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


def hopeless(name: str) -> str:
    """What the job said since it was started, when that is final."""
    said = launchd.log(label(name))
    return next((f"{hint}; {words(name)}" for text, hint in HINTS.items() if text in said), "")


def words(name: str) -> str:
    said = launchd.log(label(name)).splitlines()[-5:]
    return f"its job says: {' / '.join(said)}" if said else "its job says nothing"


def clean_up(driver: Driver, name: str, made: bool) -> str:
    """Take away what this run made; says what was done."""
    try:
        for step in launchd.plan_absent(label(name)):
            step.execute()
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
    steps: list[Step] = []
    for name in names:
        steps += launchd.plan_absent(label(name))
        if name in running:
            steps.append(Step(f"- virtual machine {name}", lambda name=name: remove(driver, name)))  # type: ignore[misc]
    if not check:
        for step in steps:
            step.execute()
    return Result(bool(steps), {"vms": []}, [step.describe for step in steps])


def remove(driver: Driver, name: str) -> None:
    driver.stop(name)
    driver.delete(name)
