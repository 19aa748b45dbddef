# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which image a jail is made of is what the Mac says, not the jail."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from image_jails import Make

from .test_unpack import STATE, marker, unpacked


def test_a_jail_that_says_it_is_of_the_image_is_made_again(image: Path, place: Path, make_jail: Make) -> None:
    """A jail that was taken over may say anything of itself."""
    first = unpacked(place)
    (place / "jail/opt/homebrew/bin/new").touch()
    export(str(place / "jail"), str(place / "image"), "latest", Settings(), False)
    digest = unpacked(place, "third").values["digest"]
    forged = {**marker(place / "new"), "image": digest, "layers": 9, "state": "complete"}
    (place / "new" / STATE / "jail.json").write_text(json.dumps(forged))
    assert not unpack.has_image(str(place / "new"), digest)
    done = unpack.unpack(str(place / "new"), str(place / "image"), "latest", False, str(place / "beside"))
    assert (done.changed, done.values["path"]) == (True, str(place / "beside"))
    assert (place / "beside/opt/homebrew/bin/new").exists()
    assert first.values["digest"] != digest


def test_a_jail_that_is_unknown_stays_and_the_new_one_is_made_beside_it(image: Path, place: Path) -> None:
    """Moved here, or restored from a backup; an unknown one at the staging path is not removed."""
    unpacked(place, "elsewhere")
    (place / "elsewhere").rename(place / "new")
    said = "this Mac has no entry of the jail as it is now"
    with pytest.raises(InputError, match=rf"is there and of an unknown image \({said}\): unpack sha256:"):
        unpacked(place)
    with pytest.raises(InputError, match=f"cannot make an image of {place}/new: {said}"):
        export(str(place / "new"), str(place / "second"), "latest", Settings(), False)
    jail, layout = str(place / "new"), str(place / "image")
    done = unpack.unpack(jail, layout, "latest", False, str(place / "beside"))
    assert (done.changed, done.values["path"]) == (True, str(place / "beside"))
    assert unpack.unpack(jail, layout, "latest", True, str(place / "beside")).changed is False
    register.forget(os.fsencode(place / "beside"), register.known(os.fsencode(place / "beside")))
    with pytest.raises(
        InputError, match=f"the jail {place}/beside may be anything: {said}: save the data that you need"
    ):
        unpack.unpack(jail, layout, "latest", False, str(place / "beside"))
