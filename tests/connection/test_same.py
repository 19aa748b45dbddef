# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What each connection has to do: plain ssh to the Mac, ours to a jail on it, and ours from the Mac itself."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from connection_place import Place
from connections import Link
from controller import Controller

ODD = "a 'b' \"c\" $HOME \N{SNOWMAN} *"
SOUND = re.compile(r"^(\S+) +: ok=.*unreachable=0 +failed=0", re.MULTILINE)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def test_output_and_exit_code_come_apart_and_whole(link: Link) -> None:
    assert link.run("printf 'a\\000\\377'; echo no >&2; exit 7") == (7, b"a\x00\xff", b"no\n")
    assert link.run(f"printf %s {quoted(ODD)}").stdout == ODD.encode()


def test_large_output_arrives(link: Link) -> None:
    assert len(link.run("head -c 30000000 /dev/zero").stdout) == 30_000_000


def test_input_is_read_to_its_end(link: Link) -> None:
    data = bytes(range(256)) * 4000
    assert link.run("cat", stdin=data) == (0, data, b"")
    assert link.run("wc -c", stdin=bytes(30_000_000)).stdout.split() == [b"30000000"]


@pytest.mark.parametrize(("user", "uid"), [("root", "0"), ("operator", "502")])
def test_become(link: Link, user: str, uid: str) -> None:
    assert link.run("id -u", become=user).stdout.split()[-1] == uid.encode()
    assert link.run("cat", stdin=b"data", become=user).stdout.endswith(b"data")


@pytest.mark.parametrize("size", [0, 1, 30_000_001])
def test_files_arrive_as_they_are(link: Link, tmp_path: Path, size: int) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(size))
    link.put(source, "/tmp/file")
    link.fetch("/tmp/file", back)
    assert back.read_bytes() == source.read_bytes()
    assert link.text("id -un; ls -ld /tmp/file; rm /tmp/file").split()[0] == "admin"


@pytest.mark.parametrize("name", [ODD, "-n", " blank "])
def test_names_are_kept(link: Link, tmp_path: Path, name: str) -> None:
    source, back = tmp_path / f"source {name}", tmp_path / f"back {name}"
    source.write_text(name)
    link.put(source, f"/tmp/{name}")
    assert link.text(f"cat {quoted(f'/tmp/{name}')}") == name
    link.fetch(f"/tmp/{name}", back)
    assert back.read_text() == name
    link.run(f"rm {quoted(f'/tmp/{name}')}")


@pytest.mark.parametrize("pipelining", ["false", "true"])
def test_tasks(place: Place, pipelining: str) -> None:
    said = place.play(Path(__file__).parent / "tasks.yml", ANSIBLE_PIPELINING=pipelining)
    assert sorted(SOUND.findall(said)) == ["connection-link", "link"], said


def test_tasks_of_a_mac_that_is_its_own_controller(controller: Controller) -> None:
    said = controller.play("tests/connection/tasks.yml", "--limit", "connection-link", ANSIBLE_PIPELINING="true")
    assert SOUND.findall(said) == ["connection-link"], said
