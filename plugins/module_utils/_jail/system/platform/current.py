# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The operating system at hand. Nothing else in the collection asks what it runs on."""

from __future__ import annotations

import os
import sys
from functools import lru_cache

from .base import Backend


def machine() -> str:
    """The processor architecture of the kernel, as uname(3) calls it."""
    return os.uname().machine


def system() -> str:
    """The operating system that this Python was made for, whatever uname(3) says: darwin for macOS."""
    return sys.platform


@lru_cache(maxsize=1)
def backend() -> Backend:
    """The backend of this operating system."""
    if sys.platform == "darwin":
        from .darwin import Darwin

        return Darwin()
    from .linux import Linux

    return Linux()
