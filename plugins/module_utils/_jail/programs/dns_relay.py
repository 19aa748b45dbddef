# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Let programs in a jail reach the Mac's mDNSResponder, so that names resolve.

It is installed on the Mac and run by launchd, once for each jail: python3 -I -S dns_relay.py [--mode MODE] JAIL

Programs look for the socket /var/run/mDNSResponder. In the jail it is a hard link to the Mac's, which needs both on one
volume and goes stale with each reboot; or a socket of this process, which relays to the Mac's. Every other second
the process checks the name, and makes it again when it is missing, stale or replaced.

Requests have a header that tells their length. On a shared connection, the one that Libinfo takes, a descriptor comes
with the very last byte of each; the daemon refuses one that comes with an earlier byte, and a request that lacks it
(apple-oss-distributions mDNSResponder, mDNSShared/dnssd_clientstub.c and uds_daemon.c).
"""

from __future__ import annotations

import argparse
import array
import errno
import os
import pwd
import resource
import selectors
import socket
import stat
import struct
import time
from collections import Counter, OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ..dirfd import working_directory
from .daemon import LogOnce, Sigterm, open_nofollow
from .socket_peer import connect_with_retry, peer_uid

SERVER = "/private/var/run/mDNSResponder"
FOLDER, NAME, TEMPORARY = "private/var/run", "mDNSResponder", ".darwin.jail."
TICK = 2.0
"""How often to see that the socket in the jail is as it should be, in seconds."""
HEADER = struct.Struct(">IIIIQI")
"""Version, length of what follows, flags, operation, context, index (dnssd_ipc.h, ipc_msg_hdr)."""
VERSION = 1
CHUNK = 1 << 16
MAX_BURSTS = 16
"""How many transfers one conversation gets before the next one."""
CONTROL = socket.CMSG_SPACE(4 * 512)
"""More than one message can bring on macOS, where what does not fit would stay open, unknown to us."""
LOST = int(socket.MSG_CTRUNC)
"""That descriptors were lost; a plain number, for the enumeration takes longer to compare than a message to receive."""
MANY = 10240
"""The most open files that macOS gives a process (sys/syslimits.h, OPEN_MAX)."""
MOST = 512
"""Conversations at once: a jail has a few, and each takes one of the files that the Mac's mDNSResponder can open."""
NOBODY = pwd.getpwnam("nobody").pw_uid
# Of a link that will never be made here, as opposed to not just now.
IMPOSSIBLE = (errno.EXDEV, errno.EPERM, errno.EACCES, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK)


class Frames:
    """Where in a stream of requests we are: what is read at once never goes beyond the end of a request."""

    _header, _left = b"", 0

    def room(self) -> int:
        """How many bytes may be read now."""
        return min(self._left or HEADER.size - len(self._header), CHUNK)

    def took(self, data: bytes) -> bool:
        """Note what was read; whether that ends a header; ValueError when it is no request that we know."""
        if self._left:
            self._left -= len(data)
            return False
        self._header += data
        if len(self._header) == HEADER.size:
            version, self._left = HEADER.unpack(self._header)[:2]
            self._header = b""
            if version != VERSION:
                raise ValueError(f"a program speaks version {version} of the protocol, which is not known here")
        return self._left > 0


class Pipe:
    """One direction of a conversation. What came in waits here until all of it is gone, then more is read."""

    def __init__(self, source: socket.socket, target: socket.socket, frames: Frames | None = None) -> None:
        self._source, self._target, self._frames = source, target, frames
        self.data = b""
        self._descriptors: list[int] = []
        self.ended = self.finished = self._goes_on = False  # the last: a header came, and what follows goes with it

    @property
    def is_idle(self) -> bool:
        """Whether all that it waits for is more to come in."""
        return not self.data and not self.ended

    def transfer(self) -> None:
        """Transfer without blocking; OSError or ValueError when the conversation is over."""
        try:
            for _turn in range(MAX_BURSTS):
                if self.data and not self._goes_on:
                    self._send()
                    if not self.data:
                        break  # the selector tells of what comes next, for less than a read that fails
                elif not self.ended:
                    self._receive()
        except (BlockingIOError, InterruptedError):
            pass
        if self.ended and not self.data and not self.finished:
            self.finished = True
            with suppress(OSError):  # it is gone altogether
                self._target.shutdown(socket.SHUT_WR)

    def _receive(self) -> None:
        room, self._goes_on = self._frames.room() if self._frames else CHUNK, False
        data, ancillary, flags, _address = self._source.recvmsg(room, CONTROL)
        self.data += data
        for level, kind, value in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                found = array.array("i")
                found.frombytes(value[: len(value) - len(value) % found.itemsize])
                self._descriptors += found
        if flags & LOST:
            raise OSError(errno.EMSGSIZE, "more descriptors came at once than can be taken")
        self.ended = not data
        if self._frames:
            self._goes_on = self._frames.took(data) and not self._descriptors

    def _send(self) -> None:
        """Descriptors go with the last byte of what they came with, which is sent when all before it is gone."""
        if not self._descriptors:
            sent = self._target.send(self.data)
        elif len(self.data) > 1:
            sent = self._target.send(self.data[:-1])
        else:
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", self._descriptors))
            sent = self._target.sendmsg([self.data], [rights])
            self.close_descriptors()
        self.data = self.data[sent:]

    def close_descriptors(self) -> None:
        """Close our copies of the descriptors: a client waits until nobody has them but the daemon."""
        while self._descriptors:
            os.close(self._descriptors.pop())


