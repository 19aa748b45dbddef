# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run that is killed while it speaks to a registry leaves no password behind for longer than until the next one."""

from __future__ import annotations

import base64
import json
import stat
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.image import tools, transport
from system_calls import in_child, refusal

PASSWORD = "words that nobody may see"  # noqa: S105
KILLER = '#!/bin/sh\necho "$@" >>{place}/calls\nkill -KILL $PPID\n'
HONEST = '#!/bin/sh\necho "$@" >>{place}/calls\necho manifest unknown >&2\nexit 1\n'


def ask(place: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """For an image, by a program that does this."""
    program = place / "bin/skopeo"
    program.parent.mkdir(exist_ok=True)
    program.write_text(text.format(place=place))
    program.chmod(0o755)
    monkeypatch.setattr(tools, "PLACES", (str(program.parent),))
    access = transport.Access(username="ci", password=PASSWORD, retries=0)
    transport.Registry("registry.example.com/jails/dev:1", access).digest()


def test_the_next_run_removes_it(place: Path, own_runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_child(lambda: ask(place, monkeypatch, KILLER)) == -9
    (left,) = own_runs.glob("*/config.json")
    (login,) = json.loads(left.read_bytes())["auths"].values()
    assert base64.b64decode(login["auth"]).decode() == f"ci:{PASSWORD}"
    for path in (own_runs, left.parent, left):
        status = path.stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode) & 0o077) == (0, 0)
    assert refusal(lambda: ask(place, monkeypatch, HONEST)) is None
    assert not own_runs.exists()
    said = (place / "calls").read_text()
    assert said.count("registry.example.com/jails/dev:1") == 2
    assert PASSWORD not in said
    assert login["auth"] not in said
