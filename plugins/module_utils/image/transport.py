# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry an image between a layout and a registry, by skopeo.

It copies only the layers that the other side lacks, and verifies digests. A
password never is among the words of a command, which everybody can see: it is
in a file for the time of the transport.
"""

from __future__ import annotations

import base64
import json
import os
import re
import time
from collections.abc import Sequence
from typing import NamedTuple

from .._sys import host, scratch
from .._sys.process import Ended, run
from ..errors import InputError, JailError, show
from .config import GO_NAMES
from .layout import digest_of

PLACES = ("/opt/homebrew/bin", "/usr/local/bin", "/usr/bin")
REFERENCE = re.compile(
    r"(?P<registry>[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?)/[a-z0-9]+([._/-]+[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
)
PAUSE = 2.0
"""Seconds before the second attempt; each further one waits twice as long."""
UNKNOWN = ("manifest unknown", "MANIFEST_UNKNOWN", "NAME_UNKNOWN", "name unknown", "404")
"""What registries and tools say of an image that is not there."""


class TransportError(JailError):
    """An image could not be carried to or from a registry."""


class Access(NamedTuple):
    """How a registry is spoken to: options of the module."""

    auth_file: str | None = None
    username: str | None = None
    password: str | None = None
    plain_http: bool = False
    retries: int = 3


class Registry:
    """An image in a registry."""

    def __init__(self, reference: str, access: Access) -> None:
        match = REFERENCE.fullmatch(reference)
        if not match or len(reference) > 500:
            raise InputError(
                f"reference '{show(reference)}' names no image in a registry: "
                "give registry/name:tag, such as registry.example.com/jails/dev:1"
            )
        self.reference = reference if ":" in reference.rpartition("/")[2] else f"{reference}:latest"
        self._host, self._access = match["registry"], access
        self._tool = find_skopeo()
        self.warnings: list[str] = []

    def digest(self) -> str | None:
        """Of the manifest that is there; None when there is none."""
        ended = self._try(["inspect", "--raw", *self._tls(""), f"docker://{self.reference}"], may_lack=True)
        return None if ended is None else digest_of(ended.stdout)

    def push(self, layout: str, name: str) -> None:
        """Send what the registry lacks of an image."""
        ends = f"oci:{layout}:{name}", f"docker://{self.reference}"
        self._try(["copy", "--preserve-digests", *self._tls("dest-"), *ends])

    def pull(self, layout: str, name: str, architecture: str) -> None:
        """Fetch what a layout lacks of the image."""
        platform = ["--override-os", "darwin", "--override-arch", GO_NAMES.get(architecture, architecture)]
        host.make_dirs(os.fsencode(layout))  # which skopeo does not
        ends = f"docker://{self.reference}", f"oci:{layout}:{name}"
        self._try(["copy", "--preserve-digests", *self._tls("src-"), *ends], platform=platform)

    # -- the program ----------------------------------------------------------------

    def _tls(self, side: str) -> list[str]:
        return [f"--{side}tls-verify=false"] if self._access.plain_http else []

    def _try(self, words: Sequence[str], may_lack: bool = False, platform: Sequence[str] = ()) -> Ended | None:
        """Run it, again when it fails; None when the image is not there and may lack; TransportError otherwise."""
        pause = PAUSE
        for attempt in range(self._access.retries + 1):
            ended = self._run(words, platform)
            if not ended.rc:
                return ended
            said = self._secret(_message(ended.stderr))
            if may_lack and any(word in said for word in UNKNOWN):
                return None
            if attempt < self._access.retries and not _is_final(said):
                self.warnings.append(f"skopeo {words[0]} is tried again: {show(said)}")
                time.sleep(pause)
                pause *= 2
                continue
            break
        raise TransportError(f"cannot carry {self.reference}: skopeo says: {show(said)}")

    def _secret(self, said: str) -> str:
        """What is said, without a password in it."""
        return said.replace(self._access.password, "********") if self._access.password else said

    def _run(self, words: Sequence[str], platform: Sequence[str]) -> Ended:
        logins = self._logins()
        if logins is None:
            return run([self._tool, *platform, *words])
        with scratch.directory({"auth.json": logins}) as folder:
            return run([self._tool, *platform, words[0], "--authfile", f"{folder}/auth.json", *words[1:]])

    def _logins(self) -> bytes | None:
        """A login file; None when the tool is to look for its own."""
        access = self._access
        if access.username is not None:
            login = f"{access.username}:{access.password or ''}".encode()
            return json.dumps({"auths": {self._host: {"auth": base64.b64encode(login).decode()}}}).encode()
        return host.read_file(access.auth_file) if access.auth_file else None


def _message(stderr: bytes) -> str:
    """The last thing that skopeo said, without the time and the level of it."""
    line = stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    match = re.search(r'msg="(.*)"', line)
    return match[1].replace('\\"', '"') if match else line


def _is_final(said: str) -> bool:
    """Whether another attempt would end in the same way."""
    return any(word in said for word in ("unauthorized", "authentication required", "denied", "server gave HTTP"))


def find_skopeo() -> str:
    """Where skopeo is; InputError when the Mac has none."""
    for place in PLACES:
        if host.is_program(f"{place}/skopeo"):
            return f"{place}/skopeo"
    raise InputError(f"there is no skopeo in {', '.join(PLACES)}: install it (brew install skopeo)")