class Conversation:
    """A program in the jail and the Mac's mDNSResponder."""

    def __init__(self, client: socket.socket, server: socket.socket, selector: selectors.BaseSelector) -> None:
        self.uid = peer_uid(client)
        self._selector = selector
        self._requests, self._replies = Pipe(client, server, Frames()), Pipe(server, client)
        # Each socket, with the way it is read for and the way it is written for.
        self._ends = ((client, self._requests, self._replies), (server, self._replies, self._requests))
        self._watched = {client: 0, server: 0}
        self._is_idle = False
        for sock in self._watched:
            sock.setblocking(False)

    def carry(self, ready: object = None) -> bool:
        """Move what is `ready`, by default all, and wait for what is not; False when the conversation is over."""
        for sock, inward, outward in self._ends:
            if ready is None or sock is ready:
                inward.transfer()
                if outward.data:
                    outward.transfer()
        was_idle, self._is_idle = self._is_idle, self._requests.is_idle and self._replies.is_idle
        if not (was_idle and self._is_idle):  # mostly both wait for more to come in, and are watched for that already
            for sock, inward, outward in self._ends:
                events = selectors.EVENT_READ * inward.is_idle | selectors.EVENT_WRITE * bool(outward.data)
                self._watch(sock, events)
        return not (self._requests.finished and self._replies.finished)

    def _watch(self, sock: socket.socket, events: int) -> None:
        before, self._watched[sock] = self._watched[sock], events
        if before and events and before != events:
            self._selector.modify(sock, events, self)
        elif events and not before:
            self._selector.register(sock, events, self)
        elif before and not events:
            self._selector.unregister(sock)

    def close(self) -> None:
        for sock, inward, _outward in self._ends:
            self._watch(sock, 0)
            inward.close_descriptors()
            sock.close()


