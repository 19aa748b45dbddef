# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run Molecule's scenarios: scenarios.py [NAME ...], without a name all but those that `make soak` runs.

Three at a time, since each has stand-in Macs of its own and often waits for ssh. What
a scenario says is kept in tests/output/molecule-<name>.log and shown when it failed.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]
OUTPUT = CHECKOUT / "tests/output"
AT_A_TIME = 3
LONGEST = ("default", "services", "selftest", "dns", "homebrew")
"""They begin first, so that none of them is left over at the end."""
WALKS = ("walk", "walk_ci", "walk_first", "walk_many", "walk_update")
SOAKED = ("fleet", "folding", "many", "selftest_kills", "services_deploy", "services_recipes", "vm", *WALKS)
"""Not worth their minutes in each `make test`."""


def scenarios() -> list[str]:
    found = {path.parent.name for path in CHECKOUT.glob("extensions/molecule/*/molecule.yml")} - {*SOAKED}
    return sorted(found, key=lambda name: (LONGEST.index(name) if name in LONGEST else len(LONGEST), name))


def passes(name: str) -> bool:
    log = OUTPUT / f"molecule-{name}.log"
    start = time.monotonic()
    with log.open("w") as stream:
        command = ["molecule", "test", "--scenario-name", name]
        rc = subprocess.call(command, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
    said = f"\n{log.read_text()}" if rc else ""
    verdict = "failed" if rc else "passed"
    print(f"{said}scenario {name}: {verdict} ({time.monotonic() - start:.0f} s)", flush=True)
    return rc == 0


def main(names: list[str]) -> int:
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return int(not all(list(pool.map(passes, names or scenarios()))))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
