# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the results of a selftest on the controller, as JSON and as Markdown."""

from __future__ import annotations

import getpass
import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible.release import __version__ as ansible_version
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.claims import DISPROVEN
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.redaction import Redactor
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import proof

SPEC = {
    "dest": {"type": "path", "required": True},
    "claims": {"type": "list", "elements": "dict", "required": True},
    "mac": {"type": "dict", "required": True},
    "began": {"type": "float", "required": True},
    "bytes": {"type": "int", "required": True},
}


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _given, options = self.validate_argument_spec(SPEC)
        clean = Redactor(own_words(task_vars or {}))
        claims = [{**one, "seen": clean(str(one["seen"]))} for one in options["claims"]]
        about = {
            "collection": version(),
            "ansible": ansible_version,
            "date": time.strftime("%Y-%m-%d", time.gmtime()),
            "seconds": max(0, int(time.time() - options["began"])),
            "megabytes": max(0, options["bytes"] // 10**6),
        }
        found = proof.document(options["mac"], claims, about)
        if wrong := proof.errors_in(found):
            raise AnsibleActionFail(f"cannot write the results: {'; '.join(wrong)}")
        files = {"selftest.json": json.dumps(found, indent=1) + "\n", "selftest.md": proof.page(found)}
        if not self._task.check_mode:
            put(Path(options["dest"]), files)
        values = {"counts": proof.counts(found["claims"]), "proof": proof.is_proof(found), "claims": found["claims"]}
        return result | values | {"changed": False, "disproven": disproven(found["claims"])}


def version() -> str:
    """The version of this collection, installed or in a checkout."""
    top = Path(__file__).parents[2]
    manifest = top / "MANIFEST.json"
    if manifest.is_file():
        return str(json.loads(manifest.read_text())["collection_info"]["version"])
    return str(yaml.safe_load((top / "galaxy.yml").read_text())["version"])


def disproven(claims: list[dict[str, Any]]) -> list[str]:
    return [f"{one['id']}: {one['seen']}" for one in claims if one["verdict"] == DISPROVEN]


def own_words(variables: dict[str, Any]) -> list[str]:
    """Words that identify this machine, its user, and the Mac in the inventory."""
    home = str(Path.home())
    names = [socket.gethostname(), socket.gethostname().split(".")[0], getpass.getuser(), home, os.getcwd()]
    names += [str(variables.get(key) or "") for key in ("inventory_hostname", "ansible_host", "ansible_user")]
    return [name for name in names if name.strip("/") and name not in ("root", "/root", "localhost")]


def put(folder: Path, files: dict[str, str]) -> None:
    """Replace the files atomically, so that readers see the old or the new ones."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            new = folder / f".{name}.new"
            new.write_text(text)
            new.replace(folder / name)
    except OSError as exc:
        raise AnsibleActionFail(
            f"cannot write {folder}: {exc.strerror} (name another directory with jail_selftest_report)"
        ) from exc
