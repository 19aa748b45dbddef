# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""enter JAIL USER: a person's way into a jail, by one rule of sudo.

The last part of the program in roles/mac/files/enter.sh, behind threshold.py
and visitor.py. Whoever may run it chooses nothing but these two words, and
the rule can say which ones. The shell that it ends as belongs to the user.
"""

from __future__ import annotations

import os

from .threshold import StepError, execute, find
from .visitor import arrive, environment

WORDS = 2
MOST_FILES = 1024

# What goes before the path, and behind it.
SENTENCES = {
    "open": ("cannot open ", ""),
    "marker": ("", " is not a jail of darwin.jail"),
    "account": ("there is no user ", ""),
    "groups": ("cannot take the groups of the user", ""),
    "enter": (
        "cannot enter the jail",
        " (System Integrity Protection refuses it while it is on: csrutil status tells)",
    ),
    "find": ("cannot start the user's shell, ", ""),
    "execute": ("cannot start the user's shell, ", ""),
}


def enter(argv: list[str]) -> None:
    if len(argv) != WORDS or os.geteuid() != 0 or not argv[0].startswith("/") or ".." in argv[0].split("/"):
        raise SystemExit("usage: sudo enter JAIL USER (JAIL is an absolute path without ..)")
    os.closerange(3, MOST_FILES)
    try:
        who = arrive(*argv)
        env = environment(who)
        env.update({name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ})
        execute(find(env["SHELL"], ""), ["-" + os.path.basename(env["SHELL"])], env)
    except StepError as exc:
        event, path, number = exc.args
        before, behind = SENTENCES.get(event, (f"{event} ", ""))
        reason = f": {os.strerror(number)}" if number and event != "marker" else ""
        raise SystemExit(f"enter: {before}{path}{reason}{behind}") from None
