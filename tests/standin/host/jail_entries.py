# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What programs of Linux need in a jail, in addition to what those of macOS need.

A jail made from a stand-in with darwin-jail's own mkjail.files and these entries can be entered.
"""

from __future__ import annotations

import os

from host import lower, shape

NODES = ("null", "zero", "random", "urandom", "tty", "ptmx")


def entries() -> list[dict[str, object]]:
    triplet = lower.triplet()
    loader = "/" + shape.LOADERS[triplet]
    paths = [
        loader,
        f"/usr/lib/{triplet}/",
        "/usr/lib/standin/",
        "/usr/lib/python3.11/",
        "/usr/share/python-wheels/",  # for venv
        "/etc/ld.so.preload",
        "/etc/nsswitch.conf",
        *(f"/dev/{node}" for node in NODES),
    ]
    return [{"src": path, "dest": path, "optional": False} for path in paths]


def loader_directory() -> str:
    return os.path.dirname(shape.LOADERS[lower.triplet()])
