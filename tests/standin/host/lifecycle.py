# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Create, reboot and destroy hosts. Every verb repairs what an interrupted one left.

Reboot, update and halt shut macOS down. A loss of power and destroy end all processes at once.
"""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Collection

from host import folding, lower, namespaces, network, personal, releases, volume
from host.state import Host, StandinError, checkout_directory, hosts, load, locked, names, state_directory

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
SIP = ("on", "off", "custom", "custom-fs")
TRAITS = ("bare", "vms", "xnu", "folding")
"""What a host can be made with."""
PAIR = (("mac-arm64", "arm64"), ("mac-x86", "x86_64"))


def lock() -> contextlib.AbstractContextManager[None]:
    return locked(checkout_directory() / "lock")


def create(
    name: str,
    arch: str,
    macos: str | None,
    cpu: str | None,
    sip: str,
    traits: Collection[str] = (),
) -> Host:
    """Make the host, or start it again; a host that runs is left as it is."""
    default_macos, default_cpu = releases.DEFAULTS[arch]
    wanted = (arch, macos or default_macos, cpu or default_cpu, sip)
    if not NAME.fullmatch(name):
        raise StandinError(f"{name}: not a host name (lower case letters, digits, dashes)")
    if "folding" in traits and (reason := folding.missing()):
        raise StandinError(reason)
    if sip not in SIP:
        raise StandinError(f"--sip {sip}: one of {', '.join(SIP)}")
    try:
        releases.release_for(wanted[1], arch)
        releases.machine_for(wanted[2], arch)
    except releases.UnknownReleaseError as error:
        raise StandinError(str(error)) from error
    with lock():
        host = load(name)
        if host is not None and (host.arch, host.macos, host.cpu, host.sip) != wanted:
            raise StandinError(
                f"{name} exists as {host.arch}, macOS {host.macos}, {host.cpu}, SIP {host.sip}: destroy it first"
            )
        if host is None or not host.personal:
            _remove(name)  # whatever an interrupted create left
            index = network.free_index()
            host = Host(name, *wanted, index=index, address=network.address(index))
            for trait in traits:
                setattr(host, trait, True)
            host.lower = lower.ensure().name
            host.save()
            host.volume = volume.make(host)
        if not host.running():
            _start(host)
        return host


def _start(host: Host) -> None:
    if not (state_directory() / "lower" / host.lower).is_dir():
        raise StandinError(f"{host.name}: its lower root {host.lower} is gone: destroy it and create it again")
    booting = namespaces.boot(host)
    try:
        network.plug(host)
        if not host.personal:
            personal.write(host, booting.root)
            host.personal = True
        elif host.macos != host.written:
            personal.write_release(host, booting.root)
        host.written = host.macos
        if host.folding:
            folding.serve(host, booting.root)
        if host.vms:
            from host import vms  # noqa: PLC0415 (its server makes hosts)

            vms.serve(host, booting.root)
        booting.release()
        network.wait_for_ssh(host)
    except BaseException:
        namespaces.kill(host)
        host.save()
        raise
    host.save()
    _write_known_hosts()


def update(name: str, macos: str) -> Host:
    """Another macOS: new files while it is down, then it starts again."""
    with lock():
        host = _existing(name)
        try:
            releases.release_for(macos, host.arch)
        except releases.UnknownReleaseError as error:
            raise StandinError(str(error)) from error
        _shut_down(host)
        host.macos = macos
        _start(host)
        return host


def reboot(name: str, power_loss: bool = False) -> Host:
    with lock():
        host = _existing(name)
        (_stop if power_loss else _shut_down)(host)
        _start(host)
        return host


def halt(name: str) -> None:
    """Its files stay."""
    with lock():
        host = load(name)
        if host is not None:
            _shut_down(host)


def destroy(name: str) -> None:
    with lock():
        host = load(name)
        for machine in [other for other in names() if host and host.vms and other.startswith(f"{name}-")]:
            _remove(machine)
        _remove(name)
        if not names():
            network.remove_bridge()
        _write_known_hosts()


def existing(name: str) -> Host:
    return _existing(name)


def _existing(name: str) -> Host:
    host = load(name)
    if host is None:
        known = ", ".join(names()) or "none"
        raise StandinError(f"no stand-in {name}; there are: {known}")
    return host


def _shut_down(host: Host) -> None:
    namespaces.shut_down(host)
    _stop(host)


def _stop(host: Host) -> None:
    namespaces.kill(host)
    network.unplug(host)
    host.save()


def _remove(name: str) -> None:
    """Processes, network, mounts and files of a host, as far as there are any."""
    host = load(name)
    if host is not None:
        _stop(host)
    shutil.rmtree(checkout_directory() / "hosts" / name, ignore_errors=True)


def _write_known_hosts() -> None:
    lines = []
    for host in hosts():
        key = host.directory / "ssh_host_ed25519_key.pub"
        if key.exists():
            kind, text, *_comment = key.read_text(encoding="utf-8").split()
            lines.append(f"{host.address} {kind} {text}\n")
    path = checkout_directory() / "known_hosts"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(lines), encoding="utf-8")
