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

from ..errors import InputError, OperationError, show
from ..system import host

DOCKER = frozenset(("docker.io", "index.docker.io", "registry-1.docker.io"))
"""Names of one registry."""
DOCKER_KEYS = ("https://index.docker.io/v1/", "docker.io")
"""What crane asks for (go-containerregistry pkg/authn/keychain.go, DefaultAuthKey), and what skopeo asks for."""


def of_name(registry: str, username: str, password: str | None) -> bytes:
    """For a name and a password."""
    login = f"{username}:{password or ''}".encode()
    return _file(registry, {registry: {"auth": base64.b64encode(login).decode()}})


def of_file(registry: str, path: str, what: str = "auth_file") -> bytes:
    """The logins of a login file for the registry; InputError, which names the file, when it is not one."""
    try:
        found = json.loads(host.read_file(path))
    except OperationError as exc:
        raise InputError(f"cannot read {what} {show(path)}: {exc.reason} (give the path of a login file)") from exc
    except (ValueError, RecursionError, InputError):  # not JSON, or too large
        found = None
    auths = found.get("auths", {}) if isinstance(found, dict) else None
    chosen = {key: auths[key] for key in auths if _is_for(key, registry)} if isinstance(auths, dict) else None
    if chosen is None or not all(map(_is_login, chosen.values())):
        raise InputError(
            f"cannot read {what} {show(path)}: it is not a login file, which is JSON with an object auths "
            "(skopeo login makes one)"
        )
    return _file(registry, chosen)


def of_root(registry: str) -> bytes | None:
    """The logins of root's own login files for it; None when root has no such file."""
    home = os.path.expanduser("~")
    docker = os.environ.get("DOCKER_CONFIG", f"{home}/.docker")
    for path in (os.environ.get("REGISTRY_AUTH_FILE"), f"{home}/.config/containers/auth.json", f"{docker}/config.json"):
        if path and os.path.isfile(path):
            return of_file(registry, path, "root's login file")
    return None


def _path(key: str) -> str:
    """What follows the registry in a key: a part of it, or how docker asks for all of it."""
    return (key.partition("://")[2] or key).partition("/")[2]


def _is_for(key: str, registry: str) -> bool:
    place = (key.partition("://")[2] or key).partition("/")[0]
    return place == registry or (place in DOCKER and registry in DOCKER)


def _is_login(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(text, str) for text in value.values())


def _file(registry: str, auths: dict[str, Any]) -> bytes:
    if registry in DOCKER and auths:
        whole = [key for key in (registry, *DOCKER_KEYS) if key in auths]
        whole += [key for key in auths if _path(key) in ("", "v1", "v1/", "v2", "v2/")]
        if whole:
            auths = {**auths, **dict.fromkeys((registry, *DOCKER_KEYS), auths[whole[0]])}
    return json.dumps({"auths": auths}).encode()
