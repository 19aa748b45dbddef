# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Build the collection as it is published, look at what is in it, install it where nothing else is, and use it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import links

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".cache/artifact"
COLLECTIONS = FOLDER / "collections"
NAME = "darwin.jail"
MOST_BYTES = 1_250_000
"""A download of a second or two; the documentation and its pictures, 450 kB, travel with it."""

MAY_BE_IN = re.compile(
    r"""MANIFEST\.json | FILES\.json | LICENSE | (README|CHANGELOG|CODE_OF_CONDUCT|CONTRIBUTING|SECURITY)\.md
      | changelogs/(changelog|config)\.yaml
      | meta/[\w-]+\.(yml|txt)
      | docs/[\w./-]+\.(md|rst|yml|cfg|svg|hcl|mobileconfig)
      | docs/(benchmarks|djail\.schema)\.json | docs/pictures/[\w-]+\.png
      | playbooks/[\w./-]+\.yml
      | plugins/[\w./-]+\.py
      | roles/[\w./-]+\.(yml|j2|md|files)
      | roles/\w+/templates/[\w.-]+
      | roles/\w+/files/[\w.-]+
    """,
    re.VERBOSE,
)
CONTENT = ("meta", "playbooks", "plugins", "roles")
MUST_BE_IN = ("plugins/**/*.py", "playbooks/*.yml", "roles/**/*.yml", "meta/*", "docs/*.md", "*.md", "LICENSE")


def build() -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.check_call(["ansible-galaxy", "collection", "build", "--output-path", FOLDER], cwd=CHECKOUT)
    (built,) = FOLDER.glob("*.tar.gz")
    return built


def complaints(built: Path) -> list[str]:
    """What is wrong with the artifact: too large, too much in it, too little, or a link to what is not in it."""
    with tarfile.open(built) as archive:
        names = {member.name for member in archive if not member.isdir()}
    wanted = {str(path.relative_to(CHECKOUT)) for pattern in MUST_BE_IN for path in CHECKOUT.glob(pattern)}
    found = [f"{name} does not belong there" for name in sorted(names) if not MAY_BE_IN.fullmatch(name)]
    found += [f"{name} is missing" for name in sorted(wanted - names)]
    if (size := built.stat().st_size) > MOST_BYTES:
        found.append(f"it has {size} bytes; {MOST_BYTES} are allowed")
    return found + dead_links(built)


def dead_links(built: Path) -> list[str]:
    """Links and pictures of its pages that lead to nothing in it."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.check_call(["tar", "-xzf", built, "-C", folder])
        return links.check(Path(folder).resolve())


def use(built: Path) -> None:
    """Install it into an empty collections path; read all documentation and parse all playbooks by their full names.

    They need only the four directories that Ansible has for content, so what else there is goes first.
    """
    here = COLLECTIONS / "ansible_collections" / NAME.replace(".", "/")
    run("ansible-galaxy", "collection", "install", "--offline", "--collections-path", str(COLLECTIONS), str(built))
    for path in here.iterdir():
        if path.is_dir() and path.name not in CONTENT:
            shutil.rmtree(path)
    for kind, pattern in (("module", "plugins/modules/*.py"), ("role", "roles/*")):
        names = full_names(here, pattern)
        known = json.loads(run("ansible-doc", "--type", kind, "--json", *names)) if names else {}
        if missing := [name for name in names if not known.get(name)]:
            sys.exit(f"{built.name}: ansible-doc does not know {', '.join(missing)}")
    for playbook in full_names(here, "playbooks/*.yml"):
        run("ansible-playbook", "--syntax-check", "--inventory", "localhost,", playbook)


def full_names(here: Path, pattern: str) -> list[str]:
    """As users write them. What the checkout has and the artifact lacks was found before."""
    return sorted(f"{NAME}.{path.stem}" for path in here.glob(pattern))


def run(*command: str) -> str:
    """Where Ansible sees nothing but what was installed."""
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
    done = subprocess.run(command, cwd=FOLDER, env=environment, check=False, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}: failed where only the built collection is installed")
    return done.stdout


if __name__ == "__main__":
    built = build()
    if lines := complaints(built):
        sys.exit("\n".join(f"{built.name}: {line}" for line in lines))
    use(built)
    print(f"{built.name}: {built.stat().st_size} bytes, installed and used")
