# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that all modules share: which jail."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  jail:
    description:
      - The jail's root directory, an absolute path on the managed Mac. A directory that only root can write to is a
        good parent.
      - C(/etc), C(/tmp) and C(/var) at its start are resolved into C(/private). Any other symbolic link in the path is
        refused, and so are C(..) and directories that belong to the system.
    type: path
    required: true
requirements:
  - Python 3.9 or newer on the managed Mac, as the Command Line Tools have it.
  - To be run as root.
"""
