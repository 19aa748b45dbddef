# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The open files of a process, against a model of libproc."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import darwin
from libsystem import LibSystem


def test_how_far_a_program_has_read_its_files(tmp_path: Path, lib: LibSystem) -> None:
    (tmp_path / "read").write_bytes(bytes(5000))
    with (tmp_path / "read").open("rb", buffering=0) as file:
        file.read(1234)
        status = os.fstat(file.fileno())
        assert darwin.Darwin(lib).read_offsets(os.getpid())[status.st_dev, status.st_ino] == 1234
    assert (status.st_dev, status.st_ino) not in darwin.Darwin(lib).read_offsets(os.getpid())
    with pytest.raises(ProcessLookupError):
        darwin.Darwin(lib).read_offsets(1 << 30)
