# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Attributes of the modules of this collection. A module overrides those that differ."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options: {}
attributes:
  action_group:
    description: Use C(group/darwin.jail.jail) in C(module_defaults) to set defaults for all modules of the collection.
    support: full
    membership:
      - darwin.jail.jail
  async:
    description: Can run in the background with the C(async) keyword.
    support: full
  check_mode:
    description: Can run in C(check_mode) and predict changes without making them.
    support: full
  diff_mode:
    description: Returns the changes, or in C(check_mode) the predicted ones, when run with C(--diff).
    support: full
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
  platform:
    description: The managed host runs macOS 12 or newer.
    platforms: macos
    support: full
requirements:
  - Python 3.9 or newer where the module runs, as the Command Line Tools of a Mac have it. Python 3.8 is not supported.
"""
