# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Installing djail: what is there afterwards, and after a run that was killed."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.lookup.djail_command import LookupModule
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import install, main, places
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from installed_djail import python

UTILS = Path(install.__file__).parents[1]


@pytest.fixture
def target(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where it is installed: a directory and links below one that is root's."""
    top = place / "mac"
    monkeypatch.setattr(places, "DIRECTORY", str(top / "tools"))
    monkeypatch.setattr(places, "COMMAND", str(top / "tools/djail"))
    monkeypatch.setattr(places, "LINK", str(top / "local/bin/djail"))
    links = {name: os.fsencode(top) + link.removeprefix(b"/usr") for name, link in install.SHARED.items()}
    monkeypatch.setattr(install, "SHARED", links)
    return top


def ensure(state: str = "present", check: bool = False) -> Result:
    return install.ensure(state, python(), check)


def there(top: Path) -> dict[str, bytes]:
    """Files and where links point; of compiled files, which are not the same each time, only that they are there."""
    paths = sorted(path for path in top.rglob("*") if not path.is_dir())
    return {str(path.relative_to(top)): content(path) for path in paths}


def content(path: Path) -> bytes:
    if path.is_symlink():
        return os.fsencode(os.readlink(path))
    return b"" if path.suffix in (".pyc", ".zip") else path.read_bytes()


def test_it_is_there_once_and_goes_whole(target: Path) -> None:
    assert ensure(check=True).changed
    assert not target.exists()
    first = ensure()
    assert (first.changed, first.values["links_missing"], ensure().changed) == (True, [], False)
    found = there(target)
    assert found["local/bin/djail"] == os.fsencode(target / "tools/djail")
    assert sum(path.stat().st_size for path in (target / "tools").rglob("*") if path.is_file()) < 1_000_000
    assert {oct(path.stat().st_mode & 0o022) for path in target.rglob("*") if not path.is_symlink()} == {"0o0"}
    assert first.diff[-1] == f"+ {target}/tools/djail", "who has it has all the rest"
    assert ensure("absent").changed
    assert there(target) == {}
    assert not ensure("absent").changed


@pytest.mark.parametrize("name", ["djail", "djail-granted", "share/djail.1"])
@pytest.mark.parametrize("fault", ["content", "mode", "missing"])
def test_what_was_changed_is_repaired(target: Path, name: str, fault: str) -> None:
    ensure()
    before, file = there(target), target / "tools" / name
    if fault == "content":
        file.write_bytes(b"#" * file.stat().st_size)
    elif fault == "mode":
        file.chmod(0o777)
    else:
        file.unlink()
    assert ensure().changed
    assert there(target) == before
    assert not file.stat().st_mode & 0o022


def test_another_version_takes_the_place_of_the_former(target: Path) -> None:
    ensure()
    (version,) = [path for path in (target / "tools").iterdir() if path.is_dir() and path.name != "share"]
    version.rename(version.with_name("djail-0123456789abcdef"))
    (target / "tools/djail-0123456789abcdee.new").mkdir()
    assert ensure().changed
    assert version.is_dir()
    assert not [path for path in (target / "tools").iterdir() if "0123456789" in path.name]


@pytest.mark.parametrize("fault", ["owner", "mode", "above"])
def test_nothing_is_installed_where_others_could_exchange_it(target: Path, fault: str) -> None:
    (target / "tools").mkdir(parents=True)
    if fault == "owner":
        os.chown(target / "tools", 501, 20)
    else:
        (target if fault == "above" else target / "tools").chmod(0o775)
    for check in (True, False):
        with pytest.raises(InputError, match=f"others than root can change {target}.*: make it root's alone"):
            ensure(check=check)
    assert there(target) == {}


def test_no_link_is_made_where_others_could_exchange_it(target: Path) -> None:
    (target / "local/bin").mkdir(parents=True)
    os.chown(target / "local/bin", 501, 80)
    (target / "local/etc/bash_completion.d").mkdir(parents=True)
    (target / "local/etc/bash_completion.d/djail").write_text("a person's")
    result = ensure()
    assert [line.split(": ")[1] for line in result.values["links_missing"]] == [
        f"others than root can change {target}/local/bin",
        "something else has the name",
    ]
    assert list((target / "local/bin").iterdir()) == []
    assert not ensure().changed
    ensure("absent")
    assert (target / "local/etc/bash_completion.d/djail").read_text() == "a person's"


def test_a_killed_installation_is_finished_by_the_next(target: Path) -> None:
    ensure()
    before = there(target)
    ensure("absent")
    for name in ("*.new", "*.new/*.py", "*.new/*/*", "djail-*", "share/*", "djail-granted", "djail"):
        child = os.fork()
        if child == 0:
            ensure()
            os._exit(0)
        deadline = time.monotonic() + 60
        while not list((target / "tools").glob(name)) and os.waitpid(child, os.WNOHANG)[0] == 0:
            assert time.monotonic() < deadline
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            pass
        if (target / "tools/djail").exists():  # then all of it is
            assert (target / "tools" / "djail-granted").exists()
            assert [path for path in (target / "tools").glob("djail-*/darwin_jail.zip") if ".new" not in str(path)]
        ensure()
        assert there(target) == before
        ensure("absent")


# -- what is in it -----------------------------------------------------------------------


def test_all_that_is_imported_is_in_it() -> None:
    """As ast finds it."""
    found = install.sources()
    for path, text in found.items():
        package = Path(path).parent.relative_to("darwin_jail")
        for node in ast.walk(ast.parse(text)):
            if not isinstance(node, ast.ImportFrom) or not node.level:
                continue
            above = UTILS / package
            for _level in range(node.level - 1):
                above = above.parent
            base = above / (node.module or "").replace(".", "/")
            names = [base, *(base / alias.name for alias in node.names)]
            files = [Path(f"{name}.py") for name in names if Path(f"{name}.py").is_file()]
            assert [file for file in files if f"darwin_jail/{file.relative_to(UTILS)}" not in found] == [], path
    assert not [path for path in found if "runner" in path]


def test_a_mac_that_has_the_script_djail_has_the_other_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The role darwin.jail.mac compares only that script with what it would install."""
    before = LookupModule().run([])
    monkeypatch.setattr(install, "GRANTED_SCRIPT", install.GRANTED_SCRIPT + "# more\n")
    assert LookupModule().run([]) != before


def test_commands_are_read_and_not_loaded() -> None:
    """Ansible's controller would compile each of them again in every run."""
    script = f"import sys\nfrom {install.__name__} import sources\nsources()\nprint(*sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True, env=environment)
    modules = {handler.partition(":")[0] for handler in main.HANDLERS.values()} - {"documents"}
    assert {f"{install.__package__}.{name}" for name in modules} & set(ran.stdout.split()) == set()


def test_nothing_of_ansible_is_in_it(target: Path) -> None:
    ensure()
    (archive,) = (target / "tools").glob("djail-*/darwin_jail.zip")
    with zipfile.ZipFile(archive) as opened:
        assert {Path(name).suffix for name in opened.namelist()} == {".pyc", ".py"}
        assert not [name for name in opened.namelist() if b"ansible.module_utils" in opened.read(name)]


def test_the_lookup_has_the_same_script(target: Path) -> None:
    """By it the role knows whether a Mac has this version."""
    ensure()
    assert LookupModule().run([]) == [(target / "tools/djail").read_text()]


def test_scripts_are_of_sh(target: Path) -> None:
    ensure()
    for name in ("djail", "djail-granted"):
        ran = subprocess.run(
            ["shellcheck", "-s", "sh", target / "tools" / name], check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout
