# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of the table of commands: --help, the man page, completion of shells, the reference of docs/djail.md."""

from __future__ import annotations

import textwrap

from ..errors import InputError, show
from ..programs.djail_arguments import Command, Option
from ..programs.djail_commands import COMMANDS
from . import places
from .answers import Answer
from .request import Request

WIDTH = 78
FIRST = ("list", "create", "console", "exec", "destroy")
"""The commands most used, which djail without a command shows."""
SHELLS = ("zsh", "bash", "fish")
EXIT_CODES = (
    ("0", "All went well."),
    ("1", "check or doctor found something that does not work."),
    ("64", "The call is wrong: a command, an option or a value."),
    ("65", "A file that djail needs is damaged, or of another version."),
    ("66", "There is no such jail."),
    ("67", "There is no such user."),
    ("69", "djail was made for another version of Python: install it again."),
    ("70", "A fault of djail itself."),
    ("71", "The system refused a call."),
    ("73", "There is not enough room."),
    ("75", "Another run works on the jail: try again."),
    ("77", "It is not allowed."),
    ("126, 127", "exec, run: the program cannot be started, or is not in the jail."),
    ("128 + N", "exec, run, console: the program died of the signal N."),
)
"""What djail itself ends with; exec, run and console end with the exit code of the program."""


def usage(command: Command) -> str:
    operands = [name if not name.endswith("...") else f"-- {name}" for name in command.operands]
    options = ["[OPTIONS]"] if command.options else []
    before = [word for word in operands if not word.startswith("--")]
    after = [word for word in operands if word.startswith("--")]
    return " ".join(["djail", command.name, *before, *options, *after])


def _option(option: Option) -> str:
    return ", ".join(option.names) + (f" {option.value}" if option.value else "")


def _find(name: str) -> Command:
    found = next((command for command in COMMANDS if command.name == name), None)
    if found is None:
        raise InputError(f"there is no command {show(name)}: djail help lists them")
    return found


# -- for people at a terminal --------------------------------------------------------


def help_text(request: Request) -> Answer:
    """All commands, or one; without any command those that are most used."""
    return Answer({}, _help_of(_find(request["command"])) if request["command"] else _overview())


def _overview() -> list[str]:
    width = max(len(command.name) for command in COMMANDS) + 2
    first = [f"  {usage(_find(name)).replace(' [OPTIONS]', '')}" for name in FIRST]
    column = max(map(len, first)) + 2
    lines = ["Jails of this Mac. Most used:", ""]
    lines += [line.ljust(column) + _find(name).summary for line, name in zip(first, FIRST)]
    lines += ["", "All commands:", ""]
    lines += [f"  {command.name.ljust(width)}{command.summary}" for command in COMMANDS]
    return [*lines, "", "djail help COMMAND describes one. A jail is named by its name, or by its path."]


def _help_of(command: Command) -> list[str]:
    lines = [f"usage: {usage(command)}", "", *textwrap.wrap(command.text, WIDTH)]
    if command.options:
        lines += ["", "options:"]
    for option in command.options:
        lines += [
            f"  {_option(option)}",
            *textwrap.wrap(option.text, WIDTH, initial_indent=" " * 8, subsequent_indent=" " * 8),
        ]
    return lines


# -- the man page ----------------------------------------------------------------------


def man(_request: Request) -> Answer:
    return Answer({}, man_page().splitlines())


def man_page() -> str:
    """The page in the macros of mdoc(7), which macOS and Linux have."""
    lines = [
        '.\\" Made by djail/documents.py of the collection darwin.jail.',
        ".Dd July 1, 2026", ".Dt DJAIL 1", ".Os macOS", ".Sh NAME", ".Nm djail", ".Nd jails of this Mac",
        ".Sh SYNOPSIS", ".Nm", ".Ar command", ".Op Ar options", ".Sh DESCRIPTION",
        "A jail is a directory with parts of macOS, to be entered with", ".Xr chroot 8 .",
        "It is named by its name, or by its path.", ".Nm", "asks for root by", ".Xr sudo 8 .",
        "The commands are:", ".Bl -tag -width Ds",
    ]  # fmt: skip
    for command in COMMANDS:
        lines += [f".It {_roff(usage(command))}", _roff(command.text)]
        if command.options:
            lines.append(".Bl -tag -width Ds")
            for option in command.options:
                lines += [f".It {_roff(_option(option))}", _roff(option.text)]
            lines.append(".El")
    lines += [".El", ".Sh EXIT STATUS", ".Bl -tag -width Ds"]
    for code, text in EXIT_CODES:
        lines += [f".It {code}", _roff(text)]
    files = (places.COMMAND, places.GRANTED_COMMAND)
    lines += [".El", ".Sh FILES", ".Bl -tag -width Ds", *(f".It Pa {path}" for path in files), ".El"]
    return "\n".join([*lines, ".Sh SEE ALSO", ".Xr chroot 8 ,", ".Xr sudo 8", ""])


