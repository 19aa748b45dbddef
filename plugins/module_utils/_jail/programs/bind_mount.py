# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep a directory of the Mac mounted in a jail, by bindfs(1).

It is installed on the Mac and run by launchd, once for each mount:

    python3 -I -S bind_mount.py JAIL POINT SOURCE BINDFS [OPTION...]

POINT is the path of an empty directory in the jail, without leading slash. When bindfs ends, for whatever reason, it is
started again; when this process is ended, it unmounts. launchd ends all jobs at once when the Mac shuts down. The
services of the jail may still use the mount, so it goes after they have ended.

Whoever can write in the jail may put a symbolic link anywhere, at any time, and bindfs, as root, would follow it. So
the mount point is opened without following any, and bindfs is started in it with "." as its mount point. bindfs and
FUSE turn that into a path again (bindfs src/bindfs.c, process_option; libfuse lib/helper.c), and mount there. Until the
mount is seen where it should be, this process looks whether the point is still in its place, and ends bindfs when it
is not, which ends a mount elsewhere, too: at worst a dead one stays there, which shows nothing. What remains is the
moment in between: only those can use it who can rename a directory on the way to the mount point, so that is best in
directories of root's.

SOURCE may be below a directory of a user's, who can put a link in its place, and bindfs takes a path alone. So it is
opened before, without following a link, and as soon as something is mounted, that must be the directory that was
opened: a file system of FUSE's has the numbers and the times of what it shows. When it is another one, bindfs is killed
at once, and nothing is mounted for an hour. What remains is the moment until then: only those can use it who can rename
a directory on the way to the source.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress

from ..dirfd import DIRECTORY, working_directory
from .daemon import (
    LogOnce,
    MountError,
    Sigterm,
    error_text,
    is_mounted,
    open_nofollow,
    unmount,
)

MIN_DELAY, MAX_DELAY = 5.0, 60.0
"""Seconds before another attempt. They double after each failure: bindfs writes its reason each time."""
POLL_INTERVAL, TICK = 0.001, 1.0
"""Seconds between two checks whether bindfs has mounted, and whether it still runs."""
REPLACED_DELAY = 3600.0
"""Seconds before another attempt after the source was replaced."""
MOUNT_TIMEOUT, END_TIMEOUT = 20.0, 4.0
"""Seconds for bindfs to mount, and to end."""
EXIT_TIMEOUT = 700
"""Seconds that launchd gives this process to end: more than a service may take (services/spec.py, LONGEST_STOP)."""
STOP_TIMEOUT = 20
"""Seconds to unmount at the end. A file system that hangs must not hold up the Mac for longer."""

# What a directory says whose file system has lost its process: macOS the first two, Linux the third.
DEAD_MOUNT_ERRORS = (errno.ENXIO, errno.EIO, errno.ENOTCONN)


class SourceReplacedError(MountError):
    """Another directory than the source was mounted."""


