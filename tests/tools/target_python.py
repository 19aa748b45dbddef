# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run the unit tests of what runs on the Mac on its Python, 3.9, as far as Ansible would bring it there.

The environment has pytest and hypothesis but no Ansible: of that, only the module_utils of
the release in .venv can be imported, as on a target.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pythons

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENT = CHECKOUT / ".cache/python3.9"
PYTHON = str(ENVIRONMENT / "bin/python")
REQUIREMENTS = CHECKOUT / "tests/requirements/target.txt"
TESTS = [f"tests/unit/plugins/{name}" for name in ("module_utils", "modules")]


def make_environment() -> None:
    stamp = ENVIRONMENT / "stamp"
    if stamp.exists() and stamp.read_text() == REQUIREMENTS.read_text():
        return
    found = pythons.find("3.9")
    if not found:
        sys.exit("there is no Python 3.9 on this machine")
    subprocess.check_call([found, "-m", "venv", "--clear", ENVIRONMENT])
    pip = [PYTHON, "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.check_call([*pip, "-r", str(REQUIREMENTS)])
    stamp.write_text(REQUIREMENTS.read_text())


def link_ansible() -> Path:
    """A directory in which `import ansible.module_utils` finds what Ansible would send to the target."""
    spec = importlib.util.find_spec("ansible")
    if not spec or not spec.origin:
        sys.exit("ansible-core is missing in this environment: run make")
    folder = ENVIRONMENT / "target"
    package = folder / "ansible"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").touch()
    link = package / "module_utils"
    link.unlink(missing_ok=True)
    link.symlink_to(Path(spec.origin).parent / "module_utils")
    return folder


if __name__ == "__main__":
    make_environment()
    environment = os.environ | {"PYTHONPATH": str(link_ansible())}
    if not (tests := [path for path in TESTS if (CHECKOUT / path).is_dir()]):
        sys.exit(f"there are no tests in {' and '.join(TESTS)}")
    command = [PYTHON, "-m", "pytest", "--quiet", "-o", "cache_dir=.cache/pytest3.9", *tests, *sys.argv[1:]]
    sys.exit(subprocess.call(command, cwd=CHECKOUT, env=environment))
