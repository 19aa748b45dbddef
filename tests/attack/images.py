# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Hostile archives and images: what somebody could have put into a registry, chosen by a seed."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import lzma
import os
import random
import tarfile
from typing import Any

from contents import changed, damaged, odd_json
from states import NAMES, STATE

UP = "../" * 12
ODD_NAMES = [
    "../evil", "/evil", "usr/../../evil", f"{UP}private/etc/evil", "..", ".", "", "/", "//usr/x", "usr/bin/./x",
    "usr//x", "usr/out/evil", "usr/out/secret", "usr/loop/x", ".wh.usr", "usr/.wh..wh..opq", ".wh..", ".wh.",
    "usr/.wh...", "usr/bin/.wh.x", STATE, f"{STATE}/jail.json", f"{STATE}/record.mtree", f"{STATE}/stage/x",
    "PRIVATE/VAR/DB/Darwin.Jail/jail.json", "Usr/x", "usr/bin/id", "usr/bin/id/x", "usr", "private", "private/var",
    "var/db/darwin.jail/jail.json", "etc/passwd", "x" * 256, "d/" * 600 + "x", "usr/a\nb", "usr/\x1b[2J",
    "usr/\udcff", "usr/nul\0x", *(name.decode("utf-8", "surrogateescape") for name in NAMES),
]  # fmt: skip
TARGETS = [
    "/", "/private/etc", "/private/var/jails/attack/neighbour", f"{UP}private/var/jails/attack/neighbour", "..",
    ".", "", "../../neighbour", "usr/out/secret", "/private/var/jails/attack/neighbour/secret", "usr/bin/id",
    "loop", "x" * 3000, "a\nb", "\x1b[2J", STATE, f"{STATE}/jail.json", "usr", "../neighbour/linked", "\udcff",
]  # fmt: skip
TYPES = [
    tarfile.REGTYPE, tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE,
    tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.CONTTYPE, b"S", b"V", b"Z", b"D",
]  # fmt: skip
PAX = [
    "path",
    "linkpath",
    "size",
    "mtime",
    "uid",
    "SCHILY.xattr.user.x",
    "GNU.sparse.map",
    "GNU.sparse.realsize",
    "LIBARCHIVE.xattr.x",
]
HONEST = ("usr", "usr/bin", "usr/lib", "private", "private/etc", "private/var", "private/var/db", "System")
LINKED = (
    ("usr/out", "/private/var/jails/attack/neighbour"),
    ("usr/loop", "loop"),
    ("usr/up", f"{UP}private/var/jails/attack"),
)


def members(rng: random.Random) -> bytes:
    """A tar archive with members that nobody should make as they say."""
    buffer = io.BytesIO()
    form = rng.choice((tarfile.GNU_FORMAT, tarfile.PAX_FORMAT, tarfile.USTAR_FORMAT))
    with tarfile.open(fileobj=buffer, mode="w:", format=form, errors="surrogateescape") as tar:
        for name in HONEST:
            _add(tar, _member(name, tarfile.DIRTYPE, mode=0o755))
        for name, target in rng.sample(LINKED, rng.choice((0, 0, 1, 2))):
            _add(tar, _member(name, tarfile.SYMTYPE, linkname=target))
        _add(tar, _member("usr/bin/id", tarfile.REGTYPE), b"#!/bin/sh\n")
        for _turn in range(rng.choice((0, 1, 1, 1, 2, 8))):
            _add(tar, _odd(rng), b"of the image" if rng.random() < 0.5 else b"")
    data = buffer.getvalue()
    if rng.random() < 0.2:
        place = rng.randrange(0, len(data), 512) + rng.choice((100, 108, 116, 124, 136, 148, 156, 157, 257, 345))
        data = (
            data[:place]
            + rng.choice((b"\xff" * 8, b"\x80" + b"\xff" * 11, b"-1", b"\0" * 12, b"9" * 12))
            + data[place + 12 :]
        )
    return data


def _member(name: str, kind: bytes, **values: Any) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.mtime = kind, 1_700_000_000
    for field, value in values.items():
        setattr(member, field, value)
    return member


