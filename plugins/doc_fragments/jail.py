# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option that names the jail."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  jail:
    description:
      - The root directory of the jail, an absolute path on the managed Mac. Its parent should be a directory to which
        only root can write.
      - C(/etc), C(/tmp) and C(/var) at the start of the path are resolved into C(/private). Any other symbolic link in
        the path is refused, and so are C(..) and directories of the system.
    type: path
    required: true
requirements:
  - To be run as root.
"""
