# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launchd jobs of a jail while two jails swap their names: services, mounts, devfs and names.

They end before the swap, and run again after it in the jail that has the path then. The labels and the files of the
jobs contain the path, so they stay as they are. One call of a module does all of it: requests to a service are refused
from its stop to its start, and nothing that can be done before or after is in between.

A run that is killed leaves the jobs marked as suspended (macos/suspended_jobs.py), and the next one runs them again.

Services without ports end first, since they may use those with ports, and start last. Jobs of one kind end at the same
time: requests are refused as long as the slowest of them takes, and not as long as all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

from ..errors import InputError, JailError
from ..jail import Jail
from ..jobs import bind_mounts, devfs, dns
from ..macos import launchd, suspended_jobs
from ..plan import Change
from ..processes import plan_end_of_service
from ..programs import service_needs
from ..service_jobs import Installed, installed
from ..system.mounts import unmount
from ..system.rooted import Root

AT_ONCE = 16
"""Runs of launchctl at the same time."""
CONNECT_SECONDS, POLL_SECONDS = 10.0, 0.02
"""How long mounts, devfs and names have before services start, which then wait for them by themselves; and between two
looks."""


class Suspension:
    """The jobs of a jail that run at the moment, or did so before a run that was killed."""

    def __init__(self, jail: Jail) -> None:
        self._jail, self._path = jail, jail.path
        self._prefix = launchd.label(jail.path, "")
        services = installed(jail.path)
        self._remains = [one for one in services if not one.is_supervised]
        self.interrupted = suspended_jobs.suspended(self._prefix)
        """Jobs that a killed run has not started again."""
        running = [one for one in services if one.loaded or one.label in self.interrupted]
        self._services = [_labels(running, with_ports=False), _labels(running, with_ports=True)]
        names = {one.label for one in services}
        jobs = [label for label in launchd.labels(self._prefix) if label not in names]
        self._jobs = [label for label in jobs if label in self.interrupted or launchd.is_loaded(label)]
        self._points = {label: self._mount_point(label[len(self._prefix) :], label) for label in jobs}

    @staticmethod
    def _mount_point(purpose: str, label: str) -> bytes:
        if purpose == devfs.PURPOSE:
            return devfs.MOUNT_POINT
        return bind_mounts.mount_point_of(label) if purpose.startswith(bind_mounts.PURPOSE) else b""

    @property
    def mount_points(self) -> set[bytes]:
        """Where jobs of the jail mount something, below the jail."""
        return {point for point in self._points.values() if point}

    @property
    def descriptions(self) -> list[str]:
        """For --diff."""
        return [f"~ launchd job {label} (stopped until the jails have swapped their names)" for label in self._all]

    @property
    def _all(self) -> list[str]:
        return [*self._services[0], *self._services[1], *self._jobs]

    @property
    def resumptions(self) -> list[str]:
        """For --diff: what `run_again` does after a run that was killed."""
        return [f"+ launchd job {label} (an interrupted run stopped it)" for label in self.interrupted]

    @contextmanager
    def around(self, pair: Sequence[Jail], complete: bool = True) -> Iterator[None]:
        """End the jobs, and run them again after the block.

        `complete` tells whether the jail has all its user data before the block. Then the jobs run again in it after a
        failure, whatever raised, but never in the jail that replaced it: user data may have been migrated in part.
        Jobs that do not run again stay marked as suspended, for the next run.
        """
        try:
            self._end()
            yield
        except BaseException as exc:
            if complete and self._is_in_place():
                self._run_again_after(exc)
            raise
        one, other = pair
        self.run_again(one if one.path == self._path else other)

    def _is_in_place(self) -> bool:
        """Whether the jail in which the jobs ran has its path, also when the swap itself was interrupted."""
        with Root(self._path) as root:
            return root.status().st_ino == self._jail.root.status().st_ino

    def _run_again_after(self, exc: BaseException) -> None:
        try:
            self.run_again(self._jail)
        except JailError as second:
            if isinstance(exc, JailError):
                raise InputError(f"{exc}; and the jobs of the jail do not run again: {second}") from exc

    def _end(self) -> None:
        suspended_jobs.mark(self._all)
        for labels in self._services:
            _at_once([partial(suspended_jobs.stop_service, label) for label in labels])
        _apply([change for one in self._remains for change in plan_end_of_service(self._jail, one)])
        self._unmount()
        _at_once([partial(launchd.unload, label) for label in self._jobs])
        self._unmount()  # a job may have mounted again before it ended
        if self._prefix + dns.PURPOSE in self._jobs:
            dns.remove_socket(self._jail.path)

    def _unmount(self) -> None:
        mounted = self._jail.mounts()
        for point in sorted(self.mount_points & mounted, key=lambda point: -point.count(b"/")):
            unmount(self._jail.root, point)

    def run_again(self, jail: Jail) -> None:
        """Run the jobs again. One that runs already goes on."""
        steps: list[Callable[[], None]] = [
            partial(self._make_mount_points, jail),
            partial(_at_once, [partial(suspended_jobs.start, label) for label in self._jobs]),
            self._wait_for_connections,
        ]
        for labels in reversed(self._services):
            steps.append(partial(_at_once, [partial(suspended_jobs.start_service, label) for label in labels]))
        _all(steps)

    def _make_mount_points(self, jail: Jail) -> None:
        for label in self._jobs:
            if self._points.get(label):
                _apply(bind_mounts.make_mount_point(jail.root, self._points[label]))

    def _wait_for_connections(self) -> None:
        deadline = time.monotonic() + CONNECT_SECONDS
        jail = os.fsdecode(self._path)
        while any(self._services) and service_needs.missing(jail, self._prefix) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)


def is_suspended(jail: Jail) -> bool:
    """Whether an interrupted run has not started jobs of the jail again."""
    return bool(suspended_jobs.suspended(launchd.label(jail.path, "")))


def _labels(services: Sequence[Installed], with_ports: bool) -> list[str]:
    return [one.label for one in services if bool(one.spec.get("ports")) is with_ports]


def _apply(changes: Sequence[Change]) -> None:
    for change in changes:
        change.apply()


def _all(steps: Sequence[Callable[[], None]]) -> None:
    """Take each step, also after one that failed; then raise the first error."""
    errors = []
    for step in steps:
        try:
            step()
        except JailError as exc:
            errors.append(exc)
    if errors:
        raise errors[0]


def _at_once(steps: Sequence[Callable[[], None]]) -> None:
    """Take all steps at the same time; then raise the first error."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        _all([pool.submit(step).result for step in steps])
