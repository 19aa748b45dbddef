# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The launchd jobs of a jail: daemons on the Mac, which launchd keeps running and starts at boot.

    /Library/LaunchDaemons/LABEL.plist          what launchd reads
    /private/var/db/darwin.jail/jobs/LABEL/     the job's own programs
    /private/var/log/darwin.jail/LABEL.log      its output

A job is unloaded before its files are written, and loaded last. So a loaded job was loaded from the files that
exist, also after a run that was killed.

A job that stops while its jail is replaced is marked as suspended until it runs again (suspended_jobs.py). What starts
or stops it for another reason removes the mark.

The exit codes of launchctl(1) are known from many reports; the text of `launchctl print` is not an interface, as its
man page says (docs/macos.md, launchd).
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Callable, NamedTuple

from ..errors import UNWRITABLE, InputError, OperationError, show, show_message
from ..plan import Change
from ..system import host, run_directories
from ..system.process import CompletedRun, run
from ..system.rooted import Root
from . import property_list
from .job_files import COPY, MAX_SIZE, SECRETS, SPEC, SUSPENDED, describe_difference, is_current, mode_of

LAUNCHCTL = "/bin/launchctl"
PYTHON = "/Library/Developer/CommandLineTools/usr/bin/python3"
"""The Python that only root can replace."""

TOP = b"/"
DAEMONS = b"Library/LaunchDaemons"
FILES = b"private/var/db/darwin.jail/jobs"
LOGS = b"private/var/log/darwin.jail"

# launchctl's exit codes are errno values of launchd, and 113 when there is no such service.
NO_SUCH_SERVICE, STILL_UNLOADING = (3, 113), 36
LOADED_OR_UNLOADING = (5, 37)
"""Already loaded, or still being unloaded: 37, and just 5 since macOS 14."""

TIMEOUT, POLL_SECONDS = 40.0, 0.2
"""Seconds for a job to end, for which launchd allows EXIT_TIMEOUT, and between two looks."""
EXIT_TIMEOUT = 20
"""Seconds between SIGTERM and SIGKILL for a job. Without a number macOS gives it 5."""
CLAIMS = (b".plist", b"/" + SPEC.encode())
"""Files of a job that tell others what it takes of this Mac."""
Claim = Callable[[], AbstractContextManager[object]]
"""Holds something of the Mac for a job while a file of it is written; InputError when another job has it."""


class Job(NamedTuple):
    """The desired state of a job."""

    label: str
    arguments: tuple[str, ...]
    """The program, by its absolute path, and its arguments; `installed_path` gives those of the job's files."""
    files: Mapping[str, bytes] = {}
    """Programs that are installed for this job, by name."""
    keys: Mapping[str, Any] = {}
    """Further keys of its plist; they replace the usual ones of the same name."""
    owner: tuple[int, int] = (0, 0)
    """User and group of its log: a job of another user than root may not be able to create it."""
    is_private: bool = False
    """Whether only root can enter the directory with its files."""

    def plist(self) -> bytes:
        """The property list: launchd starts the job at load, at boot and when it ends, at most every ten seconds."""
        log = "/" + os.fsdecode(_log(self.label))
        keys = {
            "Label": self.label,
            "ProgramArguments": list(self.arguments),
            "RunAtLoad": True,
            "KeepAlive": True,
            "ExitTimeOut": EXIT_TIMEOUT,
            "ProcessType": "Interactive",  # others are slowed down when the Mac is busy
            "StandardOutPath": log,
            "StandardErrorPath": log,
            "WorkingDirectory": "/",
        }
        if any(UNWRITABLE.search(word) for word in (self.label, *self.arguments)):
            raise InputError(
                f"cannot write the launchd job {show(self.label)}: a path or an option of it contains a control "
                f"character or is not UTF-8, which a property list does not support: choose another one"
            )
        import plistlib  # noqa: PLC0415 (takes 2 ms, and most runs write none)

        return plistlib.dumps({**keys, **self.keys})


# -- names ---------------------------------------------------------------------


