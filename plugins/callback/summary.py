# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A table of results at the end of a run, and a file with the unfinished hosts for the next run."""

from __future__ import annotations

DOCUMENTATION = r"""
name: summary
type: aggregate
short_description: Table of what a run changed, kept and did not finish
version_added: 0.1.0
description:
  - At the end of a run, prints a table with a line for each host that the run finished. The line lists the changes, the
    configuration that was kept because it was changed in the jail, the copied bytes, the time of the tasks of the host,
    and the next step. With C(--check) it says what would change, and how much would be copied.
  - The size of a jail is the total size of the files that all runs copied into it. It is left out when it is not known,
    for example for a jail that was created from an image.
  - Macs are in the table when something changed on them.
  - When something failed, prints another table of the hosts that the run did not finish. It has the step and the reason
    for hosts that failed or were unreachable. Hosts that the run did not reach because it ended early are there, too.
  - Writes the names of the unfinished hosts to a file, and prints the C(--limit) that selects them.
  - With P(darwin.jail.brief#callback), which prints reasons itself, the reason of a single failure is not repeated.
  - Rescued and ignored failures are left out. The exit code does not change.
  - When several playbooks are given and one fails, Ansible does not start the others. Their hosts are not listed.
author:
  - darwin.jail contributors (@darwin-jail)
requirements:
  - C(darwin.jail.summary) in C(callbacks_enabled)
options:
  directory:
    description:
      - The directory on the controller for the file C(PLAYBOOK.limit). It is created when it is missing.
      - A run that finishes all hosts leaves the file alone.
    type: path
    default: ~/.ansible/retry
    ini:
      - section: callback_summary
        key: directory
    env:
      - name: DARWIN_JAIL_SUMMARY_DIRECTORY
notes:
  - A play sets what to do next with C(darwin_jail_next) in the data of M(ansible.builtin.set_stats) with C(per_host).
"""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ansible import constants, context
from ansible.plugins.callback import CallbackBase
from ansible.template import Templar
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import failure_line, table
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.totals import Totals

COLUMNS = ("host", "changed", "kept", "copied", "size", "time", "next")
LOST = ("host", "result", "step", "why")
BRIEF = "darwin.jail.brief"
NEXT = "darwin_jail_next"


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "darwin.jail.summary"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._failed: dict[str, tuple[str, str, str]] = {}
        self._items: dict[tuple[str, str], str] = {}
        self._totals: dict[str, Totals] = {}
        self._started: dict[tuple[str, str], float] = {}

    def v2_playbook_on_start(self, playbook: Any) -> None:
        self._playbook = Path(playbook._file_name).stem
        self._plays = playbook.get_plays()
        self._begun: dict[str, set[str]] = {}
        self._stopped: set[str] = set()
        self._macs: set[str] = set()

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """A play with batches starts once for each."""
        self._batch = set(_hosts(play))
        self._begun.setdefault(play._uuid, set()).update(self._batch)
        self._macs |= {host.get_name() for host in _inventory(play).get_hosts("macs", ignore_restrictions=True)}

    def v2_playbook_on_no_hosts_remaining(self) -> None:
        """Those of a batch who have not failed were stopped, since too many others have."""
        self._stopped |= self._batch

    def v2_runner_on_start(self, host: Any, task: Any) -> None:
        self._started[host.get_name(), task._uuid] = time.monotonic()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._count(result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._count(result)

    def v2_runner_item_on_failed(self, result: Any) -> None:
        """The first one of a loop says why. The loop only says that some failed."""
        self._items.setdefault(_task(result), failure_line(result.result))

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._count(result)
        if not ignore_errors:
            self._remember(result, "failed")

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._remember(result, "unreachable")

    def _count(self, result: Any) -> None:
        """Add a result to what is known of its host."""
        totals = self._totals.setdefault(result.host.get_name(), Totals())
        totals.seconds += time.monotonic() - self._started.pop(_task(result), time.monotonic())
        role = result.task._role
        totals.count(role.get_name() if role else result.task.get_name(), result.result)

    def _remember(self, result: Any, verdict: str) -> None:
        """The last failure of a host is the one with which it left the run; those before it were rescued."""
        why = self._items.get(_task(result)) or failure_line(result.result) or "no reason was given"
        why = why.removeprefix("Task failed: ")
        self._failed[result.host.get_name()] = (verdict, result.task.get_name(), why)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        lost = {host for host in {*stats.failures, *stats.dark} if stats.failures.get(host) or stats.dark.get(host)}
        left = self._left() - lost if lost else set()
        self._show_done(stats, lost | left)
        if lost:
            self._show_lost(lost, left)

    def _show_done(self, stats: Any, not_done: set[str]) -> None:
        check = bool(context.CLIARGS.get("check"))
        rows = [
            (host, *totals.row(check, str(stats.custom.get(host, {}).get(NEXT, ""))))
            for host, totals in sorted(self._totals.items())
            if host not in not_done and (totals.changed or host not in self._macs)
        ]
        if rows:
            self._display.banner("SUMMARY")
            for line in table(COLUMNS, rows):
                self._display.display(line)

    def _show_lost(self, lost: set[str], left: set[str]) -> None:
        rows: list[tuple[str, ...]] = [(host, *self._failed.get(host, ("failed", "", ""))) for host in sorted(lost)]
        rows += [(host, "not reached", "", "the run ended early") for host in sorted(left)]
        columns: tuple[str, ...] = LOST
        if len(rows) == 1 and constants.config.get_config_value("DEFAULT_STDOUT_CALLBACK") == BRIEF:
            columns, rows = LOST[:-1], [rows[0][:-1]]  # the reason is right above
        self._display.banner("HOSTS THAT ARE NOT DONE")
        for line in table(columns, rows):
            self._display.display(line, color=constants.config.get_config_value("COLOR_ERROR"))
        self._keep(row[0] for row in rows)

    def _left(self) -> set[str]:
        """Hosts of plays and batches that did not begin, and of one that was stopped."""
        found = set(self._stopped)
        for play in self._plays:
            found |= set(_hosts(play, whole=True)) - self._begun.get(play._uuid, set())
        return found

    def _keep(self, hosts: Iterable[str]) -> None:
        path = Path(self.get_option("directory")) / f"{self._playbook}.limit"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{host}\n" for host in hosts))
        except OSError as error:
            self._display.warning(f"cannot write {path}, a list of these hosts: {error.strerror}")
            return
        self._display.display(f"\nTo run these alone, add to the command: --limit @{path}")


def _task(result: Any) -> tuple[str, str]:
    return result.host.get_name(), result.task._uuid


def _inventory(play: Any) -> Any:
    return play.get_variable_manager()._inventory


def _hosts(play: Any, *, whole: bool = False) -> list[str]:
    """The hosts of a play: of the batch that runs, or of all. Before it begins, they may be named by a template."""
    variables = play.get_variable_manager()
    templar = Templar(loader=play.get_loader(), variables=variables.get_vars(play=play))
    return [
        host.get_name() for host in _inventory(play).get_hosts(templar.template(play.hosts), ignore_restrictions=whole)
    ]
