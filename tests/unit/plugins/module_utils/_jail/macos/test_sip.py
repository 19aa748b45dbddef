# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What csrutil says, and what it does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import sip
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.sip import Sip, parse

# A transcript of macOS 12.5 on Apple silicon (asmvik/yabai#1800).
CUSTOM = """System Integrity Protection status: unknown (Custom Configuration).

Configuration:
\tApple Internal: disabled
\tKext Signing: enabled
\tFilesystem Protections: disabled
\tDebugging Restrictions: disabled
\tDTrace Restrictions: enabled
\tNVRAM Protections: disabled
\tBaseSystem Verification: enabled
\tBoot-arg Restrictions: disabled
\tKernel Integrity Protections: disabled
\tAuthenticated Root Requirement: enabled

This is an unsupported configuration, likely to break in the future and leave your machine in an unknown state.
"""
FILES = "\tFilesystem Protections: disabled\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("System Integrity Protection status: enabled.\n", Sip("enabled", True)),
        ("System Integrity Protection status: disabled.\n", Sip("disabled", False)),
        (CUSTOM, Sip("custom", False)),
        (CUSTOM.replace(FILES, FILES.replace("disabled", "enabled")), Sip("custom", True)),
        (CUSTOM.replace(FILES, ""), Sip("custom", True)),
        (CUSTOM.replace(FILES, FILES + FILES.replace("disabled", "enabled")), Sip("custom", True)),
        (CUSTOM.replace(FILES, FILES.replace("disabled", "disabled?")), Sip("custom", True)),
        ("System Integrity Protection status: unknown (Custom Configuration).\n", Sip("custom", True)),
        (CUSTOM.replace("unknown", "enabled"), Sip("custom", False)),
        ("System Integrity Protection status: unknown.\n" + FILES, Sip("unknown", True)),
        ("System Integrity Protection status: disabled", Sip("unknown", True)),
        ("disabled.\n", Sip("unknown", True)),
        ("", Sip("unknown", True)),
    ],
)
def test_it_is_off_only_when_that_is_plainly_said(text: str, expected: Sip) -> None:
    assert parse(text) == expected


def test_a_program_that_fails_is_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "csrutil"
    program.write_text("#!/bin/sh\necho 'System Integrity Protection status: disabled.'; echo broken >&2; exit 3\n")
    program.chmod(0o755)
    monkeypatch.setattr(sip, "CSRUTIL", str(program))
    with pytest.raises(OperationError, match="csrutil status: broken"):
        sip.status()
