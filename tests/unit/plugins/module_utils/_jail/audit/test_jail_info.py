# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""All that is told about a jail, and that telling it changes nothing."""

from __future__ import annotations

import json
import os
import plistlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import macho_files as make
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import identity
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import MOST_NEEDING, SUBSETS, gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, NotAJailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import STATE, open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from host.dyld_cache import Family
from launchctl import Launchctl
from waiting import until

SYSTEM = make.need("/usr/lib/libSystem.B.dylib")


def mac(path: Path, version: str = "15.2", build: str = "24C101") -> Path:
    """A tree that says which macOS it is, with the shared cache of that build."""
    place = path / "System/Library/CoreServices/SystemVersion.plist"
    place.parent.mkdir(parents=True)
    place.write_bytes(plistlib.dumps({"ProductVersion": version, "ProductBuildVersion": build}))
    (path / "System/Library/dyld").mkdir()
    for name, data in Family("arm64e", version, build).files().items():
        (path / "System/Library/dyld" / name).write_bytes(data)
    return path


@pytest.fixture
def jail(tmp_path: Path) -> Path:
    if os.geteuid() != 0:
        pytest.skip("only root owns a jail")
    source = mac(tmp_path / "source")
    (source / "usr/lib").mkdir(parents=True)
    (source / "usr/lib/dyld").write_bytes(make.thin("arm64e", "dylinker", sign=make.Sign()))
    entries = [{"src": "/System/"}, {"src": "/usr/"}]
    build(BuildSpec(str(tmp_path / "jail"), str(source), entries=entries), check=False)
    return tmp_path / "jail"


def program(path: Path, *commands: make.Command, arch: str = "arm64", sign: make.Sign | None = None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(make.thin(arch, "execute", make.dylinker(), SYSTEM, *commands, sign=sign or make.Sign()))


def told(jail: Path, *wanted: str) -> dict[str, Any]:
    values = gather(str(jail), wanted).values
    assert json.loads(json.dumps(values)) == values
    return values


def test_identity(jail: Path) -> None:
    found = told(jail, "identity")["identity"]
    assert found["path"] == str(jail)
    assert (found["state"], found["adopted"], found["locked_by"]) == ("complete", False, None)
    assert (found["macos_version"], found["macos_build"]) == ("15.2", "24C101")
    assert found["source"] == str(jail.parent / "source")
    assert found["created"] <= found["built"] < "2100"
    assert found["architectures"] == ["arm64e"]
    (cache,) = found["caches"]
    assert (cache["name"], cache["files"], cache["faults"]) == ("dyld_shared_cache_arm64e", 4, [])


def test_who_works_on_it(jail: Path) -> None:
    with open_jail(str(jail)) as busy:
        busy.lock()
        assert told(jail, "identity")["identity"]["locked_by"].startswith(f"process {os.getpid()} since ")
    assert told(jail, "identity")["identity"]["locked_by"] is None


def test_a_killed_build_shows(jail: Path) -> None:
    (jail / os.fsdecode(STATE) / "journal.0123456789ab").write_bytes(b"")
    assert told(jail, "identity")["identity"]["state"] == "interrupted"


def test_a_marker_that_somebody_wrote_nonsense_into(jail: Path) -> None:
    place = jail / os.fsdecode(MARKER)
    place.write_text(json.dumps({"format": 1, "created": "x", "built": 1 << 80, "id": [], "state": {}, "source": 7}))
    found = told(jail, "identity")["identity"]
    assert [found[key] for key in ("created", "built", "id", "state", "source")] == [None] * 3 + ["unknown", None]


@pytest.mark.parametrize(
    ("version", "build_", "said"),
    [
        ("15.2", "24C101", []),
        ("15.3", "24D60", ["the Mac has macOS 15.3 (24D60), the jail 15.2 (24C101): rebuild the jail"]),
    ],
)
def test_host_drift(
    jail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: str, build_: str, said: list[str]
) -> None:
    here = mac(tmp_path / "mac", version, build_)
    monkeypatch.setattr(identity, "Root", lambda _path: Root(str(here)))
    assert told(jail, "identity")["host"]["drift"] == said


def test_another_cache_of_the_same_build(jail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here = mac(tmp_path / "mac")
    main = here / "System/Library/dyld/dyld_shared_cache_arm64e"
    data = bytearray(main.read_bytes())
    data[0x58:0x68] = bytes(16)
    cryptex = here / "System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld"
    cryptex.mkdir(parents=True)
    (cryptex / main.name).write_bytes(data)
    monkeypatch.setattr(identity, "Root", lambda _path: Root(str(here)))
    said = "the Mac has another dyld_shared_cache_arm64e of the same build: rebuild the jail"
    assert told(jail, "identity")["host"]["drift"] == [said]


@pytest.fixture
def mounted(jail: Path) -> Iterator[Path]:
    (jail / "src").mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "memory", str(jail / "src")], check=False).returncode:
        pytest.skip("nothing can be mounted here")
    yield jail
    subprocess.run(["umount", str(jail / "src")], check=True)


def test_mounts(mounted: Path) -> None:
    program(mounted / "src/broken", make.need("/gone.dylib"))
    found = told(mounted, "all")
    assert found["mounts"] == [{"path": "/src", "type": "tmpfs", "source": "memory"}]
    assert (found["libraries"]["missing"], found["drift"]["foreign"]) == ([], [])


