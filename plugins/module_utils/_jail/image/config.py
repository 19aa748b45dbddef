# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The configuration and the manifest of an image.

After the OCI image specification, config.md and manifest.md: the processor
has the name that Go gives it, and `os.version` is what macOS calls its release.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ..errors import InputError, show
from ..macos.release import architecture, release
from ..system.rooted import Root
from .layout import CONFIG_TYPE, MANIFEST_TYPE, Descriptor, Json

LATEST = 0o77777777777
"""The last second that a tar header can name."""
GO_NAMES = {"x86_64": "amd64", "arm64": "arm64", "amd64": "amd64"}


class Layer(NamedTuple):
    """A layer as the image names it."""

    name: str
    diff_id: str
    blob: Descriptor
    left_out: tuple[str, ...] = ()
    """Warnings about files of the jail that it lacks."""


@dataclass
class Settings:
    """How the image is to be run, and when it claims to be made."""

    architecture: str | None = None
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    working_dir: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    epoch: int | None = None
    compression: str = "gzip"

    @classmethod
    def of(cls, options: dict[str, Any]) -> Settings:
        """From the options of the module; InputError for what an image cannot say."""
        epoch = options["source_date_epoch"]
        if epoch is not None and not 0 <= epoch <= LATEST:
            raise InputError(f"source_date_epoch {epoch} is not a valid time: give seconds since 1970")
        env, labels = ({key: str(value) for key, value in options[name].items()} for name in ("env", "labels"))
        names = "architecture", "entrypoint", "command", "user", "working_dir", "compression"
        return cls(env=env, labels=labels, epoch=epoch, **{name: options[name] for name in names})


def config(root: Root, settings: Settings, layers: Sequence[Layer]) -> Json:
    """The configuration of the image of a jail; InputError when the jail holds no macOS."""
    system = release(root)
    machine = settings.architecture or architecture()
    if machine not in GO_NAMES:
        raise InputError(f"macOS does not run on the processor {machine}: give architecture, arm64 or amd64")
    env = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", **settings.env}
    wrong = [key for key in env if not key or "=" in key or "\0" in key]
    if wrong:
        raise InputError(f"env: '{show(wrong[0])}' is not a valid name for a variable")
    run: dict[str, Any] = {
        "Entrypoint": list(settings.entrypoint),
        "Cmd": list(settings.command),
        "User": settings.user,
        "Env": [f"{key}={env[key]}" for key in sorted(env)],
        "WorkingDir": settings.working_dir,
        "Labels": settings.labels,
    }
    created = {} if settings.epoch is None else {"created": _stamp(settings.epoch)}
    return {
        "architecture": GO_NAMES[machine],
        "os": "darwin",
        "os.version": system.version,
        "config": {key: value for key, value in run.items() if value},
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in layers]},
        "history": [{"created_by": f"darwin.jail: {layer.name}", **created} for layer in layers],
        **created,
    }


def manifest(settings: Descriptor, layers: Sequence[Layer]) -> Json:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": {**settings.as_json(), "mediaType": CONFIG_TYPE},
        "layers": [layer.blob.as_json() for layer in layers],
    }


def _stamp(epoch: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(epoch))
