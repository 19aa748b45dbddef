# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a jail out of an image.

    index -> manifest -> config -> all layers inspected -> entry -> layer after layer -> entry complete

Where nothing is yet, layers are inspected and put into the jail in one pass, see one_pass.py.

A run that is killed is finished by the next one, from the layer on that was at work, or from the first one on when
that layer replaces what it needs itself. The contents of a closed jail are removed: no digest has verified them.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple

from .. import jail as jails
from .. import mounted_volume, staging
from ..errors import BusyError, InputError, JailError, NotAJailError, OperationError, SpaceError, show
from ..macos.release import Release, release
from ..protected import STATE
from ..record.record import journals
from ..result import Result
from ..rootfs.remove import remove, undo_create
from ..sizes import size
from ..system import host, progress
from ..system.lock import BuildLock
from ..system.rooted import Root
from . import platforms
from .applying import Applier
from .config import Layer
from .inspection import PACKED, Inspection, refuse_other, unpacked
from .layout import INDEX_TYPES, Json, Layout, descriptor_of, name_of, open_layout
from .one_pass import OnePassError, OnePassInspection
from .unpacking import entries
from .zstd import UnpackedZstd

NO_IMAGE = "not made of an image"


class Image(NamedTuple):
    """An image that is in a layout."""

    digest: str
    config: Json
    layers: Sequence[Layer]


def deploy(path: str, layout: str, name: str, check: bool, staging_path: str | None = None) -> Result:
    """Make the jail at `path` what an image holds; nothing is changed when it is that already.

    With `beside`, a jail of something else stays, and the new one is made there.
    """
    started = time.monotonic()
    with closing(open_layout(host.real_path(layout), check=True)) as store:
        image = _image(store, name, layout)
        warnings = platforms.refuse_others(image.config, layout, _release("/"))
        values: dict[str, Any] = {"digest": image.digest, "layers": [_shown(layer) for layer in image.layers]}
        place = target_path(path, staging_path, image.digest)
        values["path"], real = place, jails.jail_path(place)
        previous = place == staging_path and _is_previous(place, image.digest)
        if not previous and _is_there(real, image, place):
            if not check:
                _clean_staging(place)
            return Result(False, values, [], warnings)
        warnings += mounted_volume.warnings(real)
        if check:
            inspection = _inspect(real, image, store)
        else:
            with closing(BuildLock(f"unpack {show(real)}")) as build_lock:
                inspection = _deploy(real, image, store, build_lock, place if previous else None)
                warnings += [*inspection.lacking, *build_lock.remarks]
    seconds = round(time.monotonic() - started, 3)
    values["stats"] = {"files": inspection.files, "bytes": inspection.bytes, "seconds": seconds}
    removed = [f"- {show(real)} (of another image)"] if previous else []
    described = f"+ {show(real)} ({inspection.files} files, {size(inspection.bytes)}, from {name}, {image.digest})"
    return Result(True, values, [*removed, described], warnings)


def target_path(path: str, staging_path: str | None, digest: str) -> str:
    """Where the jail of an image is or is to be made: `beside`, when there is a jail of something else at `path`."""
    if staging_path is None or jails.is_empty(jails.jail_path(path)):
        return path
    with jails.open_jail(path) as jail:
        return path if jail.entry.get("image") == digest else staging_path


def _is_previous(path: str, digest: str) -> bool:
    """Whether there is a jail of another image, which a deployment left; InputError for a jail of nobody's image."""
    real = jails.jail_path(path)
    if jails.is_empty(real):
        return False
    with jails.open_jail(path) as jail:
        made = jail.entry.get("image")
        if made is None and not _is_new(jail):
            made_of = f"may be anything: {jail.unknown}" if jail.unknown else "was not made of an image"
            raise InputError(f"the jail {show(real)} {made_of}: see to what is in it, then remove it")
        return made is not None and made != digest


def has_image(path: str, digest: str) -> bool:
    """Whether there is a complete jail of the image with this digest."""
    try:
        with jails.open_jail(path) as jail:
            return jail.entry.get("image") == digest and jail.entry.get("state") == "complete"
    except NotAJailError:
        return False


def _clean_staging(path: str) -> None:
    """Remove what a run left that was killed when the jail was complete; one that is at work does so itself."""
    with jails.open_jail(path) as jail, suppress(BusyError):
        if jail.root.lstat(staging.STAGING) and jail.root.names(staging.STAGING):
            jail.lock()