def slug(text: str) -> str:
    """A readable and unique name for a path: /private/var/jails/dev becomes dev-1a2b3c4d."""
    readable = re.sub(r"[^A-Za-z0-9]+", "-", os.path.basename(text.rstrip("/"))).strip("-") or "root"
    return f"{readable[:40]}-{hashlib.sha256(os.fsencode(text)).hexdigest()[:8]}"


def label(jail: bytes, purpose: str) -> str:
    """The label of the job of a jail for a purpose."""
    return f"darwin.jail.{slug(os.fsdecode(jail))}.{purpose}"


def installed_path(name: str, file: str) -> str:
    """The path of a file of a job."""
    return f"/{os.fsdecode(FILES)}/{name}/{file}"


def _plist(name: str) -> bytes:
    return DAEMONS + b"/" + os.fsencode(name) + b".plist"


def _log(name: str) -> bytes:
    return LOGS + b"/" + os.fsencode(name) + b".log"


# -- current state -------------------------------------------------------------


def is_loaded(name: str) -> bool:
    ended = _launchctl("print", f"system/{name}")
    if ended.rc not in (0, *NO_SUCH_SERVICE):
        raise _failed("look for the launchd job", name, ended)
    return ended.rc == 0


def labels(prefix: str) -> list[str]:
    """The labels with a prefix, of loaded and unloaded jobs, also of those that a killed run left incomplete.

    Services come first: a mount that is to end waits for those of its jail (programs/bind_mount.py).
    """
    with Root(TOP) as root:
        plists, folders = ([os.fsdecode(name) for name in _names(root, place)] for place in (DAEMONS, FILES))
    names = {*(name[:-6] for name in plists if name.endswith(".plist")), *folders}
    found = (name for name in names if name.startswith(prefix))
    return sorted(found, key=lambda name: (".service." not in name, name))


def read_file(name: str, file: str) -> bytes | None:
    """A file of a job; None when there is none."""
    with Root(TOP) as root:
        rel = FILES + b"/" + os.fsencode(name) + b"/" + os.fsencode(file)
        return root.read(rel, MAX_SIZE) if root.lstat(rel) else None


def has_plist(name: str) -> bool:
    """Whether launchd loads a job when the Mac starts."""
    with Root(TOP) as root:
        return root.lstat(_plist(name)) is not None


def _names(root: Root, place: bytes) -> list[bytes]:
    return root.names(place) if root.lstat(place) else []


def arguments(name: str) -> list[str]:
    """The program in the property list of a job, and its arguments; empty when it cannot be read."""
    with Root(TOP) as root:
        try:
            return property_list.texts(property_list.load(root.read(_plist(name), MAX_SIZE) or b""), "ProgramArguments")
        except (ValueError, OperationError):
            return []


def last_log_line(name: str) -> str:
    """The last line of a job's log; empty when there is none."""
    return "".join(log(name).splitlines()[-1:])


def log(name: str) -> str:
    """The end of a job's log, as lines that can be printed."""
    lines = host.tail(os.path.join(TOP, _log(name))).decode("utf-8", "replace").strip().split("\n")
    return "\n".join(map(show_message, lines))


# -- changes -------------------------------------------------------------------


def plan_present(job: Job, claim: Claim = nullcontext) -> list[Change]:
    """The changes that install and load the job; none when it is installed and loaded."""
    writes = _plan_files({_plist(job.label): job.plist(), **_files(job)}, claim)
    loaded = is_loaded(job.label)
    unload = [Change(f"- launchd job {job.label}", lambda: _unload(job.label))] if loaded and writes else []
    load = [Change(f"+ launchd job {job.label}", lambda: _start(job))] if writes or not loaded else []
    return [*_plan_directory(job), *unload, *writes, *_plan_unmarked(job.label), *load]


def is_present(job: Job) -> bool:
    """Whether the job is installed and loaded, be it marked as suspended or not."""
    return is_loaded(job.label) and not _plan_files({_plist(job.label): job.plist(), **_files(job)})


