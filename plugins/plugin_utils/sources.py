# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of the inventory that could not be read: Ansible warns of them, and goes on without their hosts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from ansible import constants, context

FAILED: dict[str, str] = {}
"""Why a plugin of this collection could not read a file, by its path."""


@contextmanager
def remembered(path: str) -> Iterator[None]:
    """Keep the error that ends the block; what was read without one is forgotten."""
    FAILED.pop(path, None)
    try:
        yield
    except Exception as exc:
        FAILED[path] = str(exc)
        raise


def given() -> list[str]:
    """What was named with -i or in the configuration; empty when nothing was."""
    sources = list(context.CLIARGS.get("inventory") or ())
    usual, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return [] if origin == "default" and sources == list(usual) else sources


def problem() -> str:
    """What is wrong with one of them, in a sentence; empty when nothing is known."""
    for path, why in FAILED.items():
        return f"cannot read the inventory {path}: {why}"
    for source in given():
        if "," not in source and not os.path.exists(os.path.expanduser(source)):
            return f"there is no inventory {source}: correct the path behind -i"
    return ""
