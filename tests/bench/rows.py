# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the benches have in common: how a row is measured, what it says, and the limits.

A row holds our figures and those of one other program for the same work, or ours alone. All programs of a work run in
turn, so that what disturbs one disturbs all. The first round is not timed: it warms the caches, and tells the memory,
since looking for that takes time. A row is one object of the JSON that docs/benchmarks.md is written from.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any, NamedTuple

TOP = Path(__file__).resolve().parents[2]
JSON = TOP / "docs/benchmarks.json"
OURS = [sys.executable, "-I", "-S", str(Path(__file__).with_name("ours.py"))]
TICK = 0.02
LATE = "no time was left"
GRACE = 30
"""Seconds that a row may take longer than there is time, before it is given up."""
PSS = re.compile(r"^Pss:\s+(\d+) kB", re.MULTILINE)

Figures = dict[str, list[float]]
"""By what is measured: seconds and cpu (in seconds) of each round; memory (MB), bytes and calls."""


class Limit(NamedTuple):
    """The most that a row may have: as a ratio to the other program, but `memory`, `calls` and what stands alone."""

    work: str
    peer: str | None
    measure: str
    most: float
    tree: str | None = "real"
    where: str | None = "tmpfs"

    @property
    def row(self) -> tuple[str | None, ...]:
        """What the row is called that it is for."""
        return self.work, self.peer, self.tree, self.where

    @property
    def unit(self) -> str:
        return {"memory": " MB", "calls": ""}.get(self.measure, "" if self.peer else " s")


LIMITS = (
    Limit("build", "cp -a", "seconds", 0.65),
    Limit("build", "tar to tar", "seconds", 0.80),
    Limit("build", "rsync -aH", "seconds", 0.38),
    Limit("re-run, unchanged", "rsync -aH", "seconds", 0.75),
    Limit("re-run, one file changed", "rsync -aH", "seconds", 0.75),
    Limit("re-run, sealed", "rsync -aH", "seconds", 0.50),
    Limit("re-run, verify: full", "rsync -aH --checksum", "seconds", 0.60),
    Limit("re-run, verify: full", "rsync -aH --checksum", "cpu", 1.10),
    Limit("prune", "rsync -aH --delete", "seconds", 0.80),
    Limit("prune", "rsync -aH --delete", "memory", 60),
    Limit("state: absent", "rm -rf", "seconds", 0.70),
    Limit("clone", "cp -a --reflink=always", "seconds", 0.85, "small", "xfs"),
    Limit("clone", "cp -a --reflink=always", "seconds", 1.00, "small", "btrfs"),
    Limit("audit of closure and signing", None, "seconds", 5, "5,000 Mach-O files"),
    Limit("export, gzip", "tar to gzip -5", "seconds", 0.65, "small"),
    Limit("export, gzip", "tar to gzip -5", "bytes", 1.02, "small"),
    Limit("export, gzip", "tar to gzip -5", "memory", 120, "small"),
    Limit("export, zstd", "tar to zstd -3 -T2", "seconds", 1.20),
    Limit("export, gzip, after one new file", "all of it", "seconds", 0.15),
    Limit("export, zstd, after one new file", "all of it", "seconds", 0.45),
    Limit("export, zstd, unchanged", "a look at all files", "seconds", 2.00),
    Limit("import, gzip", "gzip -d to tar", "seconds", 1.20, "small"),
    Limit("import, zstd", "zstd -d to tar", "seconds", 1.50),
    Limit("look-ups by the DNS relay", "without it", "seconds", 1.30, None, None),
    Limit("second run of build_jail, two Macs", "24 pings", "seconds", 1.00, None, None),
    Limit("second run of build_jail, two Macs", "24 pings", "calls", 12, None, None),
    Limit("a further jail in a run", "12 pings", "seconds", 1.50, None, None),
    Limit("module, unchanged jail of 10 files", "ansible.builtin.stat", "seconds", 1.50, None, None),
    Limit("put 256 MB into a jail", "sftp", "seconds", 2.00, None, None),
    Limit("put 256 MB into a jail", "sftp", "memory", 150, None, None),
    Limit("fetch 256 MB from a jail", "sftp", "seconds", 2.00, None, None),
    Limit("1 GB there and back", None, "memory", 150, None, None),
    Limit("20 tasks in a jail", "plain ssh", "seconds", 1.25, None, None),
    Limit("20 tasks in a jail, from a file of hosts", "plain ssh", "seconds", 1.25, None, None),
    Limit("djail exec of true, by path", "sudo and chroot + a start of Python", "seconds", 1.50, None, None),
    Limit("djail exec of true, by path", "sudo and chroot + a start of Python", "cpu", 1.50, None, None),
    Limit("djail exec of true, by name", "sudo and chroot + a start of Python", "seconds", 1.50, None, None),
    Limit("djail exec of true, by name", "sudo and chroot + a start of Python", "cpu", 1.50, None, None),
    Limit("djail names, for completion", None, "seconds", 0.1, None, None),
    Limit("djail list of 200 jails", None, "seconds", 1, None, None),
)


