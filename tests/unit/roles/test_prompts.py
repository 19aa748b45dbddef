# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The prompt of a shell in a jail begins with the jail's name, as the shells of macOS read their files."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.enter_command import TERM_PROGRAM

CHECKOUT = Path(__file__).parents[3]
FILES = {
    Path(file["path"]).name: file["content"]
    for file in yaml.safe_load((CHECKOUT / "roles/base/vars/main.yml").read_text())["__base_prompts"]
}
EXPANDED = {"zsh": 'print -P -- "$PS1"', "bash": 'printf "%s\\n" "${PS1@P}"'}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize(
    ("name", "seen"), [("first", "(first) at "), ("a%b$(date)`id`", "(a%b$(date)`id`) at "), ("", "at ")]
)
def test_the_prompt_shows_the_name(tmp_path: Path, shell: str, name: str, seen: str) -> None:
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"there is no {shell} here")
    system = (CHECKOUT / f"tests/standin/root/private/etc/{shell}rc").read_text().replace("/etc/", f"{tmp_path}/")
    before, _prompt, after = system.partition("PS1=")[0], *system.partition("PS1=")[2].split("\n", 1)
    (tmp_path / "rc").write_text(f"PS1=x\n{before}PS1='at '\n{after}\n{EXPANDED[shell]}\n")
    (tmp_path / f"{shell}rc_{TERM_PROGRAM}").write_text(FILES[f"{shell}rc_{TERM_PROGRAM}"])
    environment = {"TERM_PROGRAM": TERM_PROGRAM, "JAIL_NAME": name}
    options = ["-f"] if shell == "zsh" else ["--norc"]
    said = subprocess.run(
        [program, *options, str(tmp_path / "rc")], env=environment, capture_output=True, text=True, check=False
    )
    assert said.stdout == f"{seen}\n"
