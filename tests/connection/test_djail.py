# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The command djail on a stand-in Mac, as the role mac installed it: over ssh, by sudo, at a real terminal."""

from __future__ import annotations

import fcntl
import json
import os
import re
import struct
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import djail_times
import jsonschema
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import schema
from connection_place import JAIL, MAC, TOP, Place
from connections import Link, Ran
from shell import by_ssh
from stand_in_inventory import ask
from terminal_user import TerminalUser

DIRECTORY = "/Library/PrivilegedHelperTools/darwin.jail"
DJAIL = f"{DIRECTORY}/djail"
LINUX_FILES = "/private/var/root/linux.files"
"""A manifest of what Linux programs need in a jail: on a Mac nothing of it is needed."""
PROGRESS = re.compile("^(building|cloning|removing) .*(?=built|cloned|removed)")
"""What is shown before a line where the machine is slow."""
LOGIN = "PATH=/usr/local/bin:$PATH; "
PLAY = "[{hosts: macs, become: true, gather_facts: false, roles: [{role: darwin.jail.mac}]}]\n"

SLOWEST = 1.5
"""How much longer `djail exec` may take than sudo, chroot and a bare start of Python."""
SLOWEST_COMPLETION = 0.1
"""Seconds of the processor."""
LARGEST = 1_000_000
"""Bytes of all that is installed."""


@pytest.fixture(scope="module")
def mac(place: Place, plain: Link) -> Link:
    """Where admin, who may do everything with sudo, is logged in."""
    lines = "".join(f"{entry['src']} {entry['dest']}\n" for entry in ask("jail-entries"))
    place.on_mac("/usr/bin/tee", LINUX_FILES, stdin=lines.encode())
    return plain


def run(link: Link, words: str, stdin: bytes | None = None) -> Ran:
    return link.run(f"{LOGIN}djail {words}", stdin=stdin)


def answer(link: Link, words: str) -> Any:
    """What a command that does well answers as JSON."""
    ran = run(link, f"{words} --json")
    assert ran.rc == 0, ran
    found = json.loads(ran.stdout)
    jsonschema.validate(found, schema.schema())
    return found


# -- the page ------------------------------------------------------------------------


def session() -> list[tuple[str, str, list[str]]]:
    """Of docs/djail.md: the prompt, what is typed behind it, and the lines that come."""
    text = (TOP / "docs/djail.md").read_text().partition("```console\n")[2].partition("```")[0]
    found: list[tuple[str, str, list[str]]] = []
    for line in text.splitlines():
        if typed := re.fullmatch(r"(mac|jail)\$ (.*)", line):
            found.append((typed[1], typed[2], []))
        else:
            found[-1][2].append(line)
    return found


def alike(line: str) -> str:
    """A line without what differs from run to run: numbers, and how wide columns are."""
    return re.sub(r"[0-9]+(?:[.:-][0-9]+)*", "N", re.sub(r" (?:s|min|h) | {2,}", "  ", line)).strip()


def test_the_session_of_the_page(place: Place, mac: Link) -> None:
    """At a real terminal. Other jails of this Mac are put aside, since the page shows a Mac without one."""
    place.on_mac("/bin/mv", "/private/var/db/darwin.jail/jails", "/private/var/db/darwin.jail/aside")
    place.on_mac("/bin/sh", "-c", "install -o admin /dev/null /Users/admin/.zshrc")
    try:
        with TerminalUser(by_ssh(MAC), "xterm") as person:
            person.expect(r"[%$] $")
            person.type(f"{LOGIN}PS1='ma''c> '", r"mac> $")  # so that its echo is no prompt
            for prompt, typed, lines in session():
                more = f" --manifest {LINUX_FILES}" if typed.startswith("djail create") else ""
                if typed.startswith("djail console"):
                    place.on_mac("/usr/bin/touch", "/private/var/jails/dev/Users/admin/.zshrc")  # zsh would ask
                    person.type(typed, r"[%$#] $")
                    person.type("PS1='ja''il> '", r"jail> $")
                    continue
                ends = r"jail> $" if prompt == "jail" and not typed.startswith("exit") else r"mac> $"
                said = person.type(typed + more, ends).replace("\r", "").split("\n")[1:-1]
                said = [PROGRESS.sub("", line) for line in said if line]
                assert len(said) == len(lines), (typed, said)
                for line, expected in zip(said, lines, strict=True):
                    if expected.endswith("..."):
                        assert alike(line).startswith(alike(expected.removesuffix("..."))), (line, expected)
                    else:
                        assert alike(line) == alike(expected)
    finally:
        place.on_mac("/bin/sh", "-c", "cd /private/var/db/darwin.jail && rm -rf jails && mv aside jails")


