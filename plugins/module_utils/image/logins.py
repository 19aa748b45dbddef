# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The login for one registry, and nothing else: what carries an image is a program that others may have replaced.

Login files are those of docker: https://man.archlinux.org/man/containers-auth.json.5, keys are
a registry, also with a path behind or an address around it.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from .._sys import host
from ..errors import InputError, show

DOCKER = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io"))
"""One registry, whose login has the second of these names."""


def of_name(registry: str, username: str, password: str | None) -> bytes:
    """For a name and a password."""
    login = f"{username}:{password or ''}".encode()
    return _file({registry: {"auth": base64.b64encode(login).decode()}})


def of_file(registry: str, path: str) -> bytes:
    """What a login file says of the registry."""
    try:
        found = json.loads(host.read_file(path))
        auths = found.get("auths", {}) if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        auths = None
    if not isinstance(auths, dict):
        raise InputError(f"auth_file {show(path)} is no login file: it is to be JSON with an object auths")
    return _file({key: value for key, value in auths.items() if _is_for(key, registry)})


def of_root(registry: str) -> bytes | None:
    """What root's own login files say of it; None when there is none."""
    home = os.path.expanduser("~")
    docker = os.environ.get("DOCKER_CONFIG", f"{home}/.docker")
    for path in (os.environ.get("REGISTRY_AUTH_FILE"), f"{home}/.config/containers/auth.json", f"{docker}/config.json"):
        if path and os.path.isfile(path):
            return of_file(registry, path)
    return None


def _is_for(key: str, registry: str) -> bool:
    name = key.partition("://")[2] or key
    place = name.partition("/")[0]
    return place == registry or (place in DOCKER and registry in DOCKER)


def _file(auths: dict[str, Any]) -> bytes:
    return json.dumps({"auths": auths}).encode()
