# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Services of a jail: the list of them is the truth.

Each is a launchd job of its own, which runs a supervisor (programs/service_supervisor.py). What is here compares the
list with the jobs, and adds, changes and removes jobs. A job whose files are what they are to be is left alone, so
that a change of one service restarts no other.
"""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from .. import plan as plans
from ..errors import InputError, OperationError, show
from ..exec.command import Command, execute, identify, plan_of
from ..jail import Jail, jail_path, open_jail_or_remains
from ..macos import job_files, launchd, third_party
from ..macos.launchd import Job
from ..plan import Change
from ..predicted import open_predicted
from ..processes import plan_end_of_service
from ..programs import (
    chroot_exec,
    daemon,
    jail_session,
    launcher,
    passwd_lookup,
    plist_values,
    process_table,
    service_files,
    service_health,
    service_log,
    service_needs,
    service_program,
    service_schedule,
    service_state,
    service_supervisor,
)
from ..programs.bundle import program
from ..result import Result
from ..service_jobs import (
    RESTING,
    Installed,
    find,
    installed,
    label_of,
    log_lines,
    log_path,
    plan_older_logs_absent,
    prefix,
)
from .ports import claimed, refuse_of_others, refuse_used
from .spec import ServiceSpec, service_specs

PROGRAM = "darwin-jail-service"
"""System Settings shows this name, for it is the first of the job's arguments."""
SUPERVISOR = (
    chroot_exec,
    daemon,
    passwd_lookup,
    jail_session,
    plist_values,
    process_table,
    service_files,
    service_health,
    service_log,
    service_needs,
    service_program,
    service_schedule,
    service_state,
    service_supervisor,
)
LAUNCH = "import sys; launch(*map(int, sys.argv[1:]))"
STOP_MARGIN = 30
"""Seconds that the supervisor gets beyond the time that it gives the program."""
LINES = 5
"""Lines of the log that a message holds."""
POLL_SECONDS = 0.2
MOMENT = 1.0
"""Seconds. A program that fails mostly does so at once."""


def ensure(
    jail: str, services: Sequence[dict[str, Any]], user: str, python: str, timeout: float, check: bool
) -> Result:
    """Make the services of a jail those of the list, and wait until those work that were started or did not work."""
    path = _path(jail)
    specs = service_specs(services, user)
    third_party.require_root_owned(python)
    with open_predicted(jail, check) as opened:
        opened.lock(check)
        there = installed(path)
        wanted = {port: spec.where for spec in specs for port in spec.ports if spec.state == "started"}
        refuse_used(wanted, prefix(path), there)
        changes = [
            change
            for one in there
            if one.name not in [spec.name for spec in specs]
            for change in _plan_absent(opened, one)
        ]
        started: list[str] = []
        troubled = [
            one.name for one in there if one.status not in RESTING and (one.problem or one.status == "starting")
        ]
        for spec in specs:
            planned = _plan(opened, jail, spec, python, check)
            changes += planned
            started += [spec.name] if planned and spec.state == "started" else []
        if started:
            opened.refuse_unmigrated("start services of")
        result = plans.apply(changes, check)
    result.warnings += opened.prediction_warnings
    awaited = [spec.name for spec in specs if spec.name in troubled and spec.state == "started"]
    return _finish(result, path, started, awaited, [spec.name for spec in specs], timeout, check)


