# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a module on the Mac. meta/runtime.yml sets this plugin for all modules without one of their own."""

from __future__ import annotations

from ansible_collections.darwin.jail.plugins.plugin_utils._jail.on_mac import OnMac


class ActionModule(OnMac):
    pass
