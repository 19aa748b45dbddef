# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace a jail by one that was rebuilt next to it, and put it back.

The two swap their names in one system call, so that no program of the old jail ever sees a file of the new one, such as
half of another shared cache. Then the run migrates user data (migration.py). The jobs of the jail end before, and run
again in the new jail afterwards (suspension.py).

A run that was killed at any moment continues: the entry of each jail names the other one, and the jobs that the run
suspended are marked.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Sequence
from contextlib import nullcontext
from typing import Any

from .. import jail as jails
from .. import register
from ..errors import InputError, show
from ..jail import Jail
from ..plan import Change
from ..processes import plan_end
from ..record.record import journals
from ..result import Result
from ..system import host, progress
from ..system.mounts import is_mount
from ..system.volume_names import names_at
from .migration import UserDataMigration, written_since
from .suspension import Suspension, is_suspended

KEEP_ONE_OF_THEM = "see which of the two is to stay, and remove the other"
NOTHING: dict[str, Any] = {"swapped": False, "migrated": [], "kept": [], "not_migrated": [], "written": []}


def swap_in(
    path: str,
    replacement: str,
    check: bool,
    migrate: bool = True,
    progress_file: str | None = None,
    stop_processes: bool = False,
) -> Result:
    """Make `replacement` the jail at `path`; the old jail gets its name. Finish a swap that was killed."""
    with progress.reporting(progress_file):
        return _swap_in(path, replacement, check, migrate, stop_processes)


def _swap_in(path: str, replacement: str, check: bool, migrate: bool, stop_processes: bool) -> Result:
    with jails.open_jail(path) as current, jails.open_jail(replacement) as other:
        pair = current, other
        for jail in pair:
            jail.lock(check)
        suspension = Suspension(current)
        _refuse_volumes_and_mounts(pair, suspension)
        other.refuse_unknown("put in the place of another jail", "remove it, and build it again")
        swapped = _has_replaced(current, other)
        old, new = (other, current) if swapped else (current, other)
        _refuse_incomplete(new)
        migration = UserDataMigration(old, new) if migrate else None
        if swapped:
            return _continue(suspension, pair, migration, check)
        _refuse_elsewhere(old, new)
        old.refuse_unmigrated("replace")
        ends = _plan_ends(pair, stop_processes)
        result = _swap_result(old, new, suspension, ends)
        if check:
            _migrate(migration, result, check)
            return result
        with suspension.around(pair, complete=not new.entry.get("goes_back")):
            _end_rest(pair, stop_processes)
            _record_swap(old, new, migrate)
            _swap_names(old, new)
            _migrate(migration, result, check)
        return result


def _continue(suspension: Suspension, pair: Sequence[Jail], migration: UserDataMigration | None, check: bool) -> Result:
    """Complete the migration after a swap, and run the jobs again; change nothing when both are done."""
    result = Result(False, {**NOTHING})
    if migration:
        migration.find()
        if not migration.is_over:
            result.changed, result.diff = bool(suspension.interrupted), suspension.resumptions
            with nullcontext() if check else suspension.around(pair, complete=False):
                _migrate(migration, result, check)
            return result
        _migrate(migration, result, check)
    return _resume(suspension, pair[0], result, check)


def _resume(suspension: Suspension, jail: Jail, result: Result, check: bool) -> Result:
    """Run the jobs again that an interrupted run suspended; mostly there are none."""
    if not suspension.interrupted:
        return result
    if jail.entry.get("inherited") is False:
        result.warnings.append(
            f"the services of {show(jail.path)} stay stopped, for an interrupted run has not migrated all of its user "
            f"data: run darwin_jail_swap again with migrate"
        )
        return result
    if not check:
        suspension.run_again(jail)
    result.changed = True
    result.diff += suspension.resumptions
    return result


def _resume_only(jail: Jail, check: bool) -> Result:
    """The same when nothing else is to be done."""
    result = Result(False, {**NOTHING})
    if not is_suspended(jail):
        return result
    if not jail.locked:
        jail.lock(check)
    return _resume(Suspension(jail), jail, result, check)


