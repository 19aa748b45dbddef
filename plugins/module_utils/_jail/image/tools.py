# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs that transfer images, skopeo or crane, whichever a Mac has: how each is called.

Both send only layers that the other side lacks, verify digests, and get a
layout that holds one image. Of layers to be fetched, skopeo asks for those
that are missing; crane asks for all, and hangs up on those that are there.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import NamedTuple

from ..errors import InputError
from ..macos import third_party

PLACES = (third_party.ADMIN_DIRECTORY, *third_party.HOMEBREW_DIRECTORIES, "/usr/bin")
TAG = "image"
"""The name of the one image in the layout that the program gets."""


class Command(NamedTuple):
    """What a program is started with."""

    words: list[str]
    settings: dict[str, str] | None = None
    """Further environment variables."""


class Tool:
    """The interface of both."""

    name = ""
    not_found = re.compile("")
    """Its message for an image that the registry does not have, matched from the start of the line.

    A reference holds neither spaces nor quotes, so that nothing of it can pass for an answer.
    """

    def __init__(self, path: str, plain_http: bool, logins: str | None) -> None:
        """`logins` is a directory that holds config.json, the login file; the tool looks for its own without it."""
        self._path, self._plain, self._logins = path, plain_http, logins

    def require_tls(self, registry: str) -> None:
        """InputError for a registry that the tool would not speak to as it is asked to."""

    def manifest(self, reference: str) -> Command:
        """Write the manifest of an image, or the list of several, to its output."""
        raise NotImplementedError

    def push(self, layout: str, reference: str) -> Command:
        raise NotImplementedError

    def pull(self, reference: str, layout: str, platform: str) -> Command:
        raise NotImplementedError


class Skopeo(Tool):
    """https://github.com/containers/skopeo, docs/skopeo-copy.1.md and skopeo-inspect.1.md."""

    name = "skopeo"
    not_found = re.compile(
        r'.*level=fatal msg="[A-Za-z ]+\\"docker://[^\s"]+\\": (?:[(]Mirrors also failed: .*\]\): \S+: )?'
        r"(?:Error )?reading manifest \S+ in \S+: "
        r"(?:manifest unknown|name unknown|repository name not known to registry|StatusCode: 404,"
        r'|unknown: [^"]*not found"$)',
        re.IGNORECASE,
    )
    """containers/image, docker/errors.go, docker/docker_client.go (fetchManifest); the last one is what Harbor says."""

    def _words(self, verb: str, *words: str, before: Sequence[str] = ()) -> Command:
        login = ["--authfile", f"{self._logins}/config.json"] if self._logins else []
        return Command([self._path, *before, verb, *login, *words])

    def _tls(self, side: str) -> list[str]:
        return [f"--{side}tls-verify=false"] if self._plain else []

    def manifest(self, reference: str) -> Command:
        return self._words("inspect", "--raw", *self._tls(""), f"docker://{reference}")

    def push(self, layout: str, reference: str) -> Command:
        ends = f"oci:{layout}:{TAG}", f"docker://{reference}"
        return self._words("copy", "--preserve-digests", *self._tls("dest-"), *ends)

    def pull(self, reference: str, layout: str, platform: str) -> Command:
        system, processor = platform.split("/", 1)
        ends = f"docker://{reference}", f"oci:{layout}:{TAG}"
        wanted = "--override-os", system, "--override-arch", processor
        return self._words("copy", "--preserve-digests", *self._tls("src-"), *ends, before=wanted)


class Crane(Tool):
    """https://github.com/google/go-containerregistry, cmd/crane/doc; its login file is $DOCKER_CONFIG/config.json."""

    name = "crane"
    not_found = re.compile(
        r"(?:Error: |[0-9/]+ [0-9:]+ )fetching manifest \S+: (?:GET|HEAD) \S+/manifests/\S+: "
        r"(?:MANIFEST_UNKNOWN|NAME_UNKNOWN|NOT_FOUND|unexpected status code 404 )"
    )
    """cmd/crane/cmd/manifest.go; pkg/v1/remote/transport/error.go."""

    def _words(self, *words: str) -> Command:
        plain = ["--insecure"] if self._plain else []
        return Command([self._path, *words, *plain], {"DOCKER_CONFIG": self._logins} if self._logins else None)

    def require_tls(self, registry: str) -> None:
        if not self._plain and _may_be_plain(registry):
            raise InputError(
                f"crane would speak to {registry} without TLS when that does not answer with it: "
                "install skopeo, or set plain_http"
            )

    def manifest(self, reference: str) -> Command:
        return self._words("manifest", reference)

    def push(self, layout: str, reference: str) -> Command:
        return self._words("push", layout, reference)

    def pull(self, reference: str, layout: str, platform: str) -> Command:
        return self._words("pull", "--format", "oci", "--platform", platform, reference, layout)


def _may_be_plain(registry: str) -> bool:
    """Whether crane falls back to plain http: pkg/name/registry.go, Scheme, and pkg/v1/remote/transport/ping.go."""
    name = registry.partition(":")[0]
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name == "localhost" or bool(re.search(r"[.]local(host)?$", name))
    return address.is_private or address.is_loopback


def find_tool() -> tuple[type[Tool], str]:
    """The program that the Mac has, and where; InputError when it has none."""
    tools: Sequence[type[Tool]] = (Skopeo, Crane)
    for tool in tools:
        found = third_party.find(tool.name, PLACES)
        if found:
            return tool, found
    raise InputError(f"there is neither skopeo nor crane in {', '.join(PLACES)}: install one (brew install skopeo)")
