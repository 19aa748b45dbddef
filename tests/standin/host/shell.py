# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Run a program of the Linux machine; its own words become the error."""

from __future__ import annotations

import subprocess

from host.state import StandinError


def run(*argv: str, check: bool = True, stdin: str | None = None, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False, env=env)
    if check and done.returncode != 0:
        said = (done.stderr or done.stdout).strip()
        raise StandinError(f"{' '.join(argv)}: exit {done.returncode}: {said[-2000:]}")
    return done.stdout