def _migrate(migration: UserDataMigration | None, result: Result, check: bool) -> None:
    if migration:
        migration.find()
        if not check:
            migration.apply()
        migration.report_to(result)


def rollback(path: str, replacement: str, check: bool, stop_processes: bool = False, migrate: bool = True) -> Result:
    """Swap the old jail back to `path`, and migrate user data back that was migrated.

    Change nothing when `replacement` did not replace it. Without `migrate`, InputError when user data was migrated.
    """
    if jails.is_empty(jails.jail_path(path)):
        return Result(False, {**NOTHING})
    with jails.open_jail(path) as current:
        has_former = current.unknown or "replaces" in current.entry or "replaced_by" in current.entry
        if not has_former or not os.path.lexists(jails.jail_path(replacement)):
            return _resume_only(current, check)
        with jails.open_jail(replacement) as other:
            if _has_replaced(current, other):
                if "inherited" in current.entry and not migrate:
                    raise InputError(f"cannot roll back to {show(other.path)}: its user data was migrated to {path}")
                return _roll_back(current, other, check, stop_processes)
            if _was_rolled_back(current, other):
                return _finish_rollback(current, other, check)
            return _resume_only(current, check)


def _roll_back(current: Jail, other: Jail, check: bool, stop_processes: bool) -> Result:
    pair = current, other
    for jail in pair:
        jail.lock(check)
    suspension, warnings = Suspension(current), []
    ends: list[Change] = []
    try:
        _refuse_volumes_and_mounts(pair, suspension)
        ends = _plan_ends(pair, stop_processes)
    except InputError as exc:
        if not check:
            raise
        warnings.append(str(exc))  # it may be unmounted and at rest before the real run
    result = _swap_result(current, other, suspension, ends)
    result.warnings = warnings
    if not check:
        with suspension.around(pair, complete=current.entry.get("inherited") is not False):
            _end_rest(pair, stop_processes)
            current.update_entry(goes_back="inherited" in current.entry or None)
            _swap_names(current, other)
            _migrate_back(other, current, result)
        _forget_swap(other, current, result)
    return result


def _migrate_back(former: Jail, replaced: Jail, result: Result) -> None:
    """Migrate user data back to the jail that has its place again, if it was migrated."""
    if replaced.entry.get("goes_back"):
        _migrate(UserDataMigration(replaced, former, back=True), result, check=False)
        replaced.update_entry(goes_back=False)


def _forget_swap(former: Jail, replaced: Jail, result: Result) -> None:
    """Report what was written while the other jail had the place, and forget the swap.

    Services run meanwhile, for this looks at all files. User data that was migrated back is in the former jail, where
    services may have written since.
    """
    places = (replaced, former) if "goes_back" in replaced.entry else (replaced,)
    if "swapped_at" in replaced.entry:  # else a run was killed that has reported it
        result.values["written"] = written_since(places, replaced.entry["swapped_at"])
    replaced.update_entry(replaces=None, inherited=None, goes_back=None, swapped_at=None)
    former.update_entry(replaced_by=None)


def _was_rolled_back(current: Jail, other: Jail) -> bool:
    """Whether a run was killed after a rollback swapped the names, or before a swap did."""
    return "replaced_by" in current.entry and current.entry["replaced_by"] == other.entry.get("id")


def _finish_rollback(current: Jail, other: Jail, check: bool) -> Result:
    """Complete the rollback of a run that was killed, or forget a swap that did not take place."""
    for jail in (current, other):
        jail.lock(check)
    suspension = Suspension(current)
    result = Result(True, {**NOTHING}, [f"> {show(current.path)} stays", *suspension.resumptions])
    if check:
        return result
    if other.entry.get("goes_back"):
        with suspension.around((current, other), complete=False):
            _migrate_back(current, other, result)
    elif suspension.interrupted:
        suspension.run_again(current)
    _forget_swap(current, other, result)
    return result


