# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The text of several modules as one program."""

from __future__ import annotations

from collections.abc import Iterator
from types import ModuleType

from .. import dirfd
from ..errors import OperationError

# What one module of a program imports from another stands above it in the same text. A program needs no comments.
OMITTED = ("from .", "from __future__ ", "#")


def source(module: ModuleType) -> str:
    """The source of a module, which may be in the zip file that Ansible sends."""
    loader = module.__spec__.loader if module.__spec__ else None
    text: str | bytes | None = loader.get_source(module.__name__)  # type: ignore[union-attr]
    if text is None:
        raise OperationError("read the source of", module.__name__, "there is none")
    return text.decode() if isinstance(text, bytes) else text  # the loader of Ansible's controller gives bytes


def needed_lines(text: str) -> Iterator[str]:
    """The lines of a module that a program needs: without imports of its own modules, comments and docstrings."""
    in_import = in_docstring = begins_block = False
    for line in text.splitlines():
        word = line.strip()
        if in_import:
            in_import = word != ")"
        elif in_docstring:
            in_docstring = not word.endswith('"""')
        elif word.startswith('"""'):
            in_docstring = word == '"""' or not word.endswith('"""')
            if begins_block:
                yield line.replace(word, "...")  # a block cannot be empty
        elif word.startswith(OMITTED):
            in_import = word.endswith(" import (")
        else:
            begins_block = word.partition("  #")[0].endswith(":")
            yield line


def program(*modules: ModuleType, call: str) -> str:
    """The text of dirfd.py and of modules that import only the standard library, it and each other, then a call."""
    lines = [line for module in (dirfd, *modules) for line in needed_lines(source(module))]
    return "\n".join(["from __future__ import annotations", *lines, call, ""])
