# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The page of the report in a real browser: written by Ansible, opened by Chromium.

With DARWIN_JAIL_PICTURES=1 the pictures of docs/report.md are made again.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fleet_reports
import pytest

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")

CHECKOUT = Path(__file__).parents[2]
PICTURES = CHECKOUT / "docs/pictures"
PLAY = """
- hosts: localhost
  gather_facts: false
  tasks:
    - import_role: {name: darwin.jail.report, tasks_from: write}
      vars:
        __report_answers: "{{ lookup('ansible.builtin.file', answers) | from_json }}"
"""
MOST_SECONDS, MOST_BYTES, MOST_PICTURE = 2, 5_000_000, 300_000


def write(folder: Path, fleet: list[dict[str, Any]]) -> Path:
    """The page, as the role writes it."""
    (folder / "answers.json").write_text(json.dumps(fleet))
    (folder / "play.yml").write_text(PLAY)
    options = {"answers": str(folder / "answers.json"), "jail_report": str(folder / "fleet.html"), "jail_path": "/x"}
    subprocess.run(
        [Path(sys.executable).with_name("ansible-playbook"), "-i", "localhost,", "-c", "local",
         "-e", json.dumps({**options, "ansible_python_interpreter": sys.executable}), folder / "play.yml"],
        check=True, env={**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections")},
    )  # fmt: skip
    return folder / "fleet.html"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("report"), fleet_reports.fleet())


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    found = shutil.which("chromium")
    if not found:
        pytest.skip("chromium is not here: tests/tools/peers brings it where there is apt-get")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found)
        yield browser
        browser.close()


class Seen:
    """A page in a window, and what the browser complained of or asked the network for."""

    def __init__(self, browser: Any, path: Path, **window: Any) -> None:
        self.complaints: list[str] = []
        self.page = browser.new_page(**window)
        self.page.set_default_timeout(5_000)
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("dialog", self._dialog)
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.goto(path.as_uri())

    def _dialog(self, dialog: Any) -> None:
        self.complaints.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _asked(self, url: str) -> None:
        if not url.startswith(("file:", "data:")):
            self.complaints.append(f"asked for {url}")

    def jails(self) -> list[str]:
        return [str(text) for text in self.page.locator("button.open").all_text_contents()]

    def column(self, number: int) -> list[str]:
        cells = self.page.locator(f"#jails > tr:not(.detail) > td:nth-child({number})")
        return [str(text) for text in cells.all_text_contents()]

    def sort(self, name: str) -> None:
        self.page.locator("#columns").get_by_role("button", name=name, exact=True).click()

    def open(self, jail: str) -> None:
        self.page.get_by_role("button", name=jail, exact=True).click()

    def processor_time(self) -> float:
        """How many seconds the process of the page has used, its start included."""
        found = self.page.context.new_cdp_session(self.page)
        found.send("Performance.enable")
        metrics = found.send("Performance.getMetrics")["metrics"]
        return float(next(one["value"] for one in metrics if one["name"] == "ProcessTime"))

    def scrolls_sideways(self) -> bool:
        return bool(self.page.evaluate("document.documentElement.scrollWidth > innerWidth"))


@pytest.fixture
def seen(chromium: Any, written: Path) -> Iterator[Seen]:
    found = Seen(chromium, written, viewport={"width": 1280, "height": 900})
    yield found
    found.page.close()
    assert found.complaints == []


def test_all_jails_are_shown_with_names_as_text(seen: Seen) -> None:
    assert sorted(seen.jails()) == sorted(answer["jail"] for answer in fleet_reports.fleet())
    assert seen.page.locator("img").count() == 0
    assert seen.page.locator("body script").count() == 2
    seen.open("jail6")
    seen.page.get_by_text("Changed system files").click()
    assert seen.page.locator(".detail code").all_text_contents()[:5] == ["/usr/bin/git", *fleet_reports.EVIL]


def test_a_mac_that_was_not_reached_is_shown_with_why(seen: Seen) -> None:
    row = seen.page.locator("#jails > tr").filter(has_text="jail10")
    assert "could not be reached: Failed to connect to the host via ssh: Connection timed out" in row.text_content()


def test_services_are_counted_and_listed_with_what_is_wrong_first(seen: Seen) -> None:
    row = seen.page.locator("#jails > tr").filter(has_text="jail13")
    assert "1 failing, 2 running, 1 stopped" in row.text_content()
    seen.open("jail13")
    seen.page.get_by_text("Services (4)").click()
    items = seen.page.locator(".detail details[open] li").all_text_contents()
    assert [text.split()[0] for text in items] == ["queue", "cache", "nightly", "web"]
    assert "ended with exit code 4" in items[0]


