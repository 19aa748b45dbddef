# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail that means ill. Whatever is put in the way of a task, nothing outside of the jail is read or written.

The Mac has what the links lead to, and everybody may change it: a program that followed one there would do well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from connection_place import JAIL, MAC, TOOLS, Place
from connections import FailedError, Link, Ran

HOST = f"{JAIL}-{MAC}"
OUT = "/private/tmp/mac"
UP = "../" * 20
CONTENT = "of the Mac, and nobody else's"
OURS = {"ansible_connection": "darwin.jail.chroot", "jail_mac": MAC}

# Everything on the Mac but the jail and what ssh and sudo note, with the times of last changes, which nothing can set.
OUTSIDE = r"""
find / /private/var/jails -xdev \( -path "$0" -o -path '*/private/var/log' -o -path '*/private/var/run' -o -path /run \
    -o -path /private/var/db/sudo -o -path /proc -o -path /sys -o -path /dev \) -prune \
    -o -printf '%p %y %#m %U %G %s %C@ %l\n' | LC_ALL=C sort
"""
BAIT = r"""
set -e
mkdir -m 777 "$0" "$0/home"
echo "$1" >"$0/secret"
printf '#!/bin/sh\necho >%s\nexec /bin/sh "$@"\n' "$0/ran" >"$0/program"
chmod 777 "$0/program" "$0/secret"
"""

CHEAP = [
    {"ansible.builtin.copy": {"content": "of the controller", "dest": "~/new"}},
    {"ansible.builtin.script": {"cmd": str(Path(__file__).parent / "script.sh")}},
    {"ansible.builtin.command": {"argv": ["true"]}, "become": True, "become_user": "operator"},
]
ASYNC = [*CHEAP, {"ansible.builtin.command": {"argv": ["true"]}, "async": 5, "poll": 1}]
THROUGH_LINKS = [
    *({"ansible.builtin.copy": {"content": "x", "dest": f"/tmp/{name}"}} for name in ("out/new", "file", "out/secret")),
    {"ansible.builtin.file": {"path": "/tmp/out/secret", "mode": "0600", "owner": "nobody"}, "become": True},
    {"ansible.builtin.file": {"path": "/tmp/out", "state": "directory", "mode": "0700", "recurse": True}},
    {"ansible.builtin.fetch": {"src": "/tmp/read", "dest": "{{ fetched }}/", "flat": True}},
    {"ansible.builtin.slurp": {"src": "/tmp/out/secret"}, "become": True},
]

# What is a link, and where it leads.
HOME = {"/Users/admin": f"{OUT}/home", "/private/var/folders": OUT}
REMOTE_TMP = {"/Users/admin/.ansible": OUT, "/private/var/root/.ansible": UP + OUT, "/Users/admin/.ansible_async": OUT}
TMP = {"/private/tmp": OUT}
INTERPRETER = {f"{TOOLS}usr/bin/python3": f"{OUT}/program"}
SHELL = {"/bin/sh": f"{OUT}/program"}
FILES = {"/private/tmp/out": OUT, "/private/tmp/file": f"{OUT}/new", "/private/tmp/read": f"{UP}{OUT}/secret"}


def outside(place: Place) -> list[str]:
    return place.on_mac("sh", "-c", OUTSIDE, place.jail).splitlines()


@pytest.fixture
def bait(place: Place) -> Iterator[None]:
    """What there is on the Mac, and whether it is as it was."""
    place.on_mac("sh", "-c", BAIT, OUT, CONTENT)
    before = outside(place)
    assert len(before) > 5_000, "the Mac was not looked at"
    yield
    try:
        changed = sorted(set(before) ^ set(outside(place)))
        assert not changed, changed[:20]
    finally:
        place.on_mac("rm", "-r", OUT)


