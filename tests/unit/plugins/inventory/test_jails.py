# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Inventories from a list of Macs and a list of jails: what is refused, and what ansible-inventory makes of them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleParserError
from ansible_collections.darwin.jail.plugins.inventory import jails
from hypothesis import given
from hypothesis import strategies as st

CHECKOUT = Path(__file__).parents[4]
PROGRAM = Path(sys.executable).with_name("ansible-inventory")

MAC_WORDS = ["name", "macos", "vars"]
JAIL_WORDS = ["name", "mac", "macs", "path", "macos", "vars"]
FLEET = {
    "plugin": "darwin.jail.jails",
    "macs": [
        {"name": "mac[1:3]", "macos": "15.2", "vars": {"ansible_user": "admin"}},
        {"name": "intel", "vars": {"ansible_host": "192.0.2.9"}},
    ],
    "jails": [
        {"name": "build", "macs": ["mac*", "!mac3"], "vars": {"jail_user": "builder"}},
        {"name": "old-[1:2]", "mac": "intel", "macos": "13.7.8"},
        {"name": "plain", "mac": "intel", "path": "/Volumes/Jails/plain"},
    ],
}


# -- patterns ----------------------------------------------------------------------

macs_of_names = st.lists(st.text("abc-1", min_size=1, max_size=4), min_size=1, max_size=8, unique=True)


@given(macs_of_names, st.data())
def test_a_mac_is_selected_when_it_is_named_and_not_left_out(macs: list[str], data: st.DataObject) -> None:
    """Compared with the rule itself, one Mac at a time. Patterns are made of names, so that they match something."""
    pattern = st.sampled_from(macs).flatmap(lambda name: st.sampled_from([name, name[0] + "*", "*" + name[-1], "*"]))
    named = data.draw(st.lists(pattern, max_size=3))
    left_out = data.draw(st.lists(pattern, max_size=3))
    patterns = data.draw(st.permutations([*named, *(f"!{one}" for one in left_out)]))

    def matches(mac: str, some: list[str]) -> bool:
        return any(fnmatchcase(mac, one) for one in some)

    expected = [mac for mac in macs if (matches(mac, named) or not named) and not matches(mac, left_out)]
    assert jails.select(patterns, macs) == expected


@given(macs_of_names, st.text("abc-1*?!", min_size=1, max_size=4))
def test_a_pattern_selects_known_macs_or_is_refused(macs: list[str], pattern: str) -> None:
    try:
        found = jails.select([pattern], macs)
    except AnsibleParserError as exc:
        assert repr(pattern.removeprefix("!")) in str(exc)  # noqa: PT017 (either may be)
    else:
        assert set(found) <= set(macs)


def test_ranges_are_names_and_patterns() -> None:
    assert jails.expand("mac[08:10].example.com") == [f"mac{n}.example.com" for n in ("08", "09", "10")]
    assert jails.select(["mac[1:2]"], ["mac1", "mac2", "mac3"]) == ["mac1", "mac2"]


# -- what is refused -----------------------------------------------------------------


def read(macs: Any, entries: Any) -> list[jails.Host]:
    known = jails.macs_of(macs, MAC_WORDS)
    found = [*known, *jails.jails_of(entries, JAIL_WORDS, [mac.name for mac in known], "/jails/")]
    jails.check_unique(found)
    return found


