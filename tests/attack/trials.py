# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Make trials on a stand-in Mac, told which by lines of JSON: trials.py FOLDER

FOLDER holds Ansible's module_utils and the collection. A trial makes a hostile state of the jail, runs one entry, real
code in a process of its own as root, and judges: nothing outside changed, no secret came in, the answer is a result or
a sentence, and neither time nor memory went beyond the limits.
"""

from __future__ import annotations

import faulthandler
import importlib
import io
import json
import os
import random
import resource
import signal
import socket
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import images
import job_programs
import states
import vulnerabilities
from background import background_process
from djail_calls import run_djail
from entries import (
    ALL,
    ARCHIVE,
    COPIED,
    DJAIL,
    ENTER,
    ENTRIES,
    FOLDER,
    JAIL,
    LAYOUT,
    LOCKS,
    NEIGHBOUR,
    NEW,
    PROGRAMS,
    REGISTERED,
    RUNS,
    STATE_OF_MAC,
    Entry,
    entry_of,
)
from host_changes import LOGS, SECRET, HostSnapshot, leaks
from job_programs import PACKAGE
from replies import MEMORY, OUTPUT, SECONDS, Ended, beyond_limits, wrong_answer

VOLUME = b"/private/var/jails"
TEMPLATES = "/private/var/jails/templates"
LINGER = 0.7
"""Seconds for a job to do what it does."""


def run(work: Callable[[], Any]) -> Ended:
    """Do something in a process of its own, with limits; whatever it leaves running is ended."""
    files, others = [os.memfd_create(name) for name in ("out", "err")], _children()
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        _child(work, files)
    deadline, usage = start + SECONDS, None
    while usage is None:
        done, status, found = os.wait4(pid, os.WNOHANG)
        if done:
            usage = found
        elif time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            _pid, status, usage = os.wait4(pid, 0)
            status = signal.SIGALRM
        else:
            time.sleep(0.002)
    while left := [child for child in _children() if child not in others]:
        for child in left:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    texts = []
    for fd in files:
        os.lseek(fd, 0, os.SEEK_SET)
        texts.append(os.read(fd, OUTPUT + 1))
        os.close(fd)
    return Ended(status, texts[0], texts[1], time.monotonic() - start, usage.ru_maxrss)


def _children() -> list[int]:
    """The processes of this one; those whose parent has ended are its, too."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


def _child(work: Callable[[], Any], files: list[int]) -> None:
    status = 70
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, fd in enumerate((null, *files)):
            os.dup2(fd, target)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "surrogateescape")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "surrogateescape")
        os.chdir("/")
        os.umask(0o022)
        work()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001 (it is judged by what it says)
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


# -- the Mac ------------------------------------------------------------------------------


def module(name: str, options: dict[str, Any], **settings: Any) -> Callable[[], Any]:
    """Run a module as Ansible does."""

    def work() -> None:
        basic: Any = importlib.import_module("ansible.module_utils.basic")
        words = {"ANSIBLE_MODULE_ARGS": {**options, **{f"_ansible_{key}": value for key, value in settings.items()}}}
        basic._ANSIBLE_ARGS, basic._ANSIBLE_PROFILE = json.dumps(words).encode(), "legacy"
        importlib.import_module(f"{PACKAGE}.modules.{name}").main()

    return work


def must(name: str, options: dict[str, Any]) -> dict[str, Any]:
    ended = run(module(name, options))
    if ended.status:
        raise RuntimeError(f"{name} {options}: {ended}")
    found: dict[str, Any] = json.loads(ended.out)
    return found


