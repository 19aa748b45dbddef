# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Names in a jail: the job is installed, and its socket is inspected. The relay is real, and so is the server."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, NotAJailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import dns
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from dns_relay_mac import Mac, mac_in_temporary_directory
from launchctl import Launchctl
from libinfo import Libinfo


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """A Mac whose mDNSResponder runs, with a jail without a job, and a launchctl."""
    if os.geteuid():
        pytest.skip("jobs are root's")
    with mac_in_temporary_directory() as made, made.responder(made.listen()):
        made.jail = made.folder / "marked"
        made.socket = made.jail / "private/var/run/mDNSResponder"
        jails.create(os.fsencode(made.jail)).close()
        made.socket.parent.mkdir()
        fake = Launchctl(made.folder)
        fake.install(made.folder, monkeypatch)
        monkeypatch.setattr(dns, "SERVER", str(made.server))
        monkeypatch.setattr(dns, "SELF_REPAIR_SECONDS", 0.5)
        monkeypatch.setattr(dns, "program", partial(adapted, server=str(made.server)))
        monkeypatch.setattr(third_party, "require_root_owned", lambda program: None)
        yield made
        fake.close()


def adapted(*modules: ModuleType, call: str, server: str = "") -> str:
    """The text of the relay, for this Mac and with less patience."""
    text = program(*modules, call=call)
    return text.replace("/private/var/run/mDNSResponder", server).replace("TICK = 2.0", "TICK = 0.1")


def remove(mac: Mac, check: bool = False) -> Result:
    return dns.ensure(str(mac.jail), "absent", "auto", sys.executable, 10, check)


def ensure(mac: Mac, mode: str = "auto", check: bool = False, timeout: float = 10) -> Result:
    return dns.ensure(str(mac.jail), "present", mode, sys.executable, timeout, check)


def resolves(mac: Mac) -> bool:
    with Libinfo(mac.socket) as program:
        return program.address("n258.test") == "0.0.1.2"


@pytest.mark.parametrize(("mode", "chosen"), [("auto", "link"), ("link", "link"), ("relay", "relay")])
def test_check_real_check_real(mac: Mac, mode: str, chosen: str) -> None:
    predicted = ensure(mac, mode, check=True)
    assert not mac.socket.exists()
    made = ensure(mac, mode)
    assert (predicted.changed, made.changed, predicted.diff) == (True, True, made.diff)
    assert made.values["mode"] == chosen
    assert ("is a hard link to" if chosen == "link" else "is relayed to") in made.values["message"]
    assert resolves(mac)
    for check in (True, False):
        again = ensure(mac, mode, check)
        assert (again.changed, again.values["mode"]) == (False, chosen)


def test_names_are_looked_up_over_the_way_that_is_kept(mac: Mac) -> None:
    """As darwin_jail_dns_info does; and not where nothing is made."""
    kept = dns.ensure(str(mac.jail), "present", "auto", sys.executable, 10, False, ["nowhere.invalid"])
    seen = dns.inspect(str(mac.jail), ["nowhere.invalid"])
    assert seen.values["errors"].keys() == {"nowhere.invalid"}
    assert {name: kept.values[name] for name in seen.values} == seen.values
    foreseen = dns.ensure(str(mac.jail), "present", "auto", sys.executable, 10, True, ["nowhere.invalid"])
    assert foreseen.values.keys() == {"mode", "job", "message"}


def test_another_mode(mac: Mac) -> None:
    ensure(mac, "link")
    assert ensure(mac, "relay").values["mode"] == "relay"
    assert not os.path.samestat(mac.socket.lstat(), mac.server.lstat())
    assert resolves(mac)
    assert ensure(mac, "link").values["mode"] == "link"


def test_absent_removes_what_was_made_and_nothing_else(mac: Mac) -> None:
    os.link(mac.server, mac.socket)
    assert not remove(mac).changed
    assert mac.socket.exists(), "a link that was made by hand was removed"
    ensure(mac)
    predicted = remove(mac, check=True)
    gone = remove(mac)
    assert (predicted.changed, gone.changed, predicted.diff) == (True, True, gone.diff)
    assert mac.server.exists()
    assert not mac.socket.exists()
    assert launchd.labels("darwin.jail.") == []
    assert not remove(mac).changed


def test_absent_after_the_jail_is_gone(mac: Mac) -> None:
    ensure(mac, "relay")
    mac.jail.rename(mac.folder / "elsewhere")
    assert remove(mac).changed
    assert not remove(mac).changed