def commit(path: str, check: bool) -> Result:
    """Keep the new jail: forget which jail it replaced."""
    with jails.open_jail(path) as jail:
        jail.lock(check)
        jail.refuse_unknown("tell whether another jail can be put back in the place of", KEEP_ONE_OF_THEM)
        jail.refuse_unmigrated("keep")
        replaces = "replaces" in jail.entry
        if replaces and not check:
            jail.update_entry(replaces=None, goes_back=None, swapped_at=None)
        result = _resume_only(jail, check)
        result.changed = result.changed or replaces
        result.diff += [f"> {show(jail.path)} stays"] if replaces else []
        return result


def _plan_ends(pair: Sequence[Jail], stop_processes: bool) -> list[Change]:
    """What ends the processes that are no services of the first jail; InputError when they may not be ended."""
    current, other = pair
    return [
        *plan_end(current, "move", stop_processes, stops_services=True),
        *plan_end(other, "move", stop_processes),
    ]


def _end_rest(pair: Sequence[Jail], stop_processes: bool) -> None:
    for jail in pair:
        _refuse_mounts(jail, set())
        for change in plan_end(jail, "move", stop_processes):
            change.apply()


def _swap_result(current: Jail, other: Jail, suspension: Suspension, ends: Sequence[Change]) -> Result:
    lines = [*suspension.descriptions, *(end.description for end in ends)]
    lines.append(f"> {show(current.path)} and {show(other.path)} exchange their names")
    return Result(True, {**NOTHING, "swapped": True}, lines)


def _has_replaced(current: Jail, other: Jail) -> bool:
    """Whether the two have swapped their names; InputError when that is unknown."""
    if current.unknown or "replaces" in current.entry:
        other.refuse_unknown("exchange names with", KEEP_ONE_OF_THEM)
    if current.unknown and "replaced_by" in other.entry:
        raise InputError(
            f"cannot determine whether {show(current.path)} replaced {show(other.path)}: "
            f"{current.unknown} "
            f"({KEEP_ONE_OF_THEM})"
        )
    return "replaces" in current.entry and current.entry["replaces"] == other.entry["id"]


def _refuse_volumes_and_mounts(pair: Sequence[Jail], suspension: Suspension) -> None:
    """InputError for a jail that cannot be moved. The jobs of the first jail unmount what they have mounted."""
    for jail in pair:
        if is_mount(jail.path):
            raise InputError(f"{show(jail.path)} is a separate volume, which no directory can replace")
        _refuse_mounts(jail, suspension.mount_points if jail is pair[0] else set())


def _refuse_mounts(jail: Jail, allowed: Collection[bytes]) -> None:
    """InputError for mounts that are neither at the mount points nor below them."""
    names = names_at(jail.path)
    others = [point for point in sorted(jail.mounts()) if not any(names.is_below(point, each) for each in allowed)]
    mounted = ", ".join(show(jail.path + b"/" + point) for point in others)
    if mounted:
        raise InputError(f"cannot move {show(jail.path)}: mounted below it: {mounted}: unmount first")


def _refuse_incomplete(jail: Jail) -> None:
    if jail.entry.get("state") != "complete" or journals(jail.root):
        raise InputError(f"{show(jail.path)} is not complete: build it again before it replaces another jail")


def _refuse_elsewhere(old: Jail, new: Jail) -> None:
    if os.path.dirname(old.path) != os.path.dirname(new.path):
        raise InputError(f"{show(new.path)} is not next to {show(old.path)}: build it in the same directory")


def _record_swap(old: Jail, new: Jail, migrate: bool) -> None:
    if old.unknown:
        old.update_entry()
    inherited = False if migrate else None
    now = time.time()
    new.update_entry(replaces=old.entry["id"], replaced_by=None, inherited=inherited, swapped_at=now)
    old.update_entry(replaced_by=new.entry["id"])


def _swap_names(current: Jail, other: Jail) -> None:
    """Each of the two is registered under both names until they have swapped them."""
    register.write(current.path, [current.entry, other.entry])
    register.write(other.path, [current.entry, other.entry])
    host.swap_names(current.path, other.path)
    current.path, other.path = other.path, current.path
    current.root.path, other.root.path = current.path, other.path
    register.write(current.path, [current.entry])
    register.write(other.path, [other.entry])
