# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What docs/messages.md lists is met in a playbook, and the task says what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from linked import MAC, TOP, Place

PAGE = (TOP / "docs/messages.md").read_text()
LISTED = dict(re.findall(r"^\| \[(.*?)\]\(#.*?\) \| (.*) \|$", PAGE, re.MULTILINE))
TOLD_ELSEWHERE = {
    "`cannot read ...: Operation not permitted`": "Linux refuses root no file so: rootfs/test_unreadable.py",
    "`No route to host`": "no host of these tests is without a route: plugin_utils/test_reach.py",
}
SWITCH = "/proc/sys/kernel/domainname"
SIP_ON = f"cat {SWITCH} >/tmp/sip; sed s/,off,/,on,/ /tmp/sip >/tmp/on; cat /tmp/on >{SWITCH}"
AWAY = "mv $J/{0} $J/{0}.away"
BACK = "mv $J/{0}.away $J/{0}"
PROFILES, CACHE, TOOLS = "System/Library/Sandbox/Profiles", "System/Library/dyld", "Library/Developer/CommandLineTools"
SANDBOX = ["/usr/bin/sandbox-exec", "-p", '(version 1)(import "system.sb")', "/usr/sbin/sysctl", "-n", "hw.ncpu"]

# What is listed: the program, what is done on the Mac before and after it, and the message.
PROVOKED: dict[str, tuple[list[str], str, str, str]] = {
    "`confstr() failed with code 5`": (
        ["getconf", "DARWIN_USER_CACHE_DIR"],
        ":",
        ":",
        "getconf: confstr: DARWIN_USER_CACHE_DIR: Input/output error",
    ),
    "`syscall to map cache into shared region failed`": (
        ["ls"],
        SIP_ON,
        f"cat /tmp/sip >{SWITCH}",
        r"the kernel refused to map the jail's copy of the dyld shared cache, .*System Integrity Protection",
    ),
    "`Operation not permitted` from chroot": (["ls"], ":", ":", "only root can: set become: true"),
    "`Library not loaded`": (
        ["ls"],
        AWAY.format(CACHE),
        BACK.format(CACHE),
        "dyld misses a library: the jail lacks it, or the dyld shared cache",
    ),
    "`Killed: 9`": (
        ["sh", "-c", "kill -9 $$"],
        ":",
        ":",
        "ended with signal 9: killed: if nobody sent it SIGKILL, macOS refused",
    ),
    "`eParameterError`": (
        ["dscl", ".", "-create", "/Users/x"],
        ":",
        ":",
        "Operation failed with error: eParameterError",
    ),
    "`Must be connected to a terminal.`": (["screen"], ":", ":", "Must be connected to a terminal."),
    '`unable to open "system.sb"`': (
        SANDBOX,
        f"cp -p /usr/bin/sandbox-exec $J/usr/bin; {AWAY.format(PROFILES)}",
        f"rm $J/usr/bin/sandbox-exec; {BACK.format(PROFILES)}",
        'unable to open "system.sb": not found',
    ),
    "`brew: exec failed`": (
        SANDBOX,
        "cp -p /usr/bin/sandbox-exec $J/usr/bin",
        "rm $J/usr/bin/sandbox-exec",
        "/usr/sbin/sysctl.*Operation not permitted",
    ),
    "`no developer tools were found`": (
        ["git", "--version"],
        AWAY.format(TOOLS),
        BACK.format(TOOLS),
        "no developer tools were found",
    ),
}


def on_mac(name: str, jail: str, command: str) -> dict[str, Any]:
    return {"name": name, "ansible.builtin.raw": f"set -e; J={jail}; {command}", "delegate_to": MAC}


def tasks(number: int, jail: str, listed: str) -> list[dict[str, Any]]:
    argv, before, after, _message = PROVOKED[listed]
    user = "operator" if "confstr" in listed else "root"
    exec_it = {
        "name": listed,
        "darwin.jail.darwin_chroot_exec": {"jail": jail, "argv": argv, "user": user},
        "delegate_to": MAC,
        "become": "from chroot" not in listed,
        "register": f"said_{number}",
        "ignore_errors": True,
    }
    return [on_mac("Before", jail, before), exec_it, on_mac("After", jail, after)]


@pytest.fixture(scope="module")
def said(place: Place, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The messages of all of them, by one playbook."""
    folder: Path = tmp_path_factory.mktemp("messages")
    done = [task for number, listed in enumerate(PROVOKED) for task in tasks(number, place.jail, listed)]
    results = {listed: f"{{{{ said_{number}.msg }}}}" for number, listed in enumerate(PROVOKED)}
    keep = {
        "ansible.builtin.copy": {"content": "{{ results | to_json }}", "dest": f"{folder}/said.json"},
        "delegate_to": "localhost",
        "connection": "local",
        "become": False,
        "vars": {"results": results},
    }
    play = {"hosts": "jails", "gather_facts": False, "become": True, "tasks": [*done, keep]}
    (folder / "messages.yml").write_text(json.dumps([play]))
    place.play(folder / "messages.yml")
    found: dict[str, str] = json.loads((folder / "said.json").read_text())
    return found


@pytest.mark.parametrize("listed", PROVOKED)
def test_what_is_met_says_what_the_page_says(said: dict[str, str], listed: str) -> None:
    assert re.search(PROVOKED[listed][3], said[listed])
    assert "non-zero return code" not in said[listed]


def test_nothing_is_listed_that_is_not_met() -> None:
    assert set(LISTED) == {*PROVOKED, *TOLD_ELSEWHERE}