class Relay:
    """All conversations, carried by one thread that waits for none of them."""

    def __init__(self, server: str, files: int, journal: LogOnce) -> None:
        """Each conversation has two files open, and a third on its way; `files` can be open in all."""
        self._server, self._most, self._journal = server, min(files // 4, MOST), journal
        self._selector = selectors.DefaultSelector()
        self._conversations: OrderedDict[Conversation, None] = OrderedDict()  # the one that was silent longest is first
        self._users: Counter[int] = Counter()
        self._listener: socket.socket | None = None

    def listen(self, listener: socket.socket | None) -> None:
        """Take programs from this socket from now on, and no more from the one before."""
        if listener and listener is not self._listener:
            self._selector.register(listener, selectors.EVENT_READ)
            if self._listener:
                self._selector.unregister(self._listener)
                self._listener.close()
            self._listener = listener

    def serve(self, seconds: float) -> None:
        """Carry what there is to carry, for this long."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            for key, _events in self._selector.select(left):
                if not key.data:
                    self._accept()
                elif key.data in self._conversations:  # it may have ended since
                    self._carry(key.data, key.fileobj)

    def _accept(self) -> None:
        try:
            client, _address = self._listener.accept()  # type: ignore[union-attr]
        except OSError:
            return
        try:
            conversation = Conversation(client, connect_with_retry(self._server), self._selector)
        except OSError as exc:
            self._journal.say(f"cannot reach {self._server}: {exc.strerror}")
            client.close()
            return
        self._conversations[conversation] = None
        self._users[conversation.uid] += 1
        self._carry(conversation)
        if len(self._conversations) > self._most:
            self._end_one()

    def _end_one(self) -> None:
        """Make room: of the user who has the most conversations, the one that was silent longest ends."""
        greediest = max(self._users, key=self._users.__getitem__)
        self._end(next(one for one in self._conversations if one.uid == greediest))
        self._journal.say(f"user {greediest} has too many connections: those that were silent longest were ended")

    def _end(self, conversation: Conversation) -> None:
        conversation.close()
        del self._conversations[conversation]
        self._users -= Counter((conversation.uid,))

    def _carry(self, conversation: Conversation, ready: object = None) -> None:
        self._conversations.move_to_end(conversation)
        try:
            if conversation.carry(ready):
                return
        except OSError:
            pass  # one of the two is gone
        except ValueError as exc:
            self._journal.say(str(exc))
        self._end(conversation)


def identity(name: str, folder: int | None = None) -> tuple[int, int] | None:
    """Which socket has a name: its device and inode; None when it is none."""
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    return (status.st_dev, status.st_ino) if stat.S_ISSOCK(status.st_mode) else None


class SocketInstaller:
    """The name in the jail under which programs look for mDNSResponder.

    It is reached from the directory that holds it: the address of a socket takes no descriptor, and 104 bytes at most.
    """

    def __init__(self, jail: str, server: str, mode: str, journal: LogOnce) -> None:
        self._folder, self._server, self._mode, self._journal = f"{jail}/{FOLDER}", server, mode, journal
        self._own: tuple[int, int] | None = None
        self._why = ""
        self.listener: socket.socket | None = None

    def ensure(self) -> None:
        """Ensure that the name leads to mDNSResponder; OSError when it cannot, now or ever."""
        with open_nofollow(self._folder) as folder, working_directory(folder):
            there = identity(NAME, folder)
            if self._mode != "relay":
                reason = self._link(folder, there)
                if not reason:
                    return
                if self._mode == "link":
                    raise OSError(errno.EXDEV, f"a hard link to {self._server} does not work: {reason}")
                self._mode, self._why = "relay", f", because a hard link does not work: {reason}"
            if not self.listener or there != self._own:
                self._listen(folder)

    def _link(self, folder: int, there: tuple[int, int] | None) -> str:
        """Make the name a hard link to the server's socket; says why that cannot be, or is not enough."""
        server = identity(self._server)
        if server is None:
            raise OSError(errno.ENOENT, f"{self._server} does not exist")
        if there == server == self._own:
            return ""
        try:
            with replacing(folder) as name:
                os.link(self._server, name, dst_dir_fd=folder, follow_symlinks=False)
                connect_with_retry(self._server).close()
                try:
                    connect_with_retry(name).close()
                except OSError as exc:
                    raise OSError(errno.EACCES, f"connecting to it: {exc.strerror}") from exc
                self._own = server  # before it has its name: SIGTERM may come at any moment
            self._journal.say(f"{self._folder}/{NAME} is a hard link to {self._server}")
        except OSError as exc:
            if exc.errno in IMPOSSIBLE:
                return exc.strerror or str(exc)
            raise
        return ""

    def _listen(self, folder: int) -> None:
        """Make a socket with the mode that the Mac's own has, and take the place of what has the name."""
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.setblocking(False)
        before = os.umask(0o111)
        try:
            with replacing(folder) as name:
                listener.bind(name)
                listener.listen(socket.SOMAXCONN)
                self._own, self.listener = identity(name, folder), listener  # before it has its name, too
            self._journal.say(f"{self._folder}/{NAME} is relayed to {self._server}{self._why}")
        finally:
            os.umask(before)

    def close(self) -> None:
        """Take away what was put there."""
        with suppress(OSError), open_nofollow(self._folder) as folder:
            if self._own and identity(NAME, folder) == self._own:
                os.unlink(NAME, dir_fd=folder)


@contextmanager
def replacing(folder: int) -> Iterator[str]:
    """Yield an unpredictable temporary name; on success rename it to NAME."""
    for left in os.listdir(folder):  # by one that was killed; there is no other for this jail
        if left.startswith(TEMPORARY):
            with suppress(OSError):
                os.unlink(left, dir_fd=folder)
    temporary = TEMPORARY + os.urandom(8).hex()
    try:
        yield temporary
        os.rename(temporary, NAME, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=folder)


@contextmanager
def as_root() -> Iterator[None]:
    """Run the block as root, otherwise stay nobody, so that mDNSResponder gives jail programs no extra rights."""
    os.seteuid(os.getuid())
    try:
        yield
    finally:
        if os.getuid() == 0:
            os.seteuid(NOBODY)


def main(words: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("jail", help="the jail's directory, an absolute path without symbolic links")
    parser.add_argument("--mode", choices=("auto", "link", "relay"), default="auto")
    parser.add_argument("--server", default=SERVER, help="the socket of mDNSResponder, an absolute path")
    options = parser.parse_args(words)
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    files = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
    journal = LogOnce()
    relay = Relay(options.server, files, journal)
    installer = SocketInstaller(options.jail, options.server, options.mode, journal)
    try:
        Sigterm()
        while True:
            try:
                with as_root():
                    installer.ensure()
            except OSError as exc:
                journal.say(f"{options.jail} has no way to mDNSResponder: {exc.strerror} {exc.filename or ''}".rstrip())
            relay.listen(installer.listener)
            relay.serve(TICK)
    finally:
        with as_root():
            installer.close()
