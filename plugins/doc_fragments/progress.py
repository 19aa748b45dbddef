# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of long-running modules that names a file for their progress."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file on the managed Mac, which must not exist yet. A run of more than a second writes its progress to it each
        second, as a line of JSON, and removes it at the end.
      - The collection sets this option itself when a playbook shows progress. Then a run ends when the connection ends,
        so that it does not keep the jail locked. Run it again after that.
    type: path
notes:
  - A run of more than a second shows the total amount of work, the free space, and then its progress, its speed and the
    time left, at first every few seconds. Check mode shows what it can predict. A run in the background (C(async)) or
    with C(no_log) shows nothing.
"""
