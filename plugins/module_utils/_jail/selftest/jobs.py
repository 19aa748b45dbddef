# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""launchd, and the exit codes of launchctl."""

from __future__ import annotations

import os
import time

from ..errors import OperationError
from ..macos import launchd
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program
from .reruns import step

LABEL = "darwin.jail.selftest"
MISSING_LABEL = "darwin.jail.selftest.nothing"
JOB = launchd.Job(LABEL, (launchd.PYTHON, "-I", "-S", "-c", "import time; time.sleep(600)"))
START_SECONDS = 10.0


def launchctl(*words: str) -> int:
    return run_program(launchd.LAUNCHCTL, *words).rc


def load() -> None:
    """Install and load the job."""
    if not os.path.exists(launchd.PYTHON):
        raise NotTriedError("there are no Command Line Tools")
    for planned in launchd.plan_present(JOB):
        planned.apply()


def remove() -> None:
    """Unload the job of this run, and remove its files."""
    for planned in launchd.plan_absent(LABEL):
        planned.apply()


@claim(
    "M-LAUNCHD-1",
    "launchctl print of an unknown job ends with 113",
    source="launchd jobs: many reports",
    judged="launchctl",
)
def nothing(_context: Context) -> Verdict:
    code = launchctl("print", f"system/{MISSING_LABEL}")
    return found(code == 113, f"exit status {code}")


@claim(
    "M-LAUNCHD-2",
    "launchctl bootout of an unknown job ends with 3 or 113",
    source="launchd jobs: many reports",
    judged="launchctl",
)
def nobody(_context: Context) -> Verdict:
    code = launchctl("bootout", f"system/{MISSING_LABEL}")
    return found(code in launchd.NO_SUCH_SERVICE, f"exit status {code}")


@claim(
    "M-LAUNCHD-3",
    "A job with the Python of the Command Line Tools is loaded, runs, and is removed again",
    source="launchd jobs: launchd.plist(5), launchctl(1)",
    judged="launchctl",
)
def loaded(_context: Context) -> Verdict:
    try:
        load()
        deadline = time.monotonic() + START_SECONDS
        while b"pid = " not in (shown := run_program(launchd.LAUNCHCTL, "print", f"system/{LABEL}").stdout):
            if time.monotonic() > deadline:
                return found(False, f"launchctl print names no process after {START_SECONDS:.0f} seconds")
            time.sleep(0.2)
    except OperationError as exc:
        return found(False, str(exc))
    finally:
        remove()
    gone = not launchd.is_loaded(LABEL)
    return found(gone and bool(shown), "it ran and is gone" if gone else "it is loaded still")


@claim(
    "M-LAUNCHD-4",
    "launchctl bootstrap of a loaded job ends with 5 or 37",
    source="launchd jobs: many reports",
    judged="launchctl",
)
def twice(_context: Context) -> Verdict:
    try:
        load()
        ended = run_program(launchd.LAUNCHCTL, "bootstrap", "system", f"/Library/LaunchDaemons/{LABEL}.plist")
    finally:
        remove()
    return found(
        ended.rc in launchd.LOADED_OR_UNLOADING,
        f"exit status {ended.rc}" if ended.rc else output_of(ended) or "it succeeded",
    )


@claim(
    "M-LAUNCHD-5",
    "The jobs of a jail are loaded, run, and are removed with it",
    source="launchd jobs",
    judged="the roles terminal and dns",
    needs=("jail",),
)
def of_a_jail(context: Context) -> Verdict:
    steps = {name: step(context, name) for name in ("terminal", "relay")}
    bad = [f"{name}: {values['message']}" for name, values in steps.items() if not values["ok"]]
    return found(not bad, "; ".join(bad) or "two jobs")


@claim(
    "M-LAUNCHD-6",
    "launchd starts a job with the Python of the Command Line Tools at boot",
    source="launchd jobs: launchd.plist(5); Background Task Management",
    judged="a restart",
    needs=("restart",),
)
def at_boot(_context: Context) -> Verdict:
    raise NotTriedError("it takes a restart of the Mac")
