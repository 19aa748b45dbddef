# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What docs/engines.md tells people to copy is right."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import yaml
from ansible_collections.darwin.jail.plugins.lookup.misspelt import judge, known_names

CHECKOUT = Path(__file__).parents[3]
PAGE = (CHECKOUT / "docs/engines.md").read_text()
BLOCKS = [dedent(block) for block in re.findall(r"^ *```yaml\n(.*?)^ *```", PAGE, re.DOTALL | re.MULTILINE)]
PLAYBOOKS = {f"darwin.jail.{path.stem}" for path in CHECKOUT.glob("playbooks/*.yml")}


def block(comment: str) -> str:
    (found,) = [text for text in BLOCKS if text.startswith(f"# {comment}")]
    return found


def test_playbooks_are_there() -> None:
    named = set(re.findall(r"import_playbook: (\S+)", "".join(BLOCKS))) | set(
        re.findall(r"darwin\.jail\.\w+_run", PAGE)
    )
    assert named
    assert named <= PLAYBOOKS


def test_the_survey_asks_for_variables_that_there_are() -> None:
    asked = re.findall(r"^\| [^|]*\? \| `(\w+)`", PAGE, re.MULTILINE)
    assert len(asked) == 5
    assert judge(asked, known_names(CHECKOUT)) == ([], [])


def test_the_inventory_of_runners_has_variables_that_there_are() -> None:
    jails = yaml.safe_load(block("~/ci/inventory.yml"))["jails"]
    names = [*jails["vars"], *(name for host in jails["hosts"].values() for name in host)]
    assert judge(names, known_names(CHECKOUT)) == ([], [])


def test_the_workflow_is_valid() -> None:
    program = Path(sys.executable).with_name("actionlint")
    text = block(".github/workflows/test.yml")
    done = subprocess.run([program, "-"], check=False, capture_output=True, text=True, input=text)
    assert done.returncode == 0, done.stdout + done.stderr
