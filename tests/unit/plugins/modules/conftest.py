# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Modules run here as they do on a Mac, though other tests have loaded the controller's parts of Ansible."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def as_on_a_mac(not_the_controller: None) -> None:
    pass
