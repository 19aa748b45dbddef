# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the modules of this collection have in common; a module overrides what differs."""

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
  check_mode:
    description: Can run in C(check_mode) and say what would change without changing it.
    support: full
  diff_mode:
    description: Returns what was changed, or in C(check_mode) what would be, when run with C(--diff).
    support: full
  idempotent:
    description: A second run with the same options reports no change.
    support: full
  platform:
    description: What the managed host runs. macOS 12 or newer.
    platforms: macos
    support: full
"""
