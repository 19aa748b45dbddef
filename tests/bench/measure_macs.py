# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What Ansible, the connection and the DNS relay take, on stand-in Macs and without.

    python tests/bench/measure_macs.py [--parts PART ...] [--runs N] [--minutes N]

    names        look-ups by the DNS relay, against the same without it
    module       a module against a module of Ansible's
    connection   files and tasks by the connection to a jail, against plain ssh to its Mac
    jails        a second run of build_jail, and a further jail in it, against pings
    controller   hosts that only answer, and the report of a fleet

Stand-in Macs need root; see tests/standin/README.md. A part that fails is left out with what it said. The last one has
no limits: it is left out first when there is no time.
"""

from __future__ import annotations

import filecmp
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
for folder in ("fixtures", "tools", "standin/root/usr/lib/python3.11", "../.cache/collections"):
    sys.path.insert(0, str(TESTS / folder))

import fleet_reports  # noqa: E402
import lookups  # noqa: E402
from connection_place import ENVIRONMENT, MAC, STANDIN, TOP, Place, linked  # noqa: E402
from connections import Link  # noqa: E402
from rows import Bench, Contender, FailedError, Figures, Row, arguments  # noqa: E402

PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))
CALLBACK, CONNECTION = (str(Path(__file__).with_name(name)) for name in ("callback", "connection"))
HERE = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
TOOLS_PYTHON = "/Library/Developer/CommandLineTools/usr/bin/python3"
WARM = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=120s"}
MACS = {"bench-arm64": "arm64", "bench-x86": "x86_64"}
WANTED = {"jail_packages": ["tree"], "jail_mounts": [{"src": "/Users/Shared", "dest": "/shared"}]}


def play(folder: Path, name: str, hosts: str, tasks: Sequence[dict[str, Any]], **more: Any) -> str:
    """A playbook of one play, which gathers no facts."""
    (folder / name).write_text(json.dumps([{"hosts": hosts, "gather_facts": False, "tasks": list(tasks), **more}]))
    return str(folder / name)


def ansible(name: str, *words: str, **environment: str) -> Contender:
    return Contender(name, [PLAYBOOK, *words], environment={**ENVIRONMENT, **environment})


def task_times(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def less(one: Figures, other: Figures) -> Figures:
    """What one takes more than another, round by round."""
    return {name: [a - b for a, b in zip(one[name], other[name], strict=True)] for name in ("seconds", "cpu")}


def names(bench: Bench) -> None:
    """10,000 look-ups, 200 at a time; the processor time is that of the relay."""
    load = os.getloadavg()[0]
    ours, theirs = lookups.measure(bench.runs)
    bench.add(Row("look-ups by the DNS relay", ours, "without it", theirs, load=load))


def module(bench: Bench) -> None:
    with TemporaryDirectory(dir="/dev/shm") as name:
        _module(bench, Path(name))


def controller(bench: Bench) -> None:
    with TemporaryDirectory(dir="/dev/shm") as name:
        _hosts(bench, Path(name))
        _report(bench, Path(name))


def _module(bench: Bench, folder: Path) -> None:
    """Tasks of one play in turn; the first of each is left out, for the controller packs a module once in a run."""
    (folder / "source/usr").mkdir(parents=True)
    for number in range(10):
        (folder / f"source/usr/file{number}").write_text(f"{number}\n")
    spec = {"jail": str(folder / "jail"), "source": str(folder / "source"), "entries": [{"src": "/usr/"}]}
    ours, theirs = "darwin.jail.darwin_jail_rootfs", "ansible.builtin.stat"
    tasks: list[dict[str, Any]] = [{ours: spec}, {theirs: {"path": str(folder / "jail/usr/file0")}}]
    path, load = play(folder, "module.yml", "localhost", tasks * 11, vars=HERE), os.getloadavg()[0]
    environment = {"ANSIBLE_CALLBACK_PLUGINS": CALLBACK, "TASK_TIMES": str(folder / "task_times")}
    subprocess.run(
        [PLAYBOOK, "-i", "localhost,", path], check=True, capture_output=True, env={**ENVIRONMENT, **environment}
    )
    seen = [one for one in task_times(folder / "task_times") if "seconds" in one][2:]
    if any(one["changed"] for one in seen):
        raise FailedError("a run over a complete jail changed something: these figures are of something else")
    mine, others = ({"seconds": [one["seconds"] for one in seen if one["action"] == it]} for it in (ours, theirs))
    bench.add(Row("module, unchanged jail of 10 files", mine, theirs, others, load=load))


def _hosts(bench: Bench, folder: Path) -> None:
    """What a host costs the controller: all is rendered, packed and sent, and a connection only answers."""
    path = play(folder, "hosts.yml", "all", [{"darwin.jail.darwin_mac_info": {}}] * 4)
    for count in (1, 100):
        hosts = {f"mac{number}": {"ansible_connection": "no_op"} for number in range(count)}
        (folder / f"{count}.json").write_text(json.dumps({"all": {"hosts": hosts}}))
        settings = {"ANSIBLE_CONNECTION_PLUGINS": CONNECTION, "ANSIBLE_FORKS": "25", "ANSIBLE_PIPELINING": "1"}
        one = ansible("ours", "-i", str(folder / f"{count}.json"), path, **settings)
        bench.measure(f"4 tasks on {count} host{'s' if count > 1 else ''} that only answer", one, [])


def _report(bench: Bench, folder: Path) -> None:
    """Answers of lived-in jails, which are made up, become the page, the JSON and the CSV."""
    count = 100
    hosts = {f"jail{number}": {"made_up": _lived_in(number)} for number in range(count)}
    (folder / "report.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    tasks = [
        {"ansible.builtin.set_fact": {"__report_answer": "{{ made_up }}"}},
        {"ansible.builtin.import_role": {"name": "darwin.jail.report", "tasks_from": "write"}},
    ]
    page = folder / "fleet.html"
    options = json.dumps({"jail_report": str(page), "jail_path": "/private/var/jails/first"})
    path = play(folder, "report.yml", "all", tasks, vars=HERE)
    one = ansible("ours", "-i", str(folder / "report.json"), "-e", options, path)
    one.after = lambda: one.figures.setdefault("bytes", []).append(page.stat().st_size)
    bench.measure(f"report of {count} jails", one, [])


def _lived_in(number: int) -> dict[str, Any]:
    """200 places, 300 foreign files, 12 changed ones."""
    found = fleet_reports.drifted(number, [f"/opt/homebrew/Cellar/a/path/of/some/file/{n}" for n in range(12)])
    told = found["told"]
    told["drift"]["foreign"] = [f"/Users/admin/src/project/build/object-{n}.o" for n in range(300)]
    told["drift"]["foreign_total"] = 300
    told["largest"] += [
        {"path": f"/System/Library/Frameworks/Some{n}.framework", "disk": 14_000_000, "directory": True}
        for n in range(200 - len(told["largest"]))
    ]
    return found


def jails(bench: Bench) -> None:
    """Two Macs with a jail each that has tools, Homebrew, names and a mount, and a second jail on the first."""
    try:
        for mac, arch in MACS.items():
            subprocess.run([STANDIN, "create", mac, "--arch", arch], check=True, capture_output=True)
        with TemporaryDirectory() as name:
            _jails(bench, Path(name))
    finally:
        subprocess.run([STANDIN, "destroy", *MACS], check=True, capture_output=True)


def _jails(bench: Bench, folder: Path) -> None:
    words = [sys.executable, str(TOP / "tests/tools/stand_in_inventory.py"), "first", *MACS]
    inventory = json.loads(subprocess.check_output(words, text=True))
    one, *_others = MACS
    further = {"jail_mac": one, "jail_path": "/private/var/jails/further"}
    inventory["jails"]["hosts"]["further"] = further
    (folder / "hosts.json").write_text(json.dumps(inventory))
    pings = {count: play(folder, f"{count}.yml", "jails", [_ping()] * count, become=True) for count in (0, 12, 24)}
    hosts, wanted = ["-i", str(folder / "hosts.json")], ["-e", json.dumps(WANTED)]
    build = [*hosts, str(TOP / "playbooks/build_jail.yml"), *wanted]
    subprocess.run([PLAYBOOK, *build], check=True, capture_output=True, env=ENVIRONMENT)
    two, single = ["--limit", ",".join([*MACS, *(f"first-{mac}" for mac in MACS)])], ["--limit", f"{one},first-{one}"]
    both = ["--limit", f"{one},first-{one},further"]
    load = os.getloadavg()[0]
    work = "second run of build_jail, two Macs"
    ours, theirs = ansible("ours", *build, *two), ansible("24 pings", *hosts, pings[24], *two)
    ours.figures["calls"] = [_calls(folder, [*build, *two]) / len(MACS)]
    bench.measure(work, ours, [theirs])
    runs = [
        *(ansible("ours", *build, *limit) for limit in (both, single)),
        *(ansible("pings", *hosts, pings[count], *single) for count in (12, 0)),
    ]
    if bench.in_turn("a further jail in a run", *runs):
        with_it, without, twelve, none = (run.figures for run in runs)
        bench.add(Row("a further jail in a run", less(with_it, without), "12 pings", less(twelve, none), load=load))


def _ping() -> dict[str, Any]:
    return {"ansible.builtin.ping": None, "delegate_to": "{{ jail_mac }}"}


def _calls(folder: Path, words: Sequence[str]) -> int:
    """How many modules run in a run."""
    more = {"ANSIBLE_CALLBACK_PLUGINS": CALLBACK, "TASK_TIMES": str(folder / "task_times")}
    subprocess.run([PLAYBOOK, *words], check=True, capture_output=True, env={**ENVIRONMENT, **more})
    return sum("module" in one for one in task_times(folder / "task_times"))


def connection(bench: Bench) -> None:
    with TemporaryDirectory() as name, linked(Path(name)) as place:
        _tasks(bench, place, Path(name))
        _files(bench, place, Path(name))


def _tasks(bench: Bench, place: Place, folder: Path) -> None:
    """What Ansible takes to start, which a play without tasks shows, is taken off."""
    python = {"ansible_python_interpreter": TOOLS_PYTHON}
    empty = play(folder, "empty.yml", "{{ target }}", [], vars=python)
    pings = play(folder, "pings.yml", "{{ target }}", [{"ansible.builtin.ping": None}] * 20, vars=python)
    plugin = {
        "plugin": "darwin.jail.jails",
        "macs": [{"name": MAC, "vars": place.hosts["macs"]["vars"] | place.hosts["macs"]["hosts"][MAC]}],
        "jails": [{"name": "conn", "mac": MAC, "path": place.jail, "vars": {"jail_user": "admin"}}],
    }
    (folder / "fleet.yml").write_text(json.dumps(plugin))
    mac = ["-i", str(place.path), "-e", f"target={MAC}"]
    jail = ["-e", "target=jails", "-e", "ansible_connection=darwin.jail.chroot", pings]
    runs = [
        ansible("jail", "-i", str(folder / "fleet.yml"), *jail, **WARM),
        ansible("jail, from a file of hosts", "-i", str(place.path), *jail, **WARM),
        ansible("ssh", *mac, pings, **WARM),
        ansible("nothing", *mac, empty, **WARM),
    ]
    load = os.getloadavg()[0]
    if bench.in_turn("20 tasks in a jail", *runs):
        plugin_s, file_s, ssh, nothing = (run.figures for run in runs)
        for work, found in (("", plugin_s), (", from a file of hosts", file_s)):
            theirs = less(ssh, nothing)
            bench.add(Row(f"20 tasks in a jail{work}", less(found, nothing), "plain ssh", theirs, load=load))


def _files(bench: Bench, place: Place, folder: Path) -> None:
    jail_of = {"jail_mac": MAC, "ansible_connection": "darwin.jail.chroot"}
    here, load = folder / "large", os.getloadavg()[0]
    here.write_bytes(os.urandom(256 << 20))
    figures: dict[str, dict[str, Figures]] = {
        work: {} for work in ("put 256 MB into a jail", "fetch 256 MB from a jail")
    }
    with place.link(MAC) as plain, place.link("conn", jail_of) as jail:
        if bench.is_late:
            bench.leave_out("files of 256 MB and 1 GB", "no time was left")
            return
        for _round in range(bench.runs):
            for name, link in (("ours", jail), ("sftp", plain)):
                for found, seconds in zip(figures.values(), _there_and_back(link, here), strict=True):
                    found.setdefault(name, {"seconds": []})["seconds"].append(seconds)
        for work, found in figures.items():
            found["ours"]["memory"] = [jail.memory() / 1e6]
            bench.add(Row(work, found["ours"], "sftp", found["sftp"], load=load))
        os.truncate(here, 1 << 30)
        seconds = sum(_there_and_back(jail, here))
        bench.add(Row("1 GB there and back", {"seconds": [seconds], "memory": [jail.memory() / 1e6]}, load=load))


def _there_and_back(link: Link, here: Path) -> tuple[float, float]:
    """Seconds of each way."""
    there, back = "/tmp/large", here.with_suffix(".back")  # noqa: S108
    started = time.perf_counter()
    link.put(here, there)
    halfway = time.perf_counter()
    link.fetch(there, back)
    ended = time.perf_counter()
    if not filecmp.cmp(here, back, shallow=False):
        raise FailedError("a file came back as another one")
    link.run(f"rm {there}")
    return halfway - started, ended - halfway


PARTS = {"names": names, "module": module, "connection": connection, "jails": jails, "controller": controller}


def main() -> None:
    parser = arguments(runs=2, minutes=11)
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    args = parser.parse_args()
    bench = Bench("macs", args.runs, args.minutes)
    with bench.saved(args.json):
        for name, part in PARTS.items():
            if name in args.parts:
                bench.attempt(name, part)
            else:
                bench.leave_out(name, "it was not asked for")


if __name__ == "__main__":
    main()
