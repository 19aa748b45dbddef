# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What the stand-in commands share. Runs inside a stand-in Mac, on its own Python."""