class Mount:
    """A directory of the Mac and its mount point in a jail."""

    def __init__(self, jail: str, point: str, source: str, command: Sequence[str], sigterm: Sigterm) -> None:
        self._folder, self._name = os.path.split(f"{jail}/{point}")
        self._source, self._command, self._sigterm = source, command, sigterm
        self._bindfs: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Mount; MountError or OSError when it fails."""
        with open_nofollow(self._source) as source, open_nofollow(self._folder) as folder:
            self._clear(folder, force=False)
            point = os.open(self._name, DIRECTORY, dir_fd=folder)
            try:
                if os.listdir(point):
                    raise MountError("it is not empty")
                with working_directory(point), self._sigterm.deferred():
                    # A job of launchd has no AnsibleModule.
                    self._bindfs = subprocess.Popen(  # pylint: disable=ansible-bad-function
                        [*self._command, "-f", self._source, "."], stdin=subprocess.DEVNULL
                    )
                self._wait_until_mounted(folder, os.fstat(point))
                self._check_source(folder, source)
            finally:
                os.close(point)

    def _clear(self, folder: int, force: bool) -> None:
        """Unmount the mount of an earlier process; one without its process needs force."""
        try:
            if not is_mounted(folder, self._name):
                return
        except OSError as exc:
            if exc.errno not in DEAD_MOUNT_ERRORS:
                raise
            force = True
        said = unmount(folder, self._name, *(("-f",) if force else ()))
        if is_mounted(folder, self._name):
            raise MountError(f"something is mounted there: {said}")

    def _wait_until_mounted(self, folder: int, empty: os.stat_result) -> None:
        """Wait for the mount. Until then the mount point must stay the same directory at the same path."""
        deadline = time.monotonic() + MOUNT_TIMEOUT
        while not self._is_here(folder, empty):
            if self._bindfs and self._bindfs.poll() is not None:
                raise MountError(f"bindfs ended with {self._bindfs.returncode}")
            if time.monotonic() > deadline:
                raise MountError(f"bindfs has not mounted anything after {MOUNT_TIMEOUT:.0f} seconds")
            time.sleep(POLL_INTERVAL)

    def _is_here(self, folder: int, empty: os.stat_result) -> bool:
        with open_nofollow(self._folder) as again:
            moved = not os.path.samestat(os.fstat(folder), os.fstat(again))
        found = os.stat(self._name, dir_fd=folder, follow_symlinks=False)
        if not moved and found.st_dev != empty.st_dev:
            return True
        if moved or not os.path.samestat(found, empty):
            raise MountError("it was replaced while something was mounted on it")
        return False

    def _check_source(self, folder: int, source: int) -> None:
        """Check that the mount shows the directory that was opened."""
        if is_mount_of(os.stat(self._name, dir_fd=folder, follow_symlinks=False), os.fstat(source)):
            return
        if self._bindfs:
            self._bindfs.kill()  # at once: each moment more, the jail sees it
        raise SourceReplacedError(
            f"somebody exchanged the directory: nothing is mounted for {REPLACED_DELAY:.0f} seconds"
        )

    def is_needed(self) -> bool:
        """Whether it is mounted; a dead mount is of no use."""
        with suppress(OSError, MountError), open_nofollow(self._folder) as folder:
            return self._bindfs is not None and is_mounted(folder, self._name)
        return False

    def wait(self) -> int:
        """How bindfs ended.

        It polls: a signal in the instant before wait(2) would be handled only after it, so never.
        """
        while self._bindfs and self._bindfs.poll() is None:
            time.sleep(TICK)
        return self._bindfs.returncode if self._bindfs else 0

    def stop(self) -> None:
        """Unmount by force, and end bindfs, which ends a mount elsewhere, too."""
        if self._bindfs:
            self._force_unmount()
            for end in (self._bindfs.terminate, self._bindfs.kill):
                end()
                with suppress(subprocess.TimeoutExpired):
                    self._bindfs.wait(END_TIMEOUT)
            self._force_unmount()
            self._bindfs = None

    def _force_unmount(self) -> None:
        with suppress(OSError, MountError), open_nofollow(self._folder) as folder:
            self._clear(folder, force=True)


def is_mount_of(mounted: os.stat_result, source: os.stat_result) -> bool:
    """Whether a mount shows a directory. Nobody can choose a number on a volume, or the time of a change.

    One is enough: nothing says that each FUSE for macOS passes both on as they are.
    """
    times = (mounted.st_mtime_ns, mounted.st_ctime_ns) == (source.st_mtime_ns, source.st_ctime_ns)
    return times or mounted.st_ino == source.st_ino


def wait_for_services(job: str) -> None:
    """Wait until no supervisor of a service of the jail runs. `job` is the directory of this job.

    A supervisor keeps a lock on the directory of its job (service_supervisor.py).
    """
    jobs, name = os.path.split(job)
    prefix = name.partition(".mount.")[0] + ".service."
    names: list[str] = []
    with suppress(OSError):
        names = os.listdir(jobs)
    for service in sorted(entry for entry in names if entry.startswith(prefix)):
        with suppress(OSError), open_nofollow(os.path.join(jobs, service)) as folder:
            fcntl.flock(folder, fcntl.LOCK_SH)


def main(words: Sequence[str] | None = None) -> None:
    jail, point, source, *command = words or sys.argv[1:]
    log, mount = LogOnce(), Mount(jail, point, source, command, Sigterm())
    where, wait = f"{source} on {jail}/{point}", MIN_DELAY
    try:
        while True:
            try:
                mount.start()
                log.say(f"mounted {where}")
                wait = MIN_DELAY
                log.say(f"lost {where}: bindfs ended with {mount.wait()}")
            except (MountError, OSError) as exc:
                log.say(f"cannot mount {where}: {error_text(exc)}")
                if isinstance(exc, SourceReplacedError):
                    wait = REPLACED_DELAY
            mount.stop()
            time.sleep(wait)
            wait = min(2 * wait, MAX_DELAY)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.alarm(STOP_TIMEOUT)
        if mount.is_needed():
            signal.alarm(0)
            wait_for_services(os.path.dirname(sys.argv[0]))
            signal.alarm(STOP_TIMEOUT)
        mount.stop()
