# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is said of an answer of a jail that is none of success."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import Session
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import connection_errors

PYTHON = "/Library/Developer/CommandLineTools/usr/bin/python3"
VISIT = Session("/jails/a", "admin", "run", ("/bin/sh", "-c", f"/bin/sh -c '{PYTHON} && sleep 0'"))
SAID = (
    b'{"failed": true, "msg": "Failed to import the required Python library (packaging) on mac1.local\'s Python '
    b'/Library/Developer/CommandLineTools/usr/bin/python3. Please read the module documentation"}'
)
NO_PIP = b'{"msg": "Unable to find any of pip3 to use.  pip needs to be installed.", "failed": true}'
NO_VIRTUALENV = (
    b'{"msg": "Failed to find required executable \\"virtualenv\\" in paths: /usr/bin:/bin", "failed": true}'
)


@pytest.fixture
def warnings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    said: list[str] = []
    monkeypatch.setattr(connection_errors.display, "warning", said.append)
    return said


@pytest.mark.parametrize(("answer", "library"), [(SAID, "packaging"), (NO_PIP, "pip")])
def test_a_module_that_misses_a_library_is_helped(warnings: list[str], answer: bytes, library: str) -> None:
    connection_errors.explain(VISIT, (1, answer, b""))
    (said,) = warnings
    assert said.startswith(f"Python in the jail /jails/a has no {library}, which the module needs")
    command = f'{PYTHON} -m venv ~/pip && ~/pip/bin/pip install --target "$({PYTHON} -m site --user-site)" {library}'
    assert said.endswith(f" in the jail, as admin: {command}")


def test_the_module_pip_need_not_have_virtualenv(warnings: list[str]) -> None:
    connection_errors.explain(VISIT, (1, NO_VIRTUALENV, b""))
    (said,) = warnings
    assert said.startswith("there is no program virtualenv in the jail /jails/a: ")
    assert said.endswith(f"virtualenv_command: {PYTHON} -m venv")


@pytest.mark.parametrize("said", [b"", SAID.replace(b"packaging", b"a; rm -rf /")])
def test_nothing_else_of_an_answer_is_repeated(warnings: list[str], said: bytes) -> None:
    connection_errors.explain(VISIT, (1, said, b""))
    assert warnings == []


def test_the_python_of_the_task_is_named_whatever_the_answer_says(warnings: list[str]) -> None:
    connection_errors.explain(VISIT, (1, SAID.replace(b"/usr/bin/python3", b"/$(reboot)"), b""))
    assert "reboot" not in warnings[0]
    assert f": {PYTHON} -m venv" in warnings[0]
