# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Type the commands of a page as its reader does, on a stand-in Mac: walk.py PAGE STAND-IN

Files are those that the page shows. Commands are typed on a terminal as they are printed, in their order: each with
--check before, unless the page does so itself, which must predict whether it changes something, and a second time
after, which must change nothing. What is seen is kept in tests/output/walk-PAGE.log.
"""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from uuid import NAMESPACE_DNS, uuid5

CHECKOUT = Path(__file__).parents[2]
sys.path.insert(0, str(CHECKOUT / "tests/fixtures"))

from documented_examples import BLOCKS, COMMANDS, Block  # noqa: E402
from stand_in_inventory import STANDIN, ask  # noqa: E402
from terminal_user import SEQUENCE  # noqa: E402

PASSWORD = "admin"  # noqa: S105 (of all users of a stand-in)
ASKED = re.compile(r"password( for \w+)?: ?$", re.IGNORECASE)
SHELL = re.compile(r"[%$#] $")
CHANGED = re.compile(r" changed=(\d+)")
LONGEST = 600
"""Seconds that a command may say nothing."""

TYPED = ("ansible", "ansible-galaxy", "ansible-inventory", "ansible-playbook", "command=", "sudo")
"""How commands begin that a reader types, or a runner of a workflow."""
NO_REPEAT = ("darwin.jail.run_in_jail", "darwin.jail.ephemeral_run", "darwin.jail.report")
"""They do what they do each time, and check mode leaves it out."""
LOOKING = ("--check", "--diff")


@dataclass(frozen=True)
class Walkthrough:
    mac: str
    """What the page calls the Mac."""
    user: str = "admin"
    """Who logs in there."""
    inventory_from: str = ""
    """The page that has the inventory which the page supposes; the page itself shows it without a name otherwise."""
    prepared: str = ""
    """What is on the Mac before, as the page says; a script."""
    first: tuple[str, ...] = ()
    """What its reader did by other pages."""
    before: dict[str, list[str]] = field(default_factory=dict)
    """By what a command begins with, what happens before it: words of "standin", with MAC in place of the stand-in."""
    left_out: tuple[str, ...] = ()
    """What a stand-in cannot show."""


ADOPT = "ansible-playbook darwin.jail.build_jail -i inventory.yml -K --limit this-mac,first -e jail_adopt=true"
BINDFS = """
install -d -o root -g wheel -m 0755 /opt/darwin.jail/bin
install -o root -g wheel -m 0755 /usr/local/bin/bindfs /opt/darwin.jail/bin/bindfs
"""
BY_HAND = """
mkdir -p "$0/usr" "$0/var/db" "$0/opt/mine"
cp -a /bin /private/etc "$0"
cp -a /usr/bin "$0/usr"
echo "# by hand" >>"$0/etc/hosts"
"""


def accounts(*names: str) -> str:
    return "".join(
        f"""
        dscl . -create /Users/{name} UniqueID {510 + number}
        dscl . -create /Users/{name} PrimaryGroupID 20
        dscl . -create /Users/{name} GeneratedUID {uuid5(NAMESPACE_DNS, name)}
        dscl . -create /Users/{name} NFSHomeDirectory /Users/{name}
        dscl . -create /Users/{name} UserShell /bin/zsh
        install -d -o {510 + number} -g staff /Users/{name}
        """
        for number, name in enumerate(names)
    )


WALKTHROUGHS = {
    "docs/guide-first-jail.md": Walkthrough(
        mac="this-mac",
        user="operator",  # whose sudo asks for a password
        left_out=("$ csrutil status", "System Integrity Protection status: disabled.", "pipx install ansible-core"),
        before={
            f"{ADOPT} --check": [
                "enter", "MAC", "/bin/sh", "-exc", BY_HAND, "/private/var/jails/first",
            ]
        },
    ),
    "docs/guide-many-jails.md": Walkthrough(
        mac="studio", prepared=f"{accounts('dana', 'robin')}{BINDFS}mkdir -p /Users/Shared/cache"
    ),
    "docs/guide-ci.md": Walkthrough(
        mac="this-mac",
        prepared=f"""{accounts('ci')}{BINDFS}
        for runner in runner-1 runner-2; do
            mkdir -p /Users/ci/$runner/_work/project/project
            printf 'test:\\n\\techo tested >tested\\n' >/Users/ci/$runner/_work/project/project/Makefile
        done
        chown -R ci /Users/ci""",
    ),
    "docs/guide-update.md": Walkthrough(
        mac="mac1",
        inventory_from="README.md",
        first=("ansible-playbook -i inventory.yml darwin.jail.build_jail",),
        before={"ansible mac1": ["update", "MAC", "--macos", "15.2"]},
    ),
}  # fmt: skip
INSTALLED = "ansible-galaxy collection install darwin-jail-0.1.0.tar.gz"
IN_CLONE = "ansible-galaxy collection install . "
"""How a command begins that is typed in a clone."""


def line_of(place: str) -> int:
    return int(place.rpartition(":")[2])


def printed(page: str) -> list[str]:
    """The commands of a page in their order, and those of its workflows."""
    found = [(line_of(command.place), command.line) for command in COMMANDS if command.place.startswith(f"{page}:")]
    for block in on_page(page):
        if block.language == "yaml" and block.kind == "workflow":
            steps = [step for job in block.data["jobs"].values() for step in job["steps"]]
            found += [(line_of(block.place), step["run"]) for step in steps if "run" in step]
    return [line for _number, line in sorted(found, key=lambda pair: pair[0])]


def typed(line: str) -> bool:
    return line.startswith(TYPED)


def on_page(page: str) -> list[Block]:
    return [block for block in BLOCKS if block.place.startswith(f"{page}:")]


def files(page: str) -> Iterator[tuple[str, str]]:
    """Where its reader saves what the page shows."""
    yield "ansible.cfg", (CHECKOUT / "docs/examples/ansible.cfg").read_text()
    for source in (page, WALKTHROUGHS[page].inventory_from):
        for block in on_page(source) if source else ():
            if block.language == "yaml" and block.kind in ("inventory", "source", "variables"):
                yield block.file.removeprefix("~/") or "inventory.yml", block.text


class Walk:
    def __init__(self, page: str, stand_in: str, home: Path) -> None:
        self.way, self.stand_in, self.home = WALKTHROUGHS[page], stand_in, home
        self.predicted: dict[tuple[str, ...], int] = {}
        """By a command without what makes it look first: how many changes check mode told."""
        output = CHECKOUT / "tests/output"
        output.mkdir(parents=True, exist_ok=True)
        self.log = (output / f"walk-{Path(page).stem}.log").open("w")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "MOLECULE_"))}
        of_a_runner = {"RUNNER_NAME": "runner-1", "GITHUB_WORKSPACE": "/Users/ci/runner-1/_work/project/project"}
        self.environment = {**kept, **of_a_runner, "HOME": str(home), "ANSIBLE_NOCOLOR": "1", "TERM": "dumb"}
        macs = ask("inventory", stand_in)["macs"]
        self.ssh = {
            **macs["vars"],
            **macs["hosts"][stand_in],
            "ansible_connection": "ssh",
            "ansible_user": self.way.user,
        }

    def prepare(self, page: str) -> None:
        for name, text in files(page):
            (self.home / name).parent.mkdir(parents=True, exist_ok=True)
            (self.home / name).write_text(text)
            # What is beside an inventory counts for more than what is in it: here is where the Mac is.
            if "inventory" in name or "fleet" in name:
                self.beside((self.home / name).parent)
        built = ["ansible-galaxy", "collection", "build", "--output-path", str(self.home)]
        subprocess.check_call(built, cwd=CHECKOUT, stdout=subprocess.DEVNULL)
        if self.way.prepared:
            self.on_the_mac(["enter", "MAC", "/bin/sh", "-exc", self.way.prepared])

    def beside(self, folder: Path) -> None:
        for name, variables in (
            (f"host_vars/{self.way.mac}.json", self.ssh),
            ("group_vars/all.json", {"jail_entries": ask("jail-entries")}),
        ):
            (folder / name).parent.mkdir(exist_ok=True)
            (folder / name).write_text(json.dumps(variables))

    def on_the_mac(self, words: list[str]) -> None:
        subprocess.check_call([STANDIN, *(self.stand_in if word == "MAC" else word for word in words)])

    def command(self, line: str) -> None:
        for beginning, words in self.way.before.items():
            if line.startswith(beginning):
                self.on_the_mac(words)
        program, *words = shlex.split(line, comments=True)
        wanted = tuple(word for word in words if word not in LOOKING)
        if program == "sudo":
            self.inside(line)
        elif program != "ansible-playbook" or "preflight" in words:
            self.type(line)
        elif "--check" in words:
            self.predicted[wanted] = self.type(line)
        else:
            predicted = self.predicted.get(wanted, -1)
            if predicted < 0:
                predicted = self.type(f"{line} --check")
            done, again = self.type(line), self.type(line)
            if not {*words} & {*NO_REPEAT}:
                assert (predicted > 0) == (done > 0), f"{line}: {predicted} changes were predicted, {done} were made"
                assert again == 0, f"{line}: the second run changed {again}"

    def inside(self, line: str) -> None:
        """A shell in a jail, by way of the Mac."""
        options = shlex.split(self.ssh["ansible_ssh_common_args"])
        where = f"{self.ssh['ansible_user']}@{self.ssh['ansible_host']}"
        way = ["ssh", "-tt", *options, "-i", self.ssh["ansible_ssh_private_key_file"], where, line]
        self.type(shlex.join(way), r"echo in $JAIL_NAME; exit", expected="\nin first")

    def type(self, line: str, inside: str = "", expected: str = "") -> int:
        """Type a line on a terminal, answer what asks for a password; how many changes were told."""
        began = time.monotonic()
        print(f"$ {line}", flush=True)
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(CHECKOUT if line.startswith(IN_CLONE) else self.home)
            os.execvpe("bash", ["bash", "-ec", line], self.environment)
        said = ""
        while more := self.read(terminal):
            said += SEQUENCE.sub(b"", more.encode()).decode()
            if ASKED.search(said[-200:]):
                os.write(terminal, f"{PASSWORD}\n".encode())
                said += "\n"
            elif inside and SHELL.search(said[-200:]):
                os.write(terminal, f"{inside}\r".encode())
                inside = ""
        rc = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        said = said.replace("\r", "")
        took, lines = time.monotonic() - began, len(said.strip().splitlines())
        self.log.write(f"$ {line}\n{said}\n== {lines} lines, {took:.0f} s, exit status {rc}\n\n")
        self.log.flush()
        print(f"  {lines} lines, {took:.0f} s", flush=True)
        assert rc == 0, f"{line}: exit status {rc}\n{said}"
        assert expected in said, f"{line}: {expected!r} was not said\n{said}"
        return sum(map(int, CHANGED.findall(said)))

    def read(self, terminal: int) -> str:
        if not select.select([terminal], [], [], LONGEST)[0]:
            raise TimeoutError(f"nothing was said for {LONGEST} s")
        try:
            return os.read(terminal, 1 << 16).decode(errors="replace")
        except OSError:  # the other side is gone
            return ""


def main(page: str, stand_in: str) -> None:
    home = Path(tempfile.mkdtemp(prefix="walk-"))  # short, for the sockets of ssh
    try:
        walk = Walk(page, stand_in, home)
        walk.prepare(page)
        lines = [line for line in printed(page) if line not in walk.way.left_out]
        installs = any(line.startswith((INSTALLED, IN_CLONE)) for line in lines)
        for line in (*(() if installs else (INSTALLED,)), *walk.way.first):
            walk.type(line)
        for line in lines:
            walk.command(line)
    finally:
        shutil.rmtree(home)


if __name__ == "__main__":
    main(*sys.argv[1:])
