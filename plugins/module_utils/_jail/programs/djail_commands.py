# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of djail, and what describes them.

--help, the man page, the completion of shells and docs/djail.md are made of it (djail/documents.py). Those that start
most often are in djail_first_commands.py.
"""

from __future__ import annotations

from .djail_arguments import Command, Option
from .djail_first_commands import CONSOLE, EXEC, HELP, NAMES, NO_COLOR, SESSION

JSON = Option("--json", "", "Print one JSON object, as docs/djail.schema.json describes it.")
DRY_RUN = Option("--dry-run", "", "Only say what would change.")
YES = Option("-y --yes", "", "Do not ask for confirmation.")
REPORT = (JSON, NO_COLOR, HELP)
CHANGE = (DRY_RUN, JSON, NO_COLOR, HELP)

SERVICES = "a service of the jail, or all of them. What services a jail has, the variable jail_services says."
WAITS = "Waits until they work, for at most a minute each."
STAYS = "They stay stopped after a reboot, until they are started again."

COMMANDS = (
    Command(
        "list",
        "",
        "List the jails of this Mac",
        "Lists each jail that the Mac knows: its name, its macOS, the size of what was built, its users, its services, "
        "its health and its age. Services that have a problem are marked with !. No tree is read.",
        REPORT,
    ),
    Command(
        "info",
        "JAIL",
        "Show what a jail is",
        "Shows what darwin_jail_info returns of identity, mounts and jobs.",
        REPORT,
    ),
    CONSOLE,
    EXEC,
    Command(
        "run",
        "JAIL CMD...",
        "Run a program in a clone of a jail, and remove the clone",
        "Runs a program as exec does, in a clone that is removed when the program has ended. A clone that a killed "
        "run left is removed by the next run. The volume must be one that lets files share blocks, as APFS does.",
        SESSION,
    ),
    Command(
        "cp",
        "SRC DST",
        "Copy a file or a tree into a jail, or out of it",
        "Copies SRC to JAIL:DST, or JAIL:SRC to DST. No symbolic link is followed, neither in the jail nor on the Mac. "
        "A file replaces a file. A directory goes to where nothing is yet. A DST that is a directory or ends in a "
        "slash gets the name of SRC in it. All of it arrives, or nothing. The copy belongs to root in the jail and in "
        "directories of root's, and elsewhere on the Mac to who called djail, unless --owner says otherwise.",
        (
            Option("-o --owner", "USER", "The owner of the copy, with the primary group of this user."),
            Option("--keep-owners", "", "Keep the owners, groups and setuid bits of the source."),
            *CHANGE,
        ),
    ),
    Command(
        "ps",
        "JAIL",
        "List the processes of a jail",
        "Lists each process whose root directory is the jail, or lies below it, and the service that it belongs to.",
        REPORT,
    ),
    Command(
        "status",
        "JAIL [SERVICE]",
        "Show how the services of a jail do",
        "Shows the state, the health and the problem of each service, or of one. Ends with 1 when one has a problem.",
        REPORT,
    ),
    Command("start", "JAIL [SERVICE]", "Start the services of a jail", f"Starts {SERVICES} {WAITS}", CHANGE),
    Command("stop", "JAIL [SERVICE]", "Stop the services of a jail", f"Stops {SERVICES} {STAYS}", CHANGE),
    Command("restart", "JAIL [SERVICE]", "Restart the services of a jail", f"Restarts {SERVICES} {WAITS}", CHANGE),
    Command(
        "logs",
        "JAIL [SERVICE]",
        "Show what services printed",
        "Shows the last lines of the logs of the services, or of one. With several, each line begins with the name of "
        "its service.",
        (
            Option("-f --follow", "", "Go on with what comes, until ^C."),
            Option("-n --lines", "COUNT", "How many lines of each log; 20 when it is left out."),
            *REPORT,
        ),
    ),
    Command(
        "create",
        "JAIL",
        "Build a jail, or repair it",
        "Builds the jail from this Mac, as the playbook build_jail does with its defaults: the profile, the Command "
        "Line Tools, the home and the temporary directories of the user, names and terminals. A second run repairs. "
        "What roles do beyond that stays with the playbook: users of the jail alone, packages of Homebrew, mounts, "
        "dotfiles and services. A name without a slash is that of a jail in /private/var/jails.",
        (
            Option("--profile", "PROFILE", "What is copied: minimal, standard or developer; standard when left out."),
            Option("-u --user", "USER", "The user of the Mac who works in the jail; root when left out."),
            Option("--from", "JAIL", "Make it a clone of this jail, with blocks that both share."),
            Option("--manifest", "FILE", "A file that lists what else is copied, see darwin_jail_rootfs."),
            Option("--no-tools", "", "Leave the Command Line Tools out."),
            *CHANGE,
        ),
    ),
    Command(
        "clone",
        "JAIL NEW",
        "Make a copy of a jail that shares its blocks",
        "Makes NEW a copy-on-write clone of the jail, beside it when NEW has no slash, with names and terminals when "
        "the jail has them. Directories of the Mac that are mounted in the jail are not mounted in the clone.",
        CHANGE,
    ),
    Command(
        "destroy",
        "JAIL",
        "Remove a jail with all that is in it",
        "Ends the jobs of the jail, unmounts what is mounted in it, and removes it. With it go the jail that an update "
        "left beside it (next.NAME), the volume that a playbook made for it when nothing else is in that, and the "
        "remains of an interrupted removal. Without --yes it asks.",
        (YES, Option("--force", "", "End what runs in the jail. Otherwise such a jail stays."), *CHANGE),
    ),
    Command(
        "check",
        "[JAIL]",
        "Try what works in a jail, or in all jails",
        "Tries whether programs start, know their user and can write temporary files, whether names resolve and "
        "terminals open where the jail has the jobs for it, and whether the jail is complete and has the macOS of the "
        "Mac. Ends with 1 when something does not work. The playbook check_jail knows what an inventory asks for, and "
        "also tries certificates, users of the jail alone, Homebrew, mounts and dotfiles. djail status shows services.",
        (Option("-u --user", "USER", "The user whose programs are tried; root when left out."), *REPORT),
    ),
    Command(
        "df",
        "[JAIL]",
        "Show where the gigabytes are",
        "Reads the trees, and shows how much of its volume each jail takes. With a jail it also shows groups of files "
        "and the largest directories. Blocks that clones share count for each of them.",
        REPORT,
    ),
    Command(
        "doctor",
        "",
        "Show what this Mac lacks for jails",
        "Looks at macOS, System Integrity Protection, the Command Line Tools, the directories of jails, what is left "
        "of jails that are gone, and at djail itself. Ends with 1 when something needs attention.",
        REPORT,
    ),
    Command(
        "grant",
        "JAIL PERSON",
        "Allow a person to enter a jail",
        "Allows a user of the Mac djail exec and djail console in this jail as one user, and nothing else. It holds "
        "for the jail by its id: a new jail under the same name does not inherit it. The person needs the "
        "rule of sudo that the role darwin.jail.mac installs for jail_bootstrap_djail_users.",
        (
            Option("-u --user", "USER", "The user in the jail; required."),
            Option("--only", "COMMAND", "Allow only exec, or only console."),
            *CHANGE,
        ),
    ),
    Command(
        "revoke",
        "JAIL PERSON",
        "Take back what was granted",
        "Removes all that the person was granted for the jail. A jail that is gone is named by its id, as grants "
        "shows it.",
        CHANGE,
    ),
    Command("grants", "", "List who may enter which jail", "Lists all grants of this Mac.", REPORT),
    NAMES,
    Command(
        "completion",
        "SHELL",
        "Print the completion for zsh, bash or fish",
        "Prints a script for the shell. Names of jails are completed when sudo asks for no password.",
        (HELP,),
    ),
    Command("man", "", "Print the manual page", "Prints the manual page, for man(1).", (HELP,)),
    Command("help", "[COMMAND]", "Show the commands, or one of them", "Shows the commands, or what one does.", (HELP,)),
)
