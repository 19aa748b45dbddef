# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs on the Mac that are not part of macOS, and whether root may run them.

A program that runs as root must be one that only root can replace. Programs of Homebrew belong to a person, who
would become root otherwise. A program that needs no rights of root runs as the user nobody (system/nobody.py).
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ..errors import InputError, show
from ..system import host

HOMEBREW_DIRECTORIES = ("/opt/homebrew/bin", "/usr/local/bin")
ADMIN_DIRECTORY = "/opt/darwin.jail/bin"
"""Where an administrator puts copies that only root can replace."""
NAME_ANOTHER = "name a program that only root can replace, such as the Command Line Tools have"


def require_root_owned(program: str, remedy: str = NAME_ANOTHER) -> None:
    """InputError when someone other than root could replace a program that is to run as root."""
    if not os.path.exists(program):
        raise InputError(f"there is no program {show(program)}: install it, or choose another one")
    loose = host.first_untrusted_part(program)
    if loose is not None:
        raise InputError(
            f"{show(program)} may not be run as root: others than root can write to {show(loose)}; {remedy}"
        )


def how_to_copy(program: str) -> str:
    """The advice for a program that others can replace."""
    name = os.path.basename(program)
    return (
        "to trust it as it is, make a copy that only root can replace, and do so again after each update: "
        f"sudo install -d -o root -g wheel -m 0755 {ADMIN_DIRECTORY} && "
        f"sudo install -o root -g wheel -m 0755 {show(program)} {ADMIN_DIRECTORY}/{name}"
    )


def find(name: str, places: Sequence[str]) -> str | None:
    """The path of a program, in the first of these directories that has it."""
    return next((f"{place}/{name}" for place in places if host.is_program(f"{place}/{name}")), None)
