# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names by which a supervisor, its program, and those who ask about them find each other.

It is put into one file with the supervisor (bundle.py).
"""

from __future__ import annotations

LAUNCHER, SECRETS = "launcher.py", "secrets.json"
SPEC, STATE = "spec.json", "state.json"
"""Files in the directory of the job."""
MARK = "DARWIN_JAIL_SERVICE"
"""The variable in the environment of a service's processes. Its value is the label of the job."""
