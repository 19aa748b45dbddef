# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""ansible-builder takes the example, and what it puts into the context installs and says what the collection needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

CHECKOUT = Path(__file__).parents[2]
EXAMPLE = CHECKOUT / "docs/examples/execution-environment.yml"


def run(*words: str | Path, cwd: Path) -> str:
    """What a program says where Ansible finds no collection, as in the container that is being built."""
    program, *arguments = words
    done = subprocess.run(
        [Path(sys.executable).with_name(str(program)), *arguments],
        check=False,
        capture_output=True,
        text=True,
        cwd=cwd,
        env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(cwd)},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a container is built from, made of the example with the collection beside it."""
    folder = tmp_path_factory.mktemp("environment")
    shutil.copy(EXAMPLE, folder)
    run("ansible-galaxy", "collection", "build", "--output-path", folder, cwd=CHECKOUT)
    run("ansible-builder", "create", cwd=folder)
    return folder / "context"


def test_the_container_file_installs_what_the_example_names(context: Path) -> None:
    wanted = yaml.safe_load(EXAMPLE.read_text())["dependencies"]
    (written,) = [path.read_text() for path in context.iterdir() if path.is_file()]
    for name in ("ansible_core", "ansible_runner"):
        assert wanted[name]["package_pip"] in written
    assert wanted["python_interpreter"]["package_system"] in written
    assert re.search(r"ansible-galaxy collection install .*requirements\.yml", written)


def test_the_collection_in_the_context_installs_and_names_its_needs(context: Path, tmp_path: Path) -> None:
    install = ("collection", "install", "--offline", "--collections-path", tmp_path, "--requirements-file")
    run("ansible-galaxy", *install, "requirements.yml", cwd=context / "_build")
    needs = yaml.safe_load(run("ansible-builder", "introspect", tmp_path, cwd=tmp_path))
    assert needs["python"] == []
    assert [line.split("  #")[0] for line in needs["system"]] == [
        "openssh-clients [platform:rpm]",
        "openssh-client [platform:dpkg]",
    ]
