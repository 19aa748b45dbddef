# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Every way in, against hostile states of a jail and of an image that a seed chooses.

DARWIN_JAIL_ATTACKS says how many seeds are tried, DARWIN_JAIL_ATTACK_SEED which is the first. A failure says how to try
one again.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import controllers
import macs
import pytest
from entries import ALL, MODULES, NEIGHBOUR, NO_JAIL, PROGRAMS_RUN, REPORT, TURNS, entry_of

SEEDS = int(os.environ.get("DARWIN_JAIL_ATTACKS", "100"))
FIRST = int(os.environ.get("DARWIN_JAIL_ATTACK_SEED", "0"))
ENOUGH = 20
"""So many failures end a run."""
TOP = Path(__file__).parents[2]
JOB = re.compile(r"^def main\(words: Sequence\[str\]", re.MULTILINE)


@pytest.fixture(scope="module")
def mac() -> Iterator[macs.Mac]:
    with macs.stand_in() as found:
        yield found


@pytest.fixture(scope="module")
def controller(mac: macs.Mac, tmp_path_factory: pytest.TempPathFactory) -> Iterator[controllers.Controller]:
    found = controllers.Controller(mac, tmp_path_factory.mktemp("home"))
    yield found
    found.close()


def described(trial: dict[str, Any]) -> str:
    """What to read of a trial that failed."""
    again = f"DARWIN_JAIL_ATTACKS=1 DARWIN_JAIL_ATTACK_SEED={trial['seed']} .venv/bin/pytest tests/attack -k seeds"
    state = "; ".join(trial["state"]) or "nothing"
    return "\n    ".join([f"{trial['entry']} {trial['options']} with {state}", *trial["problems"], f"again: {again}"])


def test_every_module_is_attacked() -> None:
    """A new module is attacked, or it takes no jail."""
    there = {path.stem for path in (TOP / "plugins/modules").glob("*.py")}
    attacked = {entry.module for entry in [*MODULES, REPORT]}
    assert there == attacked | NO_JAIL.keys()
    assert not attacked & NO_JAIL.keys()


def test_every_program_is_attacked() -> None:
    there = {
        path.stem for path in (TOP / "plugins/module_utils/_jail/programs").glob("*.py") if JOB.search(path.read_text())
    }
    assert there
    assert {entry.module for entry in PROGRAMS_RUN} == there | {"enter", "djail"}


def test_each_has_its_turn() -> None:
    assert {entry_of(seed).name for seed in range(100)} == {entry.name for entry in ALL}
    assert len(TURNS) == 100


def test_all_do_well_in_an_honest_jail(mac: macs.Mac) -> None:
    """So the trials come further than to the first refusal."""
    for entry in [*MODULES, *PROGRAMS_RUN]:
        trial = mac.ask(do="trial", seed=1, entry=entry.name, hostile=False)
        assert not trial["problems"], described(trial)
        assert '"failed": true' not in trial["told"], trial["told"]


@pytest.mark.parametrize(
    "action",
    [
        f"echo x >{NEIGHBOUR}/new",
        f"echo x >>{NEIGHBOUR}/private/etc/passwd",
        f"chmod 4755 {NEIGHBOUR}/bin/cat",
        f"chown 501 {NEIGHBOUR}/usr",
        f"touch -h -r /bin {NEIGHBOUR}/etc",
        f"rm -r {NEIGHBOUR}/Users",
        f"rm {NEIGHBOUR}/private/var/db/darwin.jail/record.mtree",
        "echo x >/private/var/db/darwin.jail/jails/neighbour-*.json",
        "mv /private/tmp /private/tmp2 && mkdir /private/tmp",
        "ln -s x /private/etc/evil",
        "mkdir /private/var/jails/evil",
        "cat /secret >$JAIL/private/tmp/read",
        f"ln /secret /copy; mkfifo {NEIGHBOUR}/fifo",
        f"/usr/lib/standin/bin/mount --bind /bin {NEIGHBOUR}/Users",
    ],
)
def test_changes_of_the_host_are_noticed(mac: macs.Mac, action: str) -> None:
    assert mac.ask(do="disturb", seed=0, action=action)["problems"]


@pytest.mark.parametrize(
    ("vulnerability", "entry", "first"),
    [
        ("links are followed", "rootfs", 0),
        ("texts are shown as they are", "tree", 12),
        ("damaged JSON is not expected", "committed", 47),
    ],
)
def test_planted_vulnerabilities_are_found(mac: macs.Mac, vulnerability: str, entry: str, first: int) -> None:
    """Soon, for the first seed was chosen by trying."""
    seeds = range(first, first + 40)
    found = (mac.ask(do="trial", seed=seed, entry=entry, vulnerability=vulnerability) for seed in seeds)
    assert any(trial["problems"] for trial in found)


def test_seeds(mac: macs.Mac, controller: controllers.Controller) -> None:
    failed: list[str] = []
    for seed in range(FIRST, FIRST + SEEDS):
        name = entry_of(seed).name
        alone = name not in controllers.KINDS
        trial = mac.ask(do="trial", seed=seed) if alone else controller.trial(seed, name)
        if trial["problems"]:
            failed.append(described(trial))
        if len(failed) == ENOUGH:
            break
    assert not failed, f"{len(failed)} trials failed\n\n" + "\n\n".join(failed)