def _shown(layer: Layer) -> dict[str, Any]:
    return {"name": layer.name, "digest": layer.blob.digest, "diff_id": layer.diff_id, "size": layer.blob.size}


# -- what the image is ------------------------------------------------------------


def _image(store: Layout, name: str, layout: str) -> Image:
    entries = [one for one in store.index()["manifests"] if name_of(one) == name]
    entry = platforms.fitting(entries) or store.named(name)
    if entry is None:
        names = ", ".join(store.names()) or "none"
        raise InputError(f"{layout} holds no image named {name} (it holds {names}): correct name")
    descriptor = descriptor_of(entry, f"the index of {layout}")
    manifest = store.load(descriptor)
    if descriptor.media_type in INDEX_TYPES:
        descriptor = platforms.for_this_mac(manifest, f"the index of {layout}")
        manifest = store.load(descriptor)
    where = f"the manifest {descriptor.digest}"
    config = store.load(descriptor_of(manifest.get("config"), where))
    return Image(descriptor.digest, config, _layers(manifest, config, where))


def _layers(manifest: Json, config: Json, where: str) -> list[Layer]:
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    found = manifest.get("layers")
    if not isinstance(found, list) or not isinstance(diff_ids, list) or len(found) != len(diff_ids) or not found:
        raise InputError(f"{where} and its configuration do not name the same layers")
    layers = []
    for number, (layer, diff_id) in enumerate(zip(found, diff_ids)):
        blob = descriptor_of(layer, where)
        if blob.media_type not in PACKED:
            kind = show(blob.media_type)[:80]
            raise InputError(f"{where} has a layer of type {kind}: only tar, plain or packed by gzip or zstd, is read")
        layers.append(Layer(f"layer {number + 1}", str(diff_id), blob))
    return layers


def _release(path: str | bytes) -> Release | None:
    try:
        with Root(path) as root:
            return release(root)
    except JailError:
        return None


# -- the jail ---------------------------------------------------------------------


def _is_there(real: bytes, image: Image, path: str) -> bool:
    """Whether the jail is made of this image; False also for one to begin or to go on with; InputError for another."""
    if jails.is_empty(real):
        return False
    with jails.open_jail(path) as jail:
        made = jail.entry.get("image")
        if made == image.digest:
            return jail.entry.get("state") == "complete"
        if made is None and _is_new(jail):
            return False
        of = f"of the image {made}" if made else f"of an unknown image ({jail.unknown})" if jail.unknown else NO_IMAGE
    raise InputError(
        f"the jail {show(real)} is there and {of}: unpack {image.digest} beside it and exchange the two, "
        "or remove it first"
    )


def _is_new(jail: jails.Jail) -> bool:
    """Whether it has a marker and nothing else: what a run leaves that was killed at its very start."""
    return jail.entry.get("state") == "building" and jail.root.names(b"") == [b"private"] and not journals(jail.root)


def _deploy(real: bytes, image: Image, store: Layout, build_lock: BuildLock, previous: str | None) -> Inspection:
    """Make it in one pass, or else in two, instead of the jail `former`; what was found out."""
    _take_back_closed(real, image)
    found = None if os.path.lexists(real) else _deploy_in_one_pass(real, image, store, build_lock)
    if found is None:
        found = _inspect(real, image, store)
        if previous is not None:
            remove(previous, unmount=False, check=False)
        _deploy_inspected(real, image, store, found, build_lock)
    return found


def _take_back_closed(real: bytes, image: Image) -> None:
    """Remove what a killed run put into a jail of this image before all of it was compared with its digest."""
    if jails.is_empty(real):
        return
    with jails.open_jail(os.fsdecode(real)) as jail:
        if _is_closed(jail, image):
            jail.lock()
            if _is_closed(jail, image):  # still, now that no other run is at work
                undo_create(jail)


def _is_closed(jail: jails.Jail, image: Image) -> bool:
    entry = jail.entry
    return entry.get("closed", False) and (entry.get("state"), entry.get("image")) == ("building", image.digest)


def _inspect(real: bytes, image: Image, store: Layout) -> Inspection:
    inspection = Inspection(store, real)
    _report_work(progress.INSPECT, image.layers)
    inspection.inspect(image.layers)
    return inspection


