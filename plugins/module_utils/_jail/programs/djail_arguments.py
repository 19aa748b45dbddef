# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a call of djail, read by the table of its commands.

Strict, since a grant may depend on them: no abbreviations, no option twice, nothing that is not in the table. Words
behind -- are those of a program. Part of programs that bundle.py puts together, so it imports nothing.
"""

from __future__ import annotations

EX_USAGE = 64
SCHEMA = 1
"""The version of the JSON that all commands print. It grows when a field is removed or changes its meaning."""


class DjailError(Exception):
    """A sentence for people, and an exit code of sysexits(3)."""

    def __init__(self, message: str, code: int = EX_USAGE) -> None:
        super().__init__(message)
        self.message, self.code = message, code


class Option:
    """An option of a command: its names, the name of its value (empty for a flag), and what it does."""

    def __init__(self, names: str, value: str, text: str) -> None:
        self.names, self.value, self.text = names.split(), value, text

    @property
    def key(self) -> str:
        return self.names[-1].strip("-").replace("-", "_")


class Command:
    """A command: its operands in order ([X] may be left out, X... are the words behind --), options and description."""

    def __init__(self, name: str, operands: str, summary: str, text: str, options: tuple[Option, ...] = ()) -> None:
        self.name, self.operands, self.summary, self.text = name, operands.split(), summary, text
        self.options = options

    @property
    def takes_words(self) -> bool:
        return bool(self.operands) and self.operands[-1].endswith("...")


class Call:
    """A call that the table allows: operands and options by name. An option that is not there is empty."""

    def __init__(self, command: Command) -> None:
        self.name = command.name
        self.values: dict[str, str] = {option.key: "" for option in command.options}
        self.words: list[str] = []


def harmless(text: str) -> str:
    """A text with what is not printed as escapes, so that no terminal acts on it."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def parse(argv: list[str], commands: tuple[Command, ...]) -> Call:
    """The call that these words are; DjailError when the table does not allow it."""
    known = {command.name: command for command in commands}
    name = argv[0] if argv else "help"
    name = "help" if name in ("-h", "--help") else name
    if name not in known:
        raise DjailError(f"there is no command {harmless(name)}: djail help lists them")
    command, words = known[name], argv[1:]
    call = Call(command)
    if "--" in words:
        place = words.index("--")
        words, call.words = words[:place], words[place + 1 :]
        if not command.takes_words:
            raise DjailError(f"{name} takes no words behind --: leave them out")
    operands = read_options(words, command, call)
    if not call.values.get("help"):
        read_operands(operands, command, call)
    return call


def read_options(words: list[str], command: Command, call: Call) -> list[str]:
    """Read the options; the words that are left are operands."""
    by_name = {name: option for option in command.options for name in option.names}
    operands: list[str] = []
    rest = iter(words)
    for word in rest:
        name, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        if not word.startswith("-") or word == "-":
            operands.append(word)
            continue
        option = by_name.get(name)
        if option is None:
            raise DjailError(f"{command.name} has no option {harmless(name)}: djail {command.name} --help lists them")
        if call.values[option.key]:
            raise DjailError(f"{harmless(name)} is given twice: give it once")
        if option.value and not equals:
            value = next(rest, "")
        if bool(option.value) != bool(value) or (option.value and value.startswith("-")):
            needed = f"needs a value: {option.value}" if option.value else "takes no value"
            raise DjailError(f"{harmless(name)} {needed}")
        call.values[option.key] = value or "yes"
    return operands


def read_operands(operands: list[str], command: Command, call: Call) -> None:
    """Give each operand its name."""
    names = [name for name in command.operands if not name.endswith("...")]
    needed = [name for name in names if not name.startswith("[")]
    usage = f"djail {command.name} {' '.join(command.operands).replace('CMD...', '-- CMD...')}"
    if len(operands) > len(names):
        raise DjailError(f"{harmless(operands[len(names)])} is one word too many: {usage}")
    if len(operands) < len(needed):
        raise DjailError(f"{needed[len(operands)]} is missing: {usage}")
    if "" in operands:
        raise DjailError(f"an empty word is no name: {usage}")
    if command.takes_words and (not call.words or not call.words[0]):
        raise DjailError(f"the program is missing behind --: {usage}")
    for name, value in zip(names, [*operands, *[""] * len(names)]):
        call.values[name.strip("[]").lower()] = value
