# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is published has addresses and version from galaxy.yml, and meets docs/release.md where files show it."""

from __future__ import annotations

import re
import subprocess
from functools import cache
from pathlib import Path

import addresses
import pytest
import yaml
from documented_examples import CHECKOUT
from release_refusals import ADDRESSES, is_placeholder

GALAXY = yaml.safe_load((CHECKOUT / "galaxy.yml").read_text())
WORKFLOWS = sorted(CHECKOUT.glob(".github/workflows/*.yml"))
PINNED = re.compile(r"([\w./-]+)@([0-9a-f]{40}) # v\d+(?:\.\d+){2}")
CONDUCT = "https://docs.ansible.com/ansible/latest/community/code_of_conduct.html"
PLUGINS = (
    "action become cache callback cliconf connection doc_fragments filter httpapi inventory lookup module_utils "
    "modules netconf plugin_utils shell strategy sub_plugins terminal test vars"
).split()
"""Directories that a collection may have in plugins/."""
MODULES = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/*.py") if path.stem != "__init__")


@cache
def module_text(name: str) -> str:
    return (CHECKOUT / f"plugins/modules/{name}.py").read_text()


def test_the_links_are_made_from_the_addresses() -> None:
    """Write them with: python tests/tools/addresses.py"""
    assert addresses.PAGE.read_text() == addresses.page()


def test_pages_on_github_can_be_edited_there() -> None:
    made = addresses.links({"repository": "https://github.com/someone/darwin.jail", "issues": "https://x/issues"})
    assert made["edit_on_github"]["repository"] == "someone/darwin.jail"


def test_only_the_links_repeat_a_placeholder() -> None:
    hosts = {GALAXY[name].split("/")[2] for name in ADDRESSES if is_placeholder(GALAXY[name])}
    for host in hosts:
        grep = ["git", "grep", "--untracked", "--files-with-matches", "--fixed-strings", host, "--", ":!tests"]
        named = subprocess.run(grep, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split()
        assert named == ["docs/docsite/links.yml", "galaxy.yml"]


def test_archives_are_named_after_the_version() -> None:
    pages = [CHECKOUT / "README.md", *CHECKOUT.glob("docs/*.md"), *CHECKOUT.glob("docs/examples/*")]
    named = {
        (page.name, version)
        for page in pages
        for version in re.findall(r"darwin-jail-(\d+\.\d+\.\d+)\.tar\.gz", page.read_text())
    }
    assert {version for _page, version in named} == {GALAXY["version"]}, named


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: str(path.stem))
def test_actions_are_pinned_by_their_commit_and_name_their_release(workflow: Path) -> None:
    used = re.findall(r"uses: (.*)", workflow.read_text())
    assert used
    assert [line for line in used if not PINNED.fullmatch(line)] == []


def test_workflows_agree_about_the_commit_of_an_action() -> None:
    used = {match.groups() for path in WORKFLOWS for match in PINNED.finditer(path.read_text())}
    assert len(used) == len({action for action, _commit in used})


def test_the_code_of_conduct_is_that_of_ansible() -> None:
    assert CONDUCT in (CHECKOUT / "CODE_OF_CONDUCT.md").read_text()


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/release.md"])
def test_versions_are_semantic(page: str) -> None:
    assert "[semantic versioning](https://semver.org/)" in (CHECKOUT / page).read_text()


def test_galaxy_finds_the_collection_and_has_its_dependencies() -> None:
    assert GALAXY["tags"]
    assert GALAXY["dependencies"] == {}, (
        "each needs a lower bound of at least 1.0.0, and a place in the package ansible"
    )


def test_plugins_are_in_the_directories_of_ansible() -> None:
    folders = {path.name for path in (CHECKOUT / "plugins").iterdir() if path.is_dir()} - {"__pycache__"}
    assert folders <= {*PLUGINS}


@pytest.mark.parametrize("folder", ["module_utils", "plugin_utils"])
def test_utilities_are_marked_as_internal(folder: str) -> None:
    names = {path.name for path in (CHECKOUT / "plugins" / folder).iterdir()} - {"__init__.py", "__pycache__"}
    assert [name for name in names if not name.startswith("_")] == []


def test_no_result_of_sanity_is_ignored() -> None:
    assert [*CHECKOUT.glob("tests/sanity/ignore*.txt")] == []


@pytest.mark.parametrize("module", MODULES)
def test_a_module_documents_its_python(module: str) -> None:
    """All have the attributes, and these have the requirement."""
    assert "- darwin.jail.attributes" in module_text(module)


def test_the_documented_python_is_the_one_that_sanity_tests() -> None:
    config = yaml.safe_load((CHECKOUT / "tests/config.yml").read_text())
    oldest = config["modules"]["python_requires"].removeprefix(">=")
    assert f"Python {oldest} or newer" in (CHECKOUT / "plugins/doc_fragments/attributes.py").read_text()
    assert f"| Python on the Mac | {oldest} or newer" in (CHECKOUT / "README.md").read_text()


@pytest.mark.parametrize("module", [name for name in MODULES if name.endswith("_info")])
def test_a_module_that_only_informs_supports_check_mode(module: str) -> None:
    """The runner of all modules allows check mode; a module that lacks it overrides the attribute that all have."""
    assert '"supports_check_mode": True' in (CHECKOUT / "plugins/module_utils/_jail/runner.py").read_text()
    assert not re.search(r"check_mode:\n    support:", module_text(module))


@pytest.mark.parametrize("module", MODULES)
def test_a_module_has_no_state_that_only_informs_and_returns_no_facts(module: str) -> None:
    states = re.findall(r"^  state:\n(?:.*\n)*?    choices: \[(.*)\]", module_text(module), flags=re.MULTILINE)
    assert not {"get", "list", "query", "info"} & {state for line in states for state in line.split(", ")}
    assert "ansible_facts" not in module_text(module)


def test_what_the_list_of_requirements_names_is_there() -> None:
    table = (CHECKOUT / "docs/release.md").read_text().partition("## The requirements")[2]
    rows = re.findall(r"^\| (?!requirement|---|\*\*)(.*?) \| (.*?) \| (.*?) \|$", table, flags=re.MULTILINE)
    assert {state for _requirement, state, _how in rows} <= {"met", "not met", "open"}
    assert all(how for _requirement, _state, how in rows)
    paths = re.findall(r"`((?:tests|plugins|docs|meta)/[\w./-]+\.\w+)`", table)
    assert [path for path in paths if not (CHECKOUT / path).exists()] == []
