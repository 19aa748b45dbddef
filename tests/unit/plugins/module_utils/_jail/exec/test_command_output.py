# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Output of programs in a jail that is longer than what is returned."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import Command, execute
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail


def test_of_long_output_the_beginning_and_the_end_are_returned(furnished: Path) -> None:
    text = "echo begin; cat /bytes /bytes; echo end"
    result = execute(Command(jail=str(furnished), argv=["sh", "-c", text], output_limit=100), False)
    assert result.values["stdout"].startswith("begin\n")
    assert result.values["stdout"].endswith("end")
    assert "bytes are left out here ...]" in result.values["stdout"]
    assert "the beginning and the end of its output are (output_limit is 100 bytes)" in result.warnings[0]
    assert result.values["rc"] == 0


def test_a_loud_program_ends_at_its_time(furnished: Path) -> None:
    text = "while :; do cat /bytes; done"
    command = Command(jail=str(furnished), argv=["sh", "-c", text], output_limit=1000, timeout=0.5)
    result = execute(command, False)
    assert result.failed
    assert len(result.values["stdout"]) < 5000
    assert result.warnings


def test_a_program_in_a_jail_that_is_not_complete_runs_with_a_warning(furnished: Path) -> None:
    command = Command(jail=str(furnished), argv=["sh", "-c", ":"])
    with open_jail(str(furnished)) as jail:
        jail.update_entry(state="complete")
        assert execute(command, False).warnings == []
        jail.update_entry(state="building")
        try:
            (warning,) = execute(command, False).warnings
        finally:
            jail.update_entry(state="complete")
    assert warning == f"{furnished} is not complete: its build did not end: build it again"
