# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of variables that a module would refuse on every Mac and for every jail, found before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError

USER_OF_CHECK = "root"
"""The user of services that name none. Which user it is makes no item invalid."""

# Ansible compiles all that a plugin imports in each process, so each check imports only its own module.


def _refuse_mounts(items: Sequence[dict[str, Any]]) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts  # noqa: PLC0415

    bind_mounts.refuse_invalid(items)


def _refuse_services(items: Sequence[dict[str, Any]]) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail.services import spec  # noqa: PLC0415

    spec.service_specs(items, USER_OF_CHECK)


def _refuse_users(items: Sequence[dict[str, Any]]) -> None:
    from ansible_collections.darwin.jail.plugins.module_utils._jail import users  # noqa: PLC0415

    users.refuse_invalid(items)


CHECKS = {"jail_mounts": _refuse_mounts, "jail_services": _refuse_services, "jail_users": _refuse_users}
"""For each variable, the check by the module that gets its items."""


def item_errors(variable: str, items: Sequence[dict[str, Any]]) -> list[str]:
    """The sentence of the module about the first item that is not valid, about the variable instead of the option."""
    try:
        CHECKS[variable](items)
    except InputError as exc:
        return [f"jail_{exc}"]
    return []
