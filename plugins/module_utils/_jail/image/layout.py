# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An OCI image layout: a directory of blobs, each named by its digest, and an index of the images among them.

After the OCI image specification, image-layout.md and image-index.md. Other
images of the index are left as they are.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, BinaryIO, NamedTuple, Protocol

from ..errors import InputError, OperationError, failed, show
from ..limits import DIGITS, IMAGE_JSON
from ..system import at, host, progress
from ..system.paths import NOT_A_DIRECTORY_ERRORS
from ..system.rooted import Root

INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
INDEX_TYPES = (INDEX_TYPE, "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
REF_NAME = "org.opencontainers.image.ref.name"
MARKER = b"oci-layout"
INDEX = b"index.json"
BLOBS = b"blobs/sha256"
MARKER_TEXT = b'{"imageLayoutVersion":"1.0.0"}'
TEMPORARY = b".darwin.jail."
UNREFERENCED = TEMPORARY + b"left"
"""Names the blobs of an image that is about to leave the index."""
CHUNK = 1 << 20
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")

Json = dict[str, Any]


class Descriptor(NamedTuple):
    """A blob, as manifests name it."""

    media_type: str
    digest: str
    size: int

    def as_json(self) -> Json:
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


def descriptor_of(entry: Any, where: str) -> Descriptor:
    """From a manifest or index of another program; InputError when it is invalid."""
    if isinstance(entry, dict):
        kind, digest, size = (entry.get(key) for key in ("mediaType", "digest", "size"))
        if isinstance(kind, str) and isinstance(digest, str) and isinstance(size, int) and DIGEST.fullmatch(digest):
            return Descriptor(kind, digest, size)
    raise InputError(f"{where} does not name its parts by type, sha256 digest and size")


def name_of(entry: Json) -> str | None:
    """The name that an index gives an image; None when it gives none, or one that is not a text."""
    annotations = entry.get("annotations")
    name = annotations.get(REF_NAME) if isinstance(annotations, dict) else None
    return name if isinstance(name, str) else None


def encode(value: Json) -> bytes:
    """JSON that is the same bytes whenever it says the same."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def blob_path(digest: str) -> bytes:
    """The path of a blob; InputError for an invalid digest, which could name any other file."""
    if not DIGEST.fullmatch(digest):
        raise InputError(f"'{show(digest)[:80]}' is not a sha256 digest")
    return BLOBS + b"/" + digest.partition(":")[2].encode()


class Blob(Protocol):
    """A blob that is being written."""

    def write(self, data: bytes) -> None: ...
    def commit(self, digest: str) -> None: ...
    def abort(self) -> None: ...


class Layout:
    """A layout that is open, or one that is not there yet."""

    def __init__(self, root: Root) -> None:
        self.root = root

    def close(self) -> None:
        self.root.close()

    def has(self, digest: str, size: int) -> bool:
        """Whether a blob is there; its contents are not read."""
        status = self.root.lstat(blob_path(digest)) if self.root.exists else None
        return status is not None and stat.S_ISREG(status.st_mode) and status.st_size == size

    def is_intact(self, descriptor: Descriptor) -> bool:
        """Whether a blob is there and matches its digest. Cost: reads all of it."""
        if not self.has(descriptor.digest, descriptor.size):
            return False
        found = hashlib.sha256()
        with self.open_blob(descriptor) as file:
            while data := file.read(CHUNK):
                found.update(data)
                progress.done(progress.VERIFY, len(data), 0)
        return f"sha256:{found.hexdigest()}" == descriptor.digest

    def remove_damaged(self, blobs: Iterable[Descriptor]) -> bool:
        """Remove those of the right size that do not match their digests; whether there were any."""
        damaged = [blob for blob in blobs if self.has(blob.digest, blob.size) and not self.is_intact(blob)]
        for blob in damaged:
            self.root.unlink(blob_path(blob.digest))
        return bool(damaged)

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[BinaryIO]:
        """A blob of the right size, open; whoever reads it compares its digest."""
        path = blob_path(descriptor.digest)
        where = self.root.host_path(path)
        if not self.has(descriptor.digest, descriptor.size):
            raise InputError(f"{show(where)} is missing or has not {descriptor.size} bytes: copy the image again")
        try:
            with self.root.directory(BLOBS) as fd:
                file = at.open_regular(os.path.basename(path), fd)
        except OSError as exc:
            raise failed("read", where, exc) from exc
        with file:
            yield file

    def load(self, descriptor: Descriptor) -> Json:
        """A blob that is JSON, its digest verified."""
        where = show(self.root.host_path(blob_path(descriptor.digest)))
        data = self.root.read(blob_path(descriptor.digest), IMAGE_JSON)
        if data is None or digest_of(data) != descriptor.digest:
            raise InputError(f"{where} is missing or does not match its digest: copy the image again")
        return parse_json(data, where)

    def index(self) -> Json:
        """The index; InputError when it cannot be one."""
        data = self.root.read(INDEX, IMAGE_JSON) if self.root.exists else None
        if data is None:
            return {"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": []}
        found = parse_json(data, show(self.root.host_path(INDEX)))
        if not isinstance(found.get("manifests"), list) or not all(isinstance(m, dict) for m in found["manifests"]):
            raise InputError(f"{show(self.root.host_path(INDEX))} is not an image index: it has no list of manifests")
        return found

    def find(self, name: str) -> Json | None:
        """The entry of an image in the index."""
        return next((dict(entry) for entry in self.index()["manifests"] if name_of(entry) == name), None)

    def names(self) -> list[str]:
        """The names of all images."""
        return [name for name in map(name_of, self.index()["manifests"]) if name is not None]

    def add(self, name: str, manifest: Json) -> None:
        """Give an image this name in the index, and take it from the one that had it."""
        index = self.index()
        others = [e for e in index["manifests"] if name_of(e) != name]
        previous = [e for e in index["manifests"] if e not in others]
        index["manifests"] = [*others, {**manifest, "annotations": {REF_NAME: name}}]
        if self.root.read(MARKER, 1 << 16) is None:
            self.root.write(MARKER, MARKER_TEXT)
        left, needed = self._blobs_of(previous), self._blobs_of(index["manifests"])
        if left and needed and left - needed:
            self.root.write(UNREFERENCED, encode({"blobs": sorted(left - needed)}))
        self.root.write(INDEX, encode(index))
        self._remove_unreferenced()

    def _remove_unreferenced(self) -> None:
        """Remove blobs that no image of the index needs any longer, also those of a run that was killed meanwhile."""
        try:
            data = self.root.read(UNREFERENCED, IMAGE_JSON)
        except OperationError as exc:
            if exc.errno not in (0, *NOT_A_DIRECTORY_ERRORS):  # the disk fails, and the list may be read another time
                raise
            data = b""  # not a list that a run wrote
        if data is None:
            return
        needed = self._blobs_of(self.index()["manifests"])
        with suppress(InputError):
            listed = parse_json(data, show(self.root.host_path(UNREFERENCED))).get("blobs")
            for digest in listed if isinstance(listed, list) and needed else []:
                if isinstance(digest, str) and digest not in needed:
                    self.root.unlink(blob_path(digest))
        self.root.remove_tree(UNREFERENCED)

    def _blobs_of(self, images: Sequence[Json]) -> set[str]:
        """All blobs of some images; nothing when one of them is not understood."""
        try:
            return {digest for image in images for digest in self._digests(image)}
        except (InputError, OperationError):
            return set()

    def _digests(self, image: Json) -> Iterator[str]:
        """All blobs of an image; InputError when it is more than a single one."""
        where = show(self.root.host_path(INDEX))
        found = descriptor_of(image, where)
        manifest = self.load(found)
        if found.media_type != MANIFEST_TYPE or not isinstance(manifest.get("layers"), list):
            raise InputError(f"{found.digest} in {where} is not a manifest of an image")
        yield found.digest
        for part in (manifest.get("config"), *manifest["layers"]):
            yield descriptor_of(part, where).digest

    def layers(self) -> set[str]:
        """The layers of all images that are understood."""
        found: set[str] = set()
        for image in self.index()["manifests"]:
            with suppress(InputError, OperationError):
                found.update(list(self._digests(image))[2:])
        return found

    def copy_blob(self, digest: str, data: Iterable[bytes], where: str) -> None:
        """Copy a blob of another place; InputError when it does not match its digest."""
        blob, found = self.blob(), hashlib.sha256()
        try:
            for piece in data:
                found.update(piece)
                blob.write(piece)
                progress.done(progress.VERIFY, len(piece), 0)
            if f"sha256:{found.hexdigest()}" != digest:
                raise InputError(f"{digest} in {where} does not match its digest: it was damaged or replaced")
            blob.commit(digest)
        finally:
            blob.abort()

    def put(self, media_type: str, data: bytes) -> Descriptor:
        """Keep a small blob."""
        descriptor = Descriptor(media_type, digest_of(data), len(data))
        if not self.is_intact(descriptor):
            self.root.write(blob_path(descriptor.digest), data)
        return descriptor

    def blob(self) -> Blob:
        return _NewBlob(self.root)

    def clean_up(self) -> None:
        """Remove what a killed run left."""
        self._remove_unreferenced()
        for folder in (b"", BLOBS + b"/"):
            for name in self.root.names(folder.rstrip(b"/")):
                if name.startswith(TEMPORARY):
                    self.root.remove_tree(folder + name)


class DryRunLayout(Layout):
    """For check mode: reads the layout and writes nothing."""

    def put(self, media_type: str, data: bytes) -> Descriptor:
        return Descriptor(media_type, digest_of(data), len(data))

    def blob(self) -> Blob:
        return _NullBlob()


class _NullBlob:
    def write(self, data: bytes) -> None: ...
    def commit(self, digest: str) -> None: ...
    def abort(self) -> None: ...


class _NewBlob:
    """A file that gets its name when it is complete: its digest is known only then."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._name = TEMPORARY + os.urandom(6).hex().encode()
        self._dir_fd = root.open_dir(BLOBS)
        try:
            self._fd = at.open_new(self._name, self._dir_fd)
        except OSError as exc:
            os.close(self._dir_fd)
            raise failed("create", root.host_path(BLOBS + b"/" + self._name), exc) from exc

    def write(self, data: bytes) -> None:
        try:
            at.append(self._fd, data)
        except OSError as exc:
            raise failed("write", self._root.host_path(BLOBS + b"/" + self._name), exc, self._free()) from exc

    def _free(self) -> str:
        return f"{host.free_bytes(self._root.path)} bytes free"

    def commit(self, digest: str) -> None:
        path = blob_path(digest)
        try:
            at.make_readable(self._fd)
            os.fsync(self._fd)
            at.rename(self._name, self._dir_fd, os.path.basename(path), self._dir_fd)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc
        self._close()

    def abort(self) -> None:
        """Remove it, unless it was committed."""
        if self._fd >= 0:
            at.remove(self._name, self._dir_fd)
            self._close()

    def _close(self) -> None:
        os.close(self._fd)
        os.close(self._dir_fd)
        self._fd = -1


def open_layout(path: bytes, check: bool) -> Layout:
    """The layout at a path of the Mac, made when it is missing; InputError when something else is there."""
    if not os.path.lexists(path):
        if check:
            return DryRunLayout(Root.missing(path))
        host.make_dirs(path + b"/" + BLOBS)
    root = Root(path)
    try:
        foreign = [name for name in root.names(b"") if name not in (MARKER, INDEX, b"blobs")]
        foreign = [name for name in foreign if not name.startswith(TEMPORARY)]
        if root.lstat(MARKER) is None and (foreign or root.lstat(INDEX) is not None):
            raise InputError(
                f"{show(path)} contains {', '.join(map(show, sorted(foreign)[:3])) or 'an index'}, but not an OCI "
                f"image layout: choose an empty directory"
            )
        if check:
            return DryRunLayout(root)
        host.make_dirs(path + b"/" + BLOBS)
    except BaseException:
        root.close()
        raise
    return Layout(root)


def _integer(digits: str) -> int:
    if len(digits) > DIGITS:
        raise ValueError(DIGITS.exceeded("read", "a number"))
    return int(digits)


def parse_json(data: bytes, where: str) -> Json:
    """A JSON object of another program; InputError when it is not one."""
    try:
        found = json.loads(data, parse_int=_integer)
    except (ValueError, RecursionError) as exc:
        raise InputError(f"{where} is damaged: it is not JSON") from exc
    if not isinstance(found, dict):
        raise InputError(f"{where} is damaged: it is not a JSON object")
    return found
