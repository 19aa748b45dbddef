# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A service that fails makes the run that started it fail, and others warn. The supervisors and programs are real."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from service_mac import ServiceMac as Mac
from waiting import until

SLEEP: dict[str, Any] = {"name": "sleep", "argv": ["/usr/bin/sleep", "60"], "stop": {"timeout": 2}}


@pytest.fixture
def mac(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac.make(tmp_path, furnished, monkeypatch)
    yield made
    made.launchctl.close()


def test_one_that_does_not_start_fails_with_the_end_of_its_log(mac: Mac) -> None:
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", "echo no database; sleep 0.4; exit 4"]}
    with pytest.raises(OperationError) as caught:
        mac.ensure(item, timeout=5)
    assert "cannot start the service sleep of" in str(caught.value)
    assert "ended with exit code 4" in str(caught.value)
    assert "no database" in str(caught.value)
    until(lambda: any("the service sleep of" in said for said in mac.ensure(item, check=True).warnings))


def test_a_failed_run_of_a_schedule_is_a_warning(mac: Mac) -> None:
    """The service does what it should: the program runs again at its next time."""
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", "exit 4"], "schedule": {"interval": 8}}
    mac.ensure(item)
    until(lambda: "its last run failed" in mac.info("sleep")["problem"])
    result = mac.ensure(item)
    assert not result.changed
    assert "the service sleep of" in result.warnings[0]


def test_a_service_that_failed_and_is_never_restarted_is_reported_and_starts_when_it_changes(mac: Mac) -> None:
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", "sleep 0.5; exit 4"], "restart": "never"}
    with pytest.raises(OperationError, match="it is finished: ended with exit code 4"):
        mac.ensure(item)
    for check in (True, False):
        again = mac.ensure(item, check=check)
        assert (again.changed, again.values["services"][0]["state"]) == (False, "finished")
        assert again.warnings == [
            f"the service sleep of {mac.jail} does not work: it is finished: ended with exit code 4"
        ]
    with pytest.raises(OperationError, match="it is finished: ended with exit code 5"):
        mac.ensure({**item, "argv": ["/usr/bin/sh", "-c", "exit 5"]})
    changed = mac.ensure({**item, "argv": ["/usr/bin/sleep", "62"]})
    assert (changed.changed, changed.warnings, mac.commands()) == (True, [], ["sleep"])


def test_one_that_is_never_restarted_and_was_started_by_a_swap_fails_no_build(mac: Mac) -> None:
    """Whether it has ended when the build looks is a matter of time."""
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", "sleep 0.5; exit 4"], "restart": "never"}
    with pytest.raises(OperationError):
        mac.ensure(item)
    (label,) = mac.launchctl.loaded
    mac.launchctl("kickstart", f"system/{label}")
    again = mac.ensure(item)
    assert (again.changed, again.values["services"][0]["state"]) == (False, "finished")
    assert "does not work: it is finished" in again.warnings[0]


def test_one_that_failed_before_does_not_fail_the_run_that_starts_another(mac: Mac) -> None:
    item = {**SLEEP, "name": "once", "argv": ["/usr/bin/sh", "-c", "exit 4"], "restart": "never"}
    with pytest.raises(OperationError, match="it is finished: ended with exit code 4"):
        mac.ensure(SLEEP, item)
    mac.control("stopped", "sleep")
    for check in (True, False):
        result = mac.control("started", check=check)
        assert (result.changed, [one["name"] for one in result.values["services"]]) == (True, ["once", "sleep"])
        assert any("the service once of" in said for said in result.warnings)
    assert mac.commands() == ["sleep"]