def _command(*words: str) -> None:
    subprocess.run(words, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


def set_up() -> None:
    """Honest jails, a copy of each, and what lies beside them."""
    for path in (FOLDER, TEMPLATES, PROGRAMS, f"{FOLDER}/shown"):
        os.makedirs(path)
    with open(f"{FOLDER}/shown/file", "w") as file:
        file.write("shown in a jail\n")
    listed = [{"src": entry} for entry in ENTRIES]
    for jail in (JAIL, NEW, NEIGHBOUR):
        must("darwin_jail_rootfs", {"jail": jail, "entries": listed})
        _furnish(jail)
        _command("cp", "-a", jail, f"{TEMPLATES}/{os.path.basename(jail)}")
    _bait(NEIGHBOUR)
    _bait("")
    _command("touch", "/Users/admin/.sudo_as_admin_successful")  # as sudo does when it is used first
    _command("cp", "-a", STATE_OF_MAC, f"{TEMPLATES}/mac")
    job_programs.write()
    must("darwin_jail_command", {})
    for path in (*map(os.fsdecode, LOGS), "/Library/LaunchDaemons", "/private/var/root"):
        os.utime(path)  # the first change below a directory shows in those above it, on an overlay


def _furnish(jail: str) -> None:
    """What people put into a jail."""
    for name in ("Users/admin/old", "Users/admin/deep", "usr/local/bin", "private/var/folders", "opt"):
        os.makedirs(f"{jail}/{name}", exist_ok=True)
    for name in ("Users/admin/.zshrc", "Users/admin/.profile", "Users/admin/old/file", "private/etc/hosts"):
        with open(f"{jail}/{name}", "w") as file:
            file.write("# theirs\n")
    _command("chown", "-R", "501:20", f"{jail}/Users/admin")


def _bait(top: str) -> None:
    """Secrets where links will lead."""
    for name in ("secret", "private/etc/hosts", "private/etc/master.passwd", "Users/admin/.zshrc", "private/tmp/new"):
        os.makedirs(os.path.dirname(f"{top}/{name}"), exist_ok=True)
        with open(f"{top}/{name}", "ab") as file:
            file.write(b"# " + SECRET + b"\n")
    with open(f"{top or NEIGHBOUR}/linked", "w") as file:
        file.write("of the Mac\n")


def _remove(path: str) -> None:
    if os.path.lexists(path):
        _command("rm", "-rf", path)


def reset(entry: Entry) -> None:
    """The Mac as it was set up, with the jails that the entry needs."""
    _unmount()
    wanted = [JAIL, *([NEW] if entry.input == "replacement" else [])]
    stays = (NEIGHBOUR, PROGRAMS, f"{FOLDER}/shown")
    gone = [f"{FOLDER}/{name}" for name in os.listdir(FOLDER) if f"{FOLDER}/{name}" not in stays]
    _command("rm", "-rf", STATE_OF_MAC, *LOCKS, *gone)
    _command("cp", "-a", f"{TEMPLATES}/mac", STATE_OF_MAC)
    _command("cp", "-a", "--reflink=auto", *(f"{TEMPLATES}/{os.path.basename(path)}" for path in wanted), FOLDER)
    for name in os.listdir(f"{STATE_OF_MAC}/jails"):
        _register(f"{STATE_OF_MAC}/jails/{name}")


def _register(path: str) -> None:
    """The number of the copy instead of that of the first one."""
    with open(path) as file:
        found = json.load(file)
    if os.path.isdir(found["path"]):
        for jail in found["jails"]:
            jail["inode"] = os.stat(found["path"]).st_ino
        with open(path, "w") as file:
            json.dump(found, file)
    else:
        os.unlink(path)


def _unmount() -> None:
    """End the jobs of the jail, and whatever is mounted in it."""
    daemons = "/Library/LaunchDaemons"
    for name in os.listdir(daemons):
        if name.startswith("darwin.jail."):
            label = name[: -len(".plist")]
            subprocess.run(["/bin/launchctl", "bootout", f"system/{label}"], check=False, capture_output=True)
            _remove(f"{daemons}/{name}")
    for point in _mounted():
        subprocess.run(["/usr/lib/standin/bin/umount", "-l", point], check=False, capture_output=True)


def _mounted() -> list[str]:
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file]
    return [point for point in reversed(points) if point.startswith(f"{FOLDER}/")]


# -- one trial ------------------------------------------------------------------------------


class Trial:
    """One of them, from its seed."""

    def __init__(self, seed: int, entry: Entry, hostile: bool = True) -> None:
        self.seed, self.entry, self.rng, self.hostile = seed, entry, random.Random(seed), hostile  # noqa: S311 (the same each time)
        self.options = entry.options(self.rng)
        self.check = self.rng.random() < 0.15
        self.steps: list[str] = []

    def prepare(self) -> None:
        """Make the state, and look at all that is outside of it."""
        reset(self.entry)
        if not self.hostile:
            self._make_honest_input()
        elif self.entry.input == "layout":
            images.Layout(self.rng, LAYOUT)
            if self.rng.random() < 0.2:
                self.steps += map(str, states.make(self.rng, LAYOUT, NEIGHBOUR, self.entry.through))
        elif self.entry.input == "archive":
            images.archive(self.rng, ARCHIVE)
        if self.entry.input != "layout" and self.hostile:
            self.steps += map(str, states.make(self.rng, JAIL, NEIGHBOUR, self.entry.through))
        may = [*LOCKS, *RUNS, f"{REGISTERED}.json", *self.entry.may_change]
        self.since = time.time_ns()
        self.outside = HostSnapshot(os.fsencode(JAIL), b"/", VOLUME, may)

    def _make_honest_input(self) -> None:
        if self.entry.input == "layout":
            must("darwin_jail_image", {"jail": JAIL, "layout": LAYOUT, "architecture": "arm64"})
        elif self.entry.input == "archive":
            _command("tar", "-czf", ARCHIVE, "-C", JAIL, "private/etc")

    def act(self) -> Ended:
        with background_process(self.rng, JAIL, NEIGHBOUR, self.entry.through if self.hostile else ()) as going_on:
            self.steps += [going_on] if going_on else []
            return self._act()

    def _act(self) -> Ended:
        if self.entry.module.startswith("darwin_"):
            return run(module(self.entry.module, self.options, check_mode=self.check, diff=True))
        return run(lambda: _program(self.entry.module, self.options["words"], self.rng))

    def judge(self, ended: Ended) -> list[str]:
        """What is wrong; nothing when all is well."""
        return [*self.host_changed(), *beyond_limits(ended), *wrong_answer(ended, self.entry)]

    def host_changed(self) -> list[str]:
        places = [JAIL, NEW, LAYOUT, f"{FOLDER}/written", COPIED]
        found = [
            *self.outside.changes(),
            *leaks([os.fsencode(place) for place in places if stat.S_ISDIR(_mode(place))], self.since),
        ]
        return found[:20]


