# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Every module that takes a path of a jail refuses, with a message that names the option, a path that cannot be one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from faults import MODULES, Module

yaml = pytest.importorskip("yaml")  # Python 3.9 as on Macs has none
PLUGINS = Path(__file__).parents[4] / "plugins/modules"
NAMES = sorted(path.stem for path in PLUGINS.glob("darwin_*.py"))
IMPOSSIBLE = ("relative", "/a/../b", "/", "/a\0b", "/a\nb", "/a\x1b[2Jb", "/var/db/darwin.jail/x")
STRANGE = ("/a\0b", "\0", "/a\nb", "/" + "a" * 300, "/a/../b")
USUAL = {"src": str(Path(__file__).parent), "name": "somebody", "user": "root", "state": "present"}
"""Values of required options, when another one is tried; /new for all others."""

ENGINE = "darwin_jail_rootfs"
"""Its entries may be the top of the jail, and have rules of their own (test_manifest.py)."""

Option = tuple[str, ...]
"""The name of an option, after that of the list that it is in."""


def documented(name: str) -> dict[str, Any]:
    options: dict[str, Any] = yaml.safe_load(import_module(f"{MODULES}.{name}").DOCUMENTATION)["options"]
    return options


def texts(spec: dict[str, Any], above: Option = ()) -> Iterator[Option]:
    """The options of an argument spec that take any text."""
    for name, option in spec.items():
        if "options" in option:
            yield from texts(option["options"], (*above, name))
        elif option.get("type", "str") in ("str", "path") and "choices" not in option:
            yield (*above, name)


def spec_of(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = getattr(import_module(f"{MODULES}.{name}"), "SPEC", {})
    return spec


def is_path_of_a_jail(name: str, option: Option) -> bool:
    found: dict[str, Any] = {"suboptions": documented(name)}
    for part in option:
        found = found.get("suboptions", {}).get(part, {})  # a fragment documents some
    return "absolute path in the jail" in " ".join(str(found.get("description")).split()).lower()


TEXTS = [(name, option) for name in NAMES if "jail" in spec_of(name) for option in texts(spec_of(name))]
PATHS = [(name, option) for name, option in TEXTS if name != ENGINE and is_path_of_a_jail(name, option)]


def answer(name: str, option: Option, value: str, jail: Path) -> dict[str, Any]:
    """What a module says in check mode when one of its options has this value."""

    def options(spec: dict[str, Any], tried: Option) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, about in spec.items():
            if tried == (key,):
                found[key] = value
            elif tried[:1] == (key,):
                found[key] = [options(about["options"], tried[1:])]
            elif about.get("required"):
                found[key] = [] if about.get("type") == "list" else USUAL.get(key, "/new")
        return found

    given = {"jail": str(jail), **options({**spec_of(name), "jail": {}}, option)}
    # Ansible's own log refuses a NUL, but not with `no_log`.
    return Module(name, {**given, "_ansible_check_mode": True, "_ansible_no_log": True}).answer({})


@pytest.mark.parametrize("value", IMPOSSIBLE)
@pytest.mark.parametrize(("name", "option"), PATHS, ids=lambda one: one if isinstance(one, str) else ".".join(one))
def test_a_path_that_cannot_be_is_refused(name: str, option: Option, value: str, empty_jail: Path) -> None:
    if os.geteuid():
        pytest.skip("some modules are for root only")
    found = answer(name, option, value, empty_jail)
    assert found.get("failed"), found
    assert option[-1] in found["msg"]
    assert "\0" not in found["msg"]


@pytest.mark.parametrize(("name", "option"), TEXTS, ids=lambda one: one if isinstance(one, str) else ".".join(one))
def test_no_text_ends_in_a_traceback(name: str, option: Option, empty_jail: Path) -> None:
    for value in STRANGE:
        assert "traceback" not in answer(name, option, value, empty_jail), value


def test_all_modules_that_take_such_a_path_are_tried() -> None:
    assert {(name, option[-1]) for name, option in PATHS} == {
        ("darwin_jail_copy", "dest"), ("darwin_jail_files", "path"), ("darwin_jail_mounts", "dest"),
        ("darwin_jail_tree", "dest"), ("darwin_jail_users", "home"), ("darwin_jail_users", "shell"),
    }  # fmt: skip
