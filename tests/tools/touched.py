# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run the unit tests of the files that git calls changed: touched.py [OPTION OF PYTEST ...]

tests/unit is in the order of the checkout: plugins/callback/brief.py is tried by
tests/unit/plugins/callback/test_brief*.py, tests/tools/links.py by tests/unit/tools/test_links*.py, and a page by all
of tests/docs. A test that is changed is tried itself, unless it needs a stand-in Mac.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path, PurePath

CHECKOUT = Path(__file__).parents[2]
TESTS = PurePath("tests")
HERE = ("unit", "docs", "faults", "fuzz", "browser")
"""Folders whose tests need no stand-in Mac."""


def changed(top: Path) -> list[str]:
    """What a commit of everything would hold."""
    commands = (["diff", "--name-only", "-z", "HEAD"], ["ls-files", "-z", "--others", "--exclude-standard"])
    said = [subprocess.run(["git", *words], cwd=top, check=True, capture_output=True, text=True) for words in commands]
    return sorted({name for one in said for name in one.stdout.split("\0") if name})


def tests_of(names: Iterable[str], top: Path) -> list[str]:
    found: set[Path] = set()
    for name in names:
        path = PurePath(name)
        if any(path.is_relative_to(TESTS / folder) for folder in HERE):
            found |= {top / path} if path.match("test_*.py") else set()
        elif path.match("docs/*.md"):
            found.add(top / TESTS / "docs")
        else:
            folder = path.parent.relative_to(TESTS) if path.is_relative_to(TESTS) else path.parent
            found |= set((top / TESTS / "unit" / folder).glob(f"test_{path.stem}*.py"))
    return sorted(str(path.relative_to(top)) for path in found if path.exists())


def main(options: list[str]) -> int:
    tests = tests_of(changed(CHECKOUT), CHECKOUT)
    if not tests:
        print("no file with unit tests is changed")
        return 0
    print("$ pytest", *tests, flush=True)
    return subprocess.call([sys.executable, "-m", "pytest", "--quiet", *options, *tests], cwd=CHECKOUT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
