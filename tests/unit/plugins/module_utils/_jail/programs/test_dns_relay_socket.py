# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The socket in the jail: where it is, what becomes of it, and what the relay does about that."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import daemon, dns_relay
from dns_relay_mac import PROGRAM, Mac
from libinfo import Libinfo, LookupFailedError
from standin.mdnsresponder import Responder
from waiting import until

# -- what goes away ------------------------------------------------------------


def test_a_restart_of_the_daemon(mac: Mac) -> None:
    """launchd keeps the socket; whoever was connected has to connect again."""
    listener = mac.listen()
    mac.relay("--mode", "relay")
    until(mac.is_relayed)
    with mac.responder(listener):
        program = Libinfo(mac.socket)
        assert program.address("n1.test") == "0.0.0.1"
    with program, pytest.raises((LookupFailedError, OSError)):
        program.address("n2.test")
    with mac.responder(listener), Libinfo(mac.socket) as program:
        assert program.address("n2.test") == "0.0.0.2"


def test_a_new_socket_of_the_daemon(mac: Mac, relay: Any) -> None:
    with mac.responder(mac.listen()), Libinfo(mac.socket) as program:
        assert program.address("n2.test") == "0.0.0.2"


def test_no_daemon_at_all(mac: Mac) -> None:
    mac.relay("--mode", "relay")
    until(mac.is_relayed)
    with pytest.raises((LookupFailedError, OSError)), Libinfo(mac.socket):
        pass
    assert mac.says("cannot reach")
    with mac.responder(mac.listen()), Libinfo(mac.socket) as program:
        assert program.address("n2.test") == "0.0.0.2"


def replace_by_nothing(mac: Mac) -> None:
    mac.socket.unlink()


def replace_by_a_file(mac: Mac) -> None:
    mac.socket.unlink()
    mac.socket.write_text("no socket")


def replace_by_a_dead_socket(mac: Mac) -> None:
    mac.socket.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(mac.socket))


def replace_by_a_symlink(mac: Mac) -> None:
    """To something of the Mac, which has to stay as it is."""
    (mac.folder / "precious").write_text("precious")
    mac.socket.unlink()
    mac.socket.symlink_to(mac.folder / "precious")


def answers(mac: Mac) -> bool:
    """Not at once where the new socket is not there yet, and a dead one looks the same."""
    try:
        with Libinfo(mac.socket) as program:
            return program.address("n6.test") == "0.0.0.6"
    except (LookupFailedError, OSError):
        return False


@pytest.mark.parametrize("mode", ["link", "relay"])
@pytest.mark.parametrize(
    "replace", [replace_by_nothing, replace_by_a_file, replace_by_a_dead_socket, replace_by_a_symlink]
)
def test_a_socket_that_was_replaced_is_repaired(
    mac: Mac, responder: Responder, mode: str, replace: Callable[[Mac], None]
) -> None:
    mac.relay("--mode", mode)
    until(mac.socket.exists)
    before = mac.socket.stat()
    replace(mac)
    until(lambda: mac.socket.is_socket() and not mac.socket.is_symlink())
    until(lambda: mode == "relay" or os.path.samestat(mac.socket.lstat(), before))
    until(lambda: answers(mac))
    if replace is replace_by_a_symlink:
        assert (mac.folder / "precious").read_text() == "precious"
    assert [path.name for path in mac.socket.parent.iterdir()] == ["mDNSResponder"]


def test_a_jail_that_comes_later(mac: Mac, responder: Responder) -> None:
    later = mac.folder / "later"
    mac.relay("--mode", "relay", jail=later)
    until(lambda: mac.says(f"{later} has no way to mDNSResponder: No such file or directory later"))
    path = mac.add_jail(later)
    until(path.exists)
    with Libinfo(path) as program:
        assert program.address("n6.test") == "0.0.0.6"


def test_it_takes_its_socket_away_and_nobody_elses(mac: Mac, responder: Responder) -> None:
    process = mac.relay("--mode", "relay")
    until(mac.socket.exists)
    process.terminate()
    assert process.wait(10) == 0
    assert not mac.socket.exists()
    process = mac.relay("--mode", "relay", text=PROGRAM)
    until(mac.socket.exists)
    replace_by_a_dead_socket(mac)
    process.terminate()
    assert process.wait(10) == 0
    assert mac.socket.exists()


