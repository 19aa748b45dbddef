# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Virtual machines of VMware Fusion, with a script in the place of vmrun that answers as vmrun's usage says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.vm.fusion import FOLDER, Fusion
from ansible_collections.darwin.jail.plugins.module_utils._jail.vm.machine import MachineSpec, User
from mac_programs import vmrun


@pytest.fixture
def fusion(tmp_path: Path) -> Fusion:
    return Fusion(User("me", os.geteuid(), os.getegid(), str(tmp_path)), vmrun(tmp_path))


def spec(fusion: Fusion, disk: int | None = None) -> MachineSpec:
    return MachineSpec("dev", f"{fusion.user.home}/image/image.vmx", cpu=4, memory=8192, disk=disk)


def test_sizes_of_an_item_become_the_numbers_that_tools_take() -> None:
    item = {"name": "dev", "image": "x", "cpu": 4, "memory": "8g", "disk": "80500m"}
    assert MachineSpec.of(item) == MachineSpec("dev", "x", cpu=4, memory=8192, disk=81)
    assert MachineSpec.of({**item, "memory": None, "disk": None}).settings == {"cpu": 4}


def test_a_machine_is_cloned_configured_and_deleted(fusion: Fusion) -> None:
    fusion.clone(spec(fusion))
    assert (fusion.running(), fusion.settings("dev")) == ({"dev": False}, {"cpu": 2, "memory": 4096})
    fusion.configure("dev", spec(fusion).settings)
    assert fusion.settings("dev") == {"cpu": 4, "memory": 8192}
    assert fusion.is_macos("dev")
    fusion.delete("dev")
    assert fusion.running() == {}


def test_a_folder_that_a_killed_run_left_is_no_machine_and_becomes_one(fusion: Fusion) -> None:
    Path(f"{fusion.user.home}/{FOLDER}/dev.vmwarevm").mkdir(parents=True)
    assert fusion.running() == {}
    fusion.clone(spec(fusion))
    assert fusion.running() == {"dev": False}


def test_a_machine_that_runs_is_stopped_politely_then_hard(fusion: Fusion) -> None:
    fusion.clone(spec(fusion))
    vmx = f"{fusion.user.home}/{FOLDER}/dev.vmwarevm/dev.vmx"
    Path(f"{fusion.program}.active").write_text(f"{vmx}\n/elsewhere/other.vmx\n")
    assert fusion.running() == {"dev": True, "/elsewhere/other.vmx": True}
    assert fusion.address("dev") is None
    fusion.stop("dev")
    asked = Path(f"{fusion.program}.asked").read_text().splitlines()
    assert [line.split()[-1] for line in asked if " stop " in line] == ["soft", "hard"]


def test_the_job_leaves_the_machine_running(fusion: Fusion) -> None:
    job = fusion.job("dev", "darwin.jail.dev.vm")
    assert job.arguments[1:4] == ("-T", "fusion", "start")
    assert (job.keys["KeepAlive"], job.keys["AbandonProcessGroup"], job.keys["UserName"]) == (False, True, "me")


def test_what_fusion_cannot_do_is_refused(fusion: Fusion) -> None:
    fusion.check(spec(fusion))
    with pytest.raises(InputError, match="disk"):
        fusion.check(spec(fusion, disk=80))
    with pytest.raises(InputError, match=r"not a \.vmx file"):
        fusion.check(MachineSpec("dev", "ghcr.io/x/y:1"))
    with pytest.raises(InputError, match="there is no vmrun in /nowhere: install VMware Fusion"):
        Fusion(fusion.user, "/nowhere")


def test_a_file_that_is_somebody_elses_is_not_read_for_the_user(fusion: Fusion, tmp_path: Path) -> None:
    """The folder is the user's, who would get what they put there under another name: by a link, or a hard link."""
    fusion.clone(spec(fusion))
    vmx = Path(f"{fusion.user.home}/{FOLDER}/dev.vmwarevm/dev.vmx")
    secret = tmp_path / "secret"
    secret.write_text("root only\n")
    for link in (os.symlink, os.link):
        vmx.unlink()
        link(secret, vmx)
        with pytest.raises(JailError, match=r"cannot (read|change) .*dev\.vmx"):
            fusion.configure("dev", spec(fusion).settings)
    assert vmx.read_text() == "root only\n"


def test_root_runs_no_program_that_others_can_replace(tmp_path: Path) -> None:
    """Other users run what they like."""
    program = Path(vmrun(tmp_path))
    program.chmod(0o757)
    with pytest.raises(InputError, match=r"may not be run as root: others than root can write to .*/vmrun; let the"):
        Fusion(User("root", 0, 0, str(tmp_path)), str(program))
    Fusion(User("me", 501, 20, str(tmp_path)), str(program))
