# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""A bridge per checkout, a veth pair per host, addresses of a private /24."""

from __future__ import annotations

import ipaddress
import json
import socket
import textwrap
import time
from pathlib import Path

from host.shell import run
from host.state import Host, StandinError, checkout_directory, checkout_id, hosts

INTERFACE = "en0"


def bridge() -> str:
    return f"djbr{checkout_id()}"


def veth(host: Host) -> str:
    return f"dj{checkout_id()}-{host.index}"


def subnet() -> ipaddress.IPv4Network:
    """The /24 of this checkout: derived from its name, kept once chosen, never one in use."""
    kept = checkout_directory() / "subnet"
    if kept.exists():
        return ipaddress.ip_network(kept.read_text(encoding="utf-8").strip())  # type: ignore[return-value]
    taken = _networks_in_use()
    start = int(checkout_id(), 16)
    for step in range(256):
        second, third = 64 + (start >> 8) % 128, (start + step) % 256
        candidate = ipaddress.IPv4Network(f"10.{second}.{third}.0/24")
        if not any(candidate.overlaps(other) for other in taken):
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(f"{candidate}\n", encoding="utf-8")
            return candidate
    raise StandinError("no free 10.x.y.0/24 network for the stand-ins")


def _networks_in_use() -> list[ipaddress.IPv4Network]:
    found = []
    for route in json.loads(run("ip", "-4", "-json", "route", "show", "table", "all") or "[]"):
        destination = route["dst"].replace("default", "0.0.0.0/0")
        network = ipaddress.IPv4Network(destination, strict=False)
        if network.prefixlen > 8:
            found.append(network)
    for path in checkout_directory().parent.glob("*/subnet"):
        found.append(ipaddress.IPv4Network(path.read_text(encoding="utf-8").strip()))
    return found


def free_index() -> int:
    used = {host.index for host in hosts()}
    return next(i for i in range(2, 250) if i not in used)


def address(index: int) -> str:
    return str(subnet()[index])


def gateway() -> str:
    return str(subnet()[1])


def _links() -> set[str]:
    return {link["ifname"] for link in json.loads(run("ip", "-json", "link", "show"))}


def hardware_address(index: int) -> str:
    """Fixed ones: neighbours remember them, across reboots and whoever comes and goes."""
    return ":".join(["02", "00", *textwrap.wrap(checkout_id(), 2), f"{index:02x}"])


def ensure_bridge() -> None:
    if bridge() not in _links():
        run("ip", "link", "add", bridge(), "type", "bridge")
        run("ip", "address", "add", f"{gateway()}/24", "dev", bridge())
    # A bridge without an address of its own takes one from its ports, another one with each that comes.
    run("ip", "link", "set", bridge(), "address", hardware_address(1), "up")


def plug(host: Host) -> None:
    """Give the namespaces of the host their network card."""
    ensure_bridge()
    run("ip", "link", "delete", veth(host), check=False)
    run(
        "ip",
        "link",
        "add",
        veth(host),
        "type",
        "veth",
        "peer",
        "name",
        INTERFACE,
        "address",
        hardware_address(host.index),
        "netns",
        str(host.pid),
    )
    run("ip", "link", "set", veth(host), "master", bridge(), "up")
    inside = ("nsenter", "-t", str(host.pid), "-n", "ip")
    run(*inside, "link", "set", "lo", "up")
    run(*inside, "address", "add", f"{host.address}/24", "dev", INTERFACE)
    run(*inside, "link", "set", INTERFACE, "up")
    run(*inside, "route", "add", "default", "via", gateway())


def unplug(host: Host) -> None:
    run("ip", "link", "delete", veth(host), check=False)


def remove_bridge() -> None:
    """When the last host is gone; also what a crash left."""
    for name in _links():
        if name == bridge() or name.startswith(f"dj{checkout_id()}-"):
            run("ip", "link", "delete", name, check=False)


def wait_for_ssh(host: Host, patience: float = 20.0) -> None:
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((host.address, 22), timeout=1) as sock:
                if sock.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    log = Path(host.directory, "console.log")
    tail = log.read_text(encoding="utf-8", errors="replace")[-500:] if log.exists() else ""
    raise StandinError(f"{host.name}: sshd does not answer on {host.address} after {patience:.0f} s {tail}".strip())
