# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Modules run here as they do on a Mac, though other tests have loaded the controller's parts of Ansible."""

from __future__ import annotations

import pytest
from ansible.module_utils import _internal


@pytest.fixture(autouse=True)
def not_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """On the controller warnings are displayed at once; a module returns them."""
    monkeypatch.setattr(_internal, "is_controller", False, raising=False)
