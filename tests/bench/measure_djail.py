# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the command djail takes: sessions and completion on a stand-in Mac, a list of 200 jails on this machine.

    python tests/bench/measure_djail.py [--runs N] [--minutes N]

It needs root; see tests/standin/README.md.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

TESTS = Path(__file__).resolve().parents[1]
for folder in ("fixtures", "tools", "../.cache/collections"):
    sys.path.insert(0, str(TESTS / folder))

import djail_times  # noqa: E402
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails  # noqa: E402
from ansible_collections.darwin.jail.plugins.module_utils._jail import register  # noqa: E402
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock  # noqa: E402
from connection_place import linked  # noqa: E402
from installed_djail import InstalledDjail  # noqa: E402
from rows import Bench, Contender, Row, arguments  # noqa: E402

JAILS = 200


def sessions(bench: Bench) -> None:
    with TemporaryDirectory() as name, linked(Path(name)) as place:
        load = os.getloadavg()[0]
        found = djail_times.measure(place, bench.runs)
    parts = djail_times.together(found)
    for how in ("by path", "by name"):
        bench.add(Row(f"djail exec of true, {how}", found[how], " + ".join(djail_times.PARTS), parts, load=load))
    bench.add(Row("djail names, for completion", found["names"], load=load))


def listing(bench: Bench) -> None:
    with TemporaryDirectory(dir="/dev/shm") as name:
        place = Path(name)
        place.chmod(0o755)
        register.DIRECTORY = os.fsencode(place / "register/jails")
        build_lock._home = lambda: os.fsencode(place)
        (place / "djail").mkdir()
        for number in range(JAILS):
            with jails.create(os.fsencode(place / f"jail-{number}")) as jail:
                jail.update_entry(state="complete")
        djail = InstalledDjail(place / "djail", home=place)
        bench.measure(f"djail list of {JAILS} jails", Contender("ours", djail.argv("list")), [])


def main() -> None:
    args = arguments(runs=40, minutes=3).parse_args()
    bench = Bench("djail", args.runs, args.minutes)
    with bench.saved(args.json):
        bench.attempt("sessions", sessions)
        bench.runs = 5
        bench.attempt("list", listing)


if __name__ == "__main__":
    main()
