# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Programs that are put together from modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program

USER = "{}\n\n\ndef answer() -> int:\n    return first() + second()\n"


def module(path: Path, text: str) -> ModuleType:
    path.write_text(text)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec
    return importlib.util.module_from_spec(spec)


@pytest.mark.parametrize(
    "line",
    [
        "from .helper import first, second",
        "from .helper import (\n    first,\n    second,\n)",
        "from .helper import first  # (\nfrom .helper import second",
    ],
)
def test_imports_of_its_own_modules_are_left_out(tmp_path: Path, line: str) -> None:
    helper = module(
        tmp_path / "helper.py", "def first() -> int:\n    return 40\n\n\ndef second() -> int:\n    return 2\n"
    )
    text = program(helper, module(tmp_path / "user.py", USER.format(line)), call="found = answer()")
    names: dict[str, object] = {}
    exec(text, names)  # noqa: S102 (that is what a program is for)
    assert names["found"] == 42
