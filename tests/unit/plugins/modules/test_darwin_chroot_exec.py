# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it: its options, and a result that Ansible takes."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import pwd
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.modules import darwin_chroot_exec

CHECKOUT = Path(__file__).parents[4]
CONTROLLER = importlib.util.find_spec("ansible.cli") is not None


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_chroot_exec.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_a_result_that_is_utf8(furnished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(furnished), argv=["cat", "/bytes"])
    assert base64.b64decode(found["stdout_base64"]) == bytes(range(256))
    json.dumps(found, ensure_ascii=False).encode()
    assert (found["rc"], found["changed"]) == (0, True)


def test_a_failure_has_its_values(furnished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(furnished), cmd="sh -c 'echo said; exit 3'")
    assert (found["failed"], found["changed"], found["rc"]) == (True, True, 3)
    assert (found["msg"], found["stdout"], found["cmd"]) == (
        "ended with exit code 3: said",
        "said",
        ["sh", "-c", "echo said; exit 3"],
    )


def test_an_error_is_one_sentence(furnished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(furnished), argv=["no-such"], _ansible_check_mode=True)
    assert found["failed"]
    assert found["msg"].startswith(f"cannot run no-such in {furnished}: there is no such program in the jail")


def test_further_programs_run_whatever_becomes_of_those_before(
    furnished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = [
        {"name": "none", "argv": ["no-such"]},
        {"name": "bad", "argv": ["sh"], "stdin": "printf 'so\\033[2J' >&2; exit 4"},
        {
            "name": "good",
            "argv": ["sh", "-c", "pwd; id -u; echo $WORD"],
            "chdir": "/usr/bin",
            "user": "nobody",
            "env": {"WORD": "x"},
        },
        {"name": "left out", "argv": ["cat", "/bytes"], "removes": "/no-such"},
    ]
    found = answer(capsys, jail=str(furnished), argv=["sh", "-c", "exit 3"], extra_commands=extra)
    assert (found["failed"], found["rc"]) == (True, 3)
    several = found["extra_commands"]
    assert {name: (one["failed"], one["rc"]) for name, one in several.items()} == {
        "none": (True, None),
        "bad": (True, 4),
        "good": (False, 0),
        "left out": (False, 0),
    }
    assert several["none"]["msg"].startswith(f"cannot run no-such in {furnished}: there is no such program in the jail")
    assert several["bad"]["msg"].isprintable()
    assert several["good"]["stdout"].split() == ["/usr/bin", str(pwd.getpwnam("nobody").pw_uid), "x"]
    assert several["left out"]["stdout"] == "skipped, since /no-such does not exist"


def test_further_programs_are_kept_within_the_limit_and_count_as_a_change(
    furnished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    extra = [{"name": "long", "argv": ["sh", "-c", "i=0; while [ $i -lt 999 ]; do echo $i; i=$((i+1)); done"]}]
    options = {"jail": str(furnished), "argv": ["true"], "removes": "/no-such", "output_limit": 100}
    assert answer(capsys, **options)["changed"] is False
    found = answer(capsys, **options, extra_commands=extra)
    assert found["changed"] is True
    assert len(found["extra_commands"]["long"]["stdout"]) < 300
    assert "output_limit is 100 bytes" in json.dumps(found["warnings"])


@pytest.mark.parametrize("check", [False, True])
def test_two_answers_cannot_have_one_name(furnished: Path, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    """Else one would hide the other. Nothing is run then."""
    extra = [{"name": name, "argv": ["touch", f"/{name}"]} for name in ("one", "two", "one")]
    options = {"jail": str(furnished), "argv": ["touch", "/first"], "extra_commands": extra}
    found = answer(capsys, **options, _ansible_check_mode=check)
    assert found["msg"].startswith("extra_commands has two programs named one")
    assert not [name for name in ("first", "one", "two") if (furnished / name).exists()]


def test_further_programs_do_not_run_in_check_mode(furnished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    extra = [{"name": "one", "argv": ["touch", "/made"]}]
    options = {"jail": str(furnished), "argv": ["true"], "extra_commands": extra}
    assert "extra_commands" not in answer(capsys, **options, _ansible_check_mode=True)
    assert "clone is removed" in answer(capsys, **options, ephemeral=True)["msg"]
    assert not (furnished / "made").exists()


@pytest.mark.parametrize("options", [{}, {"argv": ["true"], "cmd": "true"}])
def test_one_of_argv_and_cmd(capsys: pytest.CaptureFixture[str], options: dict[str, Any]) -> None:
    found = answer(capsys, jail="/nowhere", **options)
    assert found["failed"]
    assert "argv" in found["msg"]
    assert "cmd" in found["msg"]


@pytest.mark.skipif(not CONTROLLER, reason="Ansible itself is not in this environment")
def test_ansible_brings_and_runs_it(furnished: Path) -> None:
    """Whole: packed in a zip file, from which the launcher has to be taken."""
    arguments = json.dumps({"jail": str(furnished), "argv": ["cat", "/bytes"], "user": "nobody"})
    command = ["-m", "ansible", "adhoc", "localhost", "-m", "darwin.jail.darwin_chroot_exec", "-a", arguments]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "ANSIBLE_LOAD_CALLBACK_PLUGINS": "1",
        "ANSIBLE_STDOUT_CALLBACK": "ansible.builtin.minimal",
    }
    done = subprocess.run(
        [sys.executable, *command], check=False, capture_output=True, text=True, env=environment, cwd=CHECKOUT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.partition("=>")[2])
    assert base64.b64decode(found["stdout_base64"]) == bytes(range(256))