def test_a_whole_jail(jail: Path) -> None:
    program(jail / "bin/tool")
    found = told(jail, "libraries", "signing")
    assert (found["libraries"]["complete"], found["libraries"]["files"], found["libraries"]["slices"]) == (True, 2, 2)
    assert (found["signing"]["refused"], found["signing"]["signers"]) == ([], {"ad hoc": 2})


def test_what_is_missing_with_who_needs_it(jail: Path) -> None:
    for number in range(MOST_NEEDING + 5):
        program(jail / f"bin/tool{number:02}", make.need("/opt/lib/gone.dylib"), make.need("/weak.dylib", "weak"))
    found = told(jail, "libraries")["libraries"]
    assert not found["complete"]
    (missing,) = found["missing"]
    assert (missing["library"], missing["architectures"]) == ("/opt/lib/gone.dylib", ["arm64"])
    assert missing["needed_by"] == [f"/bin/tool{number:02}" for number in range(MOST_NEEDING)]
    assert (missing["needed_by_total"], found["missing_total"], found["optional_total"]) == (MOST_NEEDING + 5, 1, 1)


def test_other_architectures_are_counted_not_audited(jail: Path) -> None:
    program(jail / "bin/intel", make.need("/gone.dylib"), arch="x86_64")
    (jail / "bin/object.o").write_bytes(make.thin("arm64", "object"))
    found = told(jail, "libraries")["libraries"]
    assert (found["complete"], found["not_loadable"]) == (True, {"no code for macOS": 1, "x86_64": 1})


def test_without_a_shared_cache_no_program_starts(jail: Path) -> None:
    program(jail / "bin/tool")
    for path in (jail / "System/Library/dyld").iterdir():
        path.unlink()
    found = told(jail, "libraries")["libraries"]
    assert not found["complete"]
    assert found["cache_faults"] == ["there is no shared cache: no program can start"]


def test_damaged_files_are_named(jail: Path) -> None:
    (jail / "bin").mkdir()
    (jail / "bin/tool").write_bytes(make.thin("arm64", "execute", make.dylinker())[:50])
    said = {"path": "/bin/tool", "why": "it ends before the end of its load commands"}
    assert told(jail, "libraries")["libraries"]["damaged"] == [said]


def test_refused_files_with_their_signer_and_the_cause(jail: Path) -> None:
    sign = make.Sign(0x10000, "tool", "ABCDE12345", cms=b"Developer ID Certification Authority")
    program(jail / "bin/tool", sign=sign)
    found = told(jail, "signing")["signing"]
    expected = {
        "path": "/bin/tool",
        "architectures": ["arm64"],
        "cause": "hardened",
        "detail": "",
        "signer": "developer id",
        "identifier": "tool",
        "team": "ABCDE12345",
        "flags": ["runtime"],
    }
    assert found["refused"] == [expected]
    assert found["causes"]["hardened"]["certainty"] == "reported"


def test_hard_links_are_read_once_and_reported_each(jail: Path) -> None:
    program(jail / "bin/git", make.need("@loader_path/gone.dylib"))
    os.link(jail / "bin/git", jail / "bin/git-log")
    (missing,) = told(jail, "libraries")["libraries"]["missing"]
    assert missing["needed_by"] == ["/bin/git", "/bin/git-log"]


def test_jobs_and_what_they_say(jail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    assert told(jail, "jobs")["jobs"] == []
    name = launchd.label(os.fsencode(jail), "dns")
    words = (sys.executable, "-c", "import time; print('at work', flush=True); time.sleep(60)")
    for label in (name, launchd.label(b"/another/jail", "dns")):
        for step in launchd.plan_present(launchd.Job(label, words)):
            step.apply()
    until(lambda: launchd.last_log_line(name))
    job = {"label": name, "purpose": "dns", "loaded": True, "last_log_line": "at work"}
    assert told(jail, "jobs")["jobs"] == [job]
    launchctl("bootout", f"system/{name}")
    assert told(jail, "jobs")["jobs"] == [{**job, "loaded": False}]
    launchctl.close()


def test_only_what_is_wanted_is_told(jail: Path) -> None:
    assert told(jail, "sizes").keys() == {"sizes"}
    assert told(jail, "identity", "mounts").keys() == {"identity", "host", "mounts"}
    assert told(jail, "all").keys() == {"host", *SUBSETS}


def test_nothing_is_changed(jail: Path) -> None:
    program(jail / "bin/tool")
    before = state(jail)
    told(jail, "all")
    assert state(jail) == before


def state(path: Path) -> dict[str, tuple[int, ...]]:
    """Everything that a write would show in."""
    found: dict[str, tuple[int, ...]] = {}
    for place in [path, *path.rglob("*")]:
        status = place.lstat()
        found[str(place)] = (status.st_ino, status.st_mode, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    return found


def test_what_is_no_jail(tmp_path: Path) -> None:
    with pytest.raises(NotAJailError, match="does not exist: build the jail first"):
        gather(str(tmp_path / "none"), ["all"])
    with pytest.raises(NotAJailError, match="is not a jail of this collection"):
        gather(str(tmp_path), ["all"])
    with pytest.raises(InputError, match="belongs to the system"):
        gather("/usr", ["all"])
