# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run that is killed while it speaks to a registry leaves no password behind for longer than until the next one."""

from __future__ import annotations

import base64
import json
import os
import pwd
import signal
import stat
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import tools, transport
from system_calls import refusal, start
from waiting import until

PASSWORD = "words that nobody may see"  # noqa: S105
WAITING = '#!/bin/sh\necho "$@" >>{place}/calls\nexec sleep 60\n'
HONEST = '#!/bin/sh\necho "$@" >>{place}/calls\ncat {place}/answer >&2\nexit 1\n'
ANSWER = (
    'time="2026-01-31T10:11:12Z" level=fatal '
    'msg="Error parsing image name \\"docker://registry.example.com/jails/dev:1\\": '
    'reading manifest 1 in registry.example.com/jails/dev: manifest unknown: manifest unknown"\n'
)


def ask(place: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """For an image, by a program that does this."""
    program = place / "bin/skopeo"
    program.parent.mkdir(exist_ok=True)
    for folder in (place, program.parent):  # the user nobody runs it
        folder.chmod(0o755)
    (place / "calls").touch()
    (place / "calls").chmod(0o666)
    program.write_text(text.format(place=place))
    program.chmod(0o755)
    (place / "answer").write_text(ANSWER)
    monkeypatch.setattr(tools, "PLACES", (str(program.parent),))
    access = transport.RegistryAuth(username="ci", password=PASSWORD, retries=0)
    transport.Registry("registry.example.com/jails/dev:1", access).manifest()


def test_the_next_run_removes_it(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = place / "tools"
    monkeypatch.setattr(transport, "TOOL_DIRECTORIES", os.fsencode(given))
    running = start(lambda: ask(place, monkeypatch, WAITING))
    until(lambda: (place / "calls").exists() and (place / "calls").read_text())
    os.killpg(running, signal.SIGKILL)
    os.waitpid(running, 0)
    (left,) = given.glob("*/files/config.json")
    (login,) = json.loads(left.read_bytes())["auths"].values()
    assert base64.b64decode(login["auth"]).decode() == f"ci:{PASSWORD}"
    for path in (left.parent, left):
        status = path.stat()
        assert (status.st_uid, stat.S_IMODE(status.st_mode) & 0o077) == (pwd.getpwnam("nobody").pw_uid, 0)
    assert refusal(lambda: ask(place, monkeypatch, HONEST)) is None
    assert not given.exists()
    said = (place / "calls").read_text()
    assert said.count("registry.example.com/jails/dev:1") == 2
    assert PASSWORD not in said
    assert login["auth"] not in said
