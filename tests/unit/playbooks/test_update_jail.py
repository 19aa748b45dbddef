# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An updated jail is given all that a built one has, and a previous jail that is kept is not passed over in silence."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from connections import QUIET, TOP
from jail_pairs import Pair

PLAYBOOKS, BASE = TOP / "playbooks", TOP / "roles/base"
TOLD = ("Report data that an earlier update could not migrate", "Refuse to rebuild a jail whose previous jail is kept")
DRIFT = "the Mac has macOS 27.0 (26A1), the jail 26.6 (25G1)"


def test_the_same_roles_run_after_an_update() -> None:
    built, updated = ((PLAYBOOKS / name).read_text() for name in ("build_jail.yml", "update_jail.yml"))
    assert "import_tasks: tasks/build.yml" in built
    assert "import_tasks: tasks/build.yml" in updated
    assert re.findall("^  hosts: .*", built, re.MULTILINE)[-1] == re.findall("^  hosts: .*", updated, re.MULTILINE)[-1]


@pytest.fixture
def pair(place: Path, source: Path) -> Pair:
    return Pair.make(place, source)


def told(pair: Pair, folder: Path, drift: list[str], check: bool) -> tuple[int, str]:
    """What the tasks of an update say about an earlier one. The modules that they ask have answered here."""
    swapped = pair.swap(check=check).values
    jails = {str(path): gather(str(path), ["identity"]).values for path in (pair.jail, pair.next)}
    variables: dict[str, Any] = {
        **yaml.safe_load((BASE / "vars/main.yml").read_text()),
        "__jail_path": str(pair.jail),
        "__base_former": {**jails[str(pair.jail)], "host": {"drift": drift}},
        "__base_other": jails[str(pair.next)],
        "__base_staged": {"stat": {"exists": True}},
        "__base_swapped": swapped,
    }
    return play(folder, variables, check)


def play(folder: Path, variables: dict[str, Any], check: bool = False) -> tuple[int, str]:
    tasks = [task for task in yaml.safe_load((BASE / "tasks/update.yml").read_text()) if task["name"] in TOLD]
    assert [task["name"] for task in tasks] == list(TOLD)
    found = {"hosts": "localhost", "connection": "local", "gather_facts": False, "vars": variables, "tasks": tasks}
    (folder / "play.json").write_text(json.dumps([found]))
    argv = [sys.executable, "-m", "ansible", "playbook", *(["--check"] if check else []), str(folder / "play.json")]
    environment = {**os.environ, **QUIET, "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections")}
    done = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment)
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.mark.parametrize("check", [False, True])
def test_a_previous_jail_that_is_kept_for_its_data_is_named_with_what_to_do(
    pair: Pair, tmp_path: Path, check: bool
) -> None:
    (pair.jail / "usr/bin/fresh").write_text("the user's own\n")
    pair.renew()
    pair.swap()
    said = (
        f"{pair.next} is the previous jail, and is kept for user data that could not be migrated: /usr/bin/fresh: the "
        f"new macOS has something of its own there. Move what you need to {pair.jail}, and remove {pair.next} with "
        "darwin_jail_rootfs (state absent). Until then the jail cannot be rebuilt for another macOS"
    )
    rc, text = told(pair, tmp_path, [], check)
    assert (rc, text.count(said)) == (0, 1), text
    rc, text = told(pair, tmp_path, [DRIFT], check)
    assert (rc, f"cannot update {pair.jail} ({DRIFT}): {said}" in text) == (2, True), text


def test_an_update_that_was_interrupted_before_another_one_of_the_mac_is_named(pair: Pair, tmp_path: Path) -> None:
    pair.renew()
    pair.swap()
    assert told(pair, tmp_path, [], False)[0] == 0
    rc, text = told(pair, tmp_path, [DRIFT], False)
    assert rc == 2
    assert f"{pair.next} is the previous jail, since an earlier update was interrupted after the swap. Move" in text


def test_an_update_without_an_earlier_one_says_nothing(tmp_path: Path) -> None:
    variables = {
        **yaml.safe_load((BASE / "vars/main.yml").read_text()),
        "__jail_path": "/private/var/jails/first",
        "__base_former": {
            "identity": {"path": "/private/var/jails/first", "replaces": None},
            "host": {"drift": [DRIFT]},
        },
        "__base_other": {"skipped": True},
        "__base_staged": {"stat": {"exists": False}},
        "__base_swapped": {"skipped": True},
    }
    rc, text = play(tmp_path, variables)
    assert (rc, "previous jail" in text.partition("PLAY RECAP")[2]) == (0, False), text
