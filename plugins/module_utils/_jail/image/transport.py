# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry an image between a layout and a registry, by a program of tools.py.

What it is given is a layout for this one image: an index of its own, and the
blobs of the real one by a link. So it sends no other image, and leaves the
real layout to us. A password never is among the words of a command, which
everybody can see: it is in a file for the time of the transport.

The program runs as the user nobody, for whoever Homebrew belongs to can replace
it, and it speaks to strangers. What it fetches is copied, and compared with its
digests: nobody could change it later.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import BinaryIO, Callable, NamedTuple

from ..errors import InputError, JailError, show
from ..system import host, nobody_files, progress, run_directories
from ..system.lock import locked_directory
from ..system.process import CompletedRun, run
from ..system.rooted import Root
from . import logins
from .config import GO_NAMES
from .layout import (
    INDEX_TYPE,
    MARKER_TEXT,
    REF_NAME,
    Json,
    Layout,
    blob_path,
    descriptor_of,
    digest_of,
    encode,
    open_layout,
    parse,
)
from .tools import TAG, Command, Tool, find_tool

REFERENCE = re.compile(
    r"(?P<name>(?P<registry>[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?)/[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?"
)
PLACE = b"/private/var/db/darwin.jail/lent"
"""For what a program is lent: below directories that everybody can pass through."""
LENT = b".darwin.jail.lent"
"""The same, in a layout."""
CHUNK = 1 << 20
PAUSE = 2.0
"""Seconds before the second attempt; each further one waits twice as long."""
FATAL = re.compile(
    r": (unauthorized|authentication required|denied|unexpected status code 40[13])(?=[:;, ]|$)"
    r"|server gave HTTP response",
    re.IGNORECASE,
)
"""What registries say that will not change; a reference holds no space, and so not what is looked for."""


class TransportError(JailError):
    """An image could not be carried to or from a registry."""


class RegistryAuth(NamedTuple):
    """How a registry is spoken to: options of the module."""

    auth_file: str | None = None
    username: str | None = None
    password: str | None = None
    plain_http: bool = False
    retries: int = 3


