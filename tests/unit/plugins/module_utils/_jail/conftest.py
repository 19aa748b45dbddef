# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Tests of djail run what is installed by Python 3.9, if it is here. They need Ansible and jsonschema themselves."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore_glob = [] if find_spec("jsonschema") else ["djail/*", "programs/test_djail_[gs]*"]