def plan_stopped(job: Job) -> list[Change]:
    """What makes the job installed and not running, now and after a restart of the Mac: it has no plist for launchd."""
    return [*_plan_directory(job), *plan_stopped_again(job.label), *_plan_files(_files(job))]


def plan_started_again(name: str, claim: Claim = nullcontext) -> list[Change]:
    """What runs a job that was stopped, as it is installed; nothing when it runs. OperationError without one."""
    plist = read_file(name, COPY)
    if plist is None:
        raise OperationError("start the launchd job", name, "it is not installed")
    writes = _plan_files({_plist(name): plist}, claim)
    loaded = is_loaded(name)
    start = [Change(f"+ launchd job {name}", lambda: load(name))] if writes or not loaded else []
    return [*writes, *start, *_plan_unmarked(name)]


def plan_stopped_again(name: str) -> list[Change]:
    """What stops a job that is installed, until it is started again."""
    return [*_plan_unmarked(name), *plan_unloaded(name)]


def plan_restarted(name: str, claim: Claim = nullcontext) -> list[Change]:
    """What ends a job as it wants to be ended, and starts it again; what starts it when it is stopped."""
    if not is_loaded(name):
        return plan_started_again(name, claim)

    def start_again() -> None:
        _unload(name)
        load(name)

    return [Change(f"~ launchd job {name} (restarted)", start_again)]


def plan_absent(name: str) -> list[Change]:
    """The changes that unload a job and remove its files; those by which `labels` finds it go last."""
    changes = [Change(f"- launchd job {name}", lambda: _unload(name))] if is_loaded(name) else []
    folder = FILES + b"/" + os.fsencode(name)
    with Root(TOP) as root:
        there = [rel for rel in (*_logs(root, name), _plist(name)) if root.lstat(rel)]
        changes += [Change(f"- /{show(rel)}", remover(rel)) for rel in there]
        return [*changes, Change(f"- /{show(folder)}", remover(folder, name))] if root.lstat(folder) else changes


def _logs(root: Root, name: str) -> list[bytes]:
    """All logs of a job: LABEL.log, and those that its program writes by itself."""
    return [LOGS + b"/" + log for log in _names(root, LOGS) if log.startswith(os.fsencode(name) + b".")]


def mark_of(name: str) -> bytes:
    """The file of a job that marks it as suspended."""
    return FILES + b"/" + os.fsencode(f"{name}/{SUSPENDED}")


def _plan_unmarked(name: str) -> list[Change]:
    """What removes the mark that a killed run left; mostly nothing."""
    return _plan_files({mark_of(name): None})


def plan_unloaded(name: str) -> list[Change]:
    """What stops a job now, and keeps it from starting with the Mac."""
    changes = [Change(f"- launchd job {name}", lambda: _unload(name))] if is_loaded(name) else []
    plist = _plist(name)
    return [*changes, Change(f"- /{show(plist)}", remover(plist))] if has_plist(name) else changes


def _files(job: Job) -> dict[bytes, bytes | None]:
    """The files of a job by their paths; None for secrets that it has no more."""
    files = {SECRETS: None, **job.files}
    return {os.fsencode(installed_path(job.label, name)[1:]): data for name, data in files.items()}


def _plan_directory(job: Job) -> list[Change]:
    """What makes the directory of a private job one that only root can enter."""
    rel = FILES + b"/" + os.fsencode(job.label)

    def make() -> None:
        host.make_dirs(os.path.join(TOP, FILES))
        with run_directories.staged_root(TOP, TOP) as root:
            root.make_dir(rel, 0o700, 0, 0)

    with Root(TOP) as root:
        status = root.lstat(rel)
    if not job.is_private or (status and (status.st_mode, status.st_uid) == (stat.S_IFDIR | 0o700, 0)):
        return []
    return [Change(f"{'~' if status else '+'} /{show(rel)} (for root alone)", make)]


