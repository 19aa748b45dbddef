# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What leaves a module for people holds nothing that moves a terminal's cursor, whatever a jail or an image says."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stdout, suppress
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.module_utils._jail import runner
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\x85\r\n\u2028\u202e\u2066\x7f")), min_size=1)


def answer(work: runner.Work) -> dict[str, Any]:
    said = io.StringIO()
    with patch_module_args({"_ansible_diff": True}), redirect_stdout(said), suppress(SystemExit):
        runner.run(work, {})
    found: dict[str, Any] = json.loads(said.getvalue())
    return found


def texts(found: dict[str, Any]) -> list[str]:
    warnings = [one if isinstance(one, str) else str(one) for one in found.get("warnings", [])]
    return [found.get("msg", ""), *warnings, *found.get("diff", {}).get("prepared", "").splitlines()]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(HOSTILE)
def test_errors_warnings_and_diffs_can_be_printed(text: str) -> None:
    def fail(_params: dict[str, Any], _check: bool) -> Result:
        raise InputError(f"the image is for {text}")

    def fail_with_values(_params: dict[str, Any], _check: bool) -> Result:
        return Result(True, {"msg": text, "stdout": text}, failed=True)

    def change(_params: dict[str, Any], _check: bool) -> Result:
        return Result(True, {"stdout": text}, [f"~ {text}", "one line\nanother"], [f"look at {text}"])

    for work in (fail, fail_with_values, change):
        found = answer(work)
        assert all(line.isprintable() for line in texts(found)), found
        assert found.get("stdout", text) == text, "what programs read is exact"
    assert answer(change)["diff"]["prepared"].endswith("one line\nanother\n")


@pytest.mark.parametrize("kind", [InputError, lambda text: OperationError("read", "/x", text, hint=text)])
def test_no_line_is_feigned(kind: Any) -> None:
    def fail(_params: dict[str, Any], _check: bool) -> Result:
        raise kind("a\nok: [mac]")

    assert "\n" not in answer(fail)["msg"]
