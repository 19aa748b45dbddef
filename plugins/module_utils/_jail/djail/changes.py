# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail create, clone and destroy."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from .. import files, mounted_volume
from ..accounts.directory_services import Account, find_account
from ..audit.mac_info import gather
from ..errors import InputError, show
from ..jobs import devfs, dns
from ..macos import launchd
from ..macos.release import OLDEST
from ..programs.djail_arguments import DjailError
from ..programs.djail_session import EX_NOINPUT, path_of
from ..result import Result
from ..rootfs.build import BuildSpec, build
from ..rootfs.remove import remove
from ..sizes import size
from ..volumes import apfs_volume
from . import base_files, places
from .answers import Answer
from .progress_lines import shown_progress
from .request import Request, absolute

PROFILES = ("minimal", "standard", "developer")
DEFAULT_PROFILE = "standard"
SECONDS = 20.0
"""For a job to do its work."""
BEYOND = (
    "this is what build_jail makes with its defaults; what it adds when its variables ask for it: users of the jail "
    "alone, Homebrew, directories of the Mac, dotfiles, services, volumes and images"
)


class Steps:
    """Runs the steps of a command, and adds up what they changed."""

    def __init__(self, check: bool) -> None:
        self.check = check
        self.diff: list[str] = []
        self.warnings: list[str] = []
        self.changed = False

    def run(self, step: Callable[[], Result]) -> Result:
        result = step()
        self.changed = self.changed or result.changed
        self.diff += result.lines(everything=False)
        self.warnings += [text for text in result.shown_warnings() if text not in self.warnings]
        return result

    def answer(self, values: dict[str, Any], lines: list[str]) -> Answer:
        shown = [show(line) for step in self.diff for line in step.split("\n")] if self.check else []
        return Answer({"changed": self.changed, **values}, [*shown, *lines], self.warnings)


# -- create ----------------------------------------------------------------------


def create(request: Request) -> Answer:
    """Build a jail or repair it: its files, home, temporary directories, names and terminals."""
    path, steps = _new_path(request["jail"]), Steps(request.is_dry_run)
    account = find_account(request["user"] or "root")
    tools = not request.flag("no_tools") and not request.flag("from")
    _preflight(request, path, steps, tools)
    spec = _spec(request, path, account, tools)
    with shown_progress(request, f"building {show(path)}") as progress_file:
        built = steps.run(lambda: build(spec._replace(progress_file=progress_file), steps.check))
    made = base_files.of_base(account) + (base_files.TOOL_LINKS if tools else [])
    steps.run(lambda: files.ensure(path, made, steps.check, [account.name]))
    _connect(path, steps, (dns.PURPOSE, devfs.PURPOSE))
    return steps.answer({"path": path, "stats": built.values["stats"]}, _created(path, built, account, steps))


def _spec(request: Request, path: str, account: Account, tools: bool) -> BuildSpec:
    if request.flag("from"):
        return BuildSpec(path, clone_of=request.jail("from"))
    shells = dict.fromkeys(["/bin/sh", *([account.shell] if account.shell.startswith(base_files.SHELLS) else [])])
    return BuildSpec(
        path,
        profile=request["profile"] or DEFAULT_PROFILE,
        manifests=[absolute(request["manifest"])] if request.flag("manifest") else [],
        entries=base_files.TOOLS if tools else [],
        exclude=base_files.EXCLUDED,
        required_programs=list(shells),
    )


def _new_path(jail: str) -> str:
    """The path of a jail that may be new. A name alone is that of a jail of this Mac, or of a new one in JAILS."""
    if "/" in jail:
        if not jail.startswith("/"):
            raise InputError(f"{show(jail)} is neither a name nor an absolute path: give the whole path, from /")
        path = jail.rstrip("/")
    else:
        path = _known_path(jail) or os.path.join(places.JAILS, jail)
    if jail.startswith("-") or os.path.basename(path).startswith(base_files.RESERVED) or not os.path.basename(path):
        raise InputError(f"{show(jail)} is reserved for playbooks (next.NAME, ephemeral.NAME): choose another name")
    return path


def _known_path(name: str) -> str:
    """The path of the jail of this name; empty when there is none."""
    try:
        return path_of(name)
    except DjailError as exc:
        if exc.code != EX_NOINPUT:
            raise
        return ""


def _preflight(request: Request, path: str, steps: Steps, tools: bool) -> None:
    """InputError for what is known to fail, before anything is changed."""
    if request.flag("profile") and request["profile"] not in PROFILES:
        raise InputError(f"there is no profile {show(request['profile'])}: give one of {', '.join(PROFILES)}")
    for option in ("profile", "manifest", "no_tools") if request.flag("from") else ():
        if request.flag(option):
            raise InputError(f"a clone has what the other jail has: leave out --{option.replace('_', '-')} or --from")
    mac = gather(()).values
    if int(mac["macos"]["version"].split(".", 1)[0]) < OLDEST:
        raise InputError(f"this Mac runs macOS {mac['macos']['version']}, and jails need {OLDEST} or later: update it")
    if tools and mac["command_line_tools"] is None:
        raise InputError("this Mac has no Command Line Tools: xcode-select --install, or give --no-tools")
    if not mac["can_enter"]:
        steps.warnings.append(
            f"{show(path)} can be built but not entered: System Integrity Protection is {mac['sip']}: csrutil disable "
            "in recoveryOS turns it off"
        )