def _mode(path: str) -> int:
    """Of what is there, links not followed; 0 when nothing is."""
    return os.lstat(path).st_mode if os.path.lexists(path) else 0


def _program(name: str, words: list[str], rng: random.Random) -> None:
    """Run a program as launchd or sudo does, and let somebody in the jail speak to it."""
    if name == "enter":
        known = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SUDO_UID": "501", "SUDO_USER": "admin", "TERM": "xterm"}
        subprocess.run(["/bin/sh", ENTER, *words], input=b"id; pwd; exit 0\n", env=known, check=False, timeout=20)
        return
    if name == "djail":
        run_djail(DJAIL, words)
        return
    started = subprocess.Popen([sys.executable, "-I", "-S", f"{PROGRAMS}/{name}.py", *words], stdin=subprocess.DEVNULL)
    time.sleep(LINGER / 2)
    for data in (b"", b"\0" * 28, b"\0\0\0\1" + b"\xff" * 24, rng.randbytes(5000)) if name == "dns_relay" else ():
        with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
            os.chdir(f"{JAIL}/private/var/run")
            client.settimeout(0.2)
            client.connect("mDNSResponder")
            client.sendall(data)
            client.recv(100)
    time.sleep(LINGER / 2)
    started.terminate()
    started.wait(25)


def answer(words: dict[str, Any], kept: dict[int, Trial]) -> dict[str, Any]:
    """Make a trial, or one half of one whose other half is the controller's."""
    seed, name = words["seed"], words.get("entry")
    entry = next(entry for entry in ALL if entry.name == name) if name else entry_of(seed)
    if words["do"] == "judge":
        return {"problems": kept.pop(seed).host_changed()}
    trial = Trial(seed, entry, words.get("hostile", True))
    if words["do"] == "disturb":
        return disturb(trial, words["action"])
    trial.prepare()
    found = {"seed": seed, "entry": entry.name, "state": trial.steps, "options": trial.options, "check": trial.check}
    if words["do"] == "prepare":
        kept[seed] = trial
        return found
    with vulnerabilities.planted(words.get("vulnerability", "")):
        ended = trial.act()
    problems = trial.judge(ended)
    told = ended.out[:3000].decode(errors="replace") or ended.err[:1000].decode(errors="replace")
    return {**found, "problems": problems, "seconds": ended.seconds, "peak": ended.peak, "told": told}


def disturb(trial: Trial, action: str) -> dict[str, Any]:
    """Whether the judge notices an action; it is undone as far as trials need it."""
    _command("sh", "-c", f"cp -a {NEIGHBOUR} {TEMPLATES}/kept")
    trial.prepare()
    os.environ["JAIL"] = JAIL
    _command("sh", "-c", action)
    problems = trial.host_changed()
    _unmount()
    undo = f"rm -rf {NEIGHBOUR} /private/etc/evil /private/var/jails/evil /copy; mv {TEMPLATES}/kept {NEIGHBOUR}"
    _command("sh", "-c", f"{undo}; [ ! -d /private/tmp2 ] || {{ rm -r /private/tmp; mv /private/tmp2 /private/tmp; }}")
    return {"problems": problems}


def main() -> None:
    os.environ["PATH"] = "/usr/bin:/bin:/usr/sbin:/sbin"
    sys.setrecursionlimit(10000)
    _load()
    kept: dict[int, Trial] = {}
    for line in sys.stdin:
        words = json.loads(line)
        faulthandler.dump_traceback_later(3 * SECONDS, exit=True)  # what makes and judges states ends, too
        if words["do"] == "set up":
            set_up()
            said: dict[str, Any] = {}
        else:
            said = answer(words, kept)
        print(json.dumps(said), flush=True)


def _load() -> None:
    """All that is tried, once: a process that is forked has it."""
    libc = importlib.import_module("ctypes").CDLL(None)
    libc.prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER: what a trial leaves running comes back to this process
    importlib.import_module("ansible.module_utils.basic")
    for entry in ALL:
        if entry.module.startswith("darwin_") and entry.module != "darwin_jail_check_results":
            importlib.import_module(f"{PACKAGE}.modules.{entry.module}")


if __name__ == "__main__":
    main()
