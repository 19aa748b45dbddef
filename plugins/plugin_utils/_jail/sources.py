# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sources of the inventory that could not be read: Ansible warns at most, and goes on without their hosts."""

from __future__ import annotations

import os
from collections.abc import Container, Iterator
from contextlib import contextmanager

import yaml
from ansible import constants, context
from ansible.inventory.manager import IGNORED
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.hosts import suggestion

VARIABLES = ("group_vars", "host_vars")
SKIPPED_BEGINNINGS = ("$ANSIBLE_VAULT;", "#!")
"""How files begin that are encrypted, or programs."""
NOTHING = ("", "null", "~")
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

ERRORS: dict[str, str] = {}
"""Why a plugin of this collection could not read a file, by its path."""


@contextmanager
def record_error(path: str) -> Iterator[None]:
    """Keep the error that ends the block; what was read without one is forgotten."""
    ERRORS.pop(path, None)
    try:
        yield
    except Exception as exc:
        ERRORS[path] = str(exc)
        raise


def configured_sources() -> list[str]:
    """What was named with -i or in the configuration; empty when nothing was."""
    sources = list(context.CLIARGS.get("inventory") or ())
    usual, origin = constants.config.get_config_value_and_origin("DEFAULT_HOST_LIST")
    return [] if origin == "default" and sources == list(usual) else sources


def problem(names: Container[str]) -> str:
    """What is wrong with one of them, or with variables of these hosts and groups; empty when nothing is known."""
    for path, why in ERRORS.items():
        return f"cannot read the inventory {path}: {why}"
    places = (os.path.expanduser(source) for source in configured_sources() if "," not in source)
    return next(filter(None, (_source_error(place, names) for place in places)), "")


def _source_error(source: str, names: Container[str]) -> str:
    """What is wrong with a file or a directory, of which Ansible says nothing, or not which one it is."""
    if not os.path.exists(source):
        return f"there is no inventory {source}: correct the path after -i"
    is_folder = os.path.isdir(source)
    files = list(_files(source)) if is_folder else [source]
    if not files:
        return f"the inventory {source} is a directory without an inventory: put one there, as fleet.yml"
    beside = source if is_folder else os.path.dirname(source)
    variables = [path for kind in VARIABLES for path in _variable_files(os.path.join(beside, kind), names)]
    for path in (*files, *variables):
        why = read_error(path, path not in variables)
        if why:
            return f"cannot read {path}: {why}"
    return ""


def _variable_files(folder: str, names: Container[str]) -> Iterator[str]:
    """The files with variables of hosts and groups. Ansible reads no others, such as notes or those of an old host."""
    for path in _files(folder):
        first = os.path.relpath(path, folder).partition(os.sep)[0]
        if first in names or os.path.splitext(first)[0] in names:
            yield path


def _files(folder: str) -> Iterator[str]:
    """The files of a directory of inventories that Ansible does not pass over."""
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        if not IGNORED.search(os.fsencode(name)):
            yield from _files(path) if os.path.isdir(path) else [path]


def read_error(path: str, is_inventory: bool) -> str:
    """Why nothing is taken of a file with an inventory or variables; empty when it may well be."""
    ends = constants.config.get_config_value("YAML_FILENAME_EXTENSIONS")
    if os.path.splitext(path)[1] not in (*ends, *(() if is_inventory else ("",))):
        return ""
    try:
        with open(path, encoding="utf-8") as file:
            text = file.read()
        top = None if text.startswith(SKIPPED_BEGINNINGS) else yaml.compose(text, LOADER)
    except OSError as exc:
        return exc.strerror or str(exc)
    except (UnicodeDecodeError, yaml.YAMLError) as exc:
        mark, what = getattr(exc, "problem_mark", None), getattr(exc, "problem", None)
        return f"it is not YAML{f': {what} in line {mark.line + 1}' if mark else ''}: correct it"
    return "" if text.startswith(SKIPPED_BEGINNINGS) else _content_error(top, is_inventory)


def _content_error(top: yaml.Node | None, is_inventory: bool) -> str:
    """Why nothing is taken of what a file holds."""
    if isinstance(top, yaml.MappingNode):
        return _group_error(top) if is_inventory else ""
    if top is None or top.value in NOTHING:
        return "it is empty: fill or remove it" if is_inventory else ""
    held = "a list" if isinstance(top, yaml.SequenceNode) else "text"
    return f"it contains {held}, not names with values: correct it, or move it elsewhere"


def _group_error(top: yaml.MappingNode) -> str:
    """Whether it is for no plugin and has no group, so that Ansible takes nothing of it."""
    keys = {str(key.value): value for key, value in top.value}
    groups = [value for value in keys.values() if isinstance(value, yaml.MappingNode) or value.value in NOTHING]
    if "plugin" in keys or groups or not keys:
        return ""
    hint = next(filter(None, (suggestion(key, ["plugin"]) for key in keys)), "")
    return f"it names no plugin and has no group{hint}: add plugin: darwin.jail.jails, or move it elsewhere"
