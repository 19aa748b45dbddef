# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Push an image to a registry and pull it, by a program of tools.py.

The program gets a layout for this one image: an index, and a link to the blobs
of the real layout. So it sends no other image, and cannot change the real
layout. A password is never among the words of a command, which everybody can
see: it is in a file while the program runs.

The program runs as the user nobody, because the owner of Homebrew can replace
it, and because it reads answers of other computers. What it fetches is copied
and compared with its digests: nobody can change the copy later.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import BinaryIO, Callable, NamedTuple

from ..errors import InputError, JailError, show
from ..system import host, nobody_files, progress, run_directories
from ..system.build_lock import locked_directory
from ..system.process import CompletedRun, run
from ..system.rooted import Root
from . import logins
from .config import GO_NAMES
from .layout import (
    BLOBS,
    INDEX_TYPE,
    MARKER_TEXT,
    REF_NAME,
    Descriptor,
    Json,
    Layout,
    blob_path,
    descriptor_of,
    digest_of,
    encode,
    open_layout,
    parse_json,
)
from .tools import TAG, Command, Tool, find_tool

REFERENCE = re.compile(
    r"(?P<name>(?P<registry>[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]+)?)/[a-z0-9]+([._/-]+[a-z0-9]+)*)"
    r"(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})|@(?P<digest>sha256:[0-9a-f]{64}))?"
)
TOOL_DIRECTORIES = b"/private/var/db/darwin.jail/tools"
"""Directories of root's that the program may read, below directories that everybody can pass through."""
TOOL_LAYOUT = b".darwin.jail.tools"
"""The directory in a layout that the program fills."""
CHUNK = 1 << 20
PAUSE = 2.0
"""Seconds before the second attempt; each further one waits twice as long."""
FATAL = re.compile(
    r": (unauthorized|authentication required|denied|unexpected status code 40[13])(?=[:;, ]|$)"
    r"|server gave HTTP response",
    re.IGNORECASE,
)
"""Answers of a registry for which trying again is useless. A reference holds no space, so it cannot match."""


class TransportError(JailError):
    """An image could not be pushed or pulled."""


class RegistryAuth(NamedTuple):
    """How to talk to a registry: options of the module."""

    auth_file: str | None = None
    username: str | None = None
    password: str | None = None
    plain_http: bool = False
    retries: int = 3


