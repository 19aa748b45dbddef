# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the report on a fleet takes to be written, and its page to open: report.py [JAILS ...], by default 50 and 500.

The answers are made up, in the size of those of lived-in jails: 200 places, 300 foreign files, 12 changed ones. They
are kept by a task as the role keeps them, and the role writes the page, the JSON and the CSV; no Mac is asked. The
page is opened in headless Chromium, if it is there, three times.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))

import fleet_answers as answers
from rows import machine

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PLAY = [
    {
        "hosts": "all",
        "gather_facts": False,
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
        "tasks": [
            {"ansible.builtin.set_fact": {"__report_answer": "{{ made_up }}"}},
            {"ansible.builtin.import_role": {"name": "darwin.jail.report", "tasks_from": "write"}},
        ],
    }
]
WRITING = ("ansible.builtin.template", "ansible.builtin.copy")


def lived_in(number: int) -> dict[str, Any]:
    found = answers.drifted(number, [f"/opt/homebrew/Cellar/a/path/of/some/file/{n}" for n in range(12)])
    told = found["told"]
    told["drift"]["foreign"] = [f"/Users/admin/src/project/build/object-{n}.o" for n in range(300)]
    told["drift"]["foreign_total"] = 300
    more = 200 - len(told["places"])
    told["places"] += [
        {"path": f"/System/Library/Frameworks/Some{n}.framework", "disk": 14_000_000, "directory": True}
        for n in range(more)
    ]
    return found


def write(jails: int, folder: Path) -> tuple[float, float]:
    """Seconds until page, JSON and CSV are there, and the processor time of the whole run."""
    hosts = {f"jail{n}": {"made_up": lived_in(n)} for n in range(jails)}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "play.yml").write_text(json.dumps(PLAY))
    times = folder / "times"
    times.write_text("")
    more = {
        "ANSIBLE_CALLBACK_PLUGINS": str(HERE / "times"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "TASK_TIMES": str(times),
    }
    options = {"jail_report": str(folder / "fleet.html"), "jail_path": "/private/var/jails/first"}
    ansible = Path(sys.executable).with_name("ansible-playbook")
    argv = [str(ansible), "-i", str(folder / "hosts.json"), "-e", json.dumps(options), str(folder / "play.yml")]
    before = os.times()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    tasks = [json.loads(line) for line in times.read_text().splitlines()]
    return sum(task["seconds"] for task in tasks if task["action"] in WRITING), used


def opened(page: Path, jails: int) -> str:
    """How long it takes until all jails are in the table of a page, and how much of it its thread was computing."""
    found = shutil.which("chromium")
    if not found or not importlib.util.find_spec("playwright"):
        return "no Chromium"
    seconds, used = [], []
    with importlib.import_module("playwright.sync_api").sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found)
        for _time in range(3):
            tab = browser.new_page()
            inspector = tab.context.new_cdp_session(tab)
            inspector.send("Performance.enable", {"timeDomain": "threadTicks"})
            begun = time.perf_counter()
            tab.goto(page.as_uri())
            if tab.locator("button.open").count() != jails:
                sys.exit("the page does not show all jails")
            seconds.append(time.perf_counter() - begun)
            metrics = {one["name"]: one["value"] for one in inspector.send("Performance.getMetrics")["metrics"]}
            used.append(metrics["TaskDuration"])
            tab.close()
        browser.close()
    return f"{statistics.median(seconds):.2f} s, CPU {statistics.median(used):.2f} s"


def main(counts: list[int]) -> None:
    print(f"{machine()}\n")
    print("| jails | written in | CPU of the run | page | JSON | CSV | opens in |\n|---|---|---|---|---|---|---|")
    for jails in counts:
        with TemporaryDirectory() as name:
            seconds, used = write(jails, Path(name))
            files = [Path(name) / f"fleet.{form}" for form in ("html", "json", "csv")]
            sizes = [f"{file.stat().st_size / 1e6:.2f} MB" for file in files]
            said = opened(Path(name) / "fleet.html", jails)
        print(f"| {jails} | {seconds:.1f} s | {used:.1f} s | {' | '.join(sizes)} | {said} |", flush=True)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [50, 500])
