# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Mac on which claims are tested, and what a run has created there."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, NamedTuple

from ..system.process import CompletedRun, run

MAX_SHOWN = 160
"""The most characters of the output of a program in a report."""
MAX_OUTPUT = 1 << 16
TIMEOUT = 60.0
"""Seconds for a program."""


class Context(NamedTuple):
    directory: bytes
    """The directory of the run, in which only the run creates files."""
    version: str
    build: str
    architecture: str
    protected: bool
    """Whether System Integrity Protection protects files."""
    fuse: bool
    tart: bool
    network: bool
    over_ssh: bool
    steps: Mapping[str, Any]
    """The results of the roles of the collection, by the name of the step: {ok, changed, message, ...}."""

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def arm64(self) -> bool:
        return self.architecture == "arm64"

    def has(self, step: str) -> bool:
        return bool(self.steps.get(step, {}).get("ok"))

    def place(self, *parts: str) -> bytes:
        """A path in the run's directory; the parts are names that the collection gives."""
        return os.path.join(self.directory, *map(os.fsencode, parts))

    def path(self, *parts: str) -> str:
        return os.fsdecode(self.place(*parts))


class NotTriedError(Exception):
    """Something that the test of a claim needs is missing."""


def run_program(*argv: str, seconds: float = TIMEOUT, settings: Mapping[str, str] | None = None) -> CompletedRun:
    """Run a program of the Mac."""
    if not os.path.exists(argv[0]):
        raise NotTriedError(f"there is no {argv[0]}")
    ended = run(argv, timeout=seconds, settings=settings)
    if ended.timed_out:
        raise NotTriedError(f"{os.path.basename(argv[0])} did not answer within {seconds:.0f} seconds")
    return ended


def output_of(ended: CompletedRun) -> str:
    """The output of a program in one line, and its exit status unless that is 0."""
    words = (ended.stdout + b" " + ended.stderr)[:MAX_OUTPUT].decode("utf-8", "replace").split()
    text = ""
    for word in words:  # whole words: a part of a name would not be recognised, and would be published
        if len(text) + len(word) > MAX_SHOWN:
            break
        text += f" {word}" if text else word
    return f"{text} (exit status {ended.rc})" if ended.rc else text
