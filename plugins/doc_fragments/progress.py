# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The option of modules that can take long: where they say how far they are."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  progress_file:
    description:
      - A file on the managed Mac that must not exist yet, in which a run of more than a second says each second
        how far it is, as a line of JSON. It goes when the run ends.
      - The collection sets it by itself where a playbook shows the progress. Then a run also ends when the connection
        does, so that it does not keep the jail locked for nobody; run it again.
    type: path
notes:
  - A run of more than a second shows what it is to do in all, how much is free where it writes, and then, every few
    seconds at first, how much of it is done, how fast, and how long it will take; as far as that can be known, in
    check mode too. A run in the background (C(async)) or with C(no_log) shows nothing.
"""
