# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A service that launchd runs for a jail: its job is installed and loaded, and a test shows that it works.

A running job repairs most faults by itself within a known time. A service that still fails after that is restarted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Callable, NamedTuple

from .. import plan as plans
from ..errors import OperationError
from ..macos import launchd
from ..plan import Change
from ..result import Result

POLL_SECONDS = 0.1


class Service(NamedTuple):
    """A job, and a test of what it does."""

    job: launchd.Job
    problem: Callable[[], str]
    """Why the service does not work; empty when it works."""
    repair_seconds: float
    """How long a running job needs at most to repair a fault."""
    verb: str
    """With `path`, what the service does, for the message `cannot VERB PATH`."""
    path: bytes


def plan(service: Service, preparation: Sequence[Change] = ()) -> list[Change]:
    """The changes that make the service work, `preparation` first; none when it works, or repairs itself in time."""
    changes = [*preparation, *launchd.plan_present(service.job)]
    problem = "" if changes else wait(service.problem, service.repair_seconds)
    if not problem:
        return changes
    label = service.job.label
    return [Change(f"~ launchd job {label} (restarted, for {problem})", lambda: launchd.restart(label))]


def ensure(services: Sequence[Service], changes: Sequence[Change], timeout: float, check: bool) -> Result:
    """Make the planned changes; OperationError for a service that does not work `timeout` seconds later."""
    result = plans.apply(changes, check)
    deadline = time.monotonic() + timeout
    for service in services if changes and not check else ():
        problem = wait(service.problem, deadline - time.monotonic())
        if problem:
            said = f"its job says: {launchd.last_log_line(service.job.label)}"
            reason = f"{problem} after {timeout:.0f} seconds"
            raise OperationError(service.verb, service.path, reason, hint=said)
    return result


def wait(problem: Callable[[], str], seconds: float) -> str:
    """The problem that is left after this time; empty as soon as there is none."""
    deadline = time.monotonic() + seconds
    while (found := problem()) and time.monotonic() <= deadline:
        time.sleep(POLL_SECONDS)
    return found
