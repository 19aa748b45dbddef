# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of a module of ours that is run as a program of its own."""

from __future__ import annotations

from types import ModuleType

from ..errors import OperationError


def source(module: ModuleType) -> str:
    """Its text, which may lie in the zip file that Ansible sends."""
    loader = module.__spec__.loader if module.__spec__ else None
    text: str | None = loader.get_source(module.__name__)  # type: ignore[union-attr]
    if text is None:
        raise OperationError("read the source of", module.__name__, "there is none")
    return text