def control(jail: str, names: Sequence[str] | None, state: str, timeout: float, check: bool) -> Result:
    """Start, stop, restart or remove services that are installed, by default all of the jail."""
    path = _path(jail)
    with open_jail_or_remains(jail) as opened:
        opened.lock(check)
        there = {one.name: one for one in installed(path)}
        unknown = [name for name in names or [] if name not in there]
        if unknown and state != "absent":
            raise InputError(
                f"there is no service '{show(unknown[0])}' of {show(path)}: it has {', '.join(there) or 'none'}"
            )
        chosen = [name for name in there if names is None or name in names]
        plan = {
            "started": _plan_started,
            "stopped": _plan_stopped,
            "restarted": _plan_restarted,
            "absent": _plan_absent,
        }
        if state in ("started", "restarted"):
            opened.refuse_unmigrated("start services of")
            stopped = [there[name] for name in chosen if not there[name].loaded]
            wanted = {port: where for one in stopped for port, where in _ports(path, one).items()}
            refuse_of_others(wanted, prefix(path))  # lsof(8) would take longer, while nothing answers
        planned = {name: plan[state](opened, there[name]) for name in chosen}
        result = plans.apply([change for changes in planned.values() for change in changes], check)
    started = [name for name in chosen if planned[name] and state in ("started", "restarted")]
    left = [] if state == "absent" else chosen
    return _finish(result, path, started, left if started else [], left, timeout, check)


def _path(jail: str) -> bytes:
    if os.geteuid() != 0:
        raise InputError(f"cannot manage services of {jail}: only root can load launchd jobs: set become: true")
    return jail_path(jail)


# -- one service ---------------------------------------------------------------------


def _ports(jail: bytes, one: Installed) -> dict[int, str]:
    """The ports of a service that is installed, each with what messages call the service."""
    return {port: f"the service {one.name} of {show(jail)}" for port in one.spec.get("ports", [])}


def _plan_started(jail: Jail, one: Installed) -> list[Change]:
    return launchd.plan_started_again(one.label, partial(claimed, _ports(jail.path, one), prefix(jail.path)))


def _plan_restarted(jail: Jail, one: Installed) -> list[Change]:
    return launchd.plan_restarted(one.label, partial(claimed, _ports(jail.path, one), prefix(jail.path)))


def _plan_stopped(jail: Jail, one: Installed) -> list[Change]:
    return [*plan_end_of_service(jail, one), *launchd.plan_stopped_again(one.label)]


def _plan_absent(jail: Jail, one: Installed) -> list[Change]:
    return [*plan_end_of_service(jail, one), *launchd.plan_absent(one.label)]


def _plan(jail: Jail, shown: str, spec: ServiceSpec, python: str, check: bool) -> list[Change]:
    """What makes one service what it is to be. What is to be started is tried as far as its program first."""
    if not jail.root.exists:
        return [Change(f"+ launchd job {label_of(jail.path, spec.name)}", lambda: None)]
    command = Command(shown, spec.argv, user=spec.user, chdir=spec.chdir, env=spec.env, limits=spec.limits)
    try:
        plan = plan_of(command, identify(command, jail.root), jail.root, check=False)
        job = _job(jail.path, spec, plan, python)
        logs = plan_older_logs_absent(job.label, spec.keep)
        if spec.state == "stopped":
            return [*plan_end_of_service(jail, find(jail.path, spec.name)), *launchd.plan_stopped(job), *logs]
        claim = partial(claimed, dict.fromkeys(spec.ports, spec.where), prefix(jail.path))
        changes = launchd.plan_present(job, claim)
        changes = [*changes[:-1], *logs, *changes[-1:]]  # the last one starts a supervisor, which would remove them
        if changes and not jail.root.check_mode_moves:
            jail.prediction_warnings += _try(command, spec, check)
    except (InputError, OperationError) as exc:
        raise InputError(f"{spec.where}: {exc}") from exc
    return changes


def _try(command: Command, spec: ServiceSpec, check: bool) -> list[str]:
    """JailError for a program that cannot start. In check mode one that is missing is a warning: it may come first."""
    tried = [command]
    if spec.health and spec.health["command"]:
        tried.append(replace(command, argv=spec.health["command"]))
    try:
        for each in tried:
            execute(each, check=True)
    except OperationError as exc:
        if check and exc.errno == errno.ENOENT:
            return [f"{spec.where}: {exc}. This prediction assumes that it is installed first"]
        raise
    return []