@pytest.mark.parametrize("deed", ['cat "$0" >"$1/new"', 'chmod 600 "$0"', 'echo x >"$0"', 'rm "$0"'])
def test_what_a_link_would_have_done_is_noticed(place: Place, deed: str) -> None:
    place.on_mac("sh", "-c", BAIT, OUT, CONTENT)
    before = outside(place)
    place.on_mac("sh", "-c", deed, f"{OUT}/secret", OUT)
    after = outside(place)
    place.on_mac("rm", "-r", OUT)
    assert 0 < len(set(before) ^ set(after)) < 10


@contextmanager
def put_in_the_way(place: Place, links: dict[str, str]) -> Iterator[None]:
    """Links in the jail, as its root would make them. What they lead to there may have been made meanwhile."""
    with ExitStack() as stack:
        stack.callback(place.on_mac, "rm", "-rf", place.jail + OUT)
        for path, target in links.items():
            there = place.jail + path
            place.on_mac("sh", "-c", 'if ls -d "$0"; then mv "$0" "$0.kept"; fi; ln -s "$1" "$0"', there, target)
            stack.callback(place.on_mac, "sh", "-c", 'rm "$0"; ! ls -d "$0.kept" || mv "$0.kept" "$0"', there)
        yield


@pytest.mark.parametrize(
    ("links", "tasks"),
    [
        (FILES, THROUGH_LINKS),
        (HOME, CHEAP),
        (REMOTE_TMP, ASYNC),
        (TMP, CHEAP),
        (INTERPRETER, CHEAP),
        (SHELL, CHEAP),
    ],
    ids=["files", "home", "remote_tmp", "tmp", "interpreter", "shell"],
)
def test_tasks_stay_inside(
    place: Place, bait: None, tmp_path: Path, links: dict[str, str], tasks: list[dict[str, Any]]
) -> None:
    play = {"hosts": HOST, "connection": "darwin.jail.chroot", "gather_facts": False, "tasks": tasks}
    may_fail = {"ignore_errors": True, "ignore_unreachable": True}
    (tmp_path / "play.yml").write_text(json.dumps([{**play, **may_fail}]))
    pipelining = str(links is FILES)  # otherwise modules come as files, for which there is a directory to miss
    with put_in_the_way(place, links):
        said = place.play(tmp_path / "play.yml", "-vvv", "-e", f"fetched={tmp_path}", ANSIBLE_PIPELINING=pipelining)
    assert len(re.findall("^TASK ", said, re.MULTILINE)) == len(tasks)
    assert CONTENT not in said
    assert not [path for path in tmp_path.iterdir() if CONTENT in path.read_text()]


@pytest.mark.parametrize("links", [FILES, HOME, REMOTE_TMP, TMP], ids=["files", "home", "remote_tmp", "tmp"])
def test_files_and_commands_stay_inside(place: Place, bait: None, tmp_path: Path, links: dict[str, str]) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_text("of the controller")
    tries: list[Callable[[Link, str], Ran | None]] = [
        lambda link, path: link.put(source, path),
        lambda link, path: link.fetch(path, back),
        lambda link, path: link.run(f"cat {path}; echo x >{path}; chmod 600 {path}; rm -f {path}", become="root"),
    ]
    with put_in_the_way(place, links):
        for user in ("admin", "root"):
            with place.link("hostile", {**OURS, "jail_user": user}) as link:
                for path in [*(f"{way}/{name}" for way in links for name in ("new", "secret")), *links]:
                    for attempt in tries:
                        with suppress(FailedError):
                            ran = attempt(link, path)
                            assert ran is None or CONTENT.encode() not in ran.stdout
    assert not back.exists() or CONTENT not in back.read_text()


def test_a_marker_elsewhere_makes_no_jail(place: Place, bait: None) -> None:
    kept = f"{place.jail}/private/var/db/darwin.jail.kept"
    with put_in_the_way(place, {"/private/var/db/darwin.jail": kept}), place.link("hostile", OURS) as link:
        with pytest.raises(FailedError, match="is not a jail of this collection"):
            link.run("id")
