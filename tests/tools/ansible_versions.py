# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run what tests the plugins of the controller with other releases of ansible-core than that of .venv.

ansible_versions.py [SERIES[:PYTHON] ...], by default the newest on the first Python found of those that it runs on.
Its environment is .cache/ansible-SERIES-PYTHON. The suite of the connection needs a stand-in Mac.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pythons
from check import no_stand_in

CHECKOUT = Path(__file__).parents[2]
PYTHONS = {"2.19": ("3.11", "3.12", "3.13"), "2.20": ("3.12", "3.13", "3.14"), "2.21": ("3.12", "3.13", "3.14")}
"""Those that each series runs on."""
NEWEST = "2.21"

NEEDED = ("pytest ~= 9.2", "hypothesis ~= 6.170")
UNIT = [
    f"tests/unit/plugins/{name}"
    for name in ("action", "become", "callback", "connection", "doc_fragments", "inventory", "lookup", "plugin_utils")
]


def wanted(word: str) -> tuple[str, tuple[str, ...]]:
    """A series, and the Pythons of which one will do."""
    series, _colon, version = word.partition(":")
    if series not in PYTHONS:
        sys.exit(f"unknown: ansible-core {series}; known are {', '.join(PYTHONS)}")
    if version and version not in PYTHONS[series]:
        sys.exit(f"ansible-core {series} runs on Python {', '.join(PYTHONS[series])}, not on {version}")
    return series, (version,) if version else PYTHONS[series]


def environment(series: str, versions: tuple[str, ...]) -> str:
    """The Python of an environment with it."""
    name, found = next(((name, path) for name in versions if (path := pythons.find(name))), ("", None))
    if not found:
        sys.exit(f"ansible-core {series} needs Python {' or '.join(versions)}, which is not on this machine")
    folder = CHECKOUT / ".cache" / f"ansible-{series}-{name}"
    python = folder / "bin/python"
    if not python.exists():
        subprocess.check_call([found, "-m", "venv", folder])
    pip = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.check_call([*pip, f"ansible-core ~= {series}.0", *NEEDED])
    return str(python)


def main(words: list[str]) -> int:
    chosen = [wanted(word) for word in words or [NEWEST]]
    if reason := no_stand_in():
        sys.exit(f"stand-in Macs cannot run here: {reason}")
    failed = []
    for series, versions in chosen:
        python = environment(series, versions)
        for tests in (UNIT, ["tests/connection"]):
            print(f"ansible-core {series}: {' '.join(tests)}", flush=True)
            command = [python, "-m", "pytest", "--quiet", "-o", f"cache_dir=.cache/pytest-{series}", *tests]
            if subprocess.call(command, cwd=CHECKOUT):
                failed.append(f"{series}: {' '.join(tests)}")
    print("\n".join(["failed:", *failed] if failed else ["all passed"]))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
