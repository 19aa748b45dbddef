# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a jail has in the place of a file that is to be transferred."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec import session_errors
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import Session


def done(visit: Session) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", visit.command], input=b"x", capture_output=True, timeout=20, check=False, cwd="/"
    )


@pytest.mark.parametrize("act", ["get", "put"])
@pytest.mark.parametrize("kind", ["FIFO", "device"])
def test_only_regular_files_are_transferred(furnished: Path, act: str, kind: str) -> None:
    if kind == "FIFO":
        os.mkfifo(furnished / "odd")
    else:
        os.mknod(furnished / "odd", 0o020666, os.makedev(1, 5))  # /dev/zero
    words = ("/odd",) if act == "get" else ("/odd", "644", "1")
    visit = Session(str(furnished), "root", act, words, stdin=act == "put", pythons=(sys.executable,))
    ended = done(visit)
    (furnished / "odd").unlink()  # who copies the tree would read it without end
    with pytest.raises(OperationError, match=r"cannot transfer /odd in .*: it is not a regular file"):
        session_errors.raise_for(visit, ended.returncode, ended.stderr)
    assert ended.stdout == b""


def test_files_are(furnished: Path) -> None:
    (furnished / "file").write_bytes(b"contents")
    get = Session(str(furnished), "root", "get", ("/file",), pythons=(sys.executable,))
    put = Session(str(furnished), "root", "put", ("/file", "644", "1"), stdin=True, pythons=(sys.executable,))
    assert done(get).stdout == b"contents"
    assert done(put).returncode == 0
    assert (furnished / "file").read_bytes() == b"x"
