# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Packer runs the example's provisioner on a Mac that is there, since tart needs a Mac to make one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from installed_collection import TOP, on_mac
from stand_in_inventory import ask

EXAMPLE = TOP / "docs/examples/packer.pkr.hcl"
JAIL = "/private/var/jails/packed"
A_MAC = """
source "null" "mac" {{
  ssh_host     = "{address}"
  ssh_username = "admin"
  ssh_password = var.password
}}
"""

pytestmark = pytest.mark.skipif(not shutil.which("packer"), reason="there is no packer on this machine")


def without(template: str, kind: str) -> str:
    """The template less its blocks of a kind, of which there must be some."""
    left, count = re.subn(rf"^{kind}\b[^\n]*\{{\n.*?^\}}\n", "", template, flags=re.DOTALL | re.MULTILINE)
    assert count, kind
    return left


def adapted(address: str) -> str:
    """The example with a Mac that runs, and what Linux programs also need in a jail."""
    template = without(without(EXAMPLE.read_text(), "packer"), "source")
    for old, new in (
        ("source.tart-cli.mac", "source.null.mac"),
        ("extra_arguments = [", 'extra_arguments = ["--extra-vars", "@${path.root}/linux.json",'),
    ):
        assert old in template
        template = template.replace(old, new)
    return template + A_MAC.format(address=address)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, mac: str) -> Path:
    made = tmp_path_factory.mktemp("packer")
    address = ask("inventory", mac)["macs"]["hosts"][mac]["ansible_host"]
    (made / "image.pkr.hcl").write_text(adapted(address))
    return made


def build(folder: Path, environment: dict[str, str], entries: list[dict[str, str]]) -> tuple[int, str]:
    (folder / "linux.json").write_text(json.dumps({"jail_profile": "standard", "jail_entries": entries}))
    playbook = f"{environment['ANSIBLE_COLLECTIONS_PATH']}/ansible_collections/darwin/jail/playbooks/build_jail.yml"
    done = subprocess.run(
        ["packer", "build", "-color=false", "-var", f"jail={JAIL}", "-var", f"playbook={playbook}", "image.pkr.hcl"],
        check=False,
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout + done.stderr


def test_the_example_is_as_packer_writes_it() -> None:
    subprocess.run(["packer", "fmt", "-check", "-diff", EXAMPLE], check=True)


def test_packer_fails_with_the_build_and_shows_why(folder: Path, environment: dict[str, str]) -> None:
    rc, said = build(folder, environment, [])
    assert rc == 1
    assert f"cannot run /bin/sh in {JAIL}" in said


def test_the_image_gets_its_jail_and_a_second_run_changes_nothing(folder: Path, environment: dict[str, str]) -> None:
    entries = ask("jail-entries")
    rc, said = build(folder, environment, entries)
    assert rc == 0, said
    assert "15.2" in on_mac("/usr/sbin/chroot", JAIL, "/usr/bin/sw_vers")
    rc, said = build(folder, environment, entries)
    assert rc == 0, said
    assert re.search(r"default +: ok=\d+ +changed=0 ", said), said
