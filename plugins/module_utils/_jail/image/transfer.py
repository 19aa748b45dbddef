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
from .export import export
from .layout import open_layout
from .platforms import digest_for_this_mac
from .transport import Registry, RegistryAuth
from .unpack import has_image, target_path, unpack

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


def transfer(params: dict[str, Any], check: bool) -> Result:
    """The work of the module."""
    with progress.reporting(params.get("progress_file")):
        _refuse_invalid(params)
        return publish(params, check) if params["state"] == "exported" else deploy(params, check)


def publish(params: dict[str, Any], check: bool) -> Result:
    """Export a jail to a layout, then write the archive and push to the registry that are asked for."""
    registry = _registry(params)
    if registry and registry.wanted:
        raise InputError(f"cannot push to {registry.reference}: it names an image by its digest (give a tag)")
    result = export(params["jail"], params["layout"], params["name"], Settings.of(params), check)
    if params["archive"]:
        _write_archive(result, params, check)
    if registry:
        _push(result, registry, params, check)
    return _with_reference(result, registry)


def deploy(params: dict[str, Any], check: bool) -> Result:
    """Make a jail of an image, which is copied from the registry or the archive into the layout first.

    For a jail that is made of it already, nothing is copied but the manifest.
    """
    jail, layout, name, staging_path = (params[option] for option in ("jail", "layout", "name", "staging_path"))
    registry = _registry(params)
    if not registry and not params["archive"]:
        return unpack(jail, layout, name, check, staging_path)
    origin = registry.reference if registry else params["archive"]
    digest = _digest_in(registry) if registry else archive.find_image(params["archive"], name).digest
    target = target_path(jail, staging_path, digest)
    values = {"digest": digest, "path": target}
    if has_image(target, digest):
        if registry and not check:
            registry.tidy(layout)
        result = Result(False, values)
    elif check:
        result = Result(True, values, [f"+ {show(target)} (from {origin}, {digest})"])
    else:
        if registry:
            registry.pull(layout, name, digest, architecture())
        else:
            with closing(open_layout(host.real_path(layout), check=False)) as store:
                archive.read(params["archive"], store, name)
        result = unpack(jail, layout, name, check, staging_path)
    return _with_reference(result, registry)


def _with_reference(result: Result, registry: Registry | None) -> Result:
    if registry:
        result.values["reference"] = registry.reference
        result.warnings += registry.warnings
    return result


def _refuse_invalid(params: dict[str, Any]) -> None:
    if not NAME.fullmatch(params["name"]):
        raise InputError(f"name '{show(params['name'])}' is not a valid name for an image: give one such as latest")
    if params["reference"] and ":" in params["layout"]:
        raise InputError(f"{show(params['layout'])} contains a colon, which skopeo interprets as the end of the path")
    if params["state"] == "present" and params["archive"] and params["reference"]:
        raise InputError("archive and reference are mutually exclusive: set one of them")
    if params["state"] == "exported" and params["archive"]:
        archive.refuse_non_file(params["archive"])


def _registry(params: dict[str, Any]) -> Registry | None:
    if not params["reference"]:
        return None
    return Registry(params["reference"], RegistryAuth(**{name: params[name] for name in RegistryAuth._fields}))


def _write_archive(result: Result, params: dict[str, Any], check: bool) -> None:
    if check and result.changed:  # the layout does not have the image yet
        wrote = True
    else:
        with closing(open_layout(host.real_path(params["layout"]), check)) as store:
            wrote = archive.write(params["archive"], store, params["name"], check)
    if wrote:
        result.changed = True
        result.diff.append(f"+ {params['archive']}")


def _push(result: Result, registry: Registry, params: dict[str, Any], check: bool) -> None:
    digest = result.values.get("digest")  # a jail that is only predicted has none
    if digest and registry.digest() == digest:
        return
    if not check:
        registry.push(params["layout"], params["name"])
    result.changed = True
    result.diff.append(f"+ {registry.reference} ({digest})")


def _digest_in(registry: Registry) -> str:
    """The digest of this Mac's image in a registry."""
    manifest = registry.manifest()
    if manifest is None:
        raise InputError(f"there is no image {registry.reference} in the registry: correct reference, or push it first")
    return digest_for_this_mac(manifest, registry.reference)