def _deploy_in_one_pass(real: bytes, image: Image, store: Layout, build_lock: BuildLock) -> Inspection | None:
    """Make it in one pass; None when that cannot be, and nothing is there, or another run's jail."""
    above = host.missing_dirs(os.path.dirname(real))
    with jails.create(real, image=image.digest, layers=0, closed=True) as jail:
        if not jail.just_created:
            return None
        jail.lock()
        try:
            return _unpack_in_one_pass(jail, image, store, build_lock)
        except (InputError, SpaceError, OnePassError):
            undo_create(jail)
    with suppress(OperationError):  # somebody else has put something there meanwhile
        for path in above:
            host.remove_empty(path)
    return None


def _unpack_in_one_pass(jail: jails.Jail, image: Image, store: Layout, build_lock: BuildLock) -> Inspection:
    with closing(Applier(jail.root)) as applier:
        applier.close_to_others(new=True)
        inspection = OnePassInspection(store, jail.path, applier)
        _report_work(progress.UNPACK, image.layers, jail.path)
        for number, layer in enumerate(image.layers):
            with build_lock:
                inspection.add_layer(layer)
            jail.update_entry(layers=number + 1)
            progress.done(progress.UNPACK)
        _complete(jail, applier, inspection)
    return inspection


def _complete(jail: jails.Jail, applier: Applier, inspection: Inspection) -> None:
    staging.ensure_empty(jail.root)
    applier.finish(inspection.top, jail.entry.get("closed", False))
    inspection.lacking = applier.left_out.warnings
    holds = _release(jail.path)
    known = {"macos_version": holds.version, "macos_build": holds.build} if holds else {}
    jail.update_entry(state="complete", closed=None, built=int(time.time()), **known)


def _deploy_inspected(real: bytes, image: Image, store: Layout, inspection: Inspection, build_lock: BuildLock) -> None:
    jail = jails.create(real) if jails.is_empty(real) else jails.open_jail(os.fsdecode(real))
    with jail:
        jail.lock()
        jail.refuse_unknown("unpack an image into")
        if jail.entry.get("image") != image.digest:
            jail.update_entry(image=image.digest, layers=0, closed=_is_by_program(image) or None)
        elif False in inspection.repeatable[jail.entry.get("layers", 0) :][:1]:
            _empty(jail.root)
            jail.update_entry(layers=0)
        staging.ensure_empty(jail.root)
        try:
            _apply_all(jail, image, store, inspection, build_lock)
        except InputError:
            undo_create(jail)
            raise


def _apply_all(jail: jails.Jail, image: Image, store: Layout, inspection: Inspection, build_lock: BuildLock) -> None:
    with closing(Applier(jail.root)) as applier:
        if jail.entry.get("closed"):
            applier.close_to_others(new=False)
        _report_work(progress.UNPACK, image.layers[jail.entry.get("layers", 0) :], jail.path)
        for number, layer in enumerate(image.layers):
            if number >= jail.entry.get("layers", 0):  # an earlier run put those in place
                for entry in inspection.hidden[number]:
                    applier.hide(entry)
                with build_lock:
                    _apply(applier, store, layer)
                jail.update_entry(layers=number + 1)
                progress.done(progress.UNPACK)
        _complete(jail, applier, inspection)


def _report_work(work: int, layers: Sequence[Layer], target: bytes | None = None) -> None:
    """Say how much is to be read; where it is unpacked, how much room there is."""
    free = host.free_bytes(target) if target else 0
    progress.begin(work, len(layers), sum(layer.blob.size for layer in layers), free)


def _is_by_program(image: Image) -> bool:
    """Whether a program of somebody else unpacks it, which may give something else than when it was inspected."""
    return any(PACKED[layer.blob.media_type] is UnpackedZstd for layer in image.layers)


def _empty(root: Root) -> None:
    """Remove what a killed run made of an image."""
    parts = STATE.split(b"/")
    for depth, kept in enumerate(parts):
        directory = b"/".join(parts[:depth])
        for name in root.names(directory):
            if name != kept:
                root.remove_tree(os.path.join(directory, name))


def _apply(applier: Applier, store: Layout, layer: Layer) -> None:
    where = f"the layer {layer.blob.digest}"
    with store.open_blob(layer.blob) as file:
        with closing(unpacked(file, layer.blob, where)) as stream:
            applier.apply(entries(stream, where), stream)
            refuse_other(stream, layer, where)
