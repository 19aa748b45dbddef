# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A changed file is tried by the unit tests that are at its place."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import touched

CHECKOUT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("name", "tests"),
    [
        ("plugins/callback/brief.py", ["tests/unit/plugins/callback/test_brief.py"]),
        (
            "plugins/module_utils/_jail/exec/session.py",
            [f"tests/unit/plugins/module_utils/_jail/exec/test_{name}.py" for name in ("session", "session_irregular")],
        ),
        ("tests/tools/links.py", ["tests/unit/tools/test_links.py"]),
        ("tests/unit/tools/test_links.py", ["tests/unit/tools/test_links.py"]),
        ("docs/limits.md", ["tests/docs"]),
        ("tests/faults/test_full_volumes.py", ["tests/faults/test_full_volumes.py"]),
        ("README.md", []),
        ("tests/unit/tools/test_gone.py", []),
    ],
)
def test_where_the_tests_of_a_file_are(name: str, tests: list[str]) -> None:
    assert touched.tests_of([name], CHECKOUT) == tests


def test_what_git_calls_changed(tmp_path: Path) -> None:
    def git(*words: str) -> None:
        subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@y", *words], cwd=tmp_path, check=True)

    git("init", "--quiet")
    for name in ("as it was", "changed", "staged", ".gitignore"):
        (tmp_path / name).write_text("ignored\n")
    git("add", ".")
    git("commit", "--quiet", "-m", "x")
    for name in ("changed", "staged", "new", "ignored"):
        (tmp_path / name).write_text("other\n")
    git("add", "staged")
    assert touched.changed(tmp_path) == ["changed", "new", "staged"]
