# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a jail out of an image.

    index -> manifest -> config -> all layers inspected -> entry -> layer after layer -> entry complete

Where nothing is yet, layers are inspected and put into the jail in one pass, see one_pass.py.

The next run finishes what a killed one left. It starts with the layer that was being applied, or with the first one
when that layer replaces files that it needs itself. It removes the contents of a closed jail, which no digest has
verified.
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
from ..plan import apply
from ..processes import plan_end
from ..protected import STATE
from ..record.record import journals
from ..result import Result
from ..rootfs.remove import remove, undo_create
from ..sizes import size
from ..system import host, progress
from ..system.build_lock import BuildLock
from ..system.rooted import Root
from . import platforms
from .applier_process import AnyApplier, new_applier
from .applying import apply_entries
from .config import Layer
from .inspection import READERS, Inspection, open_layer, verify_digests
from .layer_reader import entries
from .layout import INDEX_TYPES, Json, Layout, descriptor_of, name_of, open_layout
from .one_pass import OnePassError, OnePassInspection
from .zstd import ZstdReader

NO_IMAGE = "not created from an image"


class Image(NamedTuple):
    """An image that is in a layout."""

    digest: str
    config: Json
    layers: Sequence[Layer]


def unpack(
    path: str, layout: str, name: str, check: bool, staging_path: str | None = None, stop_processes: bool = False
) -> Result:
    """Make the jail at `path` out of an image; nothing changes when it is made of that image already.

    With `staging_path`, a jail of something else stays, and the new one is made there.
    """
    started = time.monotonic()
    with closing(open_layout(host.real_path(layout), check=True)) as store:
        image = _image(store, name, layout)
        warnings = platforms.check_platform(image.config, layout, _release("/"))
        values: dict[str, Any] = {"digest": image.digest, "layers": [_description(layer) for layer in image.layers]}
        place = target_path(path, staging_path, image.digest)
        values["path"], real = place, jails.jail_path(place)
        previous = place == staging_path and _is_previous(place, image.digest)
        if not previous and _is_unpacked(real, image, place):
            if not check:
                _clean_staging(place)
            return Result(False, values, [], warnings)
        warnings += mounted_volume.warnings(real)
        ended = end_processes(place, stop_processes, check)
        if check:
            inspection = _inspect(real, image, store)
        else:
            with closing(BuildLock(f"unpack {show(real)}")) as build_lock:
                inspection = _unpack(real, image, store, build_lock, place if previous else None, stop_processes)
                warnings += [*inspection.warnings, *build_lock.remarks]
    seconds = round(time.monotonic() - started, 3)
    values["stats"] = {"files": inspection.files, "bytes": inspection.bytes, "seconds": seconds}
    removed = [f"- {show(real)} (of another image)"] if previous else []
    described = f"+ {show(real)} ({inspection.files} files, {size(inspection.bytes)}, from {name}, {image.digest})"
    return Result(True, values, [*ended, *removed, described], warnings)


def target_path(path: str, staging_path: str | None, digest: str) -> str:
    """Where the jail of an image goes: `staging_path` when there is a jail of something else at `path`."""
    if staging_path is None or jails.is_empty(jails.jail_path(path)):
        return path
    with jails.open_jail(path) as jail:
        return path if jail.entry.get("image") == digest else staging_path


def _is_previous(path: str, digest: str) -> bool:
    """Whether an earlier deployment left a jail of another image; InputError for a jail that no image was made into."""
    real = jails.jail_path(path)
    if jails.is_empty(real):
        return False
    with jails.open_jail(path) as jail:
        made = jail.entry.get("image")
        if made is None and not _is_new(jail):
            made_of = f"may be anything: {jail.unknown}" if jail.unknown else "was not created from an image"
            raise InputError(f"the jail {show(real)} {made_of}: save the data that you need, then remove it")
        return made is not None and made != digest


def end_processes(path: str, stop: bool, check: bool) -> list[str]:
    """End what runs in the jail whose place an image is to take, and say so; InputError when that may not be."""
    if jails.is_empty(jails.jail_path(path)):
        return []
    with jails.open_jail(path) as jail:
        return apply(plan_end(jail, "replace", stop), check).diff


