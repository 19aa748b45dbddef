# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where djail is installed, and where jails are by default."""

from __future__ import annotations

DIRECTORY = "/Library/PrivilegedHelperTools/darwin.jail"
"""Root's, as that of the command enter."""
COMMAND = f"{DIRECTORY}/djail"
GRANTED_COMMAND = f"{DIRECTORY}/djail-granted"
"""What a rule of sudo names: it allows what was granted, and nothing else."""
LINK = "/usr/local/bin/djail"
JAILS = "/private/var/jails"
"""Where a jail is that is named without a slash when it is made."""
STATE = "/private/var/db/darwin.jail"
"""What the collection keeps on a Mac."""
