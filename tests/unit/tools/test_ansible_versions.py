# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which releases of ansible-core there are is asked of the index, here a directory of wheels, by pip itself."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import ansible_versions
import pytest
import pythons
import yaml
from ansible_versions import Series
from documented_examples import CHECKOUT

NEWEST, SECOND, *_OTHERS, OLDEST = pythons.known()
TO_COME = "3.99"
"""A Python that nothing here names."""
BEFORE = "{}.{}".format(*(number - (place == 1) for place, number in enumerate(ansible_versions.oldest())))
WHEELS = {
    f"{BEFORE}.9": (OLDEST,),
    "7.1.0rc1": (OLDEST,),
    "7.1.0": (OLDEST, SECOND),
    "7.1.2": (OLDEST, SECOND),
    "7.1.3rc1": (OLDEST, SECOND),
    "7.10.0": (SECOND, NEWEST),
    "7.11.0b2": (NEWEST,),
    "7.11.0rc1": ("3.10", NEWEST, TO_COME),  # asks for the last one named
}


def wheel(path: Path, version: str, runs_on: tuple[str, ...]) -> None:
    lines = ["Metadata-Version: 2.1", "Name: ansible-core", f"Version: {version}", f"Requires-Python: >={runs_on[-1]}"]
    lines += [f"Classifier: Programming Language :: Python :: {one}" for one in ("3", "3 :: Only", *runs_on)]
    info = f"ansible_core-{version}.dist-info"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr(f"{info}/METADATA", "\n".join(lines))
        file.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{info}/RECORD", "")


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Series]]:
    index = tmp_path_factory.mktemp("index")
    folder = index / "ansible-core"
    folder.mkdir()
    links = []
    for version, runs_on in WHEELS.items():
        name = f"ansible_core-{version}-py3-none-any.whl"
        wheel(folder / name, version, runs_on)
        links.append(f'<a href="{name}" data-requires-python="&gt;={runs_on[-1]}">{name}</a>')
    (folder / "index.html").write_text("\n".join(["<!DOCTYPE html>", *links]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_CONFIG_FILE", os.devnull)
        patch.setenv("PIP_INDEX_URL", index.as_uri())
        patch.delenv("PIP_EXTRA_INDEX_URL", raising=False)
        yield ansible_versions.all_series()


def test_series_and_their_pythons_are_those_of_the_index(known: dict[str, Series]) -> None:
    assert known == {
        "7.1": Series("7.1", "7.1.2", (SECOND, OLDEST)),
        "7.10": Series("7.10", "7.10.0", (NEWEST, SECOND)),
        "7.11": Series("7.11", "7.11.0rc1", (TO_COME, NEWEST)),
    }


def test_the_newest_is_one_that_is_released(known: dict[str, Series]) -> None:
    assert ansible_versions.newest(known) == "7.10"
    released = {**known, "7.11": Series("7.11", "7.11.0", (NEWEST,))}
    assert ansible_versions.newest(released) == "7.11"


def test_a_workflow_gets_all_pairs(known: dict[str, Series]) -> None:
    pairs = ansible_versions.matrix(known)
    assert [(pair["series"], pair["python"], pair["preview"]) for pair in pairs] == [
        ("7.1", SECOND, False),
        ("7.1", OLDEST, False),
        ("7.10", NEWEST, False),
        ("7.10", SECOND, False),
        ("7.11", TO_COME, True),
        ("7.11", NEWEST, True),
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        (BEFORE, rf"unknown: ansible-core {BEFORE}; known are 7\.1, 7\.10, 7\.11"),
        (f"7.1:{NEWEST}", rf"ansible-core 7\.1 runs on Python {SECOND}, {OLDEST}, not on {NEWEST}"),
    ],
)
def test_what_there_is_not_is_refused(known: dict[str, Series], word: str, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        ansible_versions.wanted(word, known)


def test_an_index_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    with pytest.raises(SystemExit, match=r"cannot ask the package index for ansible-core: (?s:.*)No matching"):
        ansible_versions.all_series()


def test_no_pin_keeps_a_newer_one_away_and_each_says_the_same_oldest() -> None:
    """What the collection allows is what is installed and what roles say."""
    allowed = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())["requires_ansible"]
    assert re.fullmatch(r">=\d+\.\d+\.0", allowed)
    pins = [
        line
        for path in (CHECKOUT / "tests/requirements").glob("*.txt")
        for line in path.read_text().splitlines()
        if line.startswith("ansible-core")
    ]
    example = yaml.safe_load((CHECKOUT / "docs/examples/execution-environment.yml").read_text())["dependencies"]
    assert example["ansible_core"]["package_pip"] == pins[0]
    assert pins == [f"ansible-core {allowed.replace('>=', '>= ')}"]
    series = allowed.removeprefix(">=").removesuffix(".0")
    told = {path: yaml.safe_load(path.read_text())["galaxy_info"] for path in CHECKOUT.glob("roles/*/meta/main.yml")}
    assert {str(info["min_ansible_version"]) for info in told.values()} == {series}
