# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which Command Line Tools the role mac takes of those that Software Update offers."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from connections import TOP

SCRIPT = (TOP / "roles/mac/files/install_command_line_tools.sh").read_text()
FUNCTIONS = "\n".join(re.findall(r"^\w+\(\) \{\n.*?^\}", SCRIPT, re.MULTILINE | re.DOTALL))
NAME = "Command Line Tools for Xcode"


@pytest.mark.parametrize(
    ("wanted", "offered", "taken"),
    [
        # a published list of macOS 15
        ("", [f"{NAME}-16.2", f"{NAME}-16.4", f"{NAME} 26.2-26.2"], f"{NAME} 26.2-26.2"),
        ("16.4", [f"{NAME}-16.2", f"{NAME}-16.4", f"{NAME} 26.2-26.2"], f"{NAME}-16.4"),
        ("26.2", [f"{NAME} 26.2-26.2", f"{NAME} 27.0-27.0"], f"{NAME} 26.2-26.2"),
        ("", [f"{NAME}-16.10", f"{NAME}-16.9"], f"{NAME}-16.10"),
        ("", [f"{NAME} 26.4-26.4", "Command Line Tools beta for Xcode-27.0", "Safari-27.0"], f"{NAME} 26.4-26.4"),
        ("", ["macOS Golden Gate 27.0.1-26A500"], ""),
    ],
)
def test_the_newest_is_the_one_with_the_highest_version(
    tmp_path: Path, wanted: str, offered: list[str], taken: str
) -> None:
    (tmp_path / "said").write_text("".join(f"* Label: {label}\n\tTitle: x, Version: 1,\n" for label in offered))
    script = f"{FUNCTIONS}\nfolder=$1 wanted=$2\nchosen"
    ended = subprocess.run(
        ["sh", "-c", script, "sh", str(tmp_path), wanted], check=False, capture_output=True, text=True
    )
    assert ended.stdout.strip() == taken, ended.stderr
