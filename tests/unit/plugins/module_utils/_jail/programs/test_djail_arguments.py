# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Calls of djail, read by the table of commands."""

from __future__ import annotations

from contextlib import suppress

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.djail_arguments import DjailError, parse
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.djail_commands import COMMANDS
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    "words",
    [
        ("exec", "dev", "-u", "admin", "--", "true"),
        ("exec", "-u", "admin", "dev", "--", "true"),
        ("exec", "--user", "admin", "dev", "--", "true"),
        ("exec", "--user=admin", "dev", "--", "true"),
    ],
)
def test_options_may_stand_anywhere(words: tuple[str, ...]) -> None:
    call = parse(list(words), COMMANDS)
    assert (call.name, call.values["jail"], call.values["user"], call.words) == ("exec", "dev", "admin", ["true"])


def test_words_of_the_program_are_its_own() -> None:
    call = parse(["exec", "dev", "--", "sh", "-u", "--", "--help", ""], COMMANDS)
    assert (call.words, call.values["user"]) == (["sh", "-u", "--", "--help", ""], "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["exec", "dev", "-u", "a", "-u", "b", "--", "true"], "-u is given twice: give it once"),
        (["exec", "dev", "-u", "a", "--user=b", "--", "true"], "--user is given twice: give it once"),
        (["exec", "dev", "--us", "a", "--", "true"], "exec has no option --us: djail exec --help lists them"),
        (["exec", "dev", "-uadmin", "--", "true"], "exec has no option -uadmin: djail exec --help lists them"),
        (["exec", "dev", "--", ""], "the program is missing behind --: djail exec JAIL -- CMD..."),
        (["exec", "dev", "true"], "true is one word too many: djail exec JAIL -- CMD..."),
        (["exec", "--", "true"], "JAIL is missing: djail exec JAIL -- CMD..."),
        (["exec", "", "--", "true"], "an empty word is no name: djail exec JAIL -- CMD..."),
        (["exec", "dev", "-u", "--", "true"], "-u needs a value: USER"),
        (["exec", "dev", "--user=", "--", "true"], "--user needs a value: USER"),
        (["exec", "dev", "--user=-x", "--", "true"], "--user needs a value: USER"),
        (["list", "--json=yes"], "--json takes no value"),
        (["list", "--", "x"], "list takes no words behind --: leave them out"),
        (["nix\x1b[31m"], "there is no command nix\\x1b[31m: djail help lists them"),
    ],
)
def test_what_is_wrong_is_said(words: list[str], said: str) -> None:
    with pytest.raises(DjailError) as found:
        parse(words, COMMANDS)
    assert (found.value.message, found.value.code) == (said, 64)


@given(
    st.lists(st.sampled_from(["exec", "dev", "-u", "--user=x", "--user", "admin", "--", "true", "", "-"]), max_size=8)
)
def test_a_call_names_one_jail_one_user_and_a_program_or_is_refused(words: list[str]) -> None:
    with suppress(DjailError):
        call = parse(words, COMMANDS)
        if call.name == "exec":
            place = words.index("--")
            options = [word for word in words[:place] if word.startswith("-") and word != "-"]
            assert options in ([], ["-u"], ["--user"], ["--user=x"])
            assert call.values["jail"] in words[:place]
            assert call.words == words[place + 1 :]
            assert call.words[0]
