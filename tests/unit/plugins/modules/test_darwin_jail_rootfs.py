# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_rootfs


@pytest.fixture
def options(place: Path) -> dict[str, Any]:
    """For a jail from a small source."""
    for name in ("usr/bin/git", "usr/bin/na\udcffme", "private/etc/hosts"):
        (place / "source" / name).parent.mkdir(parents=True, exist_ok=True)
        (place / "source" / name).write_text(f"this is {name}\n", errors="surrogateescape")
    return {
        "jail": str(place / "jail"),
        "source": str(place / "source"),
        "entries": [{"src": "/usr/"}, {"src": "/etc/"}],
    }


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_rootfs.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_check_real_check_real(options: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    predicted = answer(capsys, **options, _ansible_check_mode=True, _ansible_diff=True)
    assert not (place / "jail").exists()
    done = answer(capsys, **options, _ansible_diff=True)
    assert (predicted["changed"], done["changed"]) == (True, True)
    for key in ("diff", "operations", "operations_total"):
        assert predicted[key] == done[key]
    assert "+ /usr/bin/git file 0644 0:0\n" in done["diff"]["prepared"]
    assert done["stats"]["files"] == 3
    assert any(found["path"] == "/usr/bin/na\\xffme" for found in done["operations"])
    for check in (True, False):
        again = answer(capsys, **options, _ansible_check_mode=check, _ansible_diff=True)
        assert (again["changed"], again["operations"], "diff" in again) == (False, [], False)


OF_ALL = {"changed", "invocation", "warnings"}
"""What each module may return; a warning, too, of another one that ran in this process."""


def test_what_is_returned_is_documented(options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    yaml = pytest.importorskip("yaml")
    documented = yaml.safe_load(darwin_jail_rootfs.RETURN)
    predicted = answer(capsys, **options, _ansible_check_mode=True)
    assert predicted.keys() - OF_ALL == documented.keys() - {"jail_bytes"}
    assert set(predicted["space"]) == set(documented["space"]["sample"])
    found = answer(capsys, **options)
    assert found.keys() - OF_ALL == documented.keys() - {"space"}
    assert found["stats"].keys() == documented["stats"]["contains"].keys()
    absent = answer(capsys, jail=options["jail"], state="absent")
    assert absent.keys() - OF_ALL == {"operations", "operations_total"}


def test_the_options_are_those_documented() -> None:
    yaml = pytest.importorskip("yaml")
    documented = yaml.safe_load(darwin_jail_rootfs.DOCUMENTATION)["options"]
    assert documented.keys() | {"jail", "progress_file"} == darwin_jail_rootfs.SPEC.keys()
    for name, option in documented.items():
        spec: dict[str, Any] = darwin_jail_rootfs.SPEC[name]  # type: ignore[assignment]
        assert (option.get("choices"), option.get("default")) == (spec.get("choices"), spec.get("default")), name


def test_absent(options: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    answer(capsys, **options)
    gone = answer(capsys, jail=options["jail"], state="absent", _ansible_check_mode=True, _ansible_diff=True)
    assert gone["diff"]["prepared"] == f"- {options['jail']} and all below it\n"
    assert (place / "jail/usr").exists()
    assert answer(capsys, jail=options["jail"], state="absent")["changed"]
    assert not (place / "jail").exists()
    assert not answer(capsys, jail=options["jail"], state="absent")["changed"]


def test_warnings_are_passed_on(options: dict[str, Any], place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "list").write_text("/usr/bin/\n/nowhere\n")
    found = answer(capsys, jail=options["jail"], source=options["source"], manifests=[str(place / "list")])
    assert f"{place}/list line 2: /nowhere matches nothing" in str(found["warnings"])


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"jail": "/"}, "/ belongs to the system and cannot be a jail: choose another directory"),
        ({"entries": [{"src": "usr"}]}, "entries[0]: src 'usr' is not an absolute path"),
        ({"entries": [{"src": "/none"}]}, "entries[0]: /none matches nothing in"),
        ({"exclude": ["[b-a]"]}, "'[b-a]' is not a valid glob: bad character range b-a"),
        ({"profile": "standard"}, "contains no macOS"),
    ],
)
def test_an_error_is_one_sentence(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str], wrong: dict[str, Any], message: str
) -> None:
    found = answer(capsys, **{**options, **wrong})
    assert found["failed"]
    assert message in found["msg"]
    assert "Traceback" not in json.dumps(found)


def test_through_ansible(options: dict[str, Any], place: Path) -> None:
    """In the zip file that Ansible sends, with nothing but what it puts in it."""
    program = shutil.which("ansible", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if program is None:
        pytest.skip("ansible is not installed")
    command = [program, "localhost", "-e", f"ansible_python_interpreter={sys.executable}"]
    command += ["-m", "darwin.jail.darwin_jail_rootfs", "-a"]
    environment = {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": darwin_jail_rootfs.__file__.partition("/ansible_collections/")[0],
        "PYTHONPATH": "",  # where this Python has a part of Ansible only
    }

    def said(**more: str) -> str:
        words = [*command, json.dumps({**options, **more})]
        ended = subprocess.run(
            words, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL, env=environment
        )
        return ended.stdout + ended.stderr

    assert "localhost | CHANGED => {" in said()
    assert "localhost | SUCCESS => {" in said()
    assert (place / "jail/usr/bin/git").read_text() == "this is usr/bin/git\n"
    assert "localhost | CHANGED => {" in said(state="absent")  # its entry is in the register of this machine
    assert not (place / "jail").exists()
