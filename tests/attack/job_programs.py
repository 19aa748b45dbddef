# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The programs that launchd runs for a jail, as the collection installs them."""

from __future__ import annotations

import importlib
import json
import os
import signal
from typing import Any

from entries import JAIL, PROGRAMS, SERVICE

PACKAGE = "ansible_collections.darwin.jail.plugins"


def write() -> None:
    bundle = importlib.import_module(f"{PACKAGE}.module_utils._jail.programs.bundle")
    parts = {
        name: importlib.import_module(f"{PACKAGE}.module_utils._jail.programs.{name}")
        for name in ("daemon", "socket_peer", "dns_relay", "devfs_mount", "bind_mount")
    }
    for name in ("dns_relay", "devfs_mount", "bind_mount"):
        with open(f"{PROGRAMS}/{name}.py", "w") as file:
            file.write(bundle.program(parts["daemon"], parts["socket_peer"], parts[name], call="main()"))
    _write_service(bundle)


def _write_service(bundle: Any) -> None:
    """The supervisor of a service, and what it reads."""
    services = importlib.import_module(f"{PACKAGE}.module_utils._jail.services.services")
    spec = {
        "version": 1,
        "label": "darwin.jail.attack.service.web",
        "jail": JAIL,
        "jobs": "darwin.jail.attack.",
        "plan": {
            "argv": ["/bin/sh", "-c", "id; sleep 60"],
            "shells": [],
            "env": {},
            "search": "/bin",
            "chdir": "/Users/admin",
            "creates": None,
            "removes": None,
            "uid": 501,
            "gid": 20,
            "login": "admin",
            "groups": None,
            "limits": {},
        },
        "ports": [],
        "restart": "always",
        "stop": {"signal": signal.SIGTERM, "timeout": 5},
        "health": None,
        "schedule": None,
        "log": {"path": f"{SERVICE}/log", "max_size": 1 << 16, "keep": 1},
    }
    os.makedirs(SERVICE)
    files = {
        f"{SERVICE}/spec.json": json.dumps(spec),
        f"{SERVICE}/launcher.py": bundle.program(services.chroot_exec, services.launcher, call=services.LAUNCH),
        f"{PROGRAMS}/service_supervisor.py": bundle.program(*services.SUPERVISOR, call="main()"),
    }
    for path, text in files.items():
        with open(path, "w") as file:
            file.write(text)