def _odd(rng: random.Random) -> tarfile.TarInfo:
    member = _member(rng.choice(ODD_NAMES), rng.choice(TYPES), linkname=rng.choice(TARGETS))
    member.mode = rng.choice((0o644, 0o4755, 0o7777, 0))
    if rng.random() < 0.15:
        member.uid, member.mtime = rng.choice((0, 501, 1 << 31, -2)), rng.choice((0, 1, 1 << 34, -1))
    if rng.random() < 0.3:
        value = rng.choice((*TARGETS, "9" * 900, "-1", "inf", "0,9999999999999", "1e9"))
        member.pax_headers = {rng.choice(PAX): value}
    return member


def _add(tar: tarfile.TarFile, member: tarfile.TarInfo, data: bytes = b"") -> None:
    member.size = len(data) if member.type in (tarfile.REGTYPE, tarfile.CONTTYPE) else 0
    was = tar.offset
    try:
        tar.addfile(member, io.BytesIO(data))
    except (ValueError, OverflowError):  # this form cannot say it
        tar.offset = was


def packed(rng: random.Random, data: bytes) -> bytes:
    """Compressed in one of the ways, sometimes with damage."""
    found = rng.choice(
        (
            lambda: gzip.compress(data, 1),
            lambda: gzip.compress(data, 1),
            lambda: data,
            lambda: lzma.compress(data, preset=0),
        )
    )()
    return damaged(rng, found) if rng.random() < 0.1 else found


def bomb() -> bytes:
    return gzip.compress(bytes(300 << 20), 1)


def archive(rng: random.Random, path: str) -> None:
    """An archive of a tree."""
    with open(path, "wb") as file:
        file.write(bomb() if rng.random() < 0.02 else packed(rng, members(rng)))


class Layout:
    """A layout of the OCI image specification, with blobs that have the digests that name them."""

    def __init__(self, rng: random.Random, path: str) -> None:
        self.rng, self.path = rng, path
        os.makedirs(f"{path}/blobs/sha256")
        layers = [self._layer() for _number in range(rng.choice((1, 1, 2, 4)))]
        config = {
            "os": "darwin",
            "architecture": "arm64",
            "os.version": "15.2",
            "config": {"Env": ["PATH=/usr/bin"], "User": "admin", "Cmd": ["/bin/sh"], "Labels": {"a": "b"}},
            "rootfs": {"type": "layers", "diff_ids": [diff for diff, _blob in layers]},
            "history": [{"created_by": "x"}],
        }
        kind = "application/vnd.oci.image"
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{kind}.manifest.v1+json",
            "config": {"mediaType": f"{kind}.config.v1+json", **self._json(config, 0.2)},
            "layers": [blob for _diff, blob in layers],
        }
        platform = {"os": "darwin", "architecture": "arm64"}
        named = {"org.opencontainers.image.ref.name": "latest"}
        entry = {"mediaType": f"{kind}.manifest.v1+json", "annotations": named, "platform": platform}
        index = {"schemaVersion": 2, "manifests": [{**entry, **self._json(manifest, 0.2)}]}
        self._write("index.json", self._odd(index, 0.2))
        self._write("oci-layout", self._odd({"imageLayoutVersion": "1.0.0"}, 0.03))

    def _layer(self) -> tuple[str, dict[str, Any]]:
        data = bytes(300 << 20) if self.rng.random() < 0.01 else members(self.rng)
        kind = "application/vnd.oci.image.layer.v1.tar"
        blob, suffix = (gzip.compress(data, 1), "+gzip") if self.rng.random() < 0.8 else (data, "")
        if self.rng.random() < 0.1:
            blob = damaged(self.rng, blob)
        if self.rng.random() < 0.05:
            suffix = self.rng.choice(("+zstd", "+xz", ""))
        diff = f"sha256:{hashlib.sha256(data).hexdigest()}"
        return diff, {"mediaType": kind + suffix, **self._blob(blob)}

    def _blob(self, data: bytes) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        self._write(f"blobs/sha256/{digest}", data)
        return {"digest": f"sha256:{digest}", "size": len(data)}

    def _json(self, content: Any, odds: float) -> dict[str, Any]:
        return self._blob(self._odd(content, odds))

    def _odd(self, content: Any, odds: float) -> bytes:
        data = json.dumps(content).encode()
        if self.rng.random() >= odds:
            return data
        if self.rng.random() < 0.7:
            return json.dumps(changed(self.rng, content)).encode("utf-8", "surrogatepass")
        return odd_json(self.rng, data)

    def _write(self, name: str, data: bytes) -> None:
        with open(f"{self.path}/{name}", "wb") as file:
            file.write(data)
