# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Build the collection as it is published, look at what is in it, install it where nothing else is, and use it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
FOLDER = CHECKOUT / ".cache/artifact"
NAME = "darwin.jail"
MOST_BYTES = 500_000

MAY_BE_IN = re.compile(
    r"""MANIFEST\.json | FILES\.json | LICENSE | (README|CHANGELOG|CONTRIBUTING)\.md
      | changelogs/(changelog|config)\.yaml
      | meta/[\w-]+\.yml
      | docs/[\w./-]+\.(md|rst|yml)
      | playbooks/[\w./-]+\.yml
      | plugins/[\w./-]+\.py
      | roles/[\w./-]+\.(yml|j2|md|files)
    """,
    re.VERBOSE,
)
MUST_BE_IN = ("plugins/**/*.py", "playbooks/*.yml", "roles/**/*.yml", "meta/*.yml", "docs/*.md", "*.md", "LICENSE")


def build() -> Path:
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.check_call(["ansible-galaxy", "collection", "build", "--output-path", FOLDER], cwd=CHECKOUT)
    (built,) = FOLDER.glob("*.tar.gz")
    return built


def complaints(built: Path) -> list[str]:
    """What is wrong with the artifact: too large, too much in it, or too little."""
    with tarfile.open(built) as archive:
        names = {member.name for member in archive if not member.isdir()}
    wanted = {str(path.relative_to(CHECKOUT)) for pattern in MUST_BE_IN for path in CHECKOUT.glob(pattern)}
    found = [f"{name} does not belong there" for name in sorted(names) if not MAY_BE_IN.fullmatch(name)]
    found += [f"{name} is missing" for name in sorted(wanted - names)]
    if (size := built.stat().st_size) > MOST_BYTES:
        found.append(f"it has {size} bytes; {MOST_BYTES} are allowed")
    return found


def install(built: Path) -> Path:
    """Into an empty collections path, without asking any server."""
    target = FOLDER / "collections"
    subprocess.check_call(["ansible-galaxy", "collection", "install", "--offline", "-p", target, built])
    return target


def use(collections: Path) -> None:
    """Read the documentation of all modules and roles, and parse all playbooks, by their full names."""
    here = collections / "ansible_collections" / NAME.replace(".", "/")
    environment = os.environ | {"ANSIBLE_COLLECTIONS_PATH": str(collections)}
    named = {kind: sorted(f"{NAME}.{path.stem}" for path in here.glob(p)) for kind, p in KINDS.items()}
    for kind in ("module", "role"):
        if named[kind]:
            command = ["ansible-doc", "--type", kind, "--json", *named[kind]]
            said = subprocess.run(command, cwd=FOLDER, env=environment, check=True, stdout=subprocess.PIPE, text=True)
            if missing := [name for name in named[kind] if f'"{name}"' not in said.stdout]:
                sys.exit(f"{built.name}: ansible-doc does not know {', '.join(missing)}")
    for playbook in named["playbook"]:
        command = ["ansible-playbook", "--syntax-check", "-i", "localhost,", playbook]
        subprocess.check_call(command, cwd=FOLDER, env=environment)


KINDS = {"module": "plugins/modules/*.py", "role": "roles/*", "playbook": "playbooks/*.yml"}

if __name__ == "__main__":
    built = build()
    if lines := complaints(built):
        sys.exit("\n".join(f"{built.name}: {line}" for line in lines))
    use(install(built))
    print(f"{built.name}: {built.stat().st_size} bytes, installed and used")
