# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""`make` takes the newest Python that works. Each one here is the Python of the tests, which says it is another."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
import pythons
import yaml
from documented_examples import CHECKOUT

TOOL = CHECKOUT / "tests/tools/find-python"
NEWEST, SECOND, *_OTHERS, OLDEST = pythons.known()
DISGUISE = """\
#!/bin/sh
exec {python} -c '
import sys
sys.version_info, sys._base_executable = ({version}), "{path}"
{more}
code, sys.argv = sys.argv[2], ["-c", *sys.argv[3:]]
exec(code)
' "$@"
"""


class Machine:
    """Programs of a PATH, and a home directory; /usr/bin has none of them."""

    def __init__(self, folder: Path) -> None:
        self.home, self.bin, self.tool = folder / "home", folder / "bin", folder / "find-python"
        self.home.mkdir()
        self.bin.mkdir()
        self.tool.write_text(TOOL.read_text().replace('"/usr/bin/python', f'"{folder}/usr/bin/python'))
        self.tool.chmod(0o755)

    def put(self, name: str, version: str, more: str = "", folder: Path | None = None) -> Path:
        path = (folder or self.bin) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        numbers = f"{version.replace('.', ', ')}, 1"
        path.write_text(DISGUISE.format(python=sys.executable, version=numbers, path=path, more=more))
        path.chmod(0o755)
        return path

    def find(self, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": f"{self.bin}:/usr/bin/nowhere", "HOME": str(self.home)}
        argv = ["/bin/sh", str(self.tool), *words]
        return subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)

    def finds(self) -> str:
        return self.find().stdout.strip()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_the_newest_is_taken(machine: Machine) -> None:
    wanted = [machine.put(f"python{version}", version) for version in (OLDEST, NEWEST, SECOND)][1]
    machine.put("python3", OLDEST)
    machine.put("python3.99", "3.99")
    assert machine.finds() == str(wanted)


@pytest.mark.parametrize(
    "more",
    ["sys.exit(127)", 'sys.modules["ensurepip"] = None', 'sys.modules["venv"] = None', 'sys.modules["ssl"] = None'],
    ids=["a shim", "no ensurepip", "no venv", "no ssl"],
)
def test_one_that_does_not_work_is_passed_over(machine: Machine, more: str) -> None:
    machine.put(f"python{NEWEST}", NEWEST, more)
    wanted = machine.put(f"python{SECOND}", SECOND)
    assert machine.finds() == str(wanted)


def test_one_that_is_another_than_its_name_says_is_passed_over(machine: Machine) -> None:
    machine.put(f"python{NEWEST}", "3.9")
    wanted = machine.put("python3", OLDEST)
    assert machine.finds() == str(wanted)


def test_those_that_pyenv_keeps_are_found(machine: Machine) -> None:
    machine.put(f"python{NEWEST}", NEWEST, "sys.exit(127)")
    folder = machine.home / f".pyenv/versions/{NEWEST}.4/bin"
    wanted = machine.put(f"python{NEWEST}", NEWEST, folder=folder)
    machine.put(f"python{SECOND}", SECOND)
    assert machine.finds() == str(wanted)


def test_a_virtual_environment_leads_to_its_python(machine: Machine, tmp_path: Path) -> None:
    """Of two in a row only the first one is kept."""
    version = ".".join(map(str, sys.version_info[:2]))
    venv.create(tmp_path / "venv", symlinks=True)
    (machine.bin / f"python{version}").symlink_to(tmp_path / "venv/bin/python")
    base = getattr(sys, "_base_executable", sys.executable)
    assert os.path.realpath(machine.finds()) == os.path.realpath(base)


def test_where_there_is_none_it_says_what_to_do(machine: Machine) -> None:
    machine.put("python3", "3.9")
    ended = machine.find()
    assert ended.returncode == 1
    assert f"looked for: {' '.join(pythons.known())}; install one" in ended.stderr


def test_workflows_use_the_newest_for_a_whole_run_and_none_that_is_not_known() -> None:
    """The Python of the Command Line Tools is that of the Macs, not of Ansible."""
    jobs = yaml.safe_load((CHECKOUT / ".github/workflows/ci.yml").read_text())["jobs"]
    steps = {
        name: [step for step in job["steps"] if "setup-python" in step.get("uses", "")] for name, job in jobs.items()
    }
    named = {name: " ".join(step["with"]["python-version"] for step in found).split() for name, found in steps.items()}
    assert named["everything"] == [NEWEST]
    words = {word for found in named.values() for word in found if re.fullmatch(r"[0-9.]+", word)}
    assert {OLDEST, NEWEST} <= words - {"3.9"} <= {*pythons.known()}
