# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jails and Macs without Python, and whose Python it is that modules run on."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path

import pytest
from connection_place import ENVIRONMENT, JAIL, MAC, TOOLS, Place
from connections import FailedError, Link

HOST = f"{JAIL}-{MAC}"
HOMEBREW = "/opt/homebrew/bin/python3"
OURS = {"ansible_connection": "darwin.jail.chroot", "jail_mac": MAC}

# The first play is on the Mac and remembers its Python as a fact of the jail's host, the second is in the jail.
FROM_MAC_TO_JAIL = [
    {
        "hosts": HOST,
        "gather_facts": False,
        "vars": {
            "ansible_connection": "ssh",
            "ansible_host": "{{ hostvars[jail_mac].ansible_host }}",
            "ansible_user": "admin",
        },
        "tasks": [
            {"ansible.builtin.ping": None},
            {"ansible.builtin.debug": {"msg": "the Mac's is {{ ansible_facts.discovered_interpreter_python }}"}},
        ],
    },
    {
        "hosts": HOST,
        "connection": "darwin.jail.chroot",
        "tasks": [
            {"ansible.builtin.debug": {"msg": "the jail's is {{ ansible_facts.discovered_interpreter_python }}"}},
            {"ansible.builtin.command": {"argv": ["ls", "/private/var/db/darwin.jail"]}, "become": True},
        ],
    },
]


@contextmanager
def hidden(place: Place, path: str) -> Iterator[str]:
    """A directory of the Mac has another name for a while."""
    path = path.rstrip("/")
    place.on_mac("mv", path, f"{path}.away")
    try:
        yield f"{path}.away/"
    finally:
        place.on_mac("mv", f"{path}.away", path)


@pytest.fixture
def without_python(place: Place) -> Iterator[str]:
    """The jail, for a while; says where the Python is that nothing finds."""
    with hidden(place, place.jail + TOOLS) as away:
        yield away.removeprefix(place.jail)


def ansible(place: Place, module: str, *words: str) -> str:
    argv = ["ansible", HOST, "-i", str(place.path), "-c", "darwin.jail.chroot", "-m", module, *words]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=ENVIRONMENT)
    return done.stdout + done.stderr


def test_raw_and_script_need_none(place: Place, without_python: str) -> None:
    assert "admin" in ansible(place, "raw", "-a", "id -un")
    script = Path(__file__).parent / "script.sh"
    assert r"a b\r\nc\r\nadmin" in ansible(place, "script", "-a", f"{script} 'a b' c").replace(r"\n", r"\r\n")


@pytest.mark.parametrize("pipelining", ["false", "true"])
def test_that_there_is_none_is_told(place: Place, without_python: str, pipelining: str) -> None:
    said = ansible(place, "ping", "-e", f"ansible_pipelining={pipelining}")
    assert f"there is no Python in {place.jail}: looked for {TOOLS}usr/bin/python3" in said
    assert "raw and script need none" in said


def test_that_of_homebrew_is_found(place: Place, without_python: str) -> None:
    place.on_mac("mkdir", "-p", os.path.dirname(place.jail + HOMEBREW))
    text = f'#!/bin/sh\nexec {without_python}usr/bin/python3 "$@"\n'
    place.on_mac("sh", "-c", 'cat >"$0" && chmod 755 "$0"', place.jail + HOMEBREW, stdin=text.encode())
    try:
        said = ansible(place, "ping")
        assert re.search(rf'"discovered_interpreter_python": "{HOMEBREW}"', said), said
    finally:
        place.on_mac("rm", "-r", f"{place.jail}/opt/homebrew")


def wheel_of_packaging(folder: Path) -> Path:
    """The library of the Python that runs this, as pip takes it without a network."""
    found = metadata.distribution("packaging")
    path = folder / f"packaging-{found.version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for file in found.files or ():
            if file.parts[0].startswith("packaging") and file.suffix != ".pyc":
                wheel.write(file.locate(), str(file))
    return path


def told(said: str) -> str:
    """The last words of the collection's warning, which are what to run or to set."""
    return str(re.findall(r"WARNING\]: (?:Python in|there is no program).*: (/.*)", said)[-1])


def test_the_module_pip_does_after_what_its_failures_say(place: Place, tmp_path: Path) -> None:
    wheel = wheel_of_packaging(tmp_path)
    place.on_mac("sh", "-c", f"mkdir -m 777 {place.jail}/private/tmp/wheels")
    ansible(place, "copy", "-a", f"src={wheel} dest=/tmp/wheels/ mode=0644")
    task = "name=packaging virtualenv=/tmp/venv extra_args='--no-index --find-links /tmp/wheels'"
    command = told(ansible(place, "pip", "-a", task))
    settings = "PIP_NO_INDEX=1 PIP_FIND_LINKS=/tmp/wheels"
    assert "Successfully installed packaging" in ansible(place, "raw", "-a", f"export {settings}; {command}")
    task += f" virtualenv_command='{told(ansible(place, 'pip', '-a', task))}'"
    assert f"{HOST} | CHANGED" in ansible(place, "pip", "-a", task)
    assert f"{HOST} | SUCCESS" in ansible(place, "pip", "-a", task)
    left = "/tmp/wheels /tmp/venv ~/pip"
    ansible(place, "raw", "-a", f"rm -r {left} $({TOOLS}usr/bin/python3 -m site --user-site)")