class Registry:
    """An image in a registry."""

    def __init__(self, reference: str, auth: RegistryAuth) -> None:
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
        self._host, self._auth = match["registry"], auth
        self._tool, self._program = find_tool()
        self._tool(self._program, auth.plain_http, None).require_tls(self._host)
        self._login = self._find_login()
        self.warnings: list[str] = []
        self._manifest = b""
        """The manifest that the registry had."""

    def manifest(self) -> bytes | None:
        """The manifest or index in the registry; None when there is none. InputError when its digest is wrong."""
        ended = self._run_until_done(lambda tool: tool.manifest(self.reference), may_be_missing=True)
        if ended is None:
            return None
        self._manifest, digest = ended.stdout, digest_of(ended.stdout)
        if self.wanted not in (None, digest):
            raise InputError(
                f"the image {self.reference} in the registry has a different digest, {digest}: it was replaced"
            )
        return ended.stdout

    def digest(self) -> str | None:
        """The digest of the manifest in the registry; None when there is none."""
        manifest = self.manifest()
        return None if manifest is None else digest_of(manifest)

    def push(self, layout: str, name: str) -> None:
        """Send what the registry lacks of an image."""
        with closing(open_layout(host.real_path(layout), check=True)) as store:
            entry = store.find(name)
            if entry is None:
                raise InputError(f"{layout} contains no image named {name}")
            layers, sent = _layers(store.load(descriptor_of(entry, layout))), self._layers_there()
            _begin(progress.SEND, [layer for layer in layers if layer.digest not in sent])
            blobs = os.path.join(store.root.path, BLOBS)
        with _single_image_layout(layout, {**entry, "annotations": {REF_NAME: TAG}}) as folder:
            progress.count_reads(blobs)
            self._run_until_done(lambda tool: tool.push(folder, self.reference))

    def pull(self, layout: str, name: str, digest: str, architecture: str) -> None:
        """Fetch what a layout lacks of an image; removes blobs that only the previous image of this name needed."""
        source = f"{self._name}@{digest}"
        platform = f"darwin/{GO_NAMES.get(architecture, architecture)}"
        with closing(open_layout(host.real_path(layout), check=False)) as store, locked_directory(store.root):
            store.clean_up()
            entry = None
            while entry is None:
                with _layout_to_fill(store) as folder:
                    layers = _layers(self._known_manifest(digest))
                    lacking = [layer for layer in layers if not store.has(layer.digest, layer.size)]
                    _begin(progress.FETCH, lacking, host.free_bytes(store.root.path))
                    progress.count_files_below(os.fsencode(folder))
                    self._run_until_done(lambda tool, path=folder: tool.pull(source, path, platform))  # type: ignore[misc]
                    with closing(Layout(Root(folder))) as filled:
                        entry = self._copy_image(store, filled, digest)
            store.add(name, entry)

    def _layers_there(self) -> set[str]:
        """The layers of the image that has the reference now: the program does not send them again."""
        with suppress(InputError):
            return {layer.digest for layer in _layers(parse_json(self._manifest, self.reference))}
        return set()

    def _known_manifest(self, digest: str) -> Json:
        """The manifest of the image when the registry has answered with it; {} for one of several images."""
        return parse_json(self._manifest, self.reference) if digest_of(self._manifest) == digest else {}

    def tidy(self, layout: str) -> None:
        """Remove what a killed pull left in a layout, also when there is nothing to pull."""
        place = os.path.join(host.real_path(layout), TOOL_LAYOUT)
        if os.path.lexists(place):
            try:
                with run_directories.own_directory(place, self.warnings, passable=True):
                    pass
            except JailError as exc:
                self.warnings.append(str(exc))

    def _copy_image(self, store: Layout, filled: Layout, digest: str) -> Json | None:
        """Copy what the store lacks of the one image in the layout that the program filled; returns its entry.

        None when the store had damaged blobs of it, which are removed now.
        """
        found = filled.index()["manifests"]
        if len(found) != 1:
            raise TransportError(f"cannot transfer {self.reference}: {self._tool.name} made no layout of one image")
        where = f"what {self._tool.name} made"
        top = descriptor_of(found[0], where)
        if top.digest != digest:
            raise TransportError(
                f"cannot transfer {self.reference}: {where} is the image {top.digest}, and not {digest}"
            )
        manifest = filled.load(top)
        layers = manifest.get("layers")
        if not isinstance(layers, list):
            raise TransportError(f"cannot transfer {self.reference}: {self._tool.name} fetched no single image")
        parts = (*(descriptor_of(one, where) for one in (manifest.get("config"), *layers)), top)
        progress.begin(progress.VERIFY, len(parts), sum(part.size for part in parts), host.free_bytes(store.root.path))
        if store.remove_damaged(parts):
            return None
        for part in parts:
            if not store.has(part.digest, part.size):
                with filled.open_blob(part) as file:
                    store.copy_blob(part.digest, _pieces(file, part.size), where)
                progress.done(progress.VERIFY)
        return top.as_json()

    # -- the program ----------------------------------------------------------------

    def _run_until_done(self, command: Callable[[Tool], Command], may_be_missing: bool = False) -> CompletedRun | None:
        """Run it, again when it fails; None for a missing image with `may_be_missing`, otherwise TransportError."""
        attempt, name = 0, self._tool.name
        while True:
            ended = self._run(command)
            if not ended.rc:
                return ended
            if may_be_missing and any(map(self._tool.not_found.match, _lines(ended.stderr))):
                return None
            message = _message(ended.stderr)
            said = show(self._redact(message))
            if attempt >= self._auth.retries or FATAL.search(message):
                raise TransportError(f"cannot transfer {self.reference}: {name} says: {said}")
            self.warnings.append(f"{name} failed and is retried: {said}")
            time.sleep(PAUSE * 2**attempt)
            attempt += 1

    def _redact(self, said: str) -> str:
        """A message without the password."""
        return said.replace(self._auth.password, "********") if self._auth.password else said

    def _run(self, command: Callable[[Tool], Command]) -> CompletedRun:
        login = self._login
        with nobody_files.directory(TOOL_DIRECTORIES, {} if login is None else {"config.json": login}) as folder:
            given = None if login is None else folder
            words, settings = command(self._tool(self._program, self._auth.plain_http, given))
            return run(words, settings={"HOME": folder, **(settings or {})}, as_nobody=True)

    def _find_login(self) -> bytes | None:
        """The login for this registry; None when there is none."""
        auth = self._auth
        if auth.username is not None:
            return logins.of_name(self._host, auth.username, auth.password)
        return logins.of_file(self._host, auth.auth_file) if auth.auth_file else logins.of_root(self._host)


def _layers(manifest: Json) -> list[Descriptor]:
    """The layers of a manifest; none of what is not one."""
    found = manifest.get("layers")
    return [descriptor_of(one, "the manifest") for one in found] if isinstance(found, list) else []


def _begin(work: int, layers: Sequence[Descriptor], free: int = 0) -> None:
    """Report how much is transferred at most, and how much space is free."""
    progress.begin(work, len(layers), sum(layer.size for layer in layers), free)


@contextmanager
def _single_image_layout(layout: str, image: Json) -> Iterator[str]:
    """A layout with this image alone, whose blobs are those of another one."""
    blobs = os.path.join(os.fsdecode(host.real_path(layout)), "blobs")
    with nobody_files.directory(TOOL_DIRECTORIES, _files([image]), {"blobs": blobs}) as folder:
        yield folder


@contextmanager
def _layout_to_fill(store: Layout) -> Iterator[str]:
    """A layout on the same volume for the program to fill. Layers of the store are links, and not fetched."""
    names = [blob_path(digest).decode() for digest in store.layers()]
    links = {name: os.path.join(os.fsdecode(store.root.path), name) for name in names}
    with nobody_files.directory(
        os.path.join(store.root.path, TOOL_LAYOUT), _files([]), links, ("blobs", "blobs/sha256")
    ) as folder:
        yield folder


def _files(images: list[Json]) -> dict[str, bytes]:
    index = {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": images}
    return {"oci-layout": MARKER_TEXT, "index.json": encode(index)}


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """At most `size` bytes, although the file may grow."""
    while size > 0 and (data := file.read(min(CHUNK, size))):
        size -= len(data)
        yield data


def _message(stderr: bytes) -> str:
    """The last message of a program, without its time and level."""
    line = _lines(stderr)[-1]
    match = re.search(r'msg="(.*)"', line)
    return match[1].replace('\\"', '"') if match else line


def _lines(stderr: bytes) -> list[str]:
    return stderr.decode("utf-8", "replace").strip().split("\n")
