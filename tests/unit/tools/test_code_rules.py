# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The rules hold in this checkout, and each of them notices when it is broken."""

from __future__ import annotations

from pathlib import Path

import code_rules
import pytest

CHECKOUT = Path(__file__).parents[3]

MODULE = "plugins/modules/darwin_x.py"
UTIL = "plugins/module_utils/_jail/x.py"
ENGINE = "plugins/module_utils/_jail/rootfs/x.py"
SYS = "plugins/module_utils/_jail/system/x.py"

# file, what it says, line of the violation, words of the rule
BROKEN = [
    (SYS, "import sys\n\nMAC = sys.platform", 3, "may ask for the platform (sys.platform)"),
    (MODULE, "import os\nos.uname()", 2, "may ask for the platform (os.uname)"),
    (UTIL, "def f(x):\n    open_jail(show(x))", 2, "open_jail may not be given a text that is made for people"),
    (UTIL, "def f(x):\n    y = shown(x)\n    Root(path=y)", 3, "Root may not be given a text"),
    (ENGINE, "def f(root):\n    real_path(root.host_path(b'x'))", 2, "real_path may not be given a text"),
    (MODULE, "\n".join(f"x{n} = {n}" for n in range(41)), 1, "at most 40 lines of code"),
    (UTIL, "\n" * 401, 1, "at most 400 lines"),
    (SYS, "\ndef f():\n" + "    x = 1\n" * 60, 2, "at most 60 lines"),
]

SOUND = [
    (code_rules.KNOWS_THE_PLATFORM, "import sys\n\nMAC = sys.platform"),
    (
        UTIL,
        "def f(x):\n    y = show(x)\n    raise JailError(f'no {y}', show(x))\n    failed('read', x.host_path(b''), 1)",
    ),
    (
        MODULE,
        'DOCUMENTATION = r"""' + "\n" * 300 + '"""\n\n# A comment\n' + "\n".join(f"x{n} = {n}" for n in range(40)),
    ),
]


def test_this_checkout_keeps_the_rules() -> None:
    found = code_rules.violations(CHECKOUT)
    assert not found, "\n" + "\n".join(map(str, found))


def test_a_whole_checkout_is_looked_at(tmp_path: Path) -> None:
    for path in (UTIL, ENGINE, "tests/unit/x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("\n" * 401)
    assert [violation.path for violation in code_rules.violations(tmp_path)] == [ENGINE, UTIL, "tests/unit/x.py"]


@pytest.mark.parametrize(("path", "text", "line", "words"), BROKEN)
def test_a_broken_rule_is_named_with_file_and_line(path: str, text: str, line: int, words: str) -> None:
    found = code_rules.inspect(code_rules.Source(path, text))
    assert len(found) == 1
    assert str(found[0]).startswith(f"{path}:{line}: ")
    assert words in str(found[0])


@pytest.mark.parametrize(("path", "text"), SOUND)
def test_what_keeps_the_rules_passes(path: str, text: str) -> None:
    assert code_rules.inspect(code_rules.Source(path, text)) == []


@pytest.mark.parametrize("word", ["stand-in", "Stand-in hosts", "standin", "stand_in"])
def test_the_stand_in_is_found_by_any_spelling(tmp_path: Path, word: str) -> None:
    for folder, name in (("plugins/modules", "x.py"), ("roles/base/tasks", "main.yml"), ("playbooks", "x.yml")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(f"# one\n# {word}\n")
    found = [str(violation) for violation in code_rules.violations(tmp_path)]
    assert [line.split(": ")[0] for line in found] == [
        "plugins/modules/x.py:2",
        "roles/base/tasks/main.yml:2",
        "playbooks/x.yml:2",
    ]
