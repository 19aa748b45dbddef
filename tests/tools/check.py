# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run the parts of `make test` that are named, some side by side, and say how each ended.

What a part says is kept in tests/output/<part>.log and shown when it failed; a part
that runs alone is shown as it goes. The last line counts the parts.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TextIO

import pythons

CHECKOUT = Path(__file__).parents[2]
OUTPUT = CHECKOUT / "tests/output"

Command = tuple[str, ...]


@cache
def files() -> Command:
    """The files of the project, by their paths in it."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split("\0")
    return tuple(sorted(name for name in names if name and (CHECKOUT / name).is_file()))


def programs(word: str) -> Command:
    """Files without a suffix whose first line names this interpreter, which tools do not find by themselves."""
    return tuple(name for name in files() if starts_with(CHECKOUT / name, word))


def starts_with(path: Path, word: str) -> bool:
    if path.suffix:
        return False
    with path.open("rb") as file:
        return bool(re.match(rf"#!.*\b{word}\b", file.readline(200).decode(errors="replace")))


def packages(*folders: str) -> Command:
    """Parts of plugins/, for mypy: what runs on the Mac apart from what runs where Ansible does."""
    return tuple(word for name in folders for word in ("--package", f"ansible_collections.darwin.jail.plugins.{name}"))


DOCS_LINT = (
    "antsibull-docs",
    "lint-collection-docs",
    "--plugin-docs",
    "--skip-rstcheck",
    "--validate-collection-refs=all",
    ".",
)


def nothing_missing() -> str:
    return ""


def no_target_python() -> str:
    return "" if pythons.find("3.9") else "there is no Python 3.9 on this machine"


def no_stand_in() -> str:
    """Why stand-in Macs cannot run here; "" when they can."""
    probe = subprocess.run([CHECKOUT / "tests/standin/standin", "list"], check=False, capture_output=True, text=True)
    return probe.stderr.strip() if probe.returncode else ""


@dataclass(frozen=True)
class Part:
    name: str
    commands: tuple[Command, ...]
    missing: Callable[[], str] = nothing_missing
    """Says what this machine lacks for this part."""
    alone: bool = False
    """Keeps the machine busy by itself, or is worth watching."""


@dataclass(frozen=True)
class Outcome:
    name: str
    verdict: str
    seconds: float
    reason: str = ""


def tool(name: str, *arguments: str) -> Command:
    """A tool of ours."""
    return ("python", f"tests/tools/{name}", *arguments)


WORDS = ".codespell-words"
OUR_WORDS = ("codespell", "--dictionary", WORDS, "--regex", "[A-Z]?[a-z]+|[A-Z]+")
"""Words of the project's own dictionary, also as parts of names."""


def texts() -> Command:
    """What is spelled by this project."""
    return tuple(name for name in files() if name not in ("LICENSE", "LICENSES/GPL-3.0-or-later.txt", WORDS))


ON_THE_MAC = ("module_utils", "modules")
PLUGIN_FOLDERS = {path.parts[1] for path in map(Path, files()) if path.parts[0] == "plugins" and path.suffix == ".py"}
ON_THE_CONTROLLER = tuple(sorted(PLUGIN_FOLDERS.difference(ON_THE_MAC)))
"""Folders of plugins/, by where their code runs. ruff.toml and pyproject.toml name ON_THE_MAC, too."""

MANY_WORDS = 40

ON_THIS_PYTHON = ("--python-version", "{}.{}".format(*sys.version_info[:2]))
"""For mypy, which cannot read an Ansible that is written for newer ones."""

