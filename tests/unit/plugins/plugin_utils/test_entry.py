# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is said of an answer of a jail that is none of success."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.visit import Visit
from ansible_collections.darwin.jail.plugins.plugin_utils import entry

VISIT = Visit("/jails/a", "admin", "run", ("/bin/sh",))
SAID = (
    b'{"failed": true, "msg": "Failed to import the required Python library (packaging) on mac1.local\'s Python '
    b'/Library/Developer/CommandLineTools/usr/bin/python3. Please read the module documentation"}'
)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(entry.display, "warning", said.append)
    return said


def test_a_module_that_misses_a_library_is_helped(warnings: list[str]) -> None:
    entry.explain(VISIT, (1, SAID, b""))
    (said,) = warnings
    assert said.startswith("Python in the jail /jails/a has no packaging, which the module needs")
    assert said.endswith(": /Library/Developer/CommandLineTools/usr/bin/python3 -m pip install --user packaging")


@pytest.mark.parametrize(
    "said", [b"", SAID.replace(b"packaging", b"a; rm -rf /"), SAID.replace(b"/usr/bin/python3", b"/$(reboot)")]
)
def test_nothing_else_of_an_answer_is_repeated(warnings: list[str], said: bytes) -> None:
    entry.explain(VISIT, (1, said, b""))
    assert warnings == []