def test_columns_sort_both_ways(seen: Seen) -> None:
    seen.sort("Size")
    upwards = [float(text.split()[0]) for text in seen.column(6) if text]
    assert upwards == sorted(upwards)
    seen.sort("Size")
    assert [float(text.split()[0]) for text in seen.column(6) if text] == upwards[::-1]
    assert seen.column(6)[-1] == "", "what is not known comes last"
    seen.sort("macOS")
    versions = [text for text in seen.column(3) if text]
    assert versions == sorted(versions, key=lambda text: [int(part) for part in text.split(".")])
    assert seen.page.locator("th[aria-sort=ascending]").all_text_contents() == ["macOS"]


def test_jails_are_filtered_by_words_and_health(seen: Seen) -> None:
    seen.page.fill("#words", "15.2 MAC0")
    assert seen.jails() == ["jail0", "jail3"]
    assert seen.page.text_content("#count") == f"2 of {len(fleet_reports.fleet())} jails"
    seen.page.fill("#words", "")
    seen.page.select_option("#health", "critical")
    assert seen.jails() == ["jail7"]


def test_one_can_click_into_directories(seen: Seen) -> None:
    seen.open("jail0")
    tiles = seen.page.locator(".map .tile")
    areas = {box.text_content(): box.bounding_box() for box in tiles.all()}
    area = {name: box["width"] * box["height"] for name, box in areas.items()}
    assert area["System4.9 GB"] / area["opt787.5 MB"] == pytest.approx(5600 / 900, rel=0.05)
    for name in ("System", "Library", "dyld"):
        seen.page.locator(".map button.tile").filter(has_text=name).first.click()
    assert [text.split()[0] for text in seen.page.locator(".crumbs button").all_text_contents()] == [
        "/", "System", "Library", "dyld",
    ]  # fmt: skip
    assert tiles.all_text_contents() == ["dyld_shared_cache_arm64e2.3 GB", "dyld_shared_cache_arm64e.011.9 GB"]
    seen.page.locator(".crumbs button").first.click()
    assert tiles.count() == len(areas)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_it_is_accessible_in_light_and_dark_on_desks_and_phones(
    chromium: Any, written: Path, scheme: str, width: int
) -> None:
    seen = Seen(chromium, written, color_scheme=scheme, viewport={"width": width, "height": 800})
    backs = seen.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert backs == {"light": "rgb(255, 255, 255)", "dark": "rgb(13, 17, 23)"}[scheme]
    for jail in ("jail0", "jail7", "jail6", "jail13"):
        seen.open(jail)
    for summary in seen.page.locator("summary").all():
        summary.click()
    assert not seen.scrolls_sideways()
    assert seen.page.locator("caption").bounding_box()["height"] < 60, "a line or two"
    # The page forbids scripts that are not its own; the check is one.
    found = seen.page.evaluate(f"{axe_source()}\naxe.run().then(done => JSON.stringify(done.violations))")
    assert json.loads(found) == []
    assert seen.complaints == []
    seen.page.close()


def axe_source() -> str:
    return Path(axe.__file__).with_name("axe.min.js").read_text()


@pytest.mark.skipif(not os.environ.get("DARWIN_JAIL_PICTURES"), reason="DARWIN_JAIL_PICTURES=1 makes the pictures")
def test_pictures(chromium: Any, tmp_path: Path) -> None:
    """What docs/report.md and README.md show."""
    path = write(tmp_path, fleet_reports.pictured())
    PICTURES.mkdir(exist_ok=True)
    for device, scheme, width in (("desk", "light", 1200), ("desk", "dark", 1200), ("phone", "dark", 375)):
        seen = Seen(chromium, path, color_scheme=scheme, viewport={"width": width, "height": 700})
        seen.page.fill("#words", "" if device == "desk" else "mini-1")
        seen.open("nightly")
        if scheme == "dark":
            for name in ("System", "Library") if device == "desk" else ():
                seen.page.locator(".map button.tile").filter(has_text=name).first.click()
        else:
            for name in ("Missing libraries", "Files that will be killed", "Changed system files"):
                seen.page.get_by_text(name).click()
        # Nothing is to look as if it were about to be chosen.
        seen.page.mouse.move(0, 0)
        seen.page.evaluate("document.activeElement.blur()")
        picture = PICTURES / f"report-{device}-{scheme}.png"
        seen.page.screenshot(path=picture, full_page=True)
        assert picture.stat().st_size < MOST_PICTURE
        seen.page.close()


def test_500_jails_are_small_and_open_soon(chromium: Any, tmp_path: Path) -> None:
    paths = [f"/opt/homebrew/Cellar/a/path/of/some/file/{number}" for number in range(12)]
    fleet = [
        fleet_reports.drifted(number, paths) if number % 5 else fleet_reports.answer(number) for number in range(500)
    ]
    path = write(tmp_path, fleet)
    assert path.stat().st_size <= MOST_BYTES
    seen = Seen(chromium, path)
    assert len(seen.jails()) == 500
    assert seen.processor_time() <= MOST_SECONDS
    seen.page.close()
    assert seen.complaints == []
