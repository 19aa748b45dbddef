# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What makes a stand-in Mac. Runs on the Linux machine."""
