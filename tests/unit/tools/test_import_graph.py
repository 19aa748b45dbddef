# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The figures of imports are those of a small checkout that was counted by hand."""

from __future__ import annotations

from pathlib import Path

import import_graph

FILES = {
    "errors": "import os",
    "jail": "from .errors import JailError\nfrom .system import at, host",
    "system/__init__": "",
    "system/at": "from .. import errors",
    "system/host": "from . import at\n\ndef f():\n    from ..rootfs.walk import Walk",
    "rootfs/walk": "from ansible_collections.darwin.jail.plugins.module_utils._jail.system.host import stat",
}


def test_levels_and_circles(tmp_path: Path) -> None:
    top = tmp_path / "plugins/module_utils/_jail"
    for name, text in FILES.items():
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / f"{name}.py").write_text(text)
    files = import_graph.files(tmp_path)
    assert import_graph.figures("files", files).splitlines() == [
        "files       5 nodes     7 arrows   4 levels   1 circles",
        "  2 in a circle: _jail/rootfs/walk, _jail/system/host",
    ]
    assert import_graph.figures("packages", import_graph.packages(files)).splitlines() == [
        "packages    4 nodes     5 arrows   3 levels   1 circles",
        "  2 in a circle: rootfs, system",
    ]
