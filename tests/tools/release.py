# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Try a release on a copy of what git knows: notes from fragments, the archive, and Galaxy's verdict on it.

Nothing in the checkout changes. The archive is left in .cache/release/archive, and can be published.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".cache/release"
# antsibull-changelog and ansible-doc tell the name of a collection by its place.
COPY = FOLDER / "ansible_collections/darwin/jail"
IMPORTER = (str(FOLDER / "bin/python"), "-m", "galaxy_importer.main")
MARKUP = re.compile(r"\b[A-Z]{1,2}\\?\(\w")
"""Markup of module documentation, which means nothing in release notes."""


def copy() -> None:
    shutil.rmtree(FOLDER / "ansible_collections", ignore_errors=True)
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.check_output(listing, cwd=CHECKOUT, text=True).split("\0"):
        if name and (CHECKOUT / name).is_file():
            (COPY / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, COPY / name)


def run(*command: str, cwd: Path = COPY, first: Path | None = None) -> str:
    """What a program says; it has to do well. With first, programs of that directory come before ours."""
    tools = [str(first)] if first else []
    paths = [*tools, str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(FOLDER), "PATH": ":".join(paths)}
    done = subprocess.run(
        command, cwd=cwd, env=environment, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        sys.exit(f"{done.stdout}\n{' '.join(command)}: failed")
    return done.stdout


def notes(version: str) -> list[str]:
    """What is wrong with the notes that the fragments make."""
    fragments = list((COPY / "changelogs/fragments").glob("*.yml"))
    run("antsibull-changelog", "release")
    released = yaml.safe_load((COPY / "changelogs/changelog.yaml").read_text())["releases"].get(version, {})
    lost = {path.name for path in fragments} - set(released.get("fragments", []))
    found = [f"changelogs/fragments/{name} is not in the notes" for name in sorted(lost)]
    text = (COPY / "CHANGELOG.md").read_text()
    return found + [f"CHANGELOG.md: {line}" for line in text.splitlines() if MARKUP.search(line)]


def verdict() -> list[str]:
    """What Galaxy has against the archive."""
    archive = FOLDER / "archive"
    shutil.rmtree(archive, ignore_errors=True)
    run("ansible-galaxy", "collection", "build", "--output-path", str(archive))
    (built,) = archive.glob("*.tar.gz")
    said = run(*IMPORTER, built.name, cwd=archive, first=FOLDER / "bin")
    (archive / "importer_result.json").unlink()
    found = [line for line in said.splitlines() if re.match(r"(WARNING|ERROR|CRITICAL)", line)]
    return found if "Importer processing completed successfully" in said else [*found, said]


def main() -> int:
    copy()
    version = yaml.safe_load((COPY / "galaxy.yml").read_text())["version"]
    complaints = notes(version) + verdict()
    print("\n".join(complaints) or f"{version} can be released: .cache/release/archive")
    return int(bool(complaints))


if __name__ == "__main__":
    sys.exit(main())
