# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Test the claims that can be tested now."""

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
    private_words,
    reruns,
    roots,
    terminals,
    users,
    volumes,
)
from . import programs as tools
from .claims import CLAIMS, Claim, as_values, judge
from .context import Context
from .redaction import Redactor
from .run import read_mark, run_directory

SUBJECTS = (
    attributes,
    tools,
    caches,
    reruns,
    volumes,
    copies,
    connections,
    jobs,
    roots,
    names,
    terminals,
    users,
    directories,
    machines,
)
"""In the order of the report."""
KNOWN_NAME, KNOWN_PORT = "www.apple.com", 443
SYSCTL = "/usr/sbin/sysctl"


def ordered_claims() -> list[Claim]:
    """All claims, in the order of the report."""
    order = [subject.__name__ for subject in SUBJECTS]
    return sorted(CLAIMS, key=lambda one: order.index(one.judge.__module__))


def judge_claims(
    directory: str, whose: str, phase: str, steps: Mapping[str, Any], over_ssh: bool, check: bool
) -> Result:
    """The verdicts on the claims that can be judged in the phase `before_build` or `after_build`."""
    path = run_directory(directory)
    with Root(path) as root:
        mark = read_mark(root)
    if mark is None or mark["owner"] != whose:
        raise InputError(f"cannot judge claims in {show(path)}: this run of the selftest did not make it (begin first)")
    context = inspect_mac(path, {} if phase == "before_build" else steps, over_ssh)
    if check:
        return Result(False, {"claims": [], "mac": {}})
    clean = Redactor(private_words.collect(), (os.fsdecode(path),))
    verdicts = [(one, judge(one, context)) for one in ordered_claims() if one.waits is (phase == "after_build")]
    values = [as_values(one, verdict._replace(seen=clean(verdict.seen))) for one, verdict in verdicts]
    return Result(False, {"claims": values, "mac": describe_mac(context)})


def inspect_mac(path: bytes, steps: Mapping[str, Any], over_ssh: bool) -> Context:
    with Root("/") as root:
        system = release.release(root)
        installed = software(root, release.architecture(), system.major)
    return Context(
        directory=path,
        version=system.version,
        build=system.build,
        architecture=release.architecture(),
        protected=sip.status().protects_files,
        fuse=bool(installed["fuse"]),
        tart=third_party.find("tart", third_party.HOMEBREW_DIRECTORIES) is not None,
        network=_reaches_others(),
        over_ssh=over_ssh,
        steps=steps,
    )


def describe_mac(context: Context) -> dict[str, Any]:
    """What is published about the Mac: nothing that identifies it."""
    return {
        "system": current.system(),
        "macos": context.version,
        "build": context.build,
        "processor": context.architecture,
        "sip": sip.status().status,
        "virtual": _is_virtual(),
        "over_ssh": context.over_ssh,
        "used": host.used_bytes(context.directory),
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
