# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Transfer an image between a jail, a layout on the Mac, an archive and a registry."""

from __future__ import annotations

import re
from contextlib import closing
from typing import Any

from ..errors import InputError, show
from ..macos.release import architecture
from ..result import Result
from ..system import host, progress
from . import archive
from .config import Settings
from .deploy import deploy, has_image, target_path
from .export import export
from .layout import open_layout
from .platforms import digest_for_this_mac
from .transport import Registry, RegistryAuth

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def transfer(params: dict[str, Any], check: bool) -> Result:
    """Export and push, or pull and unpack."""
    with progress.reporting(params.get("progress_file")):
        return _transfer(params, check)


def _transfer(params: dict[str, Any], check: bool) -> Result:
    place = params["jail"], params["layout"], params["name"]
    _refuse_wrong(params)
    registry = _registry(params)
    if params["state"] == "exported":
        result = export(*place, Settings.of(params), check)
        if params["archive"]:
            _write_archive(result, params, check)
        if registry:
            _push(result, registry, params, check)
    elif registry:
        result = _pull(registry, params, check)
    elif params["archive"]:
        result = _read_archive(params, check)
    else:
        result = deploy(*place, check, params["staging_path"])
    if registry:
        result.values["reference"] = registry.reference
        result.warnings += registry.warnings
    return result


def _refuse_wrong(params: dict[str, Any]) -> None:
    if not NAME.fullmatch(params["name"]):
        raise InputError(f"name '{show(params['name'])}' cannot be the name of an image: give one such as latest")
    if params["reference"] and ":" in params["layout"]:
        raise InputError(f"{show(params['layout'])} holds a colon, which skopeo takes for the end of the path")
    if params["state"] == "present" and params["archive"] and params["reference"]:
        raise InputError("archive and reference each say where the image is: give one of them")
    if params["state"] == "exported" and params["archive"]:
        archive.refuse_others(params["archive"])


def _registry(params: dict[str, Any]) -> Registry | None:
    """The one that is asked for; InputError for one that cannot do what is."""
    if not params["reference"]:
        return None
    registry = Registry(params["reference"], RegistryAuth(**{name: params[name] for name in RegistryAuth._fields}))
    if registry.wanted and params["state"] == "exported":
        raise InputError(f"cannot push to {registry.reference}: it names an image by its digest (give a tag)")
    return registry


def _write_archive(result: Result, params: dict[str, Any], check: bool) -> None:
    if check and result.changed:  # what will be in it is not there yet
        wrote = True
    else:
        with closing(open_layout(host.real_path(params["layout"]), check)) as store:
            wrote = archive.write(params["archive"], store, params["name"], check)
    if wrote:
        result.changed = True
        result.diff.append(f"+ {params['archive']}")


def _read_archive(params: dict[str, Any], check: bool) -> Result:
    """Nothing but the index is read for a jail that is made of what the archive has."""
    place = params["jail"], params["layout"], params["name"]
    digest = archive.entry(params["archive"], params["name"]).digest
    target = target_path(params["jail"], params["staging_path"], digest)
    values = {"digest": digest, "path": target}
    if has_image(target, digest):
        return Result(False, values)
    if check:
        return Result(True, values, [f"+ {show(target)} (from {params['archive']}, {digest})"])
    with closing(open_layout(host.real_path(params["layout"]), check=False)) as store:
        archive.read(params["archive"], store, params["name"])
    return deploy(*place, check, params["staging_path"])


def _push(result: Result, registry: Registry, params: dict[str, Any], check: bool) -> None:
    digest = result.values.get("digest")  # a jail that is only predicted has none
    if digest and registry.digest() == digest:
        return
    if not check:
        registry.push(params["layout"], params["name"])
    result.changed = True
    result.diff.append(f"+ {registry.reference} ({digest})")


def _pull(registry: Registry, params: dict[str, Any], check: bool) -> Result:
    """Nothing is fetched for a jail that is made of what the registry has."""
    place = params["jail"], params["layout"], params["name"]
    manifest = registry.manifest()
    if manifest is None:
        raise InputError(f"there is no image {registry.reference} in the registry: correct reference, or push it first")
    digest = digest_for_this_mac(manifest, registry.reference)
    target = target_path(params["jail"], params["staging_path"], digest)
    values = {"digest": digest, "path": target}
    if has_image(target, digest):
        if not check:
            registry.tidy(params["layout"])
        return Result(False, values)
    if check:
        return Result(True, values, [f"+ {show(target)} (from {registry.reference}, {digest})"])
    registry.pull(params["layout"], params["name"], digest, architecture())
    return deploy(*place, check, params["staging_path"])
