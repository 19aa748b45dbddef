# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Directories, jails and a source tree for tests; whatever the collection keeps on a Mac is kept apart."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import _internal
from ansible_collections.darwin.jail.plugins.module_utils._jail import host_state, register
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock, run_directories
from built_jails import Make
from volumes import folding_volume, lacks

# Programs of tests must hear these signals. nohup(1) ignores the first, and a shell the others for what is behind `&`.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)

MEMORY = Path("/dev/shm")  # noqa: S108 (a directory of our own is made in it)
PROGRAMS = (
    "cat", "chmod", "env", "false", "id", "ls", "mkdir", "rm", "setsid", "sh", "sleep", "test", "tr", "true",
)  # fmt: skip


@pytest.fixture(autouse=True)
def own_build_lock(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds in tests wait for each other, and for nothing else on this machine."""
    home = tmp_path_factory.getbasetemp().resolve()
    monkeypatch.setattr(build_lock, "_home", lambda: os.fsencode(home))


@pytest.fixture(scope="session", autouse=True)
def own_register() -> Iterator[None]:
    """Jails of tests are entered in a register of their own, in memory where there is some."""
    path = Path(tempfile.mkdtemp(prefix="darwin.jail.register.", dir=MEMORY if MEMORY.is_dir() else None)).resolve()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(register, "DIRECTORY", os.fsencode(path / "jails"))
        yield
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(autouse=True)
def own_entries(own_register: None) -> Iterator[None]:
    """A removal reads all entries: those that a test made are gone after it."""
    place = Path(os.fsdecode(register.DIRECTORY))
    before = set(place.iterdir()) if place.exists() else set()
    yield
    for entry in set(place.iterdir()) - before if place.exists() else ():
        entry.unlink(missing_ok=True)


@pytest.fixture(scope="session", autouse=True)
def nothing_for_this_machine() -> Iterator[None]:
    """No test leaves anything where the collection keeps what it keeps on a Mac."""

    def kept() -> list[Path]:
        return sorted(Path(os.fsdecode(host_state.NOTES)).parent.rglob("*"))

    before = kept()
    yield
    assert kept() == before


@pytest.fixture(autouse=True)
def own_runs(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What runs in tests need on the Mac for a while, or note there, lies beside what is the tests' own."""
    place = tmp_path_factory.getbasetemp().resolve() / "mac/runs"
    monkeypatch.setattr(run_directories, "DEFAULT_PLACE", os.fsencode(place))
    monkeypatch.setattr(host_state, "NOTES", os.fsencode(place.with_name("images")))
    return place


def needs_root() -> None:
    if os.geteuid() != 0:
        pytest.skip("only root owns a jail and may enter it")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty directory of root's, in memory where there is some: these tests write much."""
    needs_root()
    path = Path(tempfile.mkdtemp(prefix="darwin.jail.test.", dir=MEMORY if MEMORY.is_dir() else None)).resolve()
    yield path
    monkeypatch.undo()  # a test may have replaced what removes it
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture(scope="session")
def folding() -> Iterator[Path]:
    """A volume that compares names as APFS does by default: in any case, and in any normalization."""
    needs_root()
    if reason := lacks("folding"):
        pytest.skip(reason)
    folder = Path(tempfile.mkdtemp(prefix="darwin.jail.test.", dir=MEMORY if MEMORY.is_dir() else None)).resolve()
    with folding_volume(folder) as point:
        yield point
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def folded(folding: Path) -> Path:
    """An empty directory on it."""
    return Path(tempfile.mkdtemp(prefix="Place.", dir=folding))


@pytest.fixture
def empty_jail(tmp_path: Path) -> Path:
    """A marked jail with macOS's link /var, and nothing else."""
    needs_root()
    path = tmp_path / "jail"
    jails.create(os.fsencode(path)).close()
    (path / "var").symlink_to("private/var")
    return path


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A jail in which the programs of this system run, with all libraries that they load."""
    needs_root()
    path = tmp_path_factory.mktemp("furnished") / "jail"
    with jails.create(os.fsencode(path)) as jail:
        jail.update_entry(state="complete")
    (path / "var").symlink_to("private/var")
    for name in ("scratch", "dev", "usr/bin"):
        (path / name).mkdir(parents=True)
    (path / "scratch").chmod(0o1777)
    (path / "bin").symlink_to("usr/bin")
    (path / "dev/null").touch()  # shells open it for reading when they start something in the background
    (path / "bytes").write_bytes(bytes(range(256)))
    for name in PROGRAMS:
        found = shutil.which(name)
        if not found:
            pytest.skip(f"{name} is not on this machine")
        shutil.copy(found, path / "usr/bin" / name)
        for library in libraries(found):
            target = path / library.lstrip("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(library, target)
    return path


def libraries(program: str) -> Iterator[str]:
    """What ldd(1) says, the loader included."""
    said = subprocess.run(["ldd", program], check=False, capture_output=True, text=True).stdout
    for line in said.splitlines():
        yield from (word for word in line.split() if word.startswith("/"))


@pytest.fixture
def source(place: Path) -> Path:
    """A source with system files, configuration and the links of macOS."""
    root = place / "source"
    for name in ("usr/bin/git", "usr/bin/cc", "usr/share/dict/words", "private/etc/hosts", "private/etc/pam.d/sudo"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"this is {name}\n")
    (root / "etc").symlink_to("private/etc")
    (root / "usr/bin/git").chmod(0o755)
    return root


@pytest.fixture
def make(place: Path, source: Path) -> Make:
    """Build the jail `place/jail` from entries, given as paths of the source or as dicts."""

    def run(*entries: str | dict[str, Any], check: bool = False, **options: Any) -> Result:
        listed = [{"src": entry} if isinstance(entry, str) else entry for entry in entries]
        options = {"jail": str(place / "jail"), "source": str(source), **options}
        return build(BuildSpec(entries=listed, **options), check)

    return run


@pytest.fixture
def not_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """A module runs as on a Mac: on the controller warnings are displayed at once, a module returns them."""
    monkeypatch.setattr(_internal, "is_controller", False, raising=False)


@pytest.fixture(scope="session")
def djail(own_register: None, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The command djail, installed for tests; see installed_djail.py."""
    needs_root()
    from installed_djail import InstalledDjail  # noqa: PLC0415 (it compiles all of it)

    place = tmp_path_factory.mktemp("djail")
    return InstalledDjail(place, home=tmp_path_factory.getbasetemp().resolve())
