# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The layer rules hold in this checkout, and each of them notices when it is broken."""

from __future__ import annotations

from pathlib import Path

import layers
import pytest

CHECKOUT = Path(__file__).parents[2]

MODULE = "plugins/modules/darwin_x.py"
UTIL = "plugins/module_utils/x.py"
ENGINE = "plugins/module_utils/rootfs/x.py"
SYS = "plugins/module_utils/_sys/x.py"
CONNECTION = "plugins/connection/x.py"

# file, what it says, line of the violation, words of the rule
BROKEN = [
    (SYS, "from ..jail import Jail", 1, "_sys may not import module_utils"),
    (SYS, "from .. import jail", 1, "_sys may not import module_utils"),
    (SYS, "import os\nfrom ...modules import darwin_x", 2, "_sys may not import modules"),
    (UTIL, "from ..modules.darwin_x import main", 1, "module_utils may not import modules"),
    (ENGINE, "from ...connection import chroot", 1, "module_utils may not import connection"),
    (UTIL, "from ansible_collections.darwin.jail.plugins.action import x", 1, "module_utils may not import action"),
    (MODULE, "from ..module_utils._sys.rooted import Root", 1, "modules may not import _sys"),
    (MODULE, "from .darwin_y import main", 1, "modules may not import modules"),
    (CONNECTION, "from ..modules import darwin_x", 1, "connection may not import modules"),
    (CONNECTION, "from ..module_utils._sys import rooted", 1, "connection may not import _sys"),
    (
        UTIL,
        "from ansible.module_utils.basic import AnsibleModule",
        1,
        "only module_utils/_jail/runner.py may import Ansible",
    ),
    (MODULE, "import ansible.module_utils.basic", 1, "only module_utils/_jail/runner.py may import Ansible"),
    (ENGINE, "def f(module):\n    module.fail_json(msg='')", 2, "may call fail_json"),
    (UTIL, "import os\nos.chmod('/x', 0)", 2, "may open or change files (os.chmod)"),
    (ENGINE, "def f():\n    with open('/x'):\n        pass", 2, "may open or change files (open)"),
    (MODULE, "from os import unlink", 1, "may open or change files (os.unlink)"),
    (MODULE, "import shutil", 1, "may open or change files (shutil)"),
    (UTIL, "import ctypes.util", 1, "may open or change files (ctypes.util)"),
    (SYS, "import sys\nif sys.platform == 'darwin':\n    pass", 2, "may ask for the platform"),
    (CONNECTION, "import os\nos.uname()", 2, "may ask for the platform"),
    (UTIL, "def f(x):\n    open_jail(show(x))", 2, "open_jail may not be given a text that is made for people"),
    (UTIL, "def f(x):\n    y = shown(x)\n    Root(path=y)", 3, "Root may not be given a text"),
    (ENGINE, "def f(root):\n    real_path(root.outside(b'x'))", 2, "real_path may not be given a text"),
    (MODULE, "\n".join(f"x{n} = {n}" for n in range(41)), 1, "at most 40 lines of code"),
    (UTIL, "\n" * 401, 1, "at most 400 lines"),
    (SYS, "\ndef f():\n" + "    x = 1\n" * 60, 2, "at most 60 lines"),
]

SOUND = [
    (
        UTIL,
        "def f(x):\n    y = show(x)\n    raise JailError(f'no {y}', show(x))\n    failed('read', x.outside(b''), 1)",
    ),
    (SYS, "from ..errors import JailError\nfrom .rooted import Root\nimport os\nos.chmod('/x', 0)"),
    ("plugins/module_utils/_jail/system/platform/base.py", "import sys\nsys.platform"),
    ("tests/unit/plugins/x.py", f"from {layers.OURS}.modules import x\nfrom {layers.OURS}.module_utils._sys import y"),
    (
        UTIL,
        "from ._sys.rooted import Root\nfrom .errors import JailError\nimport os\nos.path.dirname('/x')\nos.lstat('/')",
    ),
    (ENGINE, "from .._sys.rooted import Root\nfrom ..errors import JailError\nfrom .plan import plan"),
    (
        "plugins/module_utils/_jail/runner.py",
        "from ansible.module_utils.basic import AnsibleModule\nAnsibleModule.fail_json()",
    ),
    (MODULE, "from ..module_utils.rootfs import build\nfrom ..module_utils.runner import run"),
    (
        MODULE,
        'DOCUMENTATION = r"""' + "\n" * 300 + '"""\n\n# A comment\n' + "\n".join(f"x{n} = {n}" for n in range(40)),
    ),
    (CONNECTION, "from ansible.plugins.connection.ssh import Connection\nfrom ..module_utils.chroot import command"),
]


def test_this_checkout_keeps_the_rules() -> None:
    found = layers.violations(CHECKOUT)
    assert not found, "\n" + "\n".join(map(str, found))


def test_a_whole_checkout_is_looked_at(tmp_path: Path) -> None:
    for path in (UTIL, ENGINE, "tests/unit/x.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("\n" * 401)
    assert [violation.path for violation in layers.violations(tmp_path)] == [ENGINE, UTIL, "tests/unit/x.py"]


@pytest.mark.parametrize(("path", "text", "line", "words"), BROKEN)
def test_a_broken_rule_is_named_with_file_and_line(path: str, text: str, line: int, words: str) -> None:
    found = layers.inspect(layers.Source(path, text))
    assert len(found) == 1
    assert str(found[0]).startswith(f"{path}:{line}: ")
    assert words in str(found[0])


@pytest.mark.parametrize(("path", "text"), SOUND)
def test_what_keeps_the_rules_passes(path: str, text: str) -> None:
    assert layers.inspect(layers.Source(path, text)) == []


@pytest.mark.parametrize("word", ["stand-in", "Stand-in hosts", "standin", "stand_in"])
def test_the_stand_in_is_found_by_any_spelling(tmp_path: Path, word: str) -> None:
    for folder, name in (("plugins/modules", "x.py"), ("roles/base/tasks", "main.yml"), ("playbooks", "x.yml")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / name).write_text(f"# one\n# {word}\n")
    found = [str(violation) for violation in layers.violations(tmp_path)]
    assert [line.split(": ")[0] for line in found] == [
        "plugins/modules/x.py:2",
        "roles/base/tasks/main.yml:2",
        "playbooks/x.yml:2",
    ]
