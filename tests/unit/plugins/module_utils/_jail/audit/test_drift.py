# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What became of installed files, on jails that the engine built."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import RECORD
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build

Report = dict[str, list[object]]
CLEAN: Report = {"changed": [], "missing": [], "kept": [], "foreign": []}


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root owns a jail")
    source = tmp_path / "source"
    for name in ("usr/bin/git", "usr/bin/vim", "usr/share/deep/er/file", "private/etc/hosts", "private/etc/paths"):
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        (source / name).write_text(f"{name}\n")
    (source / "usr/bin/git-log").symlink_to("git")
    os.link(source / "usr/bin/vim", source / "usr/bin/vi")
    os.mkfifo(source / "usr/share/fifo")
    (source / "usr/share/odd \n name").write_text("x")
    entries = [{"src": "/usr/"}, {"src": "/private/etc/"}]
    build(BuildSpec(str(tmp_path / "jail"), str(source), entries=entries), check=False)
    return tmp_path / "jail"


def drift(jail: Path) -> tuple[bool, Report]:
    found = gather(str(jail), ["drift"]).values["drift"]
    for name in CLEAN:
        assert found[f"{name}_total"] == len(found[name])
    return found["clean"], {name: found[name] for name in CLEAN}


def test_a_jail_that_was_just_built(jail: Path) -> None:
    assert drift(jail) == (True, CLEAN)


def write(path: Path) -> None:
    path.write_text("longer than it was\n")


def touch(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def replace_by_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "foreign").write_text("")


def point_to_vim(path: Path) -> None:
    path.unlink()
    path.symlink_to("vim")


def link_out(path: Path) -> None:
    """A link to the host in its place."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    path.symlink_to("/")


CHANGES: list[tuple[str, Callable[[Path], None], str]] = [
    ("usr/bin/git", write, "size 19, was 12"),
    ("usr/bin/git", touch, "time"),
    ("usr/bin/git", lambda path: path.chmod(0o4755), "mode 4755, was 0644"),
    ("usr/bin/git", lambda path: os.chown(path, 501, 20), "owner 501:20, was 0:0"),
    ("usr/bin/git", replace_by_directory, "is a dir"),
    ("usr/bin/git-log", point_to_vim, "points to vim"),
    ("usr/share/fifo", link_out, "is a link"),
    ("usr/share", lambda path: path.chmod(0o700), "mode 0700, was 0755"),
    ("usr/share/deep", link_out, "is a link"),
]


@pytest.mark.parametrize(("name", "change", "why"), CHANGES, ids=[f"{name} {why}" for name, _change, why in CHANGES])
def test_changed(jail: Path, name: str, change: Callable[[Path], None], why: str) -> None:
    change(jail / name)
    clean, found = drift(jail)
    assert not clean
    assert found == {**CLEAN, "changed": [{"path": f"/{name}", "why": why}]}


def test_missing(jail: Path) -> None:
    (jail / "usr/bin/git").unlink()
    shutil.rmtree(jail / "usr/share/deep")
    (jail / "usr/share/odd \n name").unlink()
    clean, found = drift(jail)
    assert not clean
    assert found == {**CLEAN, "missing": ["/usr/bin/git", "/usr/share/deep", "/usr/share/odd \\n name"]}


def test_foreign(jail: Path) -> None:
    (jail / "opt/homebrew/bin").mkdir(parents=True)
    (jail / "opt/homebrew/bin/brew").write_text("")
    (jail / "usr/bin/mine").write_text("")
    (jail / "usr/bin/odd\udcff").write_text("")
    clean, found = drift(jail)
    assert clean
    assert found == {**CLEAN, "foreign": ["/opt/homebrew", "/usr/bin/mine", "/usr/bin/odd\\xff"]}


def test_configuration_is_kept(jail: Path) -> None:
    write(jail / "private/etc/hosts")
    (jail / "private/etc/paths").unlink()
    clean, found = drift(jail)
    assert clean
    assert found == {
        **CLEAN,
        "kept": [
            {"path": "/private/etc/hosts", "why": "changed in the jail (size 19, was 18)"},
            {"path": "/private/etc/paths", "why": "removed in the jail"},
        ],
    }


def test_configuration_that_was_only_touched(jail: Path) -> None:
    touch(jail / "private/etc/hosts")
    assert drift(jail) == (True, CLEAN)


def test_the_time_of_a_directory_says_nothing(jail: Path) -> None:
    (jail / "usr/share/new").write_text("")
    (jail / "usr/share/new").unlink()
    assert drift(jail) == (True, CLEAN)


def test_after_repair_nothing_has_drifted(jail: Path) -> None:
    for name, change, _why in CHANGES[:1] + CHANGES[5:6]:
        change(jail / name)
    (jail / "usr/bin/vim").unlink()
    assert not drift(jail)[0]
    entries = [{"src": "/usr/"}, {"src": "/private/etc/"}]
    build(BuildSpec(str(jail), str(jail.parent / "source"), entries=entries), check=False)
    assert drift(jail) == (True, CLEAN)


def test_a_damaged_record_is_said_so(jail: Path) -> None:
    record = jail / os.fsdecode(RECORD)
    record.write_bytes(record.read_bytes().replace(b"git type=file", b"g/t type=file"))
    told = gather(str(jail), ["drift"])
    assert "drift" not in told.values
    assert any("'g/t' is not the name of anything in a directory" in warning for warning in told.warnings)