MACS = [{"name": "mac1"}, {"name": "mac2"}]
REFUSED = {
    "'mac1' in macs has 'macOS', which means nothing there (did you mean 'macos'?); it may have macos, name, vars": (
        [{"name": "mac1", "macOS": "15"}],
        [],
    ),
    "'a' in jails has 'pth', which means nothing there (did you mean 'path'?); it may have mac, macos, macs, name, "
    "path, vars": (MACS, [{"name": "a", "mac": "mac1", "pth": "/a"}]),
    "an entry of macs has no name: 'mac1'; give it one, as in - name: first": (["mac1"], []),
    "an entry of jails has no name: {'mac': 'mac1'}; give it one, as in - name: first": (MACS, [{"mac": "mac1"}]),
    "vars of 'mac1' in macs is not a mapping: write name: value, one per line": ([{"name": "mac1", "vars": ["x"]}], []),
    "macos of 'mac1' in macs is not a valid version: 15.1; write it in quotes, as in \"15.2\"": (
        [{"name": "mac1", "macos": 15.10}],
        [],
    ),
    "macos of 'mac1' in macs is not a valid version: 'Sequoia'; write it in quotes, as in \"15.2\"": (
        [{"name": "mac1", "macos": "Sequoia"}],
        [],
    ),
    "vars of 'a' in jails has jail_path, which path is for: write path beside name": (
        MACS,
        [{"name": "a", "mac": "mac1", "vars": {"jail_path": "/a"}}],
    ),
    "the range in 'mac[3:1]' makes no sense: it ends before it begins": ([{"name": "mac[3:1]"}], []),
    "the path of the jail 'a' is 'a', which is not absolute": (MACS, [{"name": "a", "mac": "mac1", "path": "a"}]),
    "the jail 'a' needs one of mac, which is a name, and macs, a list of patterns": (MACS, [{"name": "a"}]),
    "the jail 'a' is on 'mac3', which is not in macs (did you mean 'mac2'?); correct it, or write macs for a list of "
    "patterns": (MACS, [{"name": "a", "mac": "mac3"}]),
    "no Mac is called 'imac*' (did you mean 'mac2'?); correct it, or add it to macs": (
        MACS,
        [{"name": "a", "macs": "imac*"}],
    ),
    "macs of the jail 'a' is not a list of names and patterns: [1]": (MACS, [{"name": "a", "macs": [1]}]),
    "the jail 'a' is on no Mac: mac1, !mac1": (MACS, [{"name": "a", "macs": ["mac1", "!mac1"]}]),
    "the jail 'a' is on no Mac: macs is empty": ([], [{"name": "a", "macs": []}]),
    "two hosts would be called 'mac1': give one of them another name": ([*MACS, {"name": "mac1"}], []),
    "two hosts would be called 'mac2': give one of them another name": (MACS, [{"name": "mac2", "mac": "mac1"}]),
    "two hosts would be called 'a-mac1': give one of them another name": (
        MACS,
        [{"name": "a", "macs": ["mac1"]}, {"name": "a", "macs": ["mac*"], "path": "/b"}],
    ),
    "'a' and 'b' are both in /jails/a on mac1: give one another path": (
        MACS,
        [{"name": "a", "mac": "mac1"}, {"name": "b", "mac": "mac1", "path": "/jails/a"}],
    ),
    "'a' and 'b' are both in /JAILS/A on mac1: give one another path": (
        MACS,
        [{"name": "a", "mac": "mac1"}, {"name": "b", "mac": "mac1", "path": "/JAILS/A"}],
    ),
    "'mac-1' and 'mac_1' would share the group mac_mac_1: rename one of them": (
        [{"name": "mac-1"}, {"name": "mac_1"}],
        [{"name": "a", "macs": ["*"]}],
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_refused(message: str) -> None:
    with pytest.raises(AnsibleParserError) as refused:
        read(*REFUSED[message])
    assert str(refused.value) == message


# -- what ansible-inventory makes of it ------------------------------------------------

Inventory = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    def run(config: dict[str, Any], *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "fleet.yml"
        path.write_text(yaml.safe_dump(config, sort_keys=False))
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")},
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
            "ANSIBLE_HOME": str(tmp_path / "ansible"),
            "NO_COLOR": "1",
            **settings,
        }
        argv = [str(PROGRAM), "-i", str(path), *words]
        return subprocess.run(argv, check=False, capture_output=True, text=True, cwd=tmp_path, env=environment)

    return run


def listed(answer: subprocess.CompletedProcess[str]) -> tuple[dict[str, list[str]], dict[str, dict[str, Any]]]:
    """The hosts of each group, and the variables of each host."""
    assert (answer.returncode, answer.stderr) == (0, "")
    said = json.loads(answer.stdout)
    variables = said.pop("_meta")["hostvars"]
    return {name: group["hosts"] for name, group in said.items() if "hosts" in group}, variables


GRAPH = """\
@all:
  |--@ungrouped:
  |--@macs:
  |  |--mac1
  |  |--mac2
  |  |--mac3
  |  |--intel
  |--@jails:
  |  |--@jail_build:
  |  |  |--build-mac1
  |  |  |--build-mac2
  |  |--@jail_old_1:
  |  |  |--old-1
  |  |--@jail_old_2:
  |  |  |--old-2
  |  |--@jail_plain:
  |  |  |--plain
  |--@mac_mac1:
  |  |--build-mac1
  |--@mac_mac2:
  |  |--build-mac2
  |--@mac_intel:
  |  |--old-1
  |  |--old-2
  |  |--plain
  |--@macos_15:
  |  |--mac1
  |  |--mac2
  |  |--mac3
  |  |--build-mac1
  |  |--build-mac2
  |--@macos_13:
  |  |--old-1
  |  |--old-2
"""


def test_the_graph_reads_well(inventory: Inventory) -> None:
    answer = inventory(FLEET, "--graph")
    assert (answer.stdout, answer.stderr) == (GRAPH, "")


def test_variables_of_macs_and_jails(inventory: Inventory) -> None:
    _groups, variables = listed(inventory(FLEET, "--list"))
    assert variables["mac2"] == {"ansible_user": "admin", "macos_version": "15.2"}
    assert variables["build-mac2"] == {
        "ansible_connection": "darwin.jail.chroot",
        "ansible_host": "mac2",
        "jail_mac": "mac2",
        "jail_path": "/private/var/jails/build",
        "jail_user": "builder",
        "macos_version": "15.2",
    }
    assert variables["plain"] == {
        "ansible_connection": "darwin.jail.chroot",
        "ansible_host": "192.0.2.9",
        "jail_mac": "intel",
        "jail_path": "/Volumes/Jails/plain",
    }
    assert variables["old-2"]["macos_version"] == "13.7.8"


def test_more_groups_and_variables_are_composed(inventory: Inventory) -> None:
    more = {
        "compose": {"jail_packages": "['tmux'] if jail_user is defined else omit"},
        "groups": {"tested": "jail_path is defined and macos_version is version('15', '>=')"},
        "keyed_groups": [{"prefix": "user", "key": "jail_user"}],
    }
    groups, variables = listed(inventory({**FLEET, **more}, "--list"))
    assert groups["user_builder"] == groups["tested"] == ["build-mac1", "build-mac2"]
    assert variables["build-mac1"]["jail_packages"] != []
    wrong = inventory({**FLEET, "strict": True, "compose": {"x": "nobody_knows_this"}}, "--list")
    assert "nobody_knows_this" in wrong.stderr


def test_a_wrong_word_is_told_and_nothing_is_made(inventory: Inventory) -> None:
    jail = {"name": "late", "mac": "nobody"}
    for config, message in (
        ({**FLEET, "keyed_group": []}, "'keyed_group', which means nothing there (did you mean 'keyed_groups'?)"),
        ({**FLEET, "jails": [*FLEET["jails"], jail]}, "the jail 'late' is on 'nobody', which is not in macs"),
        ({**FLEET, "macs": {"mac1": {}}}, "macs"),
        ({"plugin": "darwin.jail.jails", "macs": []}, "jails"),
    ):
        answer = inventory(config, "--graph")
        assert message in answer.stderr
        assert "Traceback" not in answer.stderr
        assert answer.stdout == "@all:\n  |--@ungrouped:\n"
        failed = inventory(config, "--graph", ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true")
        assert failed.returncode != 0


# -- versions that facts told ------------------------------------------------------------


def remember(versions: dict[str, str], settings: dict[str, str], distribution: str = "MacOSX") -> None:
    """Have Ansible put facts into its cache."""
    inventory = "".join(f"{host} version={version}\n" for host, version in versions.items())
    facts = f"cacheable=true ansible_distribution={distribution} ansible_distribution_version={{{{ version }}}}"
    path = Path(settings["ANSIBLE_CACHE_PLUGIN_CONNECTION"]).with_suffix(".ini")
    path.write_text(inventory)
    argv = [str(PROGRAM.with_name("ansible")), "-i", str(path), "all", "-m", "ansible.builtin.set_fact", "-a", facts]
    subprocess.run(argv, check=True, capture_output=True, env=os.environ | settings)


@pytest.fixture
def cache(tmp_path: Path) -> dict[str, str]:
    return {
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(tmp_path / "facts"),
        "ANSIBLE_INVENTORY_CACHE_PLUGIN": "jsonfile",
        "ANSIBLE_INVENTORY_CACHE_CONNECTION": str(tmp_path / "inventory"),
    }


def test_versions_come_from_cached_facts_and_never_over_what_is_written(
    inventory: Inventory, cache: dict[str, str]
) -> None:
    remember({"mac1": "26.0", "intel": "13.6", "old-1": "26.0", "build-mac1": "15.1"}, cache)
    remember({"plain": "12"}, cache, "Debian")
    elsewhere = {"name": "other", "mac": "intel", "vars": {"jail_source": "/Volumes/Other"}}
    _groups, variables = listed(inventory({**FLEET, "jails": [*FLEET["jails"], elsewhere]}, "--list", **cache))
    versions = {host: known.get("macos_version") for host, known in variables.items()}
    assert versions.pop("intel") == versions.pop("plain") == {"__ansible_unsafe": "13.6"}  # no word of the user's
    assert versions == {
        "mac1": "15.2",
        "build-mac1": "15.2",  # what it says itself would choose the group that it is in
        "mac2": "15.2",
        "mac3": "15.2",
        "build-mac2": "15.2",
        "old-1": "13.7.8",
        "old-2": "13.7.8",
        "other": None,
    }


def test_versions_are_kept_in_the_cache_of_the_inventory(inventory: Inventory, cache: dict[str, str]) -> None:
    def known(*words: str, **config: Any) -> bool:
        groups, _variables = listed(inventory({**FLEET, **config}, "--list", *words, **cache))
        return "intel" in groups["macos_13"]

    assert not known(cache=True)
    remember({"intel": "13.6"}, cache)
    assert known(cache=True)
    shutil.rmtree(cache["ANSIBLE_CACHE_PLUGIN_CONNECTION"])
    assert known(cache=True)
    assert not known()
    assert not known("--flush-cache", cache=True)
    assert not known(cache=True)