def _plan_files(wanted: Mapping[bytes, bytes | None], claim: Claim = nullcontext) -> list[Change]:
    """What writes those files that are not as they are to be, and removes those that are not to be."""
    with Root(TOP) as root:
        return [
            Change(f"- /{show(rel)}", remover(rel))
            if data is None
            else Change(describe_difference(root, rel, data), writer(rel, data, claim), content_size=len(data))
            for rel, data in sorted(wanted.items())
            if not is_current(root, rel, data)
        ]


def unload(name: str) -> None:
    """Unload a job, if it is loaded, and leave its files."""
    if is_loaded(name):
        _unload(name)


def restart(name: str) -> None:
    """Kill the job's process and start another one."""
    ended = _launchctl("kickstart", "-k", f"system/{name}")
    if ended.rc:
        raise _failed("restart the launchd job", name, ended)


def writer(rel: bytes, data: bytes, claim: Claim = nullcontext) -> Callable[[], None]:
    def write() -> None:
        for folder in (os.path.dirname(rel), LOGS):
            host.make_dirs(os.path.join(TOP, folder))
        with claim() if rel.endswith(CLAIMS) else nullcontext(), run_directories.staged_root(TOP, TOP) as root:
            root.write(rel, data, mode=mode_of(rel))

    return write


def remover(rel: bytes, name: str = "") -> Callable[[], None]:
    """With the name of a job, its logs go too: one may have been made while the job ended."""

    def remove() -> None:
        with Root(TOP) as root:
            for each in (*(_logs(root, name) if name else ()), rel):
                root.remove_tree(each)

    return remove


# -- launchctl -----------------------------------------------------------------


def _start(job: Job) -> None:
    if any(job.owner):
        host.make_dirs(os.path.join(TOP, LOGS))
        with run_directories.staged_root(TOP, TOP) as root:
            root.write(_log(job.label), b"", 0o644, *job.owner)
    load(job.label)


def load(name: str) -> None:
    """Load and start a job. It is enabled first: launchctl refuses a disabled one with the code for a loaded one."""
    ended = _launchctl("enable", f"system/{name}")
    if ended.rc:
        raise _failed("enable the launchd job", name, ended)
    plist = os.fsdecode(os.path.join(TOP, _plist(name)))
    deadline = time.monotonic() + TIMEOUT
    while True:
        ended = _launchctl("bootstrap", "system", plist)
        if not ended.rc or is_loaded(name):
            return
        if ended.rc not in LOADED_OR_UNLOADING or time.monotonic() > deadline:
            raise _failed("load the launchd job", name, ended)
        time.sleep(POLL_SECONDS)


def _unload(name: str) -> None:
    seconds = _exit_seconds(name)
    ended = _launchctl("bootout", f"system/{name}", timeout=seconds)
    if ended.rc not in (0, STILL_UNLOADING, *NO_SUCH_SERVICE, *LOADED_OR_UNLOADING):
        raise _failed("unload the launchd job", name, ended)
    deadline = time.monotonic() + seconds
    while is_loaded(name):
        if time.monotonic() > deadline:
            raise OperationError("unload the launchd job", name, f"it still runs after {seconds:.0f} seconds")
        time.sleep(POLL_SECONDS)


def _exit_seconds(name: str) -> float:
    """How long to wait for the end of a job: launchd gives it ExitTimeOut."""
    with Root(TOP) as root:
        try:
            plist = property_list.load(root.read(_plist(name), MAX_SIZE) or b"")
            given = plist.get("ExitTimeOut", 0) if isinstance(plist, dict) else 0
        except (ValueError, OperationError):
            given = 0
    return max(TIMEOUT, given + TIMEOUT / 2) if isinstance(given, (int, float)) else TIMEOUT


def _launchctl(*words: str, timeout: float = 0) -> CompletedRun:
    return run([LAUNCHCTL, *words], timeout=timeout or TIMEOUT)


def _failed(verb: str, name: str, ended: CompletedRun) -> OperationError:
    said = " ".join((ended.stderr + ended.stdout).decode("utf-8", "replace").split())
    return OperationError(verb, name, said or f"launchctl ended with {ended.rc}", hint=f"exit code {ended.rc}")
