# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is made of the table of commands, as programs read it."""

from __future__ import annotations

import os
import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import documents, install, main, schema
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.djail_commands import COMMANDS, JSON
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.djail_session import GRANTED
from installed_djail import InstalledDjail

NAMES = {command.name for command in COMMANDS}


def test_each_command_has_a_function() -> None:
    assert set(main.HANDLERS) | {*GRANTED, "names"} == NAMES
    for place in main.HANDLERS.values():
        module, _colon, function = place.partition(":")
        assert callable(getattr(import_module(f"{main.__package__}.{module}"), function))


def test_advice_in_words_of_modules_is_given() -> None:
    """Otherwise it would be translated for nothing."""
    texts = " ".join(" ".join(install.sources().values()).split()).replace('" "', "").replace('" f"', "")
    assert [theirs for theirs, _ours in main.IN_WORDS_OF_DJAIL if texts.count(theirs) < 2] == []


def test_each_json_has_a_schema() -> None:
    assert set(schema.FIELDS) == {command.name for command in COMMANDS if JSON in command.options}


@pytest.mark.parametrize("command", sorted(NAMES))
def test_help(djail: InstalledDjail, command: str) -> None:
    ran, other = djail.run(command, "--help"), djail.run("help", command)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, other.stdout, b"")
    assert ran.stdout.startswith(f"usage: djail {command}".encode())
    assert max(map(len, ran.stdout.decode().splitlines())) < 100


def test_without_a_command_it_teaches(djail: InstalledDjail) -> None:
    said = djail.run().stdout.decode()
    assert said == djail.run("help").stdout.decode() == djail.run("--help").stdout.decode()
    assert said.partition("All commands")[0].count("  djail ") == 5


@pytest.mark.parametrize("shell", documents.SHELLS)
def test_completion_is_a_script(djail: InstalledDjail, shell: str) -> None:
    text = djail.run("completion", shell).stdout.decode()
    assert (
        text.strip()
        == documents.completion_script(shell)
        .replace("/Library/PrivilegedHelperTools/darwin.jail", str(djail.place))
        .strip()
    )
    if found := shutil.which(shell):
        ran = subprocess.run([found, "-n"], input=text, check=False, capture_output=True, text=True)
        assert (ran.returncode, ran.stderr) == (0, "")


def completed(djail: InstalledDjail, *words: str) -> set[str]:
    """What bash offers for the last of these words."""
    script = documents.completion_script("bash").replace(documents.NAMES, " ".join(djail.argv("names")))
    quoted = " ".join(f"'{word}'" for word in words)
    script += f"COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}; _djail; printf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    ran = subprocess.run(["bash"], input=script, check=True, capture_output=True, text=True)
    return set(ran.stdout.split())


def test_bash_completes(djail: InstalledDjail, furnished: object) -> None:
    assert completed(djail, "djail", "c") == {name for name in NAMES if name.startswith("c")}
    assert "--user" in completed(djail, "djail", "exec", "--")
    assert "jail" in completed(djail, "djail", "exec", "j")


def test_completion_runs_no_name(djail: InstalledDjail, furnished: object, place: Path) -> None:
    name = f"ja$(touch {place.name})`touch {place.name}`* b"
    jails.create(os.fsencode(place / name)).close()
    assert "jail" in completed(djail, "djail", "exec", "ja")
    assert not Path(place.name).exists()
    assert not completed(djail, "djail", "exec", "nix")


def test_the_man_page_is_clean() -> None:
    text = documents.man_page()
    assert all(f"djail {name}" in text for name in NAMES)
    if found := shutil.which("mandoc"):
        ran = subprocess.run(
            [found, "-T", "lint", "-W", "warning"], input=text, check=False, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout
