# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What docs/messages.md lists is met in a playbook, and the task says what the page says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from connection_place import MAC, TOP, Place

PAGE = (TOP / "docs/messages.md").read_text()
LISTED = dict(re.findall(r"^\| \[(.*?)\]\(#.*?\) \| (.*) \|$", PAGE, re.MULTILINE))
GUARDED = "/Users/admin/guarded"
FAR = "far"
"""A jail on a Mac at an address of the stand-ins' network that nobody has."""
SWITCH = "/proc/sys/kernel/domainname"
SIP_ON = f"cat {SWITCH} >/tmp/sip; sed s/,off,/,on,/ /tmp/sip >/tmp/on; cat /tmp/on >{SWITCH}"
AWAY = "mv $J/{0} $J/{0}.away"
BACK = "mv $J/{0}.away $J/{0}"
PROFILES, CACHE, TOOLS = "System/Library/Sandbox/Profiles", "System/Library/dyld", "Library/Developer/CommandLineTools"
SANDBOX = ["/usr/bin/sandbox-exec", "-p", '(version 1)(import "system.sb")', "/usr/sbin/sysctl", "-n", "hw.ncpu"]

# Linux refuses root no file so but by fanotify(7).
GUARD = f"""echo guarded >{GUARDED}; cat >/tmp/guard.py <<'EOF'
import ctypes, os, struct
libc = ctypes.CDLL(None)
watch = libc.fanotify_init(4, os.O_RDONLY)  # FAN_CLASS_CONTENT
libc.fanotify_mark(watch, 1, ctypes.c_uint64(0x10000), -100, b"{GUARDED}")  # FAN_MARK_ADD, FAN_OPEN_PERM
print("ready", flush=True)
while True:
    opened = struct.unpack("i", os.read(watch, 24)[16:20])[0]
    os.write(watch, struct.pack("iI", opened, 2))  # FAN_DENY
    os.close(opened)
EOF
(trap "" HUP; exec /usr/lib/standin/bin/python3 /tmp/guard.py >/tmp/guard.log 2>&1 </dev/null) &
echo $! >/tmp/guard.pid
tries=0; until grep -qs ready /tmp/guard.log || [ $((tries += 1)) -gt 300 ]; do sleep 0.1; done"""

# What is listed: the program or the task, what is done on the Mac before and after it, and the message.
PROVOKED: dict[str, tuple[list[str] | dict[str, Any], str, str, str]] = {
    "`cannot read ...: Operation not permitted`": (
        {"darwin.jail.darwin_jail_rootfs": {"jail": "/private/var/jails/other", "entries": [{"src": GUARDED}]}},
        GUARD,
        "kill $(cat /tmp/guard.pid)",
        rf"cannot read {GUARDED}: Operation not permitted \(grant Full Disk Access to the program that runs Ansible",
    ),
    "`No route to host`": (
        {"ansible.builtin.raw": "true", "delegate_to": FAR, "ignore_unreachable": True},
        ":",
        ":",
        "cannot reach far-mac, .*see that it runs; macOS 15 and later answers so, too, .*port 22: No route to host",
    ),
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
    provoked, before, after, _message = PROVOKED[listed]
    if isinstance(provoked, list):
        user = "operator" if "confstr" in listed else "root"
        provoked = {"darwin.jail.darwin_chroot_exec": {"jail": jail, "argv": provoked, "user": user}}
    task = {
        "name": listed,
        "delegate_to": MAC,
        "become": "from chroot" not in listed,
        "register": f"said_{number}",
        "ignore_errors": True,
        **provoked,
    }
    return [on_mac("Before", jail, before), task, on_mac("After", jail, after)]


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
    nobody = f"{place.hosts['macs']['hosts'][MAC]['ansible_host'].rpartition('.')[0]}.250"
    hosts = {f"{FAR}-mac": {"ansible_host": nobody}, FAR: {"jail_mac": f"{FAR}-mac", **place.hosts["jails"]["vars"]}}
    (folder / "far.json").write_text(json.dumps({"far": {"hosts": hosts, "vars": place.hosts["macs"]["vars"]}}))
    place.play(folder / "messages.yml", "-i", f"{folder}/far.json", "--limit", "jails")
    found: dict[str, str] = json.loads((folder / "said.json").read_text())
    return found


@pytest.mark.parametrize("listed", PROVOKED)
def test_what_is_met_says_what_the_page_says(said: dict[str, str], listed: str) -> None:
    assert re.search(PROVOKED[listed][3], said[listed])
    assert "non-zero return code" not in said[listed]


def test_nothing_is_listed_that_is_not_met() -> None:
    assert set(LISTED) == set(PROVOKED)