PARTS = (
    Part(
        "lint",
        (
            ("ruff", "check", "--quiet", ".", *programs("python3")),
            ("ruff", "format", "--check", "--quiet", ".", *programs("python3")),
            ("yamllint", "--strict", "."),
            ("shellcheck", *programs("sh"), *programs("bash")),
            ("actionlint",),
            ("zizmor", "--offline", "--quiet", ".github"),
            ("codespell", *texts()),
            (*OUR_WORDS, *texts()),
        ),
    ),
    Part(
        "types",
        (
            ("mypy", *packages(*ON_THE_MAC)),
            ("mypy", *ON_THIS_PYTHON, *packages(*ON_THE_CONTROLLER)),
            ("mypy", *ON_THIS_PYTHON, "tests"),
        ),
    ),
    Part("layers", (("env", "PYTHONPATH=.cache/collections", "lint-imports", "--no-cache"), tool("code_rules.py"))),
    Part(
        "unit",
        (
            ("tests/tools/peers",),
            ("pytest", "--quiet", "tests/unit", "tests/docs", "tests/browser"),
        ),
    ),
    Part("faults", (("tests/tools/peers",), ("pytest", "--quiet", "tests/faults", "tests/fuzz"))),
    Part("target-python", (tool("target_python.py"),), no_target_python),
    Part("ansible-lint", (("ansible-lint", "--strict"),)),
    Part("sanity", (tool("sanity.py"),)),
    Part("docs-lint", (DOCS_LINT, tool("links.py"))),
    Part(
        "changelog-lint",
        (("antsibull-changelog", "lint"), ("antsibull-changelog", "lint-changelog-yaml", "changelogs/changelog.yaml")),
    ),
    Part("collection", (tool("artifact.py"),)),
    Part("connection", (("pytest", "--quiet", "tests/connection"),), no_stand_in),
    Part("attack", (("pytest", "--quiet", "tests/attack"),), no_stand_in),
    Part("molecule", (tool("scenarios.py"),), no_stand_in, alone=True),
)


def run(part: Part, log: Path | None) -> Outcome:
    """Run all commands of a part. Without a log they speak to the terminal."""
    if reason := part.missing():
        return Outcome(part.name, "left out", 0, reason)
    start = time.monotonic()
    failed = []
    with open(log or os.devnull, "w") as stream:
        target = stream if log else None
        for command in part.commands:
            print("$", shortened(command), file=target, flush=True)
            if not succeeds(command, target):
                failed.append(" ".join(command)[:60])
    return Outcome(part.name, "failed" if failed else "passed", time.monotonic() - start, "; ".join(failed))


def shortened(command: Command) -> str:
    """A command without most of its files."""
    return " ".join(command if len(command) < MANY_WORDS else [*command[:MANY_WORDS], "..."])


def succeeds(command: Command, target: TextIO | None) -> bool:
    try:
        return not subprocess.call(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=target, stderr=target)
    except OSError as exc:
        print(f"cannot start {command[0]}: {exc.strerror}", file=target, flush=True)
        return False


def run_beside(part: Part) -> Outcome:
    """Run a part while others run; show what it said only when it failed."""
    log = OUTPUT / f"{part.name}.log"
    outcome = run(part, log)
    said = "\n" + log.read_text() if outcome.verdict == "failed" else ""
    print(f"{part.name}: {outcome.verdict} ({outcome.seconds:.0f} s){said}", flush=True)
    return outcome


def run_all(parts: list[Part]) -> list[Outcome]:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    beside = [part for part in parts if not part.alone and len(parts) > 1]
    # One more than there are processors: unit and connection wait as often as they work.
    with ThreadPoolExecutor((os.cpu_count() or 1) + 1) as pool:
        outcomes = list(pool.map(run_beside, beside))
    return outcomes + [run(part, None) for part in parts if part not in beside]


def summary(outcomes: list[Outcome]) -> str:
    lines = [f"{o.name:16}{o.verdict:10}{o.seconds:6.1f} s  {o.reason}".rstrip() for o in outcomes]
    verdicts = [outcome.verdict for outcome in outcomes]
    counts = [f"{verdicts.count(v)} {word}" for v, word in (("passed",) * 2, ("failed",) * 2, ("left out", "skipped"))]
    return "\n".join(["", *lines, "", ", ".join(counts)])


def main(names: list[str]) -> int:
    known = {part.name: part for part in PARTS}
    if unknown := [name for name in names if name not in known]:
        sys.exit(f"no such part: {', '.join(unknown)}; there are {', '.join(known)}")
    os.environ["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    outcomes = run_all([known[name] for name in names] or list(PARTS))
    print(summary(outcomes))
    return int(any(outcome.verdict == "failed" for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