# -- the jails -----------------------------------------------------------------------


def test_what_is_installed_is_small_and_roots(place: Place, mac: Link) -> None:
    listing = place.on_mac("/usr/bin/find", f"{DIRECTORY}/", "-type", "f", "-printf", "%s %U %m %f\n").splitlines()
    files = [line.split(" ", 3) for line in listing]
    assert sum(int(size) for size, *_more in files) < LARGEST
    assert {uid for _size, uid, *_more in files} == {"0"}
    assert not [mode for _size, _uid, mode, _name in files if int(mode, 8) & 0o022]
    assert [name for *_more, name in files if name.endswith(".pyc")]
    assert place.on_mac("/usr/bin/readlink", "/usr/local/bin/djail").strip() == DJAIL


def test_the_playbook_has_nothing_to_change_in_what_djail_made(place: Place, mac: Link) -> None:
    assert answer(mac, f"create made --profile minimal -u admin --no-tools --manifest {LINUX_FILES}")["changed"]
    assert not answer(mac, f"create made --profile minimal -u admin --no-tools --manifest {LINUX_FILES}")["changed"]
    hosts = json.loads(place.path.read_text())
    hosts["jails"]["vars"] |= {
        "jail_path": "/private/var/jails/made", "jail_profile": "minimal", "jail_entries": ask("jail-entries"),
        "jail_clt": False,
    }  # fmt: skip
    path = place.folder / "made.json"
    path.write_text(json.dumps(hosts))
    said = place.play(TOP / "playbooks/build_jail.yml", "-i", str(path), "--limit", "jails")
    assert re.findall(r"changed=(\d+)", said) == ["0"], said
    answer(mac, "destroy made --yes")


def test_a_build_that_was_killed_is_finished_by_the_next(place: Place, mac: Link) -> None:
    words = f"create killed --profile minimal --no-tools --manifest {LINUX_FILES}"
    for files in (1, 1500):
        script = f"{DJAIL} {words} >/dev/null & while kill -0 $!; do "
        script += f'[ "$(find /private/var/jails/killed | wc -l)" -lt {files} ] || kill -9 $!; done 2>/dev/null; true'
        place.on_mac("/bin/sh", "-c", script)
    assert answer(mac, words)["changed"]
    assert run(mac, "exec killed -- /usr/bin/true").rc == 0
    assert not answer(mac, words)["changed"]
    answer(mac, "destroy killed --yes")


def test_reports(mac: Link) -> None:
    (found,) = [one for one in answer(mac, "list")["jails"] if one["name"] == JAIL]
    assert (found["health"], found["macos_version"], "admin" in found["users"]) == ("complete", "15.2", True)
    assert answer(mac, f"info {JAIL}")["identity"]["state"] == "complete"
    assert answer(mac, f"df {JAIL}")["sizes"]["clt"]["files"]
    assert JAIL in run(mac, "names").stdout.decode().split()
    assert {one["result"] for one in answer(mac, f"check {JAIL} -u admin")["checks"]} == {"ok"}
    doctor = run(mac, "doctor --json")
    jsonschema.validate(json.loads(doctor.stdout), schema.schema())
    by_subject = {one["subject"]: one["result"] for one in json.loads(doctor.stdout)["findings"]}
    assert (by_subject["djail"], by_subject["macOS"], by_subject["link"]) == ("ok", "ok", "ok")


def test_check_finds_what_does_not_work(place: Place, mac: Link) -> None:
    place.on_mac("/bin/mv", f"{place.jail}/usr/bin/id", f"{place.jail}/usr/bin/id2")
    try:
        ran = run(mac, f"check {JAIL} -u admin --json")
    finally:
        place.on_mac("/bin/mv", f"{place.jail}/usr/bin/id2", f"{place.jail}/usr/bin/id")
    assert ran.rc == 1
    assert [one["check"] for one in json.loads(ran.stdout)["checks"] if one["result"] == "failed"] == ["user"]


@pytest.fixture
def service(place: Place) -> Iterator[str]:
    """A service of the jail that prints a line each second."""
    task = {
        "jail": place.jail,
        "services": [{"name": "tick", "argv": ["/bin/sh", "-c", "while echo up; do sleep 1; done"]}],
    }
    for number, services in enumerate((task, {**task, "services": []})):
        path = place.folder / f"services{number}.yml"
        play = {
            "hosts": MAC,
            "become": True,
            "gather_facts": False,
            "tasks": [{"darwin.jail.darwin_jail_services": services}],
        }
        path.write_text(json.dumps([play]))
        place.play(path, "--limit", MAC)
        if not number:
            yield "tick"