def test_what_was_found_on_the_mac_stays_there(place: Place, tmp_path: Path) -> None:
    hosts = json.loads(json.dumps(place.hosts))
    del hosts["macs"]["vars"]["ansible_python_interpreter"]
    hosts["jails"]["vars"] |= hosts["macs"]["vars"]
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    (tmp_path / "play.yml").write_text(json.dumps(FROM_MAC_TO_JAIL))
    said = place.play(tmp_path / "play.yml", "-i", str(tmp_path / "hosts.json"))
    assert re.search(r"the Mac's is /usr/bin/python3", said), said
    assert f"the jail's is {TOOLS}usr/bin/python3" in said


# -- a Mac without Python, whose chroot(8) makes the visit ------------------------------


@pytest.fixture(scope="module")
def bare(place: Place) -> Iterator[Link]:
    with hidden(place, TOOLS), place.link("bare", OURS) as link:
        yield link


def refused(place: Place, cmd: str = "id", **variables: str) -> str:
    with place.link("bare", {**OURS, **variables}) as link, pytest.raises(FailedError) as caught:
        link.run(cmd)
    return str(caught.value)


def test_a_mac_without_python_does(place: Place, bare: Link) -> None:
    assert bare.run("printf 'a\\000\\377'; echo no >&2; exit 7") == (7, b"a\x00\xff", b"no\n")
    assert bare.run("cat", stdin=bytes(range(256)) * 1000).stdout == bytes(range(256)) * 1000
    assert bare.run("cat") == (0, b"", b"")
    assert bare.text("id -un; pwd").split() == ["admin", "/Users/admin"]
    assert len(bare.text("id -G").split()) == 16
    assert bare.text("id -un", become="operator") == "operator"
    said = dict(line.split("=", 1) for line in bare.text("env").splitlines())
    assert (said["HOME"], said["USER"], said["TMPDIR"]) == ("/Users/admin", "admin", "/tmp")
    assert not [name for name in said if name.startswith(("SSH", "SUDO"))]


@pytest.mark.parametrize("name", ["a 'b' \"c\" $HOME *", "-n"])
def test_files_go_there_and_back(bare: Link, tmp_path: Path, name: str) -> None:
    source, back = tmp_path / "source", tmp_path / "back"
    source.write_bytes(os.urandom(3_000_001))
    source.chmod(0o640)
    bare.put(source, f"/tmp/{name}")
    bare.fetch(f"/tmp/{name}", back)
    assert back.read_bytes() == source.read_bytes()
    assert bare.text(f"cd /tmp && stat -c '%U %a' ./{shlex.quote(name)} && rm ./{shlex.quote(name)}") == "admin 640"


def test_its_links_lead_nowhere_else_either(place: Place, bare: Link, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_text("of the controller")
    place.on_mac("sh", "-c", "mkdir -m 777 /private/tmp/mac; echo of the Mac >/private/tmp/mac/secret")
    bare.run("cd /tmp && ln -s /private/tmp/mac out && ln -s /private/tmp/mac/new file")
    for path in ("/tmp/out/new", "/tmp/file"):
        with pytest.raises(
            FailedError, match=f"cannot write {path} in {place.jail} as admin: .*such file or directory"
        ):
            bare.put(source, path)
    with pytest.raises(FailedError, match=f"cannot read /tmp/out/secret in {place.jail} as admin: "):
        bare.fetch("/tmp/out/secret", tmp_path / "x")
    bare.run("rm /tmp/out /tmp/file")
    assert place.on_mac("sh", "-c", "cd /private/tmp/mac && ls && rm -r /private/tmp/mac") == "secret\n"


def test_what_is_wrong_is_told_all_the_same(place: Place, bare: Link) -> None:
    missing = "/private/var/jails/missing"
    assert f"{missing} does not exist: build the jail first" in refused(place, jail_path=missing)
    assert "/Users is not a jail of this collection" in refused(place, jail_path="/Users")
    assert "there is no user 'no-such-user'" in refused(place, jail_user="no-such-user")
    place.on_mac("ln", "-sfn", place.jail, "/private/var/jails/way")
    assert "is a symbolic link or no directory" in refused(place, jail_path="/private/var/jails/way")
    place.on_mac("rm", "/private/var/jails/way")
    assert bare.run("kill -KILL $$").rc == 137
