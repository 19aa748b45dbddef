# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""In check mode all that comes after a build or an adoption predicts what it will do, and does nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import files, users
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts import user_tmp
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, NotAJailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts, devfs, dns
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.bindfs import Bindfs
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, third_party
from ansible_collections.darwin.jail.plugins.module_utils._jail.predicted import open_predicted
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import fill
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import time_machine
from launchctl import Launchctl

Work = Callable[[Path, bool], Result]
UUID = "FFFFEEEE-DDDD-CCCC-BBBB-AAAA00000000"


def work_of_roles() -> dict[str, Work]:
    """What the roles run after the root file system is made, each as its module does."""
    python = sys.executable
    listed = [{"path": "/Users/me", "state": "directory", "owner": "root"}]
    mount = [{"src": "/usr/share", "dest": "/shared"}]
    user = [{"name": "root", "state": "present", "sudo": True, "remove": False}]
    return {
        "user_tmp": lambda jail, check: user_tmp.ensure(str(jail), "root", 0, 0, UUID, "present", check),
        "files": lambda jail, check: files.ensure(str(jail), listed, check),
        "time_machine": lambda jail, check: time_machine.ensure(str(jail), "present", check),
        "users": lambda jail, check: users.ensure(str(jail), user, check),
        "tree": lambda jail, check: fill.ensure({"jail": str(jail), "dest": "/opt/brew", "src": "/usr/share"}, check),
        "dns": lambda jail, check: dns.ensure(str(jail), "present", "auto", python, 1, check),
        "devfs": lambda jail, check: devfs.ensure(str(jail), "present", python, 1, check),
        "mounts": lambda jail, check: bind_mounts.ensure(str(jail), mount, None, python, 1, check),
    }


WORK = work_of_roles()


@pytest.fixture(autouse=True)
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("jails are root's")
    launchctl = Launchctl(tmp_path)
    launchctl.install(tmp_path, monkeypatch)
    monkeypatch.setattr(third_party, "require_root_owned", lambda program: None)
    monkeypatch.setattr(bind_mounts, "find_bindfs", lambda path: Bindfs("/usr/bin/true", b"", []))
    monkeypatch.setattr(time_machine, "is_excluded", lambda path: False)
    yield
    launchctl.close()


def missing(place: Path) -> Path:
    return place / "jail"


def empty(place: Path) -> Path:
    (place / "jail").mkdir()
    return place / "jail"


def by_hand(place: Path) -> Path:
    """As darwin-jail makes them, with real directories at /etc and /var."""
    for name in ("etc", "var/db", "usr/bin", "opt/mine"):
        (place / "jail" / name).mkdir(parents=True)
    (place / "jail/etc/sudoers").write_text("#includedir /private/etc/sudoers.d\n")
    return place / "jail"


JAILS = (missing, empty, by_hand)


@pytest.mark.parametrize("what", JAILS)
@pytest.mark.parametrize("name", WORK)
def test_what_a_role_will_do_is_predicted_and_nothing_is_done(
    place: Path, name: str, what: Callable[[Path], Path]
) -> None:
    jail = what(place)
    before = sorted(path for path in place.rglob("*"))
    predicted = WORK[name](jail, True)
    assert (predicted.changed, bool(predicted.diff)) == (True, True)
    assert [warning for warning in predicted.warnings if "this prediction assumes" in warning]
    assert sorted(path for path in place.rglob("*")) == before
    assert launchd.labels("darwin.jail.") == []
    with pytest.raises(NotAJailError):
        WORK[name](jail, False)


def test_what_an_adoption_moves_is_seen_where_it_will_be(place: Path) -> None:
    """Otherwise users would be told that sudo takes no rules."""
    jail = by_hand(place)
    with open_predicted(str(jail), check=True) as opened:
        assert opened.root.read(b"private/etc/sudoers", 100) == b"#includedir /private/etc/sudoers.d\n"


def test_what_an_adoption_refuses_is_refused(place: Path) -> None:
    jail = by_hand(place)
    (jail / "private/etc").mkdir(parents=True)
    with pytest.raises(InputError, match="both exist"):
        open_predicted(str(jail), check=True)
