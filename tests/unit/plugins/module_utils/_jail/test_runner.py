# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A module does its work whatever it was started by."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.process import run as run_program


@pytest.fixture
def started_by_who_ignores_its_children() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGCHLD, before)


def _forked() -> int:
    pid = os.fork()
    if not pid:
        os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _asks_in_turn() -> int:
    """What a program that is started sees."""
    shows = "import signal; raise SystemExit(3 if signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL else 4)"
    return run_program(["/usr/bin/env", "python3", "-c", shows]).rc


WAYS = {
    "a program": lambda: run_program(["/bin/sh", "-c", "exit 3"]).rc,
    "a program of the standard library": lambda: subprocess.run(["/bin/sh", "-c", "exit 3"], check=False).returncode,
    "a process that is forked": _forked,
    "a program that waits itself": _asks_in_turn,
}


@pytest.mark.usefixtures("started_by_who_ignores_its_children")
@pytest.mark.parametrize("way", WAYS)
def test_how_processes_end_is_known(way: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_params: dict[str, Any], _check: bool) -> Result:
        return Result(False, {"rc": WAYS[way]()})

    with patch_module_args({}), pytest.raises(SystemExit):
        run(work, {})
    assert json.loads(capsys.readouterr().out)["rc"] == 3
