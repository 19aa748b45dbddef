# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""VMware Fusion, for Macs with Intel's processors: virtual machines are clones of a .vmx file, run by vmrun."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from .. import kept_file
from ..errors import InputError, OperationError
from ..macos.launchd import Job
from ..system import host
from ..system.rooted import Root
from .machine import LONG_TIMEOUT, MachineSpec, User, find_program, output_of, run_as

PLACES = (
    "/Applications/VMware Fusion.app/Contents/Library/vmrun",
    "/Applications/VMware Fusion.app/Contents/Public/vmrun",
)
HINT = "install VMware Fusion, or set its path"
FOLDER = "Virtual Machines.localized"
BUNDLE = ".vmwarevm"
SETTINGS = {"cpu": "numvcpus", "memory": "memsize"}
MAX_SIZE = 1 << 20
DIGITS = re.compile("[0-9]{1,10}")
SETTING_LINE = re.compile(r'^\s*([\w.:]+)\s*=\s*"(.*)"\s*$')


class Fusion:
    """Driver for VMware Fusion."""

    def __init__(self, user: User, program: str | None = None) -> None:
        self.user = user
        self.program = find_program(user, "vmrun", (program,) if program else PLACES, HINT)
        self.folder = os.path.join(user.home, FOLDER)

    def running(self) -> Mapping[str, bool]:
        """Those in the user's folder; others that run are counted by their path.

        A folder without its .vmx file is what a killed run left that was about to make a machine.
        """
        printed = output_of(self.user, self._vmrun("list"), "list virtual machines of", self.user.name)
        active = [line for line in printed.decode("utf-8", "replace").splitlines() if line.startswith("/")]
        names = host.list_names(os.fsencode(self.folder)) if os.path.isdir(self.folder) else []
        bundles = [os.fsdecode(name)[: -len(BUNDLE)] for name in names if os.fsdecode(name).endswith(BUNDLE)]
        paths = {self._vmx(name): name for name in bundles if os.path.isfile(self._vmx(name))}
        return {**dict.fromkeys(paths.values(), False), **{paths.get(path, path): True for path in active}}

    def is_macos(self, name: str) -> bool:
        path = name if name.startswith("/") else self._vmx(name)
        return self._read(path).get("guestOS", "darwin").startswith("darwin")

    def settings(self, name: str) -> Mapping[str, int]:
        found = self._read(self._vmx(name))
        return {key: int(found[word]) for key, word in SETTINGS.items() if DIGITS.fullmatch(found.get(word, ""))}

    def disk_growth(self, spec: MachineSpec) -> int | None:
        """A whole copy of the image."""
        folder = os.path.dirname(spec.image)
        sizes = [os.stat(entry.path).st_blocks * 512 for entry in os.scandir(folder) if entry.is_file()]
        return sum(sizes) // 10**9 + 1

    def check(self, spec: MachineSpec) -> None:
        if not (spec.image.endswith(".vmx") and os.path.isfile(spec.image)):
            raise InputError(f"the image of {spec.name} is {spec.image}, which is not a .vmx file on this Mac")
        if spec.disk is not None:
            raise InputError(f"the disk of {spec.name} cannot be resized with Fusion: leave disk out")

    def clone(self, spec: MachineSpec) -> None:
        target = self._vmx(spec.name)
        output_of(self.user, ["/bin/mkdir", "-p", os.path.dirname(target)], "make directory", os.path.dirname(target))
        argv = self._vmrun("clone", spec.image, target, "full", f"-cloneName={spec.name}")
        output_of(self.user, argv, "make the virtual machine", spec.name, LONG_TIMEOUT)

    def configure(self, name: str, settings: Mapping[str, int]) -> None:
        path = self._vmx(name)
        settings_text = {SETTINGS[key]: str(value) for key, value in settings.items()}
        added = [f'{key} = "{value}"' for key, value in sorted(settings_text.items())]
        with Root(os.path.dirname(path)) as root:
            base = os.fsencode(os.path.basename(path))
            lines = kept_file.read(root, base, MAX_SIZE)[0].decode("utf-8", "replace").splitlines()
            others = [line for line in lines if not ((found := SETTING_LINE.match(line)) and found[1] in settings_text)]
            text = "\n".join([*others, *added, ""])
            root.write(base, text.encode(), 0o644, self.user.uid, self.user.gid)

    def job(self, name: str, label: str) -> Job:
        """vmrun goes when the machine runs, which must outlive it; so it is started at load and at boot only."""
        keys = {
            "UserName": self.user.name,
            "EnvironmentVariables": {"HOME": self.user.home},
            "KeepAlive": False,
            "AbandonProcessGroup": True,
        }
        return Job(
            label,
            tuple(self._vmrun("start", self._vmx(name), "nogui")),
            keys=keys,
            owner=(self.user.uid, self.user.gid),
        )

    def address(self, name: str) -> str | None:
        ended = run_as(self.user, self._vmrun("getGuestIPAddress", self._vmx(name)))
        return None if ended.rc else ended.stdout.decode("utf-8", "replace").strip() or None

    def stop(self, name: str) -> None:
        if not self.running().get(name):
            return
        ended = run_as(self.user, self._vmrun("stop", self._vmx(name), "soft"))
        if ended.rc or ended.timed_out:
            output_of(self.user, self._vmrun("stop", self._vmx(name), "hard"), "stop the virtual machine", name)

    def delete(self, name: str) -> None:
        output_of(self.user, self._vmrun("deleteVM", self._vmx(name)), "delete the virtual machine", name)

    def preflight_warnings(self) -> list[str]:
        return []

    def _vmrun(self, *words: str) -> list[str]:
        return [self.program, "-T", "fusion", *words]

    def _vmx(self, name: str) -> str:
        return os.path.join(self.folder, name + BUNDLE, name + ".vmx")

    def _read(self, path: str) -> dict[str, str]:
        lines = host.read_file(path).decode("utf-8", "replace").splitlines()
        found = [match for line in lines if (match := SETTING_LINE.match(line))]
        if not found:
            raise OperationError("read", path, "it is not a configuration of a virtual machine")
        return {match[1]: match[2] for match in found}
