# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What of a jail goes into an image."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.exclusions import is_portable
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.base import LOCAL_XATTRS


@pytest.mark.parametrize(
    "name",
    [
        *LOCAL_XATTRS,
        "acl",
        "com.apple.quarantine",
        "com.apple.lastuseddate#PS",
        "com.apple.metadata:kMDItemWhereFroms",
        "security.capability",
        "user.a=b",
    ],
)
def test_an_attribute_that_means_something_on_one_mac_stays_there(name: str) -> None:
    assert not is_portable(name)


@pytest.mark.parametrize("name", ["user.note", "com.apple.FinderInfo", "com.apple.rootless.not", "org.example.note"])
def test_one_of_the_file_goes_with_it(name: str) -> None:
    assert is_portable(name)
