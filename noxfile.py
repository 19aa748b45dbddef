# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The sessions of antsibull-nox, as antsibull-nox.toml configures them; `make nox` runs them."""

from __future__ import annotations

import antsibull_nox
import nox

nox.options.envdir = ".cache/nox/sessions"
antsibull_nox.load_antsibull_nox_toml()
