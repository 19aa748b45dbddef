# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Runs that are killed before or after any write of the register or the marker: the next one does all of it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils import register
from ansible_collections.darwin.jail.plugins.module_utils.image import known, present
from ansible_collections.darwin.jail.plugins.module_utils.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils.result import Result
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.remove import remove
from image_jails import FILES
from system_calls import die, in_child

VERSION = "System/Library/CoreServices/SystemVersion.plist"
WRITES = ((register, "write"), (register, "forget"), (jails, "write_marker"))


class Deeds:
    """What is done to `jail`, and how that is made what it was before."""

    def __init__(self, place: Path) -> None:
        self.place, self.jail, self.source = place, place / "jail", place / "source"
        (self.source / "usr/bin").mkdir(parents=True)
        (self.source / "usr/bin/git").write_text("git\n")

    def build(self, **options: Any) -> Result:
        return build(Wish(str(self.jail), str(self.source), entries=[{"src": "/usr/"}], **options), check=False)

    def gone(self) -> None:
        subprocess.run(["rm", "-rf", str(self.jail)], check=True)

    def of_others(self) -> None:
        self.gone()
        (self.jail / "etc").mkdir(parents=True)
        (self.jail / "usr/bin").mkdir(parents=True)

    def unknown(self) -> None:
        self.gone()
        self.build()
        register.forget(os.fsencode(self.jail))
        (self.jail / "usr/bin/git").unlink()

    def adopt(self) -> Result:
        return self.build(adopt=True)

    def clone(self) -> Result:
        base = self.place / "base"
        build(Wish(str(base), str(self.source), entries=[{"src": "/usr/"}]), check=False)
        return build(Wish(str(self.jail), str(self.source), clone_of=str(base), clone_copies=True), check=False)

    def unpack(self) -> Result:
        layout, base = self.place / "image", self.place / "base"
        if not layout.exists():
            (self.source / "System/Library/CoreServices").mkdir(parents=True)
            (self.source / VERSION).write_bytes(FILES[VERSION])
            build(Wish(str(base), str(self.source), entries=[{"src": "/usr/"}, {"src": f"/{VERSION}"}]), check=False)
            export(str(base), str(layout), "latest", Settings(), False)
        return present.unpack(str(self.jail), str(layout), "latest", False)

    def remove(self) -> Result:
        return remove(str(self.jail), False, False)


def dying(number: int, after: bool, done: list[str]) -> Callable[[Any], Any]:
    """Around a function: this process ends at call `number` (from 1; 0 only counts), before or after that."""

    def around(call: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            done.append(call.__name__)
            if len(done) == number and not after:
                die()
            result = call(*arguments, **options)
            if len(done) == number:
                die()
            return result

        return run

    return around


def perform(deed: Callable[[], object], number: int, after: bool = False) -> list[str]:
    done: list[str] = []
    around = dying(number, after, done)
    with pytest.MonkeyPatch.context() as patch:
        for module, name in WRITES:
            patch.setattr(module, name, around(getattr(module, name)))
        deed()
    return done


@pytest.mark.parametrize(
    ("before", "deed", "least"),
    [
        ("gone", "build", 4),
        ("of_others", "adopt", 4),
        ("unknown", "build", 2),
        ("gone", "clone", 6),
        ("gone", "unpack", 6),
        ("unknown", "remove", 3),
    ],
)
def test_the_next_run_does_all_of_it(
    place: Path, monkeypatch: pytest.MonkeyPatch, before: str, deed: str, least: int
) -> None:
    monkeypatch.setattr(known, "DIRECTORY", os.fsencode(place / "mac"))
    deeds = Deeds(place)
    prepare, act = getattr(deeds, before), getattr(deeds, deed)
    prepare()
    act()  # what it needs besides is there now
    prepare()
    total = len(perform(act, 0))
    assert total >= least
    for number in range(1, total + 1):
        for after in (False, True):
            prepare()
            assert in_child(partial(perform, act, number, after)) == -9
            act()
            assert not act().changed
            if deed == "remove":
                assert not deeds.jail.exists()
            else:
                assert (deeds.jail / "usr/bin/git").read_text() == "git\n"
                with jails.open_jail(str(deeds.jail)) as jail:
                    assert (jail.unknown, jail.entry["state"]) == ("", "complete")
