# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: manifests
short_description: Find manifests and the files that they include
version_added: 0.1.0
description:
  - Returns the paths of manifests on the controller, followed by those of all files that they include, each once. Roles
    copy them to the Mac, see the option O(darwin.jail.darwin_jail_rootfs#module:manifests).
  - Reads all of them, so errors are reported before anything is changed.
options:
  _terms:
    description:
      - Manifests on the controller. A relative path is searched for where Ansible searches for files, and then below
        the working directory.
    type: list
    elements: str
    required: true
notes:
  - C(@include) must name its file relative to the including one.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Show the files that a manifest needs on the Mac
  ansible.builtin.debug:
    msg: "{{ query('darwin.jail.manifests', inventory_dir ~ '/dev.files') }}"
"""

RETURN = r"""
_raw:
  description: Absolute paths on the controller.
  type: list
  elements: path
  sample: [/home/me/site/dev.files, /home/me/site/common.files]
"""

import os
import re
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.manifest import read_manifests

ABSOLUTE_INCLUDE = re.compile(rb"^\s*@include\s+/.*", re.MULTILINE)


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        read: dict[str, bytes] = {}

        def load(path: str) -> bytes:
            read[path] = contents(path)
            return read[path]

        try:
            read_manifests([self._find(term, variables) for term in terms], load)
        except JailError as exc:
            raise AnsibleLookupError(str(exc)) from exc
        return list(read)

    def _find(self, term: str, variables: Any) -> str:
        found = self.find_file_in_search_path(variables, "files", term, ignore_missing=True)
        return os.path.abspath(found or term)


def contents(path: str) -> bytes:
    """A manifest on the controller; AnsibleLookupError when it cannot be used from there."""
    try:
        data = Path(path).read_bytes()
    except OSError as exc:
        raise AnsibleLookupError(f"cannot read the manifest {path} on the controller: {exc.strerror}") from None
    include = ABSOLUTE_INCLUDE.search(data)
    if include:
        line = include[0].decode("utf-8", "replace").strip()
        raise AnsibleLookupError(
            f"{path}: '{line}' names an absolute path, which leads to another place on the Mac: "
            "name the file relative to this one"
        )
    return data
