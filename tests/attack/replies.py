# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What an answer may be: a result or a sentence, within the limits of a trial."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from typing import Any, NamedTuple

from entries import Entry
from host_changes import SECRET

SECONDS = 45
"""For one trial, which takes 6 at most on a machine that does nothing else: jobs are waited for."""
MEMORY = 1 << 30
"""Address space of one process: Python takes 60 MiB, and the largest record that is read a few times 256."""
OUTPUT = 8 << 20
"""Bytes that one answer may have."""


class Ended(NamedTuple):
    """How the process of an entry ended."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    peak: int


def beyond_limits(ended: Ended) -> Iterator[str]:
    if ended.status == signal.SIGALRM:
        yield f"it took more than {SECONDS} seconds"
    elif os.WIFSIGNALED(ended.status) and os.WTERMSIG(ended.status) not in (0,):
        yield f"it ended by signal {os.WTERMSIG(ended.status)}"
    if len(ended.out) > OUTPUT or len(ended.err) > OUTPUT:
        yield f"it said more than {OUTPUT} bytes"


def wrong_answer(ended: Ended, entry: Entry) -> Iterator[str]:
    if SECRET in ended.out + ended.err:
        yield "it told a secret of the Mac"
    if b"Traceback" in ended.out + ended.err or b"MemoryError" in ended.out + ended.err:
        yield f"it is a traceback: {(ended.err or ended.out)[-3000:].decode(errors='replace')}"
    elif entry.module.startswith("darwin_"):
        try:
            found = json.loads(ended.out)
        except ValueError:
            yield f"it is no answer: {ended.out[-500:]!r} {ended.err[-500:]!r}"
            return
        yield from _texts(found)
        if ended.err:
            yield f"it also said: {ended.err[:500]!r}"
    elif entry.module != "enter":
        yield from _lines(ended.err.decode(errors="replace"))


def _texts(found: dict[str, Any]) -> Iterator[str]:
    """What is wrong with what people are told."""
    message = found.get("msg", "")
    if found.get("failed") and not message:
        yield "it failed without a word"
    warnings = [text if isinstance(text, str) else str(text) for text in found.get("warnings", [])]
    for text in [str(message), *warnings]:
        if not text.isprintable():
            yield f"it shows what is not printed: {text[:500]!r}"
        if len(text) > 20000:
            yield f"it says {len(text)} characters: {text[:500]!r}"
    yield from _lines(found.get("diff", {}).get("prepared", ""))
    if "exception" in found:
        yield f"it is an exception: {found['exception']}"
    if re.search(r"[A-Z]\w+Error\b|object has no attribute|unexpected keyword", str(message)):
        yield f"it speaks of Python: {str(message)[:500]}"


def _lines(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if not line.isprintable():
            yield f"it shows what is not printed: {line[:500]!r}"
