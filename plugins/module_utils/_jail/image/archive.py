# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An image as one file: its layout in a tar archive, which others call oci-archive.

The index comes first, so the images in an archive are known without reading
all of it. Equal images give equal archives. An archive of another program may
have another order; only blobs of the right digest get into a layout.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import BinaryIO

from ..errors import InputError, show
from ..limits import IMAGE_JSON
from ..system import host, progress
from ..system.build_lock import locked_directory
from ..system.rooted import Root
from ..tar import reader, writer
from ..tar.names import plain_name
from . import platforms
from .layout import (
    BLOBS,
    INDEX,
    INDEX_TYPE,
    INDEX_TYPES,
    MARKER,
    MARKER_TEXT,
    Descriptor,
    Json,
    Layout,
    blob_path,
    descriptor_of,
    digest_of,
    encode,
    name_of,
    parse_json,
)

CHUNK = 1 << 20


def refuse_non_file(path: str) -> None:
    """InputError when something other than a file is there, which an archive cannot replace."""
    real = host.real_path(path)
    if os.path.lexists(real) and not os.path.isfile(real):
        raise InputError(f"cannot write the archive {show(real)}: it is not a file (give another path)")


def write(path: str, store: Layout, name: str, check: bool) -> bool:
    """Make the archive of an image; False when it is there already, by its index and its size."""
    entry = store.find(name)
    if entry is None:
        raise InputError(f"{show(store.root.path)} contains no image named {name}")
    index = encode({"schemaVersion": 2, "mediaType": INDEX_TYPE, "manifests": [entry]})
    parts = [(MARKER, len(MARKER_TEXT)), (INDEX, len(index))]
    blobs = _blobs(store, entry)
    parts += [(BLOBS + b"/" + blob.digest.partition(":")[2].encode(), blob.size) for blob in blobs]
    size = sum(len(_header(part, length)) + length + len(writer.padding(length)) for part, length in parts) + len(
        writer.END
    )
    real = host.real_path(path)
    if _is_current(real, index, size):
        return False
    if not check:
        folder, base = os.path.split(real)
        host.make_dirs(folder)
        progress.begin(progress.WRITE, len(parts), size, host.free_bytes(folder))
        with Root(folder) as root:
            root.write(base, _stream(store, index, blobs), mode=0o644)
    return True


def _blobs(store: Layout, entry: Json) -> list[Descriptor]:
    """All blobs of an image, each once, sorted by digest."""
    where = show(store.root.path)
    manifest = descriptor_of(entry, f"the index of {where}")
    found = store.load(manifest)
    parts = [descriptor_of(part, where) for part in (found.get("config"), *found.get("layers", ()))]
    return sorted({blob.digest: blob for blob in (manifest, *parts)}.values(), key=lambda blob: blob.digest)


def _is_current(path: bytes, index: bytes, size: int) -> bool:
    if not os.path.isfile(path) or os.path.getsize(path) != size:
        return False
    with _opened(path) as members:
        return any(name == INDEX and b"".join(data) == index for name, _size, data in members)


def _stream(store: Layout, index: bytes, blobs: list[Descriptor]) -> Iterator[bytes]:
    for name, data in ((MARKER, MARKER_TEXT), (INDEX, index)):
        yield _header(name, len(data))
        yield data + writer.padding(len(data))
    for blob in blobs:
        yield _header(BLOBS + b"/" + blob.digest.partition(":")[2].encode(), blob.size)
        found = hashlib.sha256()
        with store.open_blob(blob) as file:
            while data := file.read(CHUNK):
                found.update(data)
                progress.done(progress.WRITE, len(data), 0)
                yield data
        if f"sha256:{found.hexdigest()}" != blob.digest:
            damaged = show(store.root.host_path(blob_path(blob.digest)))
            raise InputError(f"{damaged} does not match its digest: remove it, and run again")
        progress.done(progress.WRITE)
        yield writer.padding(blob.size)
    yield writer.END


def _header(name: bytes, size: int) -> bytes:
    """It holds no time and no user."""
    return writer.entry(name, writer.FILE, writer.Owned(0o644, 0, 0), size)


# -- reading ------------------------------------------------------------------------


@contextmanager
def _opened(path: bytes) -> Iterator[Iterator[tuple[bytes, int, Iterable[bytes]]]]:
    """The files in an archive, each with its size and, to be read before the next one is asked for, its contents."""
    with host.open_file(path) as file:
        yield _files(file, f"the archive {show(path)}")


def _files(file: BinaryIO, where: str) -> Iterator[tuple[bytes, int, Iterable[bytes]]]:
    for member in reader.members(file, where):
        if member.type == writer.FILE:
            yield plain_name(member.name), member.size, _data(file, member.size)


def _data(file: BinaryIO, left: int) -> Iterator[bytes]:
    while data := file.read(min(left, CHUNK)):
        left -= len(data)
        yield data


def find_image(path: str, name: str) -> Descriptor:
    """The manifest of an image of an archive, that of this name or its only one; of several platforms, this Mac's."""
    real = host.real_path(path)
    with _opened(real) as members:
        for member, size, data in members:
            if member == INDEX:
                found = _choose(b"".join(data) if size <= IMAGE_JSON else b"", path, name)
                break
        else:
            raise InputError(f"{path} has no index, and so is not an archive of an image")
    if found.media_type in INDEX_TYPES:
        return platforms.descriptor_for_this_mac(_json(real, found), f"the image in {path}")
    return found


def _choose(index: bytes, path: str, name: str) -> Descriptor:
    found = parse_json(index, f"the index of {path}").get("manifests")
    entries = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    named = [one for one in entries if name_of(one) == name]
    for choice in (named, entries):
        picked = choice[0] if len(choice) == 1 else platforms.entry_for_this_mac(choice)
        if picked:
            return descriptor_of(picked, f"the index of {path}")
    raise InputError(f"{path} contains {len(entries)} images, but none is named {name}: give its name")


def _json(path: bytes, blob: Descriptor) -> Json:
    """A blob of an archive that is JSON, its digest verified."""
    with _opened(path) as members:
        for member, size, data in members:
            if member == blob_path(blob.digest):
                text = b"".join(data) if size <= IMAGE_JSON else b""
                if digest_of(text) != blob.digest:
                    break
                return parse_json(text, f"{blob.digest} in {show(path)}")
    raise InputError(f"{blob.digest} in {show(path)} is missing or does not match its digest: copy the archive again")


def read(path: str, store: Layout, name: str) -> None:
    """Copy the image of an archive into a layout under this name, and compare each blob with its digest."""
    real, wanted = host.real_path(path), find_image(path, name)
    manifest = _json(real, wanted)
    layers = manifest.get("layers")
    parts = (manifest.get("config"), *(layers if isinstance(layers, list) else ()))
    blobs = {wanted, *(descriptor_of(part, f"the manifest {wanted.digest}") for part in parts)}
    needed = {blob.digest for blob in blobs}
    with locked_directory(store.root):
        progress.begin(progress.VERIFY, len(needed), sum(blob.size for blob in blobs), host.free_bytes(store.root.path))
        store.clean_up()
        with _opened(real) as members:
            for member, size, data in members:
                folder, _slash, hexadecimal = member.rpartition(b"/")
                digest = f"sha256:{show(hexadecimal)}"
                if folder == BLOBS and digest in needed:
                    if not store.is_intact(Descriptor("", digest, size)):
                        store.copy_blob(digest, data, path)
                    progress.done(progress.VERIFY)
        store.add(name, wanted.as_json())