@dataclass
class Row:
    """One work, ours against one other program."""

    work: str
    ours: Figures
    peer: str | None = None
    theirs: Figures = field(default_factory=dict)
    tree: str | None = None
    where: str | None = None
    load: float = 0.0
    """The programs that ran or waited before the row, ours not among them."""


@dataclass
class Contender:
    """A command, and what is done before and after each of its runs, which is not timed."""

    name: str
    argv: Sequence[str]
    before: Callable[[], object] = lambda: None
    after: Callable[[], object] = lambda: None
    environment: Mapping[str, str] = field(default_factory=dict)
    figures: Figures = field(default_factory=lambda: {"seconds": [], "cpu": [], "memory": []})

    def warm(self) -> None:
        """A run that only tells the memory."""
        self.before()
        most = 0
        with running(self.argv, self.environment) as process:
            while process.poll() is None:
                most = max(most, sum(_pss(pid) for pid in _family(process.pid)))
                time.sleep(TICK)
        self.figures["memory"].append(most / 1000)
        self.after()

    def run(self) -> None:
        self.before()
        used, started = _children(), time.perf_counter()
        with running(self.argv, self.environment) as process:
            process.wait()
        self.figures["seconds"].append(time.perf_counter() - started)
        self.figures["cpu"].append(_children() - used)
        self.after()


class FailedError(Exception):
    """A program failed."""


