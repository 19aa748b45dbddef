# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The argument spec of darwin_jail_services."""

from __future__ import annotations

from typing import Any

from ..macos.launchd import PYTHON

HEALTH = {
    "http": {},
    "tcp": {"type": "int"},
    "command": {"type": "list", "elements": "str"},
    "interval": {"type": "float", "default": 30},
    "timeout": {"type": "float", "default": 5},
    "retries": {"type": "int", "default": 3},
}
SCHEDULE: dict[str, Any] = {
    **{name: {"type": "int"} for name in ("minute", "hour", "day", "weekday", "month", "interval")},
    "catch_up": {"type": "bool", "default": True},
}
LIMITS: dict[str, Any] = {
    **{name: {"type": "int"} for name in ("open_files", "processes", "core_size", "nice")},
    "low_priority_io": {"type": "bool"},
}
LOG = {"max_size": {"default": "10m"}, "keep": {"type": "int", "default": 5}}
STOP = {"signal": {"default": "TERM"}, "timeout": {"type": "float", "default": 20}}
SERVICE: dict[str, Any] = {
    "name": {"required": True},
    "argv": {"type": "list", "elements": "str", "required": True},
    "user": {},
    "env": {"type": "dict", "default": {}},
    "secret_env": {"type": "dict", "default": {}, "no_log": True},
    "chdir": {"default": "/"},
    "ports": {"type": "list", "elements": "int", "default": []},
    "health": {"type": "dict", "options": HEALTH},
    "log": {"type": "dict", "options": LOG},
    "limits": {"type": "dict", "options": LIMITS},
    "restart": {"choices": ["always", "on_failure", "never"], "default": "always"},
    "stop": {"type": "dict", "options": STOP},
    "schedule": {"type": "dict", "options": SCHEDULE},
    "state": {"choices": ["started", "stopped"], "default": "started"},
}
OPTIONS: dict[str, Any] = {
    "jail": {"type": "path", "required": True},
    "services": {"type": "list", "elements": "dict", "options": SERVICE},
    "name": {"type": "list", "elements": "str"},
    "state": {"choices": ["started", "stopped", "restarted", "absent"]},
    "user": {"default": "root"},
    "python": {"type": "path", "default": PYTHON},
    "timeout": {"type": "float", "default": 60},
}
