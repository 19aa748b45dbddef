# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""tart, which runs macOS on Apple silicon: virtual machines are clones of OCI images (docs/macos.md, tart)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from ..errors import OperationError
from ..macos.launchd import Job
from .machine import LONG_TIMEOUT, MachineSpec, User, failure_of, find_program, output_of, run_as

PLACES = ("/opt/homebrew/bin/tart", "/usr/local/bin/tart", "/Applications/tart.app/Contents/MacOS/tart")
HINT = "install it on this Mac, which must have Apple silicon (brew install openai/tools/tart), or set its path"
KEYCHAIN = "unlock it, or let the user log in at start: security unlock-keychain login.keychain"
SECURITY = "/usr/bin/security"
SETTINGS = {"cpu": "--cpu", "memory": "--memory", "disk": "--disk-size"}
LOCKED = ("-25308", "User interaction is not allowed")


class Tart:
    """Driver for tart."""

    def __init__(self, user: User, program: str | None = None) -> None:
        self.user = user
        self.program = find_program(user, "tart", (program,) if program else PLACES, HINT)

    def running(self) -> Mapping[str, bool]:
        return {str(one["Name"]): one.get("Running") is True for one in self._list("local")}

    def is_macos(self, name: str) -> bool:
        return str(self._get(name).get("OS", "darwin")) == "darwin"

    def settings(self, name: str) -> Mapping[str, int]:
        got = self._get(name)
        return {"cpu": int(got["CPU"]), "memory": int(got["Memory"]), "disk": int(got["Disk"])}

    def disk_growth(self, spec: MachineSpec) -> int | None:
        """A clone shares the blocks of its image; the size of an image that is not on the Mac is unknown."""
        for one in [*self._list("local"), *self._list("oci")]:
            if one["Name"] == spec.image:
                return max(0, max(int(one["Disk"]), spec.disk or 0) - int(one["Size"]))
        return None

    def check(self, spec: MachineSpec) -> None:
        """tart supports each setting."""

    def clone(self, spec: MachineSpec) -> None:
        argv = [self.program, "clone", spec.image, spec.name]
        ended = run_as(self.user, argv, LONG_TIMEOUT)
        if ended.rc or ended.timed_out:
            why = failure_of(ended)
            hint = f"the keychain of {self.user.name} is locked: {KEYCHAIN}" if any(w in why for w in LOCKED) else ""
            raise OperationError("make the virtual machine", spec.name, f"{spec.image}: {why}", hint=hint)

    def configure(self, name: str, settings: Mapping[str, int]) -> None:
        words = [word for key, value in sorted(settings.items()) for word in (SETTINGS[key], str(value))]
        output_of(self.user, [self.program, "set", name, *words], "configure the virtual machine", name)

    def job(self, name: str, label: str) -> Job:
        """tart stays with the machine that it runs, so launchd keeps both."""
        environment = {"HOME": self.user.home, "PATH": "/opt/homebrew/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}
        return Job(
            label,
            (self.program, "run", name, "--no-graphics", "--no-audio"),
            keys={"UserName": self.user.name, "EnvironmentVariables": environment},
            owner=(self.user.uid, self.user.gid),
        )

    def address(self, name: str) -> str | None:
        ended = run_as(self.user, [self.program, "ip", name])
        return None if ended.rc else ended.stdout.decode("utf-8", "replace").strip() or None

    def stop(self, name: str) -> None:
        if self.running().get(name):
            output_of(self.user, [self.program, "stop", name], "stop the virtual machine", name)

    def delete(self, name: str) -> None:
        output_of(self.user, [self.program, "delete", name], "delete the virtual machine", name)

    def preflight_warnings(self) -> list[str]:
        ended = run_as(self.user, [SECURITY, "show-keychain-info", "login.keychain"])
        if not ended.rc:
            return []
        why = f"the login keychain of {self.user.name} is locked or missing ({failure_of(ended)})"
        return [f"{why}: since macOS 15 no virtual machine starts then; {KEYCHAIN}"]

    def _list(self, source: str) -> list[dict[str, Any]]:
        argv = [self.program, "list", "--source", source, "--format", "json"]
        return list(_read(output_of(self.user, argv, "list virtual machines of", self.user.name), self.user.name))

    def _get(self, name: str) -> dict[str, Any]:
        argv = [self.program, "get", name, "--format", "json"]
        return dict(_read(output_of(self.user, argv, "look at the virtual machine", name), name))


def _read(data: bytes, name: str) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        raise OperationError("look at the virtual machine", name, "tart prints no JSON") from None