def has_image(path: str, digest: str) -> bool:
    """Whether there is a complete jail of the image with this digest."""
    try:
        with jails.open_jail(path) as jail:
            return jail.entry.get("image") == digest and jail.entry.get("state") == "complete"
    except NotAJailError:
        return False


def _clean_staging(path: str) -> None:
    """Remove what a run left that was killed after it completed the jail; a running one cleans up itself."""
    with jails.open_jail(path) as jail, suppress(BusyError):
        if jail.root.lstat(staging.STAGING) and jail.root.names(staging.STAGING):
            jail.lock()


def _description(layer: Layer) -> dict[str, Any]:
    return {"name": layer.name, "digest": layer.blob.digest, "diff_id": layer.diff_id, "size": layer.blob.size}


# -- the image --------------------------------------------------------------------


def _image(store: Layout, name: str, layout: str) -> Image:
    entries = [one for one in store.index()["manifests"] if name_of(one) == name]
    entry = platforms.entry_for_this_mac(entries) or store.find(name)
    if entry is None:
        names = ", ".join(store.names()) or "none"
        raise InputError(f"{layout} contains no image named {name} (it contains {names}): correct name")
    descriptor = descriptor_of(entry, f"the index of {layout}")
    manifest = store.load(descriptor)
    if descriptor.media_type in INDEX_TYPES:
        descriptor = platforms.descriptor_for_this_mac(manifest, f"the index of {layout}")
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
        if blob.media_type not in READERS:
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


def _is_unpacked(real: bytes, image: Image, path: str) -> bool:
    """Whether the jail is made of this image; False for one to start or to finish, InputError for any other."""
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
        f"the jail {show(real)} is there and {of}: unpack {image.digest} at another path and swap the two, "
        "or remove it first"
    )


def _is_new(jail: jails.Jail) -> bool:
    """Whether it has only a marker: a run that is killed at its very start leaves such a jail."""
    return jail.entry.get("state") == "building" and jail.root.names(b"") == [b"private"] and not journals(jail.root)


def _unpack(
    real: bytes, image: Image, store: Layout, build_lock: BuildLock, previous: str | None, stop_processes: bool
) -> Inspection:
    """Make it in one pass, or else in two after removing the jail `previous`; returns the inspection."""
    _remove_unverified(real, image)
    found = None if os.path.lexists(real) else _unpack_in_one_pass(real, image, store, build_lock)
    if found is None:
        found = _inspect(real, image, store)
        if previous is not None:
            remove(previous, unmount=False, check=False, stop_processes=stop_processes)
        _unpack_inspected(real, image, store, found, build_lock)
    return found


def _remove_unverified(real: bytes, image: Image) -> None:
    """Remove what a killed run put into a jail of this image before all of it was compared with its digest."""
    if jails.is_empty(real):
        return
    with jails.open_jail(os.fsdecode(real)) as jail:
        if _is_unverified(jail, image):
            jail.lock()
            if _is_unverified(jail, image):  # still, now that no other run is at work
                undo_create(jail)


def _is_unverified(jail: jails.Jail, image: Image) -> bool:
    entry = jail.entry
    return entry.get("closed", False) and (entry.get("state"), entry.get("image")) == ("building", image.digest)


def _inspect(real: bytes, image: Image, store: Layout) -> Inspection:
    inspection = Inspection(store, real)
    _begin_progress(progress.INSPECT, image.layers)
    inspection.inspect(image.layers)
    return inspection


def _unpack_in_one_pass(real: bytes, image: Image, store: Layout, build_lock: BuildLock) -> Inspection | None:
    """Make it in one pass; None when that is impossible: then nothing is there, or another run's jail."""
    new_parents = host.missing_dirs(os.path.dirname(real))
    with jails.create(real, image=image.digest, layers=0, closed=True) as jail:
        if not jail.just_created:
            return None
        jail.lock()
        try:
            return _fill_in_one_pass(jail, image, store, build_lock)
        except (InputError, SpaceError, OnePassError):
            undo_create(jail)
    with suppress(OperationError):  # another program has put something there meanwhile
        for path in new_parents:
            host.remove_empty(path)
    return None