def _roff(text: str) -> str:
    escaped = text.replace("\\", "\\e").replace("-", "\\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


# -- completion ------------------------------------------------------------------------


def completion(request: Request) -> Answer:
    """The script for one shell."""
    return Answer({}, completion_script(request["shell"]).splitlines())


def completion_script(shell: str) -> str:
    makers = {"zsh": _zsh, "bash": _bash, "fish": _fish}
    if shell not in makers:
        raise InputError(f"there is no completion for {show(shell)}: give one of {', '.join(SHELLS)}")
    return makers[shell]()


NAMES = f"/usr/bin/sudo -n {places.COMMAND} names 2>/dev/null"
"""Prints names where sudo asks for no password, and nothing otherwise."""


def _jail_commands() -> list[str]:
    return [command.name for command in COMMANDS if command.operands[:1] in (["JAIL"], ["[JAIL]"])]


def _long_options(command: Command) -> str:
    return " ".join(name for option in command.options for name in option.names if name.startswith("--"))


def _bash() -> str:
    cases = "\n".join(f"        {command.name}) options='{_long_options(command)}' ;;" for command in COMMANDS)
    return f"""\
# Completion of djail for bash.
_djail() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command=${{COMP_WORDS[1]}} options= name
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '{" ".join(command.name for command in COMMANDS)}' -- "$word"))
        return
    fi
    case $command in
{cases}
    esac
    case $word:$command in
        -*) COMPREPLY=($(compgen -W "$options" -- "$word")) ;;
        *:{"|*:".join(_jail_commands())})
            # What compgen -W gets, it expands: a name would be run.
            while IFS= read -r name; do
                case $name in "$word"*) COMPREPLY+=("$(printf %q "$name")") ;; esac
            done < <({NAMES})
            ;;
        *) COMPREPLY=($(compgen -f -- "$word")) ;;
    esac
}}
complete -F _djail djail
"""


def _zsh() -> str:
    commands = "\n".join(f"        '{command.name}:{command.summary}'" for command in COMMANDS)
    cases = "\n".join(f"        {command.name}) options=({_long_options(command)}) ;;" for command in COMMANDS)
    return f"""\
#compdef djail
# Completion of djail for zsh.
_djail() {{
    local -a commands options names
    commands=(
{commands}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    case $words[2] in
{cases}
    esac
    if [[ $words[CURRENT] == -* ]]; then
        compadd -a options
        return
    fi
    case $words[2] in
        {"|".join(_jail_commands())}) names=(${{(f)"$({NAMES})"}}); compadd -a names ;;
        *) _files ;;
    esac
}}
if [ "$funcstack[1]" = _djail ]; then _djail "$@"; else compdef _djail djail; fi
"""


def _fish() -> str:
    lines = ["# Completion of djail for fish.", "complete -c djail -n __fish_use_subcommand -f"]
    for command in COMMANDS:
        seen = f"'__fish_seen_subcommand_from {command.name}'"
        lines.append(f"complete -c djail -n __fish_use_subcommand -a {command.name} -d '{command.summary}'")
        for option in command.options:
            short = " ".join(f"-s {name[1:]}" for name in option.names if not name.startswith("--"))
            needs = " -r" if option.value else ""
            lines.append(f"complete -c djail -n {seen} {short} -l {option.names[-1][2:]}{needs}".replace("  ", " "))
    jails = " ".join(_jail_commands())
    lines.append(f"complete -c djail -n '__fish_seen_subcommand_from {jails}' -f -a '({NAMES})'")
    return "\n".join([*lines, ""])


# -- the page --------------------------------------------------------------------------


def reference() -> str:
    """All commands in Markdown, for docs/djail.md."""
    lines: list[str] = []
    for command in COMMANDS:
        lines += [f"### djail {command.name}", "", "```text", usage(command), "```", "", f"{command.text}", ""]
        if command.options:
            lines += ["| option | |", "|---|---|"]
            lines += [f"| `{_option(option)}` | {option.text} |" for option in command.options]
            lines.append("")
    lines += ["### Exit codes", "", "| code | |", "|---|---|", *(f"| {code} | {text} |" for code, text in EXIT_CODES)]
    return "\n".join([*lines, ""])
