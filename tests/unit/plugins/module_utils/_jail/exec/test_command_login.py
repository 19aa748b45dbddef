# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A program in a jail that is started as after a login."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import Command, execute, login_shells
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result


def perform(jail: Path, *words: str, login: bool = False) -> Result:
    return execute(Command(str(jail), list(words), login=login), check=False)


def test_a_login_shell_finds_what_its_files_say(furnished: Path) -> None:
    """As Homebrew's programs are found: by the PATH that a file of the shell sets. Words arrive as they are."""
    (furnished / "etc").mkdir(exist_ok=True)
    (furnished / "etc/profile").write_text("PATH=$PATH:/opt/prefix/bin\n")
    tool = furnished / "opt/prefix/bin/tool"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\nprintf '<%s>' \"$@\"\n")
    tool.chmod(0o755)
    words = ["tool", "a b", "$HOME;'\"", ""]
    result = perform(furnished, *words, login=True)
    assert (result.failed, result.values["stdout"], result.values["cmd"]) == (False, "<a b><$HOME;'\"><>", words)
    with pytest.raises(OperationError, match="there is no such program"):
        perform(furnished, *words)


def test_a_login_shell_that_does_not_find_it_says_so(furnished: Path) -> None:
    result = perform(furnished, "nowhere-to-be-found", login=True)
    assert (result.failed, result.values["rc"]) == (True, 127)
    assert "nowhere-to-be-found" in result.values["msg"]
    assert f"looked for as root after a login, in {furnished}" in result.values["msg"]


def test_the_shell_of_the_user_comes_first_if_it_takes_these_options() -> None:
    assert login_shells("/opt/prefix/bin/zsh") == ["/opt/prefix/bin/zsh", "/bin/zsh", "/bin/sh"]
    assert login_shells("/usr/bin/false") == login_shells("/opt/fish") == ["/bin/zsh", "/bin/sh"]


def test_without_a_shell_the_program_is_started_as_it_is(furnished: Path) -> None:
    os.rename(furnished / "usr/bin/sh", furnished / "usr/bin/none")
    try:
        assert perform(furnished, "env", login=True).values["rc"] == 0
    finally:
        os.rename(furnished / "usr/bin/none", furnished / "usr/bin/sh")
