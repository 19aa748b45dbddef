# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Each contract of pyproject.toml, and each rule of ruff.toml about the disk, notices a breach."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parents[3]
UTILS = "plugins/module_utils/_jail"

# a file, what is added to it, words of the verdict
IMPORTS = [
    (f"{UTILS}/system/at.py", "from ..jail import Jail", "Packages of module_utils import downwards BROKEN"),
    (f"{UTILS}/system/paths.py", "from .at import stat", "Platforms know nothing of what is made of them BROKEN"),
    (
        f"{UTILS}/system/platform/base.py",
        "from ..at import stat",
        "Platforms know nothing of what is made of them BROKEN",
    ),
    (f"{UTILS}/system/nobody.py", "from .process import run", "Nothing imports itself by way of others BROKEN"),
    (f"{UTILS}/rootfs/diff/prune.py", "from ..apply.walk import Walker", "The engine decides before it acts BROKEN"),
    (f"{UTILS}/programs/daemon.py", "from ..system import at", "Programs that run by themselves need nothing but each"),
    (
        f"{UTILS}/jail.py",
        "from ...action import darwin_jail_rootfs",
        "Plugins use plugin_utils, both use module_utils BROKEN",
    ),
    ("plugins/modules/darwin_jail_dns.py", "from ..module_utils._jail.system import at", "touch no disk BROKEN"),
    ("plugins/modules/darwin_jail_dns.py", "from . import darwin_jail_files", "Modules stand alone BROKEN"),
    (
        "plugins/modules/darwin_jail_dns.py",
        "from ..plugin_utils._jail import mac",
        "Modules run without the controller BROKEN",
    ),
    (
        f"{UTILS}/jail.py",
        "from ansible.module_utils.basic import AnsibleModule",
        "Only the runner knows Ansible BROKEN",
    ),
    (f"{UTILS}/new.py", "X = 1", "not listed as layers"),
]

CALLS = [
    (f"{UTILS}/jail.py", "import shutil", "TID251"),
    (f"{UTILS}/rootfs/diff/prune.py", "def f() -> None:\n    os.chmod('/x', 0)", "TID251"),
    (f"{UTILS}/jail.py", "def f() -> object:\n    return open('/x')", "PTH123"),
    ("plugins/modules/darwin_jail_dns.py", "from os import unlink", "TID251"),
]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what is judged."""
    top = tmp_path_factory.mktemp("checkout")
    place = top / ".cache/collections/ansible_collections/darwin/jail"
    place.parent.mkdir(parents=True)
    place.symlink_to("../../../..")
    shutil.copytree(CHECKOUT / "plugins", top / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "ruff.toml"):
        shutil.copy(CHECKOUT / name, top)
    return top


def judged(top: Path, path: str, text: str, *command: str) -> str:
    """What a tool says of the copy when a file has some more lines."""
    file = top / path
    before = file.read_text() if file.exists() else ""
    file.write_text(f"{before}\n{text}\n")
    try:
        environment = {**os.environ, "PYTHONPATH": ".cache/collections"}
        ran = subprocess.run(command, cwd=top, check=False, capture_output=True, text=True, env=environment)
    finally:
        file.write_text(before) if before else file.unlink()
    assert ran.returncode == 1, ran
    return " ".join((ran.stdout + ran.stderr).split())


@pytest.mark.parametrize(("path", "text", "words"), IMPORTS)
def test_an_import_that_points_up_breaks_a_contract(checkout: Path, path: str, text: str, words: str) -> None:
    assert words in judged(checkout, path, text, "lint-imports", "--no-cache")


@pytest.mark.parametrize(("path", "text", "rule"), CALLS)
def test_the_disk_is_touched_in_one_layer(checkout: Path, path: str, text: str, rule: str) -> None:
    assert rule in judged(checkout, path, text, "ruff", "check", "--no-cache", "--select", rule, path)