def _job(jail: bytes, spec: ServiceSpec, plan: dict[str, Any], python: str) -> Job:
    label = label_of(jail, spec.name)
    text = json.dumps(_spec(jail, label, spec, plan), indent=1, sort_keys=True) + "\n"
    files = {
        PROGRAM: f"#!{python} -IS\n{program(*SUPERVISOR, call='main()')}".encode(),
        service_files.LAUNCHER: program(chroot_exec, launcher, call=LAUNCH).encode(),
        service_files.SPEC: text.encode(),
    }
    if spec.secret_env:
        files[job_files.SECRETS] = json.dumps(spec.secret_env, sort_keys=True).encode()
    keys: dict[str, Any] = {"ExitTimeOut": int(spec.stop_timeout) + STOP_MARGIN}
    if spec.nice:
        keys["Nice"] = spec.nice
    if spec.low_priority_io:
        keys["LowPriorityIO"] = True
    folder = os.path.dirname(launchd.installed_path(label, PROGRAM))
    job = Job(label, (launchd.installed_path(label, PROGRAM), folder), files, keys, is_private=True)
    return job._replace(files={**files, job_files.COPY: job.plist()})


def _spec(jail: bytes, label: str, spec: ServiceSpec, plan: dict[str, Any]) -> dict[str, Any]:
    """What the supervisor reads. Secrets are not in it."""
    return {
        "version": service_state.VERSION,
        "label": label,
        "jail": os.fsdecode(jail),
        "jobs": launchd.label(jail, ""),
        "plan": plan,
        "ports": spec.ports,
        "restart": spec.restart,
        "stop": {"signal": spec.stop_signal, "timeout": spec.stop_timeout},
        "health": spec.health,
        "schedule": spec.schedule,
        "log": {"path": log_path(label), "max_size": spec.max_size, "keep": spec.keep},
    }


# -- afterwards ------------------------------------------------------------------------


def _finish(
    result: Result,
    jail: bytes,
    started: Sequence[str],
    awaited: Sequence[str],
    names: Sequence[str],
    timeout: float,
    check: bool,
) -> Result:
    """Wait for those that were started, and for those that did not work before.

    Warn about the others that do not work, and about programs that are not to run now, and whose last run failed.
    """
    waited = [*started, *(name for name in awaited if name not in started and not check)]
    if waited and not check:
        _see_working(jail, waited, started, timeout)
    result.values = {"services": []}
    for name in names:
        one = find(jail, name)
        found = {"name": name, "job": one.label, "state": one.status, "problem": one.problem}
        result.values["services"].append(found)
        if one.problem and (name not in waited or one.status in RESTING):
            result.warnings.append(f"the service {name} of {show(jail)} does not work: {one.problem}")
    return result


def _see_working(jail: bytes, names: Sequence[str], started: Sequence[str], timeout: float) -> None:
    """OperationError for a service that does not run, or is not healthy, within the time in seconds.

    One that this run has not started may have failed for good before.
    """
    deadline = time.monotonic() + timeout
    for name in names:
        one = find(jail, name)
        while not (_works(one) or (one.status == "finished" and name not in started)):
            if one.status in ("failing", "finished") or time.monotonic() > deadline:
                raise _not_working(jail, one, timeout)
            time.sleep(POLL_SECONDS)
            one = find(jail, name)


def _works(one: Installed) -> bool:
    """Whether a service does what it should. Without a health check its program must have run for a moment."""
    if one.status == "scheduled":
        return True
    if one.problem or one.status == "starting":
        return False
    if one.status != "running" or one.state.get("health") == "healthy":
        return True
    return bool(abs(time.time() - one.state.get("since", 0.0)) >= MOMENT)


def _not_working(jail: bytes, one: Installed, timeout: float) -> OperationError:
    said = " | ".join(log_lines(one, LINES)) or launchd.last_log_line(one.label)
    reason = one.problem or f"it is {one.status} after {timeout:.0f} seconds"
    return OperationError(
        f"start the service {one.name} of", jail, reason, hint=f"its log says: {said}" if said else ""
    )
