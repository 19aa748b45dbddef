# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of djail that djail_session.py runs by itself. Part of programs that bundle.py puts together."""

from __future__ import annotations

from .djail_arguments import Command, Option

HELP = Option("-h --help", "", "Show what the command does.")
NO_COLOR = Option("--no-color", "", "Print without colour, as with the variable NO_COLOR.")
USER = Option("-u --user", "USER", "The user in the jail, by name or number; root when it is left out.")
SESSION = (USER, NO_COLOR, HELP)

CONSOLE = Command(
    "console",
    "JAIL",
    "Open a login shell in a jail",
    "Opens the login shell of the user, at a terminal of its own: no program of the jail can type into the "
    "terminal of the Mac. The exit code is that of the shell.",
    SESSION,
)
EXEC = Command(
    "exec",
    "JAIL CMD...",
    "Run a program in a jail",
    "Runs a program as the user. Its streams, signals and exit code are those of the call; 128 and the number of "
    "a signal that it died of. 127 means that the jail has no such program, 126 that it cannot be started. At a "
    "terminal the program gets one of its own.",
    SESSION,
)
NAMES = Command(
    "names",
    "",
    "Print the names of all jails",
    "Prints one name a line, for the completion of shells.",
    (HELP,),
)
FIRST_COMMANDS = (CONSOLE, EXEC, NAMES)
