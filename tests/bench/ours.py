# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""One work of ours as a process of its own: ours.py WORK ARGUMENT ... Nothing is imported but what the work needs.

The turn to build, the register and the notes are those of the directory $BENCH_STATE, since all that runs on a machine
waits for each other otherwise, and a removal reads all entries.
"""

from __future__ import annotations

import os
import sys
from typing import Any

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.cache/collections"))


def apart(state: str) -> None:
    """Keep the state of this machine out of it."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail import host_state, register  # noqa: PLC0415
    from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock  # noqa: PLC0415

    build_lock._home = lambda: os.fsencode(state)
    register.DIRECTORY = os.fsencode(f"{state}/jails")
    host_state.NOTES = os.fsencode(f"{state}/images")


def build(jail: str, source: str, src: str, dest: str, *options: str) -> None:
    """Options are those of BuildSpec, and seal=IDENTITY for a source that does not change."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build  # noqa: PLC0415
    from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import SealedSnapshot  # noqa: PLC0415

    given: dict[str, Any] = dict(option.split("=", 1) for option in options)
    if "workers" in given:
        given["workers"] = int(given["workers"])
    seal = SealedSnapshot(given.pop("seal")) if "seal" in given else None
    entries = [{"src": src, "dest": dest}] if src else []
    build(BuildSpec(jail, source, entries=entries, **given), check=False, snapshot=seal)


def remove(jail: str) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove  # noqa: PLC0415

    remove(jail, unmount=False, check=False)


def export(jail: str, layout: str, compression: str) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings  # noqa: PLC0415
    from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export  # noqa: PLC0415

    export(jail, layout, "latest", Settings(compression=compression), False)


def unpack(jail: str, layout: str) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.image.unpack import unpack  # noqa: PLC0415

    unpack(jail, layout, "latest", False)


def look(jail: str) -> None:
    """At all files of a jail."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails  # noqa: PLC0415
    from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import jail_size, tree_walk  # noqa: PLC0415

    with jails.open_jail(jail) as opened:
        tree_walk.walk(opened.root, opened.mounts(), [jail_size.Sizes()])


def audit(jail: str, *subsets: str) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather  # noqa: PLC0415

    missing = gather(jail, list(subsets)).values.get("libraries", {}).get("missing")
    if missing:
        sys.exit(f"libraries are missing: {missing[:3]}")


if __name__ == "__main__":
    apart(os.environ["BENCH_STATE"])
    globals()[sys.argv[1]](*sys.argv[2:])