@contextmanager
def running(argv: Sequence[str], environment: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A command in a session of its own, of which nothing stays when its time is up; FailedError when it fails."""
    with TemporaryFile() as output:
        process = subprocess.Popen(
            argv, stdout=output, stderr=output, env={**os.environ, **environment}, start_new_session=True
        )
        try:
            yield process
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise
        if process.returncode:
            output.seek(0)
            said = output.read().decode(errors="replace")[-1000:]
            raise FailedError(f"{' '.join(argv)[:300]} ended with {process.returncode}: {said}")


def _children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _family(pid: int) -> list[int]:
    """A process and its children, by the session that they share."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                if os.getsid(int(name)) == pid:
                    found.append(int(name))
            except ProcessLookupError:
                pass
    return found


def _pss(pid: int) -> int:
    try:
        found = PSS.search(Path(f"/proc/{pid}/smaps_rollup").read_text())
    except OSError:  # it has just ended
        return 0
    return int(found[1]) if found else 0


def _late(*_signal: object) -> None:
    raise FailedError(LATE)


def _ended(*_signal: object) -> None:
    sys.exit("ended by a signal")


class Bench:
    """The rows of one program: how often they are measured, and until when."""

    def __init__(self, name: str, runs: int, minutes: float) -> None:
        self.name, self.rows, self.left_out = name, list[Row](), list[str]()
        self.runs, self._until = runs, time.monotonic() + 60 * minutes

    @contextmanager
    def saved(self, path: Path) -> Iterator[None]:
        """Save the rows that there are, however it ends; what was mounted and made goes, also by a signal."""
        former = {one: signal.signal(one, act) for one, act in ((signal.SIGTERM, _ended), (signal.SIGALRM, _late))}
        signal.alarm(max(0, round(self._until - time.monotonic())) + GRACE)
        try:
            yield
        finally:
            signal.alarm(0)
            for one, act in former.items():
                signal.signal(one, act)
            self.save(path)

    def leave_out(self, what: str, why: str) -> None:
        self.left_out.append(f"{what}: {why}")
        print(f"left out: {self.left_out[-1]}", file=sys.stderr)

    def attempt(self, what: str, work: Callable[..., None], *arguments: Any) -> None:
        """Leave out what fails or has no time, and go on."""
        if self.is_late:
            self.leave_out(what, LATE)
            return
        try:
            work(self, *arguments)
        except (FailedError, OSError, subprocess.CalledProcessError) as exc:
            said = exc.stderr or b"" if isinstance(exc, subprocess.CalledProcessError) else b""
            self.leave_out(what, " ".join(f"{exc} {said[-300:].decode(errors='replace')}".split()))

    @property
    def is_late(self) -> bool:
        return time.monotonic() > self._until

    def measure(
        self, work: str, ours: Contender, peers: Iterable[Contender], tree: str | None = None, where: str | None = None
    ) -> None:
        """Rows of a work, one for each peer."""
        peers, load = list(peers), os.getloadavg()[0]
        if self.in_turn(", ".join(word for word in (work, tree, where) if word), ours, *peers):
            for peer in peers or [Contender("", ())]:
                self.add(Row(work, ours.figures, peer.name or None, peer.figures if peers else {}, tree, where, load))

    def in_turn(self, work: str, *contenders: Contender) -> bool:
        """Run them; False when there was no time for that."""
        if self.is_late:
            self.leave_out(work, LATE)
            return False
        for one in contenders:
            one.warm()
        for _round in range(self.runs):
            for one in contenders:
                one.run()
            if self.is_late:
                break
        return True

    def add(self, row: Row) -> None:
        self.rows.append(row)
        print(summary(row), file=sys.stderr, flush=True)

    def save(self, path: Path) -> None:
        """Put the rows in the place of those that the same program had there."""
        known = json.loads(path.read_text()) if path.exists() else {}
        known[self.name] = {
            "machine": machine(),
            "rows": [_rounded(asdict(row)) for row in self.rows],
            "left out": self.left_out,
        }
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return round(value, 4) if isinstance(value, float) else value


def load(path: Path) -> dict[str, Any]:
    """What was saved, with rows as such."""
    known: dict[str, Any] = json.loads(path.read_text())
    return {name: {**part, "rows": [Row(**row) for row in part["rows"]]} for name, part in known.items()}


class Ratio(NamedTuple):
    """Of ours to theirs, round by round, or ours alone."""

    middle: float
    least: float
    most: float


def ratio(row: Row, measure: str) -> Ratio | None:
    """None when that was not measured."""
    ours, theirs = row.ours.get(measure), row.theirs.get(measure)
    if not ours or (row.peer and measure in RELATIVE and not theirs):
        return None
    alone = not row.peer or measure not in RELATIVE
    values = ours if alone else [mine / other for mine, other in zip(ours, theirs or (), strict=False) if other]
    return Ratio(median(values), min(values), max(values)) if values else None


RELATIVE = frozenset({"seconds", "cpu", "bytes"})
"""What is compared with the other program's."""


def median(values: Sequence[float]) -> float:
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def verdict(found: Ratio, limit: float) -> str:
    """Whether a limit is met, by all rounds or by their median only."""
    if found.most <= limit:
        return "yes"
    if found.least > limit:
        return "**no**"
    return f"{'yes' if found.middle <= limit else '**no**'}, but rounds lie on both sides of the limit"


def summary(row: Row) -> str:
    """A line for who waits."""
    found = ratio(row, "seconds")
    figure = f"{found.middle:.2f} ({found.least:.2f} to {found.most:.2f})" if found else ""
    place = ", ".join(word for word in (row.tree, row.where) if word)
    return f"{row.work} [{place}] {f'against {row.peer}' if row.peer else 'in seconds'}: {figure}"


def machine() -> dict[str, Any]:
    """What the figures were taken on."""
    name = os.uname()
    return {
        "system": f"{name.sysname} {name.release} {name.machine}",
        "processors": os.cpu_count(),
        "python": platform.python_version(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "programs": _versions(),
    }


def _versions() -> dict[str, str]:
    """Of the programs of others; empty for one that is missing."""
    found = {}
    for name in ("cp", "tar", "rsync", "gzip", "pigz", "zstd", "umoci"):
        try:
            said = subprocess.run([which(name), "--version"], check=False, capture_output=True, text=True)
        except OSError:
            found[name] = ""
        else:
            version = re.search(r"\d+\.\d+(\.\d+)?", said.stdout + said.stderr)
            found[name] = version[0] if version else ""
    return found


def which(program: str) -> str:
    """Where one of others is; some are only unpacked, by tests/tools/peers."""
    unpacked = TOP / ".cache/containers/usr/bin" / program
    return str(unpacked) if unpacked.exists() else program


@contextmanager
def new(folder: Path) -> Iterator[Path]:
    """An empty directory, which does not stay; what ours keeps of its jails is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "state").mkdir(parents=True)
    os.environ["BENCH_STATE"] = str(folder / "state")
    try:
        yield folder
    finally:
        subprocess.run(["rm", "-rf", folder], check=True)


def arguments(runs: int, minutes: float) -> argparse.ArgumentParser:
    """Those of all programs."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=runs, help="rounds that are timed")
    parser.add_argument("--minutes", type=float, default=minutes, help="then no other row is begun")
    parser.add_argument("--json", type=Path, default=JSON)
    return parser