def test_services(place: Place, mac: Link, service: str) -> None:
    words = f"{JAIL} {service}"
    (found,) = answer(mac, f"status {words}")["services"]
    assert (found["state"], found["problem"]) == ("running", "")
    assert [
        one["name"] for jail in answer(mac, "list")["jails"] if jail["name"] == JAIL for one in jail["services"]
    ] == ["tick"]
    assert {one["service"] for one in answer(mac, f"ps {JAIL}")["processes"]} >= {"tick"}
    assert answer(mac, f"logs {words} -n 1")["logs"][0]["lines"][0].endswith(" up")
    assert answer(mac, f"restart {words}")["services"][0]["state"] == "running"
    assert [answer(mac, f"stop {words}")["changed"] for _time in range(2)] == [True, False]
    assert answer(mac, f"status {words}")["services"][0]["state"] == "stopped"
    assert answer(mac, f"start {words} --dry-run")["changed"]
    assert answer(mac, f"start {words}")["services"][0]["state"] == "running"
    for command, state in (("stop", "stopped"), ("start", "running"), ("restart", "running")):
        for seconds in (0.1, 0.3):
            script = f"{DJAIL} {command} {words} >/dev/null & sleep {seconds}; kill -9 $! 2>/dev/null; true"
            place.on_mac("/bin/sh", "-c", script)
        assert answer(mac, f"{command} {words}")["services"][0]["state"] == state


def test_a_log_that_is_followed_ends_with_a_key(mac: Link, service: str) -> None:
    with TerminalUser([*by_ssh(MAC), DJAIL, "logs", JAIL, service, "-f", "-n", "1"], "xterm") as person:
        person.expect("up\r\n.*up\r\n")
        os.write(person._fd, b"\x03")
        person.expect("closed")


# -- sessions ------------------------------------------------------------------------


def test_a_program_through_ssh_and_sudo(mac: Link) -> None:
    script = "cat; id -un; pwd; echo $JAIL_NAME; exit 7"
    ran = run(mac, f"exec {JAIL} -u admin -- sh -c '{script}'", stdin=b"in\n")
    assert (ran.rc, ran.stdout.decode().split()) == (7, ["in", "admin", "/Users/admin", JAIL])


def test_a_terminal_through_ssh(place: Place, mac: Link) -> None:
    place.on_mac("/bin/sh", "-c", f"install -o admin /dev/null {place.jail}/Users/admin/.zshrc")
    with TerminalUser([*by_ssh(MAC), DJAIL, "console", JAIL, "-u", "admin"], "xterm-kitty") as person:
        person.expect(r"[%$] $")
        said = person.type("echo $TERM; id -un; tty; echo done-$((40+2))", "done-42").splitlines()
        assert {"xterm-256color", "admin"} < {*said}
        fcntl.ioctl(person._fd, termios.TIOCSWINSZ, struct.pack("HHHH", 41, 97, 0, 0))
        person.type("until [ \"$(stty size)\" = '41 97' ]; do sleep 0.05; done; echo sized-$((1+1))", "sized-2")
        person.type("sleep 100; echo rc-$?", "sleep")
        time.sleep(0.3)
        person.press(b"\x03", r"[%$] $")
        person.type("echo back-$((1+1)); exit", "back-2")


# -- somebody with one grant -----------------------------------------------------------


