# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Launchd jobs that are suspended: they stop while their jail is replaced, and run again afterwards.

Each is marked by a file before it stops, and until it runs again. So after a run that was killed at any moment, the
next one knows what ran. A service does not start with the Mac meanwhile: its user data may be migrated in part.

Cost: a file is written for each job before the first one stops, and removed after the job has started.
"""

from __future__ import annotations

from collections.abc import Sequence

from ..system.rooted import Root
from . import launchd


def suspended(prefix: str) -> list[str]:
    """The labels with a prefix of jobs that are suspended."""
    return list(filter(is_suspended, launchd.labels(prefix)))


def is_suspended(label: str) -> bool:
    with Root(launchd.TOP) as root:
        return root.lstat(launchd.mark_of(label)) is not None


def mark(labels: Sequence[str]) -> None:
    """Note that jobs are to run again, before they stop."""
    for label in labels:
        if not is_suspended(label):
            launchd.writer(launchd.mark_of(label), b"")()


def stop_service(label: str) -> None:
    """Stop a service, also for the next start of the Mac."""
    for change in launchd.plan_unloaded(label):
        change.apply()


def start_service(label: str) -> None:
    """Run a service again, and remove its mark."""
    for change in launchd.plan_started_again(label):
        change.apply()


def start(label: str) -> None:
    """Run another job again, whose plist has stayed, and remove its mark."""
    launchd.load(label)
    launchd.remover(launchd.mark_of(label))()
