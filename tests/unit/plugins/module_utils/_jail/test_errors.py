# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Errors are one sentence for people, and keep what programs ask for, also on the way from a worker."""

from __future__ import annotations

import errno
import os
import pickle
import re

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import errors
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    JailError,
    OperationError,
    failed,
    show,
    show_message,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import MESSAGE, SHOWN
from hypothesis import given
from hypothesis import strategies as st

ALL = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, JailError)]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (b"/jails/a", "/jails/a"),
        ("/jails/ä b", "/jails/ä b"),
        (b"/na\xffme", "/na\\xffme"),
        ("/na\udcffme", "/na\\xffme"),
        (b"/new\nline\ttab", "/new\\nline\\ttab"),
        (b"/\x1b[31mred\x07", "/\\x1b[31mred\\x07"),
        ("/\u202eright to left", "/\\u202eright to left"),
    ],
)
def test_paths_for_people(path: bytes | str, text: str) -> None:
    assert show(path) == text


@given(st.binary())
def test_what_is_shown_is_one_line_that_can_be_printed(path: bytes) -> None:
    assert show(path).isprintable()


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_shown_as_one_line_that_can_be_printed(text: str) -> None:
    assert show(text).isprintable()
    assert show(show(text)) == show(text)


@given(st.binary(), st.integers(0, 1 << 20))
def test_what_is_shown_is_bounded(piece: bytes, count: int) -> None:
    """Whatever a jail calls its files, and however deep it nests them."""
    for shown, most in ((show(piece * count), SHOWN), (show_message(os.fsdecode(piece) * count), MESSAGE)):
        assert len(shown) <= most
        assert shown.isprintable()
        assert show_message(shown) == shown


def test_the_longest_path_is_shown_whole_and_of_a_longer_one_the_middle_is_left_out() -> None:
    path = b"/" + b"x" * (SHOWN - 1)
    assert show(path) == path.decode()
    shown = show(b"/first/" + b"\n" * 100_000 + b"/last")
    found = re.fullmatch(r"/first/((?:\\n)+)\[\.\.\. (\d+) characters are left out \.\.\.\]((?:\\n)+)/last", shown)
    assert found
    assert len(found[1]) // 2 + int(found[2]) + len(found[3]) // 2 == 100_000


def test_a_failed_call() -> None:
    cause = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    error = failed("create", b"/jails/a/x", cause, "needs 7.1 GB")
    assert str(error) == "cannot create /jails/a/x: No space left on device (needs 7.1 GB)"
    assert (error.verb, error.path, error.errno, error.hint) == ("create", b"/jails/a/x", errno.ENOSPC, "needs 7.1 GB")
    assert str(failed("read", "/x", OSError("it is no regular file any more"))) == (
        "cannot read /x: it is no regular file any more"
    )


@pytest.mark.parametrize("kind", ALL)
def test_they_come_through_a_pipe(kind: type[JailError]) -> None:
    error = kind("read", b"/x", "why", 5, "hint") if kind is OperationError else kind("a sentence")
    there = pickle.loads(pickle.dumps(error))  # noqa: S301 (made here)
    assert (type(there), str(there), vars(there)) == (kind, str(error), vars(error))


def test_they_are_as_documented() -> None:
    assert errors.__doc__
    for kind in ALL[1:]:
        assert f" {kind.__name__} " in errors.__doc__
        assert kind.__doc__
