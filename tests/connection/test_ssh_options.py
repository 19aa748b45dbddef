# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The route to the Mac is ssh's: jump hosts, keys, retries and timeouts are set as for any host."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from connection_place import MAC, STANDIN, Place
from connections import FailedError, Link
from stand_in_inventory import ask

OURS = {"ansible_connection": "darwin.jail.chroot", "jail_mac": ""}
GATE = "gate"
BEHIND = "behind.example"
"""A name of the Mac that only the gate knows."""

SSH_CONFIG = """\
Host *
    IdentityFile {key}
    UserKnownHostsFile {folder}/known_hosts
    StrictHostKeyChecking accept-new
    LogLevel ERROR
    User admin
Host gate
    HostName {gate}
"""
ONCE = {"ansible_ssh_args": "-o ControlMaster=no -o ControlPath=none"}
"""Each command makes a new connection."""


def route(place: Place, **variables: object) -> Link:
    known = {**place.hosts["macs"]["vars"], **place.hosts["macs"]["hosts"][MAC]}
    return place.link("route", {**OURS, **known, **variables})


@pytest.fixture
def gate(place: Place) -> Iterator[str]:
    """A host that knows the Mac by another name."""
    subprocess.run([STANDIN, "create", GATE], check=True)
    try:
        line = f"{place.hosts['macs']['hosts'][MAC]['ansible_host']} {BEHIND}"
        subprocess.run([STANDIN, "enter", GATE, "sh", "-c", 'echo "$0" >>/private/etc/hosts', line], check=True)
        yield ask("inventory", GATE)["macs"]["hosts"][GATE]["ansible_host"]
    finally:
        subprocess.run([STANDIN, "destroy", GATE], check=True)


def test_a_jump_host(place: Place, gate: str, tmp_path: Path) -> None:
    source, back, config = tmp_path / "source", tmp_path / "back", tmp_path / "config"
    source.write_bytes(os.urandom(3_000_000))
    key = place.hosts["macs"]["vars"]["ansible_ssh_private_key_file"]
    config.write_text(SSH_CONFIG.format(key=key, folder=tmp_path, gate=gate))
    words = f"-F {config} -o ProxyJump=gate"
    with route(place, ansible_host=BEHIND, ansible_ssh_common_args=words) as link:
        assert link.run("cat", stdin=b"data") == (0, b"data", b"")
        link.put(source, "/tmp/jumped")
        link.fetch("/tmp/jumped", back)
        assert back.read_bytes() == source.read_bytes()
        assert link.text("id -un; rm /tmp/jumped") == "admin"
    with route(place, ansible_host=BEHIND, ansible_ssh_common_args=f"-F {config}", **ONCE) as link:
        with pytest.raises(FailedError, match=f"cannot reach {BEHIND}, the Mac of the jail"):
            link.run("id")


@contextmanager
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.2", 0)) as server:
        yield server


def be_unreliable(server: socket.socket, address: str, retries: int) -> None:
    """Break off the first connection, and take the second one to the Mac."""
    server.accept()[0].close()
    if not retries:
        return
    near = server.accept()[0]
    far = socket.create_connection((address, 22))

    def copy(source: socket.socket, target: socket.socket) -> None:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)

    there = threading.Thread(target=copy, args=(near, far))
    there.start()
    copy(far, near)
    there.join()
    near.close()
    far.close()


@pytest.mark.parametrize("retries", [0, 1])
def test_retries(place: Place, tmp_path: Path, retries: int) -> None:
    """What was to be sent is sent again."""
    source = tmp_path / "source"
    source.write_bytes(os.urandom(300_000))
    mac = place.hosts["macs"]["hosts"][MAC]["ansible_host"]
    with listener() as server:
        proxy = threading.Thread(target=be_unreliable, args=(server, mac, retries), daemon=True)
        proxy.start()
        settings = {"ansible_port": server.getsockname()[1], "ansible_host": "127.0.0.2", **ONCE}
        trust = "-o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no -o LogLevel=ERROR"
        with route(place, ansible_ssh_retries=retries, ansible_ssh_common_args=trust, **settings) as link:
            if retries:
                link.put(source, "/tmp/again")
            else:
                with pytest.raises(FailedError, match=r"cannot reach 127.0.0.2, the Mac of the jail"):
                    link.put(source, "/tmp/again")
        proxy.join(10)
    if retries:
        assert place.bytes_on_mac("cat", f"{place.jail}/private/tmp/again") == source.read_bytes()
        place.on_mac("rm", f"{place.jail}/private/tmp/again")


def test_a_mac_that_does_not_answer_is_given_up(place: Place) -> None:
    with listener() as server:
        port = server.getsockname()[1]
        with route(place, ansible_host="127.0.0.2", ansible_port=port, ansible_ssh_timeout=1, **ONCE) as link:
            with pytest.raises(FailedError, match=r"cannot reach 127.0.0.2, the Mac of the jail .*(?s:timed out)"):
                link.run("id")


def test_keys(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other], check=True)
    with route(place, ansible_ssh_private_key_file=str(other), **ONCE) as link:
        with pytest.raises(FailedError, match=r"cannot reach .*, the Mac of the jail (?s:.*)Permission denied"):
            link.run("id")
    with route(place, **ONCE) as link:
        assert link.text("id -un") == "admin"