@pytest.mark.parametrize("mode", ["link", "relay"])
def test_it_knows_its_socket_from_the_moment_that_it_has_the_name(
    mac: Mac, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGTERM raises SystemExit at any moment, also right after the socket got its name."""
    monkeypatch.chdir("/")  # where a job of launchd is, and this one goes

    class Ends(daemon.LogOnce):
        def say(self, _line: str) -> None:
            raise SystemExit(0)

    mac.listen()
    door = dns_relay.SocketInstaller(str(mac.jail), str(mac.server), mode, Ends())
    with pytest.raises(SystemExit):
        door.ensure()
    assert mac.socket.is_socket()
    door.close()
    if door.listener:
        door.listener.close()
    assert not mac.socket.exists()
    assert mac.server.is_socket()


def test_one_that_was_killed_leaves_nothing_that_a_new_one_minds(mac: Mac, relay: Any) -> None:
    relay.kill()
    relay.wait()
    mac.log.write_text("")
    mac.relay("--mode", "relay")
    until(mac.is_relayed)
    with Libinfo(mac.socket) as program:
        assert program.address("n6.test") == "0.0.0.6"


# -- where the socket is -------------------------------------------------------


def test_auto_makes_a_hard_link_where_it_can(mac: Mac, responder: Responder) -> None:
    process = mac.relay()
    until(mac.socket.exists)
    assert os.path.samestat(mac.socket.lstat(), mac.server.lstat())
    with Libinfo(mac.socket) as program:
        assert program.address("n6.test") == "0.0.0.6"
    until(lambda: mac.says("is a hard link to"))
    process.terminate()
    process.wait(10)
    assert (mac.socket.exists(), mac.server.exists()) == (False, True)


def test_a_link_that_a_reboot_made_stale_is_made_again(mac: Mac) -> None:
    with mac.responder(mac.listen()):
        mac.relay("--mode", "link")
        until(mac.socket.exists)
    stale = mac.socket.lstat()
    with mac.responder(mac.listen()):
        until(lambda: not os.path.samestat(mac.socket.lstat(), stale))
        with Libinfo(mac.socket) as program:
            assert program.address("n6.test") == "0.0.0.6"


@pytest.fixture
def other_volume(mac: Mac) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm", prefix="dns-") as name:
        if os.stat(name).st_dev == mac.folder.stat().st_dev:
            pytest.skip("there is no second file system")
        yield Path(name) / "jail"


def test_auto_relays_where_no_link_can_be(mac: Mac, responder: Responder, other_volume: Path) -> None:
    path = mac.add_jail(other_volume)
    mac.relay(jail=other_volume)
    until(path.exists)
    with Libinfo(path) as program:
        assert program.address("n6.test") == "0.0.0.6"
    assert mac.says("does not work: Invalid cross-device link")


def test_a_link_that_cannot_be_is_not_replaced_by_a_relay(mac: Mac, responder: Responder, other_volume: Path) -> None:
    path = mac.add_jail(other_volume)
    mac.relay("--mode", "link", jail=other_volume)
    until(lambda: mac.says("does not work: Invalid cross-device link"))
    time.sleep(0.3)
    assert not path.exists()
    assert len(mac.log.read_text().splitlines()) == 1, "it says the same again and again"


@pytest.mark.parametrize("mode", ["link", "relay"])
def test_a_path_longer_than_the_address_of_a_socket(mac: Mac, responder: Responder, mode: str) -> None:
    for length in (60, 61, 62, 140):
        jail = mac.folder / ("j" * length)
        path = mac.add_jail(jail)
        mac.relay("--mode", mode, jail=jail)
        until(path.exists)
        with Libinfo(path) as program:
            assert program.address("n6.test") == "0.0.0.6"


@pytest.mark.parametrize("component", ["private", "private/var", "private/var/run"])
@pytest.mark.parametrize("mode", ["link", "relay"])
def test_a_link_on_the_way_leads_nowhere(mac: Mac, responder: Responder, component: str, mode: str) -> None:
    aside = mac.folder / "aside"
    (mac.jail / component).rename(aside)
    (mac.jail / component).symlink_to(aside)
    mac.relay("--mode", mode)
    until(lambda: mac.says("has no way to mDNSResponder"))
    time.sleep(0.3)
    assert not [path for path in aside.rglob("*") if path.is_socket()]