def test_a_job_that_answers_no_more_is_restarted(mac: Mac) -> None:
    """As after a kill, while launchd waits to start it again; with a socket that a dead process left."""
    label = ensure(mac, "relay").values["job"]
    launchctl = launchd._launchctl
    assert isinstance(launchctl, Launchctl)
    launchctl.loaded[label].kill()
    launchctl.loaded[label].wait()
    predicted = ensure(mac, "relay", check=True)
    assert predicted.diff == [
        f"~ launchd job {label} (restarted, for /private/var/run/mDNSResponder in it leads nowhere: Connection refused)"
    ]
    assert ensure(mac, "relay").diff == predicted.diff
    assert resolves(mac)


def test_what_the_job_repairs_itself_is_no_change(mac: Mac) -> None:
    ensure(mac, "relay")
    mac.socket.unlink()
    assert not ensure(mac, "relay").changed
    assert resolves(mac)


def test_a_link_that_cannot_be_is_an_error_with_the_reason(mac: Mac) -> None:
    mac.server.unlink()
    with pytest.raises(OperationError) as caught:
        ensure(mac, "link", timeout=0.5)
    assert str(caught.value).startswith(f"cannot let names resolve in {mac.jail}: there is no /private/var/run")
    assert caught.value.hint.startswith("its job says: ")
    assert caught.value.hint.endswith(f"{mac.server} does not exist")


def test_a_jail_that_is_not_there_yet(mac: Mac) -> None:
    mac.jail.rename(mac.folder / "elsewhere")
    predicted = ensure(mac, check=True)
    assert predicted.changed
    assert predicted.warnings == [f"{mac.jail} does not exist yet: this prediction assumes that it is built first"]
    with pytest.raises(NotAJailError):
        ensure(mac)
    assert launchd.labels("darwin.jail.") == [], "a job was installed for it"


def test_a_python_that_others_can_replace(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(program: str) -> None:
        raise InputError(f"no {program}")

    monkeypatch.setattr(third_party, "require_root_owned", refuse)
    with pytest.raises(InputError):
        ensure(mac)
    assert launchd.labels("darwin.jail.") == []


def test_what_is_in_the_place_of_the_socket(mac: Mac) -> None:
    with jails.open_jail(str(mac.jail)) as jail:
        assert dns.probe(jail.root).problem == "there is no /private/var/run/mDNSResponder in it"
        mac.socket.touch()
        assert dns.probe(jail.root).problem == "/private/var/run/mDNSResponder in it is not a socket"
        mac.socket.unlink()
        with socket.socket(socket.AF_UNIX) as stale:
            stale.bind(str(mac.socket))
        assert dns.probe(jail.root).problem.endswith("leads nowhere: Connection refused")
        mac.socket.unlink()
        mac.socket.symlink_to(mac.server)
        assert dns.probe(jail.root).problem.endswith("is not a socket")
        mac.socket.unlink()
        os.link(mac.server, mac.socket)
        assert dns.probe(jail.root) == ("link", "")
        mac.server.unlink()
        assert dns.probe(jail.root).problem == f"{mac.server} does not exist"


def test_names_are_looked_up_with_the_jail_as_root(mac: Mac) -> None:
    """In an empty jail nothing tells anything about names, so that what is found outside of it would show."""
    found = dns.inspect(str(mac.jail), ["localhost", "0x7f.1", "x" * 70])
    assert found.values["entered"] is True
    assert set(found.values["errors"]) == {"localhost", "x" * 70}
    assert found.values["addresses"] == {"0x7f.1": ["127.0.0.1"]}


def test_names_are_not_looked_up_as_root(mac: Mac) -> None:
    """A C library may load what the jail has for it, on Linux by /etc/nsswitch.conf."""
    (mac.jail / "etc").mkdir(exist_ok=True)
    hosts = mac.jail / "etc/hosts"
    hosts.write_text("192.0.2.1 dev.example\n")
    assert dns.inspect(str(mac.jail), ["dev.example"]).values["addresses"] == {"dev.example": ["192.0.2.1"]}
    hosts.chmod(0o600)
    assert "dev.example" in dns.inspect(str(mac.jail), ["dev.example"]).values["errors"]


def test_the_own_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scutil = tmp_path / "scutil"
    monkeypatch.setattr(dns, "SCUTIL", str(scutil))
    scutil.write_text('#!/bin/sh\n[ "$*" = "--get LocalHostName" ] && echo mac1\n')
    scutil.chmod(0o755)
    assert dns.local_host_name() == "mac1.local"
    scutil.write_text('#!/bin/sh\necho "LocalHostName: not set" >&2; exit 1\n')
    with pytest.raises(OperationError, match="give names"):
        dns.local_host_name()
