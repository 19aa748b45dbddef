# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the programs share that launchd runs."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator
from contextlib import redirect_stderr
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import daemon
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize("after", range(1, 4))
def test_a_signal_after_any_close_ends_the_program(place: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Its handler raises SystemExit between two steps, and that is what arrives, not an error of tidying up."""
    left, original = [after], os.close

    def close(fd: int) -> None:
        original(fd)
        left[0] -= 1
        if not left[0]:
            raise SystemExit(0)

    monkeypatch.setattr(os, "close", close)
    with pytest.raises(SystemExit), daemon.open_nofollow(str(place)):
        pass


def test_a_directory_is_opened_and_closed_and_no_link_followed(place: Path) -> None:
    (place / "link").symlink_to(place)
    before = set(os.listdir("/dev/fd"))
    with daemon.open_nofollow(str(place)) as fd:
        assert os.path.samestat(os.fstat(fd), place.stat())
    for path in ("missing", "link", "link/below"):
        with pytest.raises(OSError, match=path[:4]), daemon.open_nofollow(str(place / path)):
            pass
    assert set(os.listdir("/dev/fd")) == before


@pytest.fixture
def sigterm() -> Iterator[daemon.Sigterm]:
    before = signal.getsignal(signal.SIGTERM)
    yield daemon.Sigterm()
    signal.signal(signal.SIGTERM, before)


def held(sigterm: daemon.Sigterm, done: list[str], error: str = "") -> None:
    with sigterm.deferred():
        signal.raise_signal(signal.SIGTERM)
        if error:
            raise OSError(error)
        done.append("the step")


def test_it_ends_at_once_or_after_the_step_that_is_held(sigterm: daemon.Sigterm) -> None:
    done: list[str] = []
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)
    with pytest.raises(SystemExit):
        held(daemon.Sigterm(), done)
    assert done == ["the step"]


def test_an_error_in_the_step_does_not_hide_the_end(sigterm: daemon.Sigterm) -> None:
    with pytest.raises(SystemExit):
        held(sigterm, [], "cannot start")


def test_nothing_ends_without_a_signal(sigterm: daemon.Sigterm) -> None:
    with sigterm.deferred():
        pass
    with pytest.raises(OSError, match="cannot start"), sigterm.deferred():
        raise OSError("cannot start")
    with pytest.raises(SystemExit):
        signal.raise_signal(signal.SIGTERM)


@given(st.text(st.characters(exclude_categories=())))
def test_a_journal_says_what_can_be_printed_in_one_line(text: str) -> None:
    """Its log is read in terminals, and names in it are a jail's."""
    with redirect_stderr(io.StringIO()) as said:
        daemon.LogOnce().say(text)
    assert text == "" or said.getvalue().removesuffix("\n").isprintable()
