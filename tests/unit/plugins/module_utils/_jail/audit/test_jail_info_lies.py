# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A report on a jail whose root made its record, its marker and its files lie: that part is left out, and no other."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import tree_walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import CACHES
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import RECORD
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from host.dyld_cache import Family

PARTS = ("identity", "sizes", "largest", "drift", "libraries")


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root owns a jail")
    (tmp_path / "source/usr/share").mkdir(parents=True)
    (tmp_path / "source/usr/share/words").write_text("words")
    build(BuildSpec(str(tmp_path / "jail"), str(tmp_path / "source"), entries=[{"src": "/usr/"}]), check=False)
    return tmp_path / "jail"


def change(jail: Path, path: bytes, old: bytes, new: bytes) -> None:
    file = jail / os.fsdecode(path)
    assert old in file.read_bytes()
    file.write_bytes(file.read_bytes().replace(old, new, 1))


def mark(jail: Path, **fields: Any) -> None:
    file = jail / os.fsdecode(MARKER)
    file.write_text(json.dumps({**json.loads(file.read_text()), **fields}))


def report(jail: Path) -> Result:
    return gather(str(jail), PARTS)


@pytest.mark.parametrize("new", [b"w\\000rds type", b"n" * 300 + b" type", b"words typo"])
def test_a_line_of_the_record(jail: Path, new: bytes) -> None:
    change(jail, RECORD, b"words type", new)
    result = report(jail)
    assert result.values.keys() == {"identity", "host", "sizes", "largest", "libraries"}
    assert [text.split(":")[0] for text in result.warnings] == ["drift is left out"]


def test_the_whole_record(jail: Path) -> None:
    change(jail, RECORD, b"\n", b"")
    (jail / os.fsdecode(RECORD)).write_bytes(b"nonsense type=dir \n")
    result = report(jail)
    assert "sizes" in result.values
    assert "drift" not in result.values
    assert any("Remove it to continue" in text for text in result.warnings)


@pytest.mark.parametrize("base", ["/", "relative", "/bin/x", "/" + "a" * 5000])
def test_the_base_of_a_clone(jail: Path, base: str) -> None:
    mark(jail, clone_of=base)
    result = report(jail)
    assert result.values["drift"]["clean"] is True
    assert result.values["drift"]["base"] is None or result.values["drift"]["base"]["state"] == "gone"


def test_names_without_end(jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_walk, "DIRECTORY_NAMES", Limit(50, "names", "of a test"))
    (jail / "many").mkdir()
    for number in range(100):
        (jail / f"many/{number}").touch()
    result = report(jail)
    assert result.values["sizes"]["total"]["files"] == 1
    text = f"cannot read {show(os.fsencode(jail))}/many: cannot look into it: it has more than 50 names"
    assert any(warning.startswith(text) for warning in result.warnings)


def test_hard_links_that_are_shared_caches(jail: Path) -> None:
    """One file under many names takes no more memory than the caches of a Mac."""
    place = jail / os.fsdecode(CACHES)
    place.mkdir(parents=True)
    (main, data), *others = Family("arm64e", "15.2", "24C101").files().items()
    (place / main).write_bytes(data)
    for name, more in others:
        (place / name).write_bytes(more)
    for number in range(100):
        os.link(place / main, place / f"dyld_shared_cache_z{number}")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    found = report(jail).values["identity"]["caches"]
    assert len(found) == 9
    assert found[0]["name"] == "dyld_shared_cache_arm64e"
    assert found[0]["libraries"]
    assert "it has more than 8 shared caches" in found[-1]["faults"][0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000