def _fill_in_one_pass(jail: jails.Jail, image: Image, store: Layout, build_lock: BuildLock) -> Inspection:
    with closing(new_applier(jail.root)) as applier:
        applier.lock_out_others(new=True)
        inspection = OnePassInspection(store, jail.path, applier)
        _begin_progress(progress.UNPACK, image.layers, jail.path)
        for number, layer in enumerate(image.layers):
            with build_lock:
                inspection.add_layer(layer)
                applier.flush()
            jail.update_entry(layers=number + 1)
            progress.done(progress.UNPACK)
        _complete(jail, applier, inspection)
    return inspection


def _complete(jail: jails.Jail, applier: AnyApplier, inspection: Inspection) -> None:
    staging.ensure_empty(jail.root)
    inspection.warnings = applier.finish(inspection.top, jail.entry.get("closed", False))
    holds = _release(jail.path)
    known = {"macos_version": holds.version, "macos_build": holds.build} if holds else {}
    jail.update_entry(state="complete", closed=None, built=int(time.time()), **known)


def _unpack_inspected(real: bytes, image: Image, store: Layout, inspection: Inspection, build_lock: BuildLock) -> None:
    jail = jails.create(real) if jails.is_empty(real) else jails.open_jail(os.fsdecode(real))
    with jail:
        jail.lock()
        jail.refuse_unknown("unpack an image into")
        if jail.entry.get("image") != image.digest:
            jail.update_entry(image=image.digest, layers=0, closed=_is_unpacked_by_program(image) or None)
        elif False in inspection.can_resume[jail.entry.get("layers", 0) :][:1]:
            _remove_contents(jail.root)
            jail.update_entry(layers=0)
        staging.ensure_empty(jail.root)
        try:
            _apply_all(jail, image, store, inspection, build_lock)
        except InputError:
            undo_create(jail)
            raise


def _apply_all(jail: jails.Jail, image: Image, store: Layout, inspection: Inspection, build_lock: BuildLock) -> None:
    with closing(new_applier(jail.root)) as applier:
        if jail.entry.get("closed"):
            applier.lock_out_others(new=False)
        _begin_progress(progress.UNPACK, image.layers[jail.entry.get("layers", 0) :], jail.path)
        for number, layer in enumerate(image.layers):
            if number >= jail.entry.get("layers", 0):  # an earlier run put those in place
                for entry in inspection.effective_whiteouts[number]:
                    applier.hide(entry)
                with build_lock:
                    _apply(applier, store, layer)
                    applier.flush()
                jail.update_entry(layers=number + 1)
                progress.done(progress.UNPACK)
        _complete(jail, applier, inspection)


def _begin_progress(work: int, layers: Sequence[Layer], target: bytes | None = None) -> None:
    """Report how much there is to read, and when it is unpacked how much space is free."""
    free = host.free_bytes(target) if target else 0
    progress.begin(work, len(layers), sum(layer.blob.size for layer in layers), free)


def _is_unpacked_by_program(image: Image) -> bool:
    """Whether an external program unpacks it, whose output may differ from the one that was inspected."""
    return any(READERS[layer.blob.media_type] is ZstdReader for layer in image.layers)


def _remove_contents(root: Root) -> None:
    """Remove all files that a killed run unpacked."""
    parts = STATE.split(b"/")
    for depth, kept in enumerate(parts):
        directory = b"/".join(parts[:depth])
        for name in root.names(directory):
            if name != kept:
                root.remove_tree(os.path.join(directory, name))


def _apply(applier: AnyApplier, store: Layout, layer: Layer) -> None:
    where = f"the layer {layer.blob.digest}"
    with store.open_blob(layer.blob) as file:
        with closing(open_layer(file, layer.blob, where)) as stream:
            apply_entries(entries(stream, where), stream, applier.put)
            verify_digests(stream, layer, where)
