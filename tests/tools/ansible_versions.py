# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run what tests the plugins of the controller with other releases of ansible-core than that of .venv.

ansible_versions.py [SERIES[:PYTHON] ...], by default the newest series that is released, on the newest Python here that
it runs on. ansible_versions.py --matrix prints all pairs as JSON, for a workflow. Series are those of the index, from
the oldest that meta/runtime.yml allows; the Pythons of one are those that it names itself. Its environment is
.cache/ansible-SERIES-PYTHON. The suite of the connection needs a stand-in Mac.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pythons
import yaml
from check import ON_THE_CONTROLLER, no_stand_in

CHECKOUT = Path(__file__).parents[2]
NEEDED = ("pytest ~= 9.2", "hypothesis ~= 6.170")
UNIT = [name for name in (f"tests/unit/plugins/{kind}" for kind in ON_THE_CONTROLLER) if (CHECKOUT / name).is_dir()]
PACKAGE = "ansible-core"
VERSION = re.compile(r"(\d+)\.(\d+)\.\d+((?:a|b|rc)\d+)?")
CLASSIFIER = re.compile(r"Programming Language :: Python :: (3\.\d+)")
ANY_PYTHON = "3.999"
"""Newer than what any release asks for: none is left out."""


class Series(NamedTuple):
    """Releases that have the first two numbers in common."""

    name: str
    release: str
    """Its newest one: one before the first, such as 2.30.0rc1, when there is no other."""
    pythons: tuple[str, ...]
    """Those that it runs on, the newest first, but for those that are older than all of ours."""

    @property
    def preview(self) -> bool:
        return not self.release.replace(".", "").isdigit()


def pip(*words: str) -> str:
    argv = [sys.executable, "-m", "pip", *words, "--disable-pip-version-check"]
    ended = subprocess.run(argv, check=False, capture_output=True, text=True)
    if ended.returncode:
        sys.exit(f"cannot ask the package index for {PACKAGE}: {ended.stderr.strip()}")
    return ended.stdout


def oldest() -> tuple[int, int]:
    """The oldest series that the collection allows."""
    allowed = str(yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["requires_ansible"])
    major, minor = re.findall(r"\d+", allowed)[:2]
    return int(major), int(minor)


def newest_of_each() -> dict[tuple[int, int], str]:
    """The newest release of each series that is on the index, and no preview where there is another one."""
    listed = pip("index", "versions", PACKAGE, "--pre", "--python-version", ANY_PYTHON)
    versions = re.findall(r"[^,\s]+", listed.partition("Available versions:")[2].partition("\n")[0])
    matches = [match for version in reversed(versions) if (match := VERSION.fullmatch(version))]
    # The newest is the last. A preview counts where there is nothing else.
    matches.sort(key=lambda match: not match[3])
    return {(int(match[1]), int(match[2])): match[0] for match in matches}


def runs_on(release: str) -> tuple[str, ...]:
    """The Pythons that a release names, from our oldest on."""
    target = ("--target", str(CHECKOUT / ".cache/none"), "--only-binary=:all:", "--ignore-requires-python")
    told = pip("install", "-qq", "--dry-run", "--no-deps", "--report=-", *target, f"{PACKAGE}=={release}")
    (package,) = json.loads(told)["install"]
    named = [match[1] for line in package["metadata"]["classifier"] if (match := CLASSIFIER.fullmatch(line))]
    return tuple(sorted((name for name in named if _key(name) >= _key(pythons.known()[-1])), key=_key, reverse=True))


def _key(version: str) -> list[int]:
    return [int(number) for number in version.split(".")]


def all_series() -> dict[str, Series]:
    """Those that the collection is for, the newest last."""
    found = [(key, release) for key, release in sorted(newest_of_each().items()) if key >= oldest()]
    names = {f"{major}.{minor}": release for (major, minor), release in found}
    return {name: Series(name, release, runs_on(release)) for name, release in names.items()}


def wanted(word: str, known: dict[str, Series]) -> tuple[Series, tuple[str, ...]]:
    """A series, and the Pythons of which one will do."""
    name, _colon, version = word.partition(":")
    if name not in known:
        sys.exit(f"unknown: {PACKAGE} {name}; known are {', '.join(known)}")
    series = known[name]
    if version and version not in series.pythons:
        sys.exit(f"{PACKAGE} {name} runs on Python {', '.join(series.pythons)}, not on {version}")
    return series, (version,) if version else series.pythons


def newest(known: dict[str, Series]) -> str:
    """The one that people have."""
    return [series.name for series in known.values() if not series.preview][-1]


def matrix(known: dict[str, Series]) -> list[dict[str, str | bool]]:
    return [
        {"series": series.name, "python": version, "preview": series.preview}
        for series in known.values()
        for version in series.pythons
    ]


def environment(series: Series, versions: tuple[str, ...]) -> str:
    """The Python of an environment with it."""
    name, found = next(((name, path) for name in versions if (path := pythons.find(name))), ("", None))
    if not found:
        sys.exit(f"{PACKAGE} {series.name} needs Python {' or '.join(versions)}, which is not on this machine")
    folder = CHECKOUT / ".cache" / f"ansible-{series.name}-{name}"
    python = folder / "bin/python"
    if not python.exists():
        subprocess.check_call([found, "-m", "venv", folder])
    install = [str(python), "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
    subprocess.check_call([*install, f"{PACKAGE}=={series.release}", *NEEDED])
    return str(python)


def main(words: list[str]) -> int:
    known = all_series()
    if words == ["--matrix"]:
        print(json.dumps({"include": matrix(known)}))
        return 0
    chosen = [wanted(word, known) for word in words or [newest(known)]]
    if reason := no_stand_in():
        sys.exit(f"stand-in Macs cannot run here: {reason}")
    failed = []
    for series, versions in chosen:
        python = environment(series, versions)
        for tests in (UNIT, ["tests/connection"]):
            print(f"{PACKAGE} {series.release}: {' '.join(tests)}", flush=True)
            command = [python, "-m", "pytest", "--quiet", "-o", f"cache_dir=.cache/pytest-{series.name}", *tests]
            if subprocess.call(command, cwd=CHECKOUT):
                failed.append(f"{series.name}: {' '.join(tests)}")
    print("\n".join(["failed:", *failed] if failed else ["all passed"]))
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
