# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A path with a NUL byte is refused by every module, in one sentence that names the option."""

from __future__ import annotations

import importlib
import io
import json
import pkgutil
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout, suppress
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins import modules

PATH = "/no/such/path"
VALUES: dict[str, Any] = {"path": PATH, "list": [], "dict": {}, "int": 1, "float": 1.0, "bool": False}
"""For options that are required, by their type."""


def with_work() -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The modules that run on a Mac. The others are action plugins, with documentation alone."""
    for found in pkgutil.iter_modules(modules.__path__):
        module = importlib.import_module(f"{modules.__name__}.{found.name}")
        if hasattr(module, "SPEC"):
            yield found.name, module.SPEC


def value(rules: Mapping[str, Any], given: Any = None) -> Any:
    """A value for an option, whose paths, if it has any, are `given`."""
    if "options" in rules:
        item = {name: value(below, given) for name, below in rules["options"].items() if is_needed(below, given)}
        return [item] if rules["type"] == "list" else item
    if given is not None and rules.get("elements") == "path":
        return [given]
    if given is not None and rules.get("type") == "path":
        return given
    return rules["choices"][0] if "choices" in rules else VALUES.get(rules.get("type", "str"), "x")


def is_needed(rules: Mapping[str, Any], given: Any) -> bool:
    return rules.get("required", False) or (given is not None and has_path(rules))


def has_path(rules: Mapping[str, Any]) -> bool:
    return "path" in (rules.get("type"), rules.get("elements")) or any(map(has_path, rules.get("options", {}).values()))


def path_in(option: str, rules: Mapping[str, Any]) -> str:
    """The name of the option that is a path: this one, or one of its suboptions."""
    return next((name for name, below in rules.get("options", {}).items() if has_path(below)), option)


def options_with_paths() -> list[tuple[str, str]]:
    return [(name, option) for name, spec in with_work() for option, rules in spec.items() if has_path(rules)]


def test_there_are_such_options() -> None:
    found = options_with_paths()
    assert {("darwin_jail_rootfs", "manifests"), ("darwin_jail_mounts", "mounts")} < set(found)
    assert len(found) > 30


@pytest.mark.parametrize(("name", "option"), options_with_paths())
def test_a_path_with_a_nul_byte(name: str, option: str) -> None:
    spec = dict(with_work())[name]
    options = {other: value(rules) for other, rules in spec.items() if rules.get("required")}
    options[option] = value(spec[option], f"{PATH}\0/x")
    said = io.StringIO()
    with patch_module_args({**options, "_ansible_check_mode": True}), redirect_stdout(said), suppress(SystemExit):
        importlib.import_module(f"{modules.__name__}.{name}").main()
    message = json.loads(said.getvalue())["msg"]
    assert f"'{path_in(option, spec[option])}'" in message
    assert rf"{PATH}\x00/x contains a NUL byte" in message
    assert message.isprintable()