@pytest.fixture(scope="module")
def dana(place: Place, mac: Link, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    """Somebody who may do nothing else by sudo, and was granted one jail as one user."""
    path: Path = tmp_path_factory.mktemp("role") / "play.yml"
    path.write_text(PLAY)
    people = ["-e", json.dumps({"jail_bootstrap_djail_users": ["user1"]})]
    place.play(path, "--limit", MAC, *people)
    assert "changed=0" in place.play(path, "--limit", MAC, *people)
    given = {"jail": place.jail, "users": ["operator"], "persons": ["user1"]}
    for granted, changes in (({**given, "persons": []}, ["0"]), (given, ["1", "0"])):
        words = ["-e", json.dumps({"jail_bootstrap_djail_grants": [granted]})]
        said = [place.play(path, "--limit", MAC, *people, *words) for _number in changes]
        assert [re.findall(r"changed=(\d+)", one) for one in said] == [[change] for change in changes]
    assert not answer(mac, f"grant {JAIL} user1 --user operator")["changed"]
    with place.link("link-user1") as link:
        yield link
        answer(mac, f"revoke {JAIL} user1")
        assert run(link, f"exec {JAIL} -u operator -- true").rc != 0
        answer(mac, f"grant {JAIL} user1 --user operator")
        place.play(path, "--limit", MAC)
        ran = run(link, f"exec {JAIL} -u operator -- true")
        assert (ran.rc, b"password is required" in ran.stderr) == (1, True)
        answer(mac, f"revoke {JAIL} user1")


def test_the_one_way_is_open(place: Place, dana: Link) -> None:
    for jail in (JAIL, place.jail, f"/var/jails/{JAIL}"):
        ran = run(dana, f"exec {jail} -u operator -- id -un", stdin=b"")
        assert (ran.rc, ran.stdout) == (0, b"operator\n"), ran


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("exec {jail} -- id", 77),
        ("exec {jail} -u root -- id", 77),
        ("exec {jail} -u 0 -- id", 77),
        ("exec {jail} -u operator -u root -- id", 64),
        ("exec {jail} -u operator --user=root -- id", 64),
        ("exec {jail} '-u operator' -- id", 64),
        ("exec '{jail} ' -u operator -- id", 77),
        ("exec {path}/../{jail} -u operator -- id", 64),
        ("exec {path}/usr -u operator -- id", 77),
        ("exec /private/var/root -u operator -- id", 77),
        ("run {jail} -u operator -- id", 77),
        ("cp /etc/hosts {jail}:/tmp/", 77),
        ("cp {jail}:/etc/master.passwd .", 77),
        ("create other", 77),
        ("clone {jail} other", 77),
        ("destroy {jail} -y", 77),
        ("grant {jail} user1 --user root", 77),
        ("list", 77),
        ("doctor", 77),
    ],
)
def test_no_other_is(place: Place, dana: Link, words: str, code: int) -> None:
    ran = run(dana, words.format(jail=JAIL, path=place.jail))
    assert (ran.rc, ran.stdout, ran.stderr.count(b"\n")) == (code, b"", 1), ran


HOSTILE = """\
mkdir -p /tmp/hostile && cd /tmp/hostile || exit
echo 'import os; os.system("id -un >&2")' >os.py
cp os.py djail_entry.py; cp os.py sitecustomize.py; echo 'id -un >&2' >profile
export PYTHONPATH=/tmp/hostile PYTHONHOME=/tmp/hostile PYTHONSTARTUP=/tmp/hostile/os.py BASH_ENV=/tmp/hostile/profile
export ENV=/tmp/hostile/profile IFS=/ HOME=/tmp/hostile TMPDIR=/tmp/hostile
"""


@pytest.mark.parametrize(
    ("command", "rc"),
    [
        (f"sudo -n {DJAIL} exec {JAIL} -u operator -- id", 1),
        (f"sudo -n SUDO_UID=0 {DIRECTORY}/djail-granted exec {JAIL} -u operator -- id", 1),
        (f"sudo -n PYTHONPATH=/tmp {DIRECTORY}/djail-granted exec {JAIL} -u operator -- id", 1),
        (f"sudo -n -u admin {DIRECTORY}/djail-granted exec {JAIL} -u operator -- id", 1),
        (f"ln -sf {DJAIL} /tmp/djail-granted; sudo -n /tmp/djail-granted list", 1),
        (f"ln -sf {DIRECTORY}/djail-granted /tmp/djail; sudo -n /tmp/djail list", 1),
        (f"sudo -n {DIRECTORY}/djail-granted list", 77),
        (f"{HOSTILE} /usr/bin/sudo -n {DIRECTORY}/djail-granted list", 77),
        (f"SUDO_UID=501 SUDO_USER=admin {DIRECTORY}/djail-granted exec {JAIL} -u operator -- id", 77),
    ],
)
def test_nor_a_way_around_it(dana: Link, command: str, rc: int) -> None:
    ran = dana.run(command)
    assert (ran.rc, ran.stdout, b"root" in ran.stderr.replace(b"for root alone", b"").replace(b"only root", b"")) == (
        rc,
        b"",
        False,
    ), ran


# -- how long it takes -------------------------------------------------------------------


def test_it_is_fast(place: Place, mac: Link) -> None:
    """By the least of all rounds, which other work on the machine disturbs least, and once more where it did."""
    ratios = []
    for _time in range(3):
        found = djail_times.measure(place, 15)
        for kind in ("seconds", "cpu"):
            parts = sum(min(found[name][kind]) for name in djail_times.PARTS)
            ratios.append(max(min(found[how][kind]) for how in ("by path", "by name")) / parts)
        if min(ratios) < SLOWEST:
            break
    assert min(ratios) < SLOWEST, ratios
    assert min(found["names"]["cpu"]) < SLOWEST_COMPLETION
