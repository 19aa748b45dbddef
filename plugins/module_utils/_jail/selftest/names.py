# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Host names, by way of mDNSResponder's socket."""

from __future__ import annotations

import errno
import os

from ..jobs import dns
from ..macos import launchd
from ..programs import dns_relay
from ..system import call_probes, sockets
from ..system.rooted import Root
from .claims import Verdict, claim, found
from .context import Context, NotTriedError
from .reruns import step, succeeded

GREETING = dns_relay.HEADER.pack(dns_relay.VERSION, 0, 0, 1, 0, 0)
"""connection_request, which begins a shared connection and is answered with an error code."""
WELCOME = bytes(4)
TIMEOUT = 10.0


@claim(
    "M-DNS-1",
    "The socket of mDNSResponder has mode 0666 and belongs to root or its own user",
    source="Names: com.apple.mDNSResponder.plist, Sockets",
    judged="stat(2)",
)
def for_all(_context: Context) -> Verdict:
    mode = os.stat(dns.SERVER).st_mode & 0o777
    return found(mode == 0o666, f"its mode is {mode:04o}")


@claim(
    "M-DNS-2",
    "A hard link to the socket of mDNSResponder reaches the same socket",
    source="Names: aoss/xnu uipc_usrreq.c",
    judged="link(2), connect(2)",
)
def linked(context: Context) -> Verdict:
    server = os.path.realpath(os.fsencode(dns.SERVER))
    try:
        call_probes.connect_through_hardlink(server, context.place("scratch", "socket"))
    except OSError as exc:
        if exc.errno == errno.EXDEV:
            raise NotTriedError("the run's directory is on another volume than the socket") from exc
        return found(False, errno.errorcode.get(exc.errno or 0, "no errno"))
    return found(True, "it answers")


@claim(
    "M-DNS-3",
    "The relay reaches mDNSResponder from outside of a jail, as the user nobody",
    source="Names: uds_daemon.c; dnssd_clientstub.c, DNSServiceCreateConnection",
    judged="the role dns, connect(2), and what comes back",
    needs=("jail",),
)
def relayed(context: Context) -> Verdict:
    relay = step(context, "relay")
    if not relay["ok"]:
        return found(False, str(relay["message"]))
    with Root(context.place("jail")) as jail:
        said = sockets.request_reply(jail, dns.SOCKET, GREETING, len(WELCOME), TIMEOUT)
    if said == WELCOME:
        return found(True, "it answers")
    return found(
        False, f"it says {said.hex()}" if said else launchd.last_log_line(launchd.label(jail.path, dns.PURPOSE))
    )


@claim(
    "M-DNS-4",
    "A program in a jail finds the address of a name over the relay",
    source="Names: aoss/Libinfo mdns_module.c",
    judged="getaddrinfo(3)",
    needs=("SIP off", "jail"),
)
def resolved(context: Context) -> Verdict:
    return succeeded(context, "resolved", "it does")