def _connect(path: str, steps: Steps, purposes: tuple[str, ...]) -> None:
    """Give a jail names and terminals."""
    python = launchd.PYTHON
    if dns.PURPOSE in purposes:
        steps.run(lambda: dns.ensure(path, "present", "auto", python, SECONDS, steps.check))
    if devfs.PURPOSE in purposes:
        steps.run(lambda: devfs.ensure(path, "present", python, SECONDS, steps.check))


def _created(path: str, built: Result, account: Account, steps: Steps) -> list[str]:
    if steps.check:
        summary = built.values.get("space", {}).get("summary", "")
        return [f"would build {show(path)}: {summary}" if steps.changed else f"{show(path)} is as it should be"]
    if not steps.changed:
        return [f"{show(path)} is as it should be"]
    stats = built.values["stats"]
    done = f"{stats['files']} files, {size(stats['bytes'])}"
    return [f"built {show(path)}: {done}", BEYOND, f"enter it: djail console {_name(path)} -u {account.name}"]


def _name(path: str) -> str:
    return show(os.path.basename(path))


# -- clone -----------------------------------------------------------------------


def clone(request: Request) -> Answer:
    """Make a clone beside the jail, with the jobs of the jail."""
    path, steps = request.jail(), Steps(request.is_dry_run)
    new = request["new"]
    place = _new_path(new if "/" in new else os.path.join(os.path.dirname(path), new))
    with shown_progress(request, f"cloning {show(path)}") as progress_file:
        spec = BuildSpec(place, clone_of=path, progress_file=progress_file)
        built = steps.run(lambda: build(spec, steps.check))
    purposes = {label.split(".", 3)[3] for label in launchd.labels(launchd.label(os.fsencode(path), ""))}
    _connect(place, steps, tuple(purposes & {dns.PURPOSE, devfs.PURPOSE}))
    done = "would clone" if steps.check else "cloned"
    said = f"{done} {show(path)} to {show(place)}" if steps.changed else f"{show(place)} is a clone already"
    left = sorted(purposes - {dns.PURPOSE, devfs.PURPOSE})
    if left:
        steps.warnings.append(f"the clone does not get the jobs {', '.join(left)} of {show(path)}: playbooks add them")
    return steps.answer({"path": place, "clone_of": path, "stats": built.values["stats"]}, [said])


# -- destroy ---------------------------------------------------------------------


def destroy(request: Request) -> Answer:
    """Remove a jail, when it was confirmed, with what playbooks keep beside it, see the playbook destroy_jail."""
    path, steps = request.jail(), Steps(request.is_dry_run)
    if point := mounted_volume.missing_mount(os.fsencode(path)):
        raise InputError(f"cannot remove {show(path)}: nothing is mounted on {show(point)}: mount its volume first")
    if not steps.check and not request.flag("yes"):
        _confirm(path)
    folder, name = os.path.split(path)
    beside = os.path.join(folder, f"next.{name}")
    with shown_progress(request, f"removing {show(path)}") as progress_file:
        for jail in (path, *([beside] if os.path.lexists(beside) else [])):
            steps.run(partial(remove, jail, True, steps.check, progress_file, request.flag("force")))
    _remove_volume(path, steps)
    for kind in ("manifests", "images"):
        kept = f"{places.STATE}/{kind}/{name}"
        if os.path.lexists(kept):
            steps.warnings.append(
                f"{show(kept)} stays, which belongs to a host of an inventory: the playbook destroy_jail removes it"
            )
    done = "would remove" if steps.check else "removed"
    return steps.answer({"path": path}, [f"{done} {show(path)}" if steps.changed else f"there is no {show(path)}"])


def _remove_volume(path: str, steps: Steps) -> None:
    """Delete the volume that a playbook made for the jail, when nothing else is in it."""
    volumes, name = os.fsdecode(mounted_volume.VOLUMES), os.path.basename(os.path.dirname(path))
    if os.path.dirname(path) == volumes + name and os.path.lexists(
        os.path.join("/", os.fsdecode(apfs_volume.NOTES), name)
    ):
        steps.run(lambda: apfs_volume.ensure(name, None, "absent", path, steps.check))


def _confirm(path: str) -> None:
    """Ask on the terminal; InputError without a terminal, and for any other answer than yes."""
    if not (os.isatty(0) and os.isatty(2)):
        raise InputError(f"cannot remove {show(path)} with all that is in it: nobody can confirm it: give --yes")
    sys.stderr.write(f"Remove {show(path)} with all that is in it? Type yes: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != "yes":
        raise InputError(f"{show(path)} stays: it was not confirmed")
