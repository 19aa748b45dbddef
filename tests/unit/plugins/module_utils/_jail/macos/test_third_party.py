# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which programs may run as root: those that only root can replace."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """One that is reached by links: tmp/bin/tool -> ../opt/tool -> tmp/Cellar/1/tool."""
    if os.geteuid():
        pytest.skip("only root gives things away")
    for folder in ("bin", "opt", "Cellar/1"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "Cellar/1/tool").touch(0o755)
    (tmp_path / "opt/tool").symlink_to(tmp_path / "Cellar/1/tool")
    (tmp_path / "bin/tool").symlink_to("../opt/tool")
    return tmp_path / "bin/tool"


def given_away(path: Path) -> None:
    os.chown(path, 501, 20, follow_symlinks=False)


def group_may_write(path: Path) -> None:
    path.chmod(0o775)


def others_may_write(path: Path) -> None:
    path.chmod(0o757)


@pytest.mark.parametrize("loosen", [given_away, group_may_write, others_may_write])
@pytest.mark.parametrize("place", ["bin", "opt", "Cellar", "Cellar/1", "Cellar/1/tool"])
def test_programs_that_others_can_replace_are_refused(
    program: Path, place: str, loosen: Callable[[Path], None]
) -> None:
    third_party.require_root_owned(str(program))
    loosen(program.parents[1] / place)
    with pytest.raises(InputError, match=f"may not be run as root: others than root can write to .*/{place}; name a"):
        third_party.require_root_owned(str(program))


def test_a_link_of_a_users_in_a_directory_for_all(program: Path) -> None:
    """In such a directory nobody can rename what is not theirs."""
    program.parent.chmod(0o1777)
    third_party.require_root_owned(str(program))
    given_away(program)
    with pytest.raises(InputError, match=f"others than root can write to {program};"):
        third_party.require_root_owned(str(program))


def test_odd_ways(program: Path) -> None:
    top = program.parents[1]
    assert host.first_untrusted_part(f"{top}/bin/./../bin//tool") is None
    assert host.first_untrusted_part("/../../usr/bin/env") is None
    assert host.first_untrusted_part("/") is None
    (top / "round").symlink_to("round")
    for path in (top / "round", top / "nothing", top / "bin/tool/below"):
        with pytest.raises(InputError, match="there is no program"):
            third_party.require_root_owned(str(path))
    (top / "chain0").symlink_to(top / "bin/tool")
    for number in range(host.MAX_SYMLINKS):
        (top / f"chain{number + 1}").symlink_to(f"chain{number}")
    assert host.first_untrusted_part(str(top / f"chain{host.MAX_SYMLINKS - 3}")) is None
    others_may_write(top)
    assert host.first_untrusted_part(str(top / f"chain{host.MAX_SYMLINKS - 3}")) == os.fsencode(top)


def test_the_remedy_is_a_copy(program: Path) -> None:
    given_away(program.parents[1] / "Cellar")
    with pytest.raises(InputError) as caught:
        third_party.require_root_owned(str(program), third_party.how_to_copy(str(program)))
    assert f"sudo install -o root -g wheel -m 0755 {program} /opt/darwin.jail/bin/tool" in str(caught.value)
