# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""`make test` counts its parts rightly and fails when one of them failed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import check
import pytest

CHECKOUT = Path(__file__).parents[3]
SOUND = check.Part("sound", (("true",), ("true",)))
BROKEN = check.Part("broken", (("sh", "-c", "echo what it said; exit 3"), ("touch", "reached")))
LACKING = check.Part("lacking", (("false",),), lambda: "there is no such thing here")
ALONE = check.Part("alone", (("true",),), alone=True)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(check, "CHECKOUT", tmp_path)
    monkeypatch.setattr(check, "OUTPUT", tmp_path / "output")
    monkeypatch.setattr(check, "PARTS", (SOUND, BROKEN, LACKING, ALONE))
    return tmp_path


def test_every_part_is_counted_and_one_failure_fails(elsewhere: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert check.main([]) == 1
    said = capfd.readouterr().out
    assert said.endswith("\n2 passed, 1 failed, 1 skipped\n")
    assert "what it said" in said
    assert "there is no such thing here" in said
    assert (elsewhere / "reached").exists()


def test_parts_that_pass_or_are_left_out_do_not_fail(capfd: pytest.CaptureFixture[str]) -> None:
    assert check.main(["sound", "lacking"]) == 0
    assert capfd.readouterr().out.endswith("\n1 passed, 0 failed, 1 skipped\n")


def test_a_part_by_itself_fails_too() -> None:
    assert check.main(["broken"]) == 1


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(SystemExit, match="no such part: sond"):
        check.main(["sond"])


@pytest.mark.parametrize("together", [["untooled"], ["untooled", "sound"]])
def test_a_tool_that_is_not_there_fails_its_part_alone(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], together: list[str]
) -> None:
    monkeypatch.setattr(check, "PARTS", (check.Part("untooled", (("no-such-tool", "x"),)), SOUND))
    assert check.main(together) == 1
    said = capfd.readouterr().out
    assert "cannot start no-such-tool: No such file or directory" in said
    assert f"\n{len(together) - 1} passed, 1 failed, 0 skipped\n" in said


@pytest.mark.skipif(shutil.which("codespell") is None, reason="codespell is not installed")
@pytest.mark.parametrize("name", ["{} it", "is_{}", "{}List"])
def test_a_word_that_this_project_does_not_use_is_found_in_names(tmp_path: Path, name: str) -> None:
    (tmp_path / "file.py").write_text(name.format("Wi" + "sh"))
    found = subprocess.run([*check.OUR_WORDS, tmp_path], cwd=CHECKOUT, check=False, capture_output=True, text=True)
    assert found.returncode
    assert "want" in found.stdout.lower()
