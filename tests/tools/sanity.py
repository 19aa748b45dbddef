# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run `ansible-test sanity` on this checkout, on any machine that reaches a package registry.

ansible-test wants to stand in a real directory named ansible_collections/darwin/jail, so it gets a copy of
what git knows or would add. It keeps its environments in $HOME and fetches pip by itself from a server of
the Ansible project, so it gets a home of its own in .cache/, in which a script that uses the pip of the Python
at hand lies where the fetched one would be. Each pythonX.Y must be a real program, not a shim.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pythons

CHECKOUT = Path(__file__).parents[2]
CACHE = CHECKOUT / ".cache/sanity"
COPY = CACHE / "ansible_collections/darwin/jail"
HOME = CACHE / "home"
PYTHONS = CACHE / "bin"

GET_PIP = """\
import runpy, subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"], stdout=subprocess.DEVNULL)
sys.argv = ["pip", "install", *(word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel"))]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def copy_checkout() -> None:
    """What git tracks, and what it would add, as it is now; results of former runs go.

    The stand-in Mac stays out: ruff and mypy check it, and its programs begin as those of a Mac do.
    """
    shutil.rmtree(COPY, ignore_errors=True)
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ":!tests/standin"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    subprocess.run(["git", "init", "--quiet", COPY], check=True)
    for name in sorted(set(filter(None, listed.stdout.split("\0")))):
        source, target = CHECKOUT / name, COPY / name
        if source.is_symlink() or source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target, follow_symlinks=False)
    subprocess.run(["git", "add", "--all"], cwd=COPY, check=True)


def make_home() -> None:
    """A home directory with the user's own pip settings and our way to get pip."""
    cache = HOME / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    for version in pinned_pips():
        (cache / f"get_pip_{version.replace('.', '_')}.py").write_text(GET_PIP)
    for name in (".config", ".cache", ".pip", ".netrc"):
        if (Path.home() / name).exists() and not (HOME / name).is_symlink():
            (HOME / name).symlink_to(Path.home() / name)


def pinned_pips() -> set[str]:
    """The releases of pip that this ansible-test wants in its environments; it has no other way to tell."""
    spec = importlib.util.find_spec("ansible_test")
    folder = Path(next(iter(spec.submodule_search_locations or ()))) if spec else CHECKOUT
    found = re.findall(r"\bpip='([0-9.]+)'", (folder / "_internal/python_requirements.py").read_text())
    if not found:
        sys.exit("cannot tell which pip ansible-test wants: its python_requirements.py has changed, correct sanity.py")
    return set(found)


def link_pythons() -> None:
    """The Pythons that are here; the newest that this ansible-test knows may well be missing."""
    shutil.rmtree(PYTHONS, ignore_errors=True)
    PYTHONS.mkdir(parents=True)
    newest = max(int(version.partition(".")[2]) for version in pythons.known())
    for version in (f"3.{minor}" for minor in range(9, newest + 1)):
        if found := pythons.find(version):
            (PYTHONS / f"python{version}").symlink_to(found)


def run(arguments: list[str]) -> int:
    git = shutil.which("git") or "git"
    path = [PYTHONS, Path(sys.executable).parent, Path(git).parent, *os.defpath.split(":")]
    environment = os.environ | {"HOME": str(HOME), "PATH": ":".join(map(str, path))}
    environment.pop("ANSIBLE_COLLECTIONS_PATH", None)
    return subprocess.call(["ansible-test", "sanity", *arguments], cwd=COPY, env=environment)


if __name__ == "__main__":
    copy_checkout()
    make_home()
    link_pythons()
    sys.exit(run(sys.argv[1:]))
