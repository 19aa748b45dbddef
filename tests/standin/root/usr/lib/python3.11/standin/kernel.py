# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Facts that the kernel of the stand-in gives to programs."""

from __future__ import annotations

import os

FACTS = "/usr/lib/standin/kernel"


def facts(path: str = FACTS) -> dict[str, str]:
    """The host's sysctl values, in the order of the file."""
    with open(path, encoding="utf-8") as lines:
        return dict(line.rstrip("\n").split(": ", 1) for line in lines if ": " in line)


def domain() -> tuple[str, str, str]:
    """Architecture, SIP (on or off) and DEV:INO of the host's root: see native/kernel.h."""
    from ctypes import CDLL, create_string_buffer  # noqa: PLC0415 (slow to load, seldom needed)

    text = create_string_buffer(65)
    if CDLL(None).getdomainname(text, 65) != 0:
        raise OSError("getdomainname failed")
    arch, sip, root, *_as_xnu = text.value.decode().split(",")
    return arch, sip, root


def chrooted() -> bool:
    """Is the caller's root another than the host's?"""
    root = os.stat("/")
    return domain()[2] != f"{root.st_dev}:{root.st_ino}"
