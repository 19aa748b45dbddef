# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""For which system and processor an image is, and which of several is for this Mac.

After the OCI image specification, image-index.md and config.md. `crane append`
writes images that say nothing of it when they have no base.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import InputError, show
from ..macos.release import Release, architecture
from .config import GO_NAMES
from .layout import Descriptor, Json, descriptor_of, digest_of, parse_json

SYSTEM = "darwin"


def descriptor_for_this_mac(index: Json, where: str) -> Descriptor:
    """One of the images of several platforms."""
    entries = index.get("manifests")
    for entry in entries if isinstance(entries, list) else ():
        if _fits(entry):
            return descriptor_of(entry, where)
    raise InputError(f"{where} has no image for {SYSTEM}/{_processor()}")


def digest_for_this_mac(manifest: bytes, reference: str) -> str:
    """Of a manifest; of a list of images for several platforms, that of the one for this Mac."""
    where = f"what the registry has for {reference}"
    found = parse_json(manifest, where)
    return descriptor_for_this_mac(found, where).digest if "manifests" in found else digest_of(manifest)


def entry_for_this_mac(entries: Iterable[Json]) -> Json | None:
    """The one of these images that says that it is for this Mac."""
    return next(filter(_fits, entries), None)


def check_platform(config: Json, where: str, runs: Release | None) -> list[str]:
    """InputError for an image of another platform; warnings about one that may not run here.

    `runs` is the release of the Mac itself.
    """
    here = SYSTEM, str(_processor())
    given = ["" if config.get(key) is None else config[key] for key in ("os", "architecture")]
    shown = [show(text)[:40] if isinstance(text, str) else "unknown" for text in given]
    if any(one not in ("", wanted) for one, wanted in zip(shown, here)):
        found = "/".join(one or "unknown" for one in shown)
        raise InputError(f"the image in {where} is for {found}, this Mac is {here[0]}/{here[1]}")
    warnings = []
    if "" in shown:
        warnings.append(
            f"the image in {where} does not state its system and processor, and is used as an image for "
            f"{here[0]}/{here[1]}: its programs may not start here"
        )
    version = config.get("os.version")
    if runs and isinstance(version, str) and version and version.partition(".")[0] != str(runs.major):
        warnings.append(
            f"the image contains macOS {show(version)[:40]}, this Mac runs {runs.version}: its programs may not "
            f"start here"
        )
    return warnings


def _fits(entry: Any) -> bool:
    platform = entry.get("platform") if isinstance(entry, dict) else None
    wanted = {"os": SYSTEM, "architecture": _processor()}
    return isinstance(platform, dict) and wanted.items() <= platform.items()


def _processor() -> str | None:
    return GO_NAMES.get(architecture())