class Registry:
    """An image in a registry."""

    def __init__(self, reference: str, access: RegistryAuth) -> None:
        match = REFERENCE.fullmatch(reference)
        if not match or len(reference) > 500:
            raise InputError(
                f"reference '{show(reference)}' names no image in a registry: "
                "give registry/name:tag, such as registry.example.com/jails/dev:1, or registry/name@sha256:..."
            )
        self.wanted: str | None = match["digest"]
        """The digest that the reference names."""
        self._name = match["name"]
        self.reference = reference if match["tag"] or self.wanted else f"{reference}:latest"
        self._host, self._access = match["registry"], access
        self._kind, self._path = find_tool()
        self._kind(self._path, access.plain_http, None).refuse(self._host)
        self._login = self._find_login()
        self.warnings: list[str] = []
        self._manifest = b""
        """What was there."""

    def manifest(self) -> bytes | None:
        """What is there, of an image or of several; None when there is nothing. InputError when its digest is wrong."""
        ended = self._try(lambda tool: tool.manifest(self.reference), may_lack=True)
        if ended is None:
            return None
        self._manifest, digest = ended.stdout, digest_of(ended.stdout)
        if self.wanted not in (None, digest):
            raise InputError(
                f"what the registry has for {self.reference} has another digest, {digest}: it was exchanged"
            )
        return ended.stdout

    def digest(self) -> str | None:
        """Of what is there; None when there is nothing."""
        manifest = self.manifest()
        return None if manifest is None else digest_of(manifest)

    def push(self, layout: str, name: str) -> None:
        """Send what the registry lacks of an image."""
        with closing(open_layout(host.real_path(layout), check=True)) as store:
            entry = store.named(name)
            if entry is None:
                raise InputError(f"{layout} holds no image named {name}")
            _begin(progress.SEND, store.load(descriptor_of(entry, layout)))
        with _single_image_layout(layout, {**entry, "annotations": {REF_NAME: TAG}}) as lent:
            self._try(lambda tool: tool.push(lent, self.reference))

    def pull(self, layout: str, name: str, digest: str, architecture: str) -> None:
        """Fetch what a layout lacks of an image; what only the former one of this name needed is removed."""
        source = f"{self._name}@{digest}"
        platform = f"darwin/{GO_NAMES.get(architecture, architecture)}"
        with closing(open_layout(host.real_path(layout), check=False)) as store, locked_directory(store.root):
            store.sweep()
            entry = None
            while entry is None:
                with _empty(store) as lent:
                    _begin(progress.FETCH, self._told(digest), store)
                    progress.count_files_below(os.fsencode(lent))
                    self._try(lambda tool, lent=lent: tool.pull(source, lent, platform))  # type: ignore[misc]
                    with closing(Layout(Root(lent))) as made:
                        entry = self._bring(store, made, digest)
            store.add(name, entry)

    def _told(self, digest: str) -> Json:
        """The manifest of the image, when it is what the registry had; of one of several images nothing was told."""
        return parse(self._manifest, self.reference) if digest_of(self._manifest) == digest else {}

    def tidy(self, layout: str) -> None:
        """Remove what a run that fetched into a layout has left, also when there is nothing to fetch."""
        place = os.path.join(host.real_path(layout), LENT)
        if os.path.lexists(place):
            try:
                with run_directories.own_directory(place, self.warnings, passable=True):
                    pass
            except JailError as exc:
                self.warnings.append(str(exc))

    def _bring(self, store: Layout, made: Layout, digest: str) -> Json | None:
        """Copy what the store lacks of the one image of a layout that somebody else made; returns its entry.

        None when the store had damaged blobs of it, which it now lacks.
        """
        found = made.index()["manifests"]
        if len(found) != 1:
            raise TransportError(f"cannot carry {self.reference}: {self._kind.name} made no layout of one image")
        where = f"what {self._kind.name} made"
        top = descriptor_of(found[0], where)
        if top.digest != digest:
            raise TransportError(f"cannot carry {self.reference}: {where} is the image {top.digest}, and not {digest}")
        manifest = made.load(top)
        layers = manifest.get("layers")
        if not isinstance(layers, list):
            raise TransportError(f"cannot carry {self.reference}: {self._kind.name} fetched no single image")
        parts = (*(descriptor_of(one, where) for one in (manifest.get("config"), *layers)), top)
        progress.begin(progress.VERIFY, len(parts), sum(part.size for part in parts), host.free_bytes(store.root.path))
        if store.remove_damaged(parts):
            return None
        for part in parts:
            if not store.has(part.digest, part.size):
                with made.open_blob(part) as file:
                    store.bring(part.digest, _pieces(file, part.size), where)
                progress.done(progress.VERIFY)
        return top.as_json()

    # -- the program ----------------------------------------------------------------

    def _try(self, command: Callable[[Tool], Command], may_lack: bool = False) -> CompletedRun | None:
        """Run it, again when it fails; None when the image is not there and may lack; TransportError otherwise."""
        pause, name = PAUSE, self._kind.name
        for attempt in range(self._access.retries + 1):
            ended = self._run(command)
            if not ended.rc:
                return ended
            if may_lack and any(map(self._kind.lacks.match, _lines(ended.stderr))):
                return None
            final = FATAL.search(_message(ended.stderr))
            said = self._secret(_message(ended.stderr))
            if attempt < self._access.retries and not final:
                self.warnings.append(f"{name} failed and is tried again: {show(said)}")
                time.sleep(pause)
                pause *= 2
                continue
            break
        raise TransportError(f"cannot carry {self.reference}: {name} says: {show(said)}")

    def _secret(self, said: str) -> str:
        """What is said, without a password in it."""
        return said.replace(self._access.password, "********") if self._access.password else said

    def _run(self, command: Callable[[Tool], Command]) -> CompletedRun:
        login = self._login
        with nobody_files.directory(PLACE, {} if login is None else {"config.json": login}) as folder:
            given = None if login is None else folder
            words, settings = command(self._kind(self._path, self._access.plain_http, given))
            return run(words, settings={"HOME": folder, **(settings or {})}, as_nobody=True)

    def _find_login(self) -> bytes | None:
        """What is known of this registry; None when there is no login at all."""
        access = self._access
        if access.username is not None:
            return logins.of_name(self._host, access.username, access.password)
        return logins.of_file(self._host, access.auth_file) if access.auth_file else logins.of_root(self._host)


def _begin(work: int, manifest: Json, store: Layout | None = None) -> None:
    """Say how much is carried at most; into a store, what it lacks, and how much room there is."""
    found = manifest.get("layers")
    layers = [descriptor_of(one, "the manifest") for one in found] if isinstance(found, list) else []
    lacking = [one for one in layers if store is None or not store.has(one.digest, one.size)]
    free = host.free_bytes(store.root.path) if store else 0
    progress.begin(work, len(lacking), sum(one.size for one in lacking), free)


@contextmanager
def _single_image_layout(layout: str, image: Json) -> Iterator[str]:
    """A layout with this image alone, whose blobs are those of another one."""
    blobs = os.path.join(os.fsdecode(host.real_path(layout)), "blobs")
    with nobody_files.directory(PLACE, _files([image]), {"blobs": blobs}) as folder:
        yield folder


@contextmanager
def _empty(store: Layout) -> Iterator[str]:
    """A layout to be filled, on the same volume, which has the layers that the store has: they are not fetched."""
    names = [blob_path(digest).decode() for digest in store.layers()]
    links = {name: os.path.join(os.fsdecode(store.root.path), name) for name in names}
    with nobody_files.directory(
        os.path.join(store.root.path, LENT), _files([]), links, ("blobs", "blobs/sha256")
    ) as folder:
        yield folder


def _files(images: list[Json]) -> dict[str, bytes]:
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": images}
    return {"oci-layout": MARKER_TEXT, "index.json": encode(index)}


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """As much as was announced, although the file may grow."""
    while size > 0 and (data := file.read(min(CHUNK, size))):
        size -= len(data)
        yield data


def _message(stderr: bytes) -> str:
    """The last thing that a program said, without the time and the level of it."""
    line = _lines(stderr)[-1]
    match = re.search(r'msg="(.*)"', line)
    return match[1].replace('\\"', '"') if match else line


def _lines(stderr: bytes) -> list[str]:
    return stderr.decode("utf-8", "replace").strip().split("\n")
