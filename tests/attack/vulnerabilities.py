# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Vulnerabilities that are planted in the collection to see that the trials find them."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest import mock

from ansible_collections.darwin.jail.plugins.module_utils._jail import errors, marker
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at, paths, rooted

VULNERABILITIES: dict[str, Callable[[], list[Any]]] = {
    "links are followed": lambda: [
        mock.patch.object(module, name, getattr(module, name) & ~os.O_NOFOLLOW)
        for module in (paths, rooted, at)
        for name in ("DIRECTORY", "READ")
        if hasattr(module, name)
    ],
    "texts are shown as they are": lambda: [mock.patch.object(errors, "_escape", lambda char: char)],
    "damaged JSON is not expected": lambda: [
        mock.patch.object(marker, "json", SimpleNamespace(loads=_loads, dumps=json.dumps)),
    ],
}


def _loads(data: bytes) -> Any:
    """Read JSON, and raise what nobody expects."""
    try:
        return json.loads(data)
    except ValueError as exc:
        raise ZeroDivisionError from exc


@contextmanager
def planted(name: str) -> Iterator[None]:
    """Plant one; the process that is forked meanwhile has it."""
    patches = VULNERABILITIES[name]() if name else []
    for patch in patches:
        patch.start()
    try:
        yield
    finally:
        for patch in patches:
            patch.stop()
