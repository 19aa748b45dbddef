# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Judge the claims that can be judged now."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Any

from ..errors import InputError, OperationError, show
from ..macos import release, sip, third_party
from ..macos.installed import software
from ..result import Result
from ..system import host
from ..system.platform import current
from ..system.process import run
from ..system.rooted import Root
from . import (
    attributes,
    caches,
    connections,
    copies,
    directories,
    jobs,
    machines,
    names,
    owner,
    reruns,
    terminals,
    users,
    volumes,
)
from . import programs as tools
from .claims import CLAIMS, Claim, as_values, judge
from .privacy import Cleaner
from .run import place, read_mark
from .scene import Scene

SUBJECTS = (
    attributes,
    tools,
    caches,
    reruns,
    volumes,
    copies,
    connections,
    jobs,
    names,
    terminals,
    users,
    directories,
    machines,
)
"""In the order in which their claims are told."""
KNOWN_NAME, KNOWN_PORT = "www.apple.com", 443
SYSCTL = "/usr/sbin/sysctl"


def in_order() -> list[Claim]:
    """All claims, in the order in which they are told."""
    order = [subject.__name__ for subject in SUBJECTS]
    return sorted(CLAIMS, key=lambda one: order.index(one.judge.__module__))


def judged(directory: str, whose: str, phase: str, steps: Mapping[str, Any], over_ssh: bool, check: bool) -> Result:
    """The verdicts on the claims that can be judged in the phase `before_build` or `after_build`."""
    path = place(directory)
    with Root(path) as root:
        mark = read_mark(root)
    if mark is None or mark["owner"] != whose:
        raise InputError(f"cannot judge claims in {show(path)}: this run of the selftest did not make it (begin first)")
    scene = look(path, {} if phase == "before_build" else steps, over_ssh)
    if check:
        return Result(False, {"claims": [], "mac": {}})
    clean = Cleaner(owner.words(), (os.fsdecode(path),))
    verdicts = [(one, judge(one, scene)) for one in in_order() if one.waits is (phase == "after_build")]
    values = [as_values(one, verdict._replace(seen=clean(verdict.seen))) for one, verdict in verdicts]
    return Result(False, {"claims": values, "mac": facts(scene)})


def look(path: bytes, steps: Mapping[str, Any], over_ssh: bool) -> Scene:
    with Root("/") as root:
        system = release.release(root)
        installed = software(root, release.architecture(), system.major)
    return Scene(
        directory=path,
        version=system.version,
        build=system.build,
        architecture=release.architecture(),
        protected=sip.status().protects_files,
        fuse=bool(installed["fuse"]),
        tart=third_party.find("tart", third_party.HOMEBREW) is not None,
        network=_reaches_others(),
        over_ssh=over_ssh,
        steps=steps,
    )


def facts(scene: Scene) -> dict[str, Any]:
    """What is published of the Mac: nothing that tells it from others of its kind."""
    return {
        "system": current.system(),
        "macos": scene.version,
        "build": scene.build,
        "processor": scene.architecture,
        "sip": sip.status().status,
        "virtual": _is_virtual(),
        "over_ssh": scene.over_ssh,
        "used": host.used_bytes(scene.directory),
    }


def _is_virtual() -> bool:
    try:
        return run([SYSCTL, "-n", "kern.hv_vmm_present"]).stdout.strip() == b"1"
    except OperationError:
        return False


def _reaches_others() -> bool:
    try:
        socket.create_connection((KNOWN_NAME, KNOWN_PORT), timeout=5).close()
    except OSError:
        return False
    return True
