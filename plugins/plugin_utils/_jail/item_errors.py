# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Items of variables that a module would refuse on every Mac and for every jail, found before anything is changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail import users
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.spec import service_specs

USER_OF_CHECK = "root"
"""The user of services that name none. Which user it is makes no item invalid."""


def _refuse_services(items: Sequence[dict[str, Any]]) -> None:
    service_specs(items, USER_OF_CHECK)


CHECKS = {
    "jail_mounts": bind_mounts.refuse_invalid,
    "jail_services": _refuse_services,
    "jail_users": users.refuse_invalid,
}
"""For each variable, the check by the module that gets its items."""


def item_errors(variable: str, items: Sequence[dict[str, Any]]) -> list[str]:
    """The sentence of the module about the first item that is not valid, about the variable instead of the option."""
    try:
        CHECKS[variable](items)
    except InputError as exc:
        return [f"jail_{exc}"]
    return []
