# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A login shell in the jail that first-jail builds, on this Mac or on a stand-in: shell.py [STAND-IN]

Where there is none yet, it is built first.
"""

from __future__ import annotations

import getpass
import os
import shlex
import subprocess
import sys
from pathlib import Path

from stand_in_inventory import STANDIN, ask

ENTER = "/Library/PrivilegedHelperTools/darwin.jail/enter"
FIRST_JAIL = Path(__file__).with_name("first-jail")


def by_ssh(mac: str) -> list[str]:
    """The way to a stand-in, for a person at a terminal."""
    macs = ask("inventory", mac)["macs"]
    settings, address = macs["vars"], macs["hosts"][mac]["ansible_host"]
    options = ["-i", settings["ansible_ssh_private_key_file"], *shlex.split(settings["ansible_ssh_common_args"])]
    return ["ssh", "-t", *options, f"{settings['ansible_user']}@{address}"]


def main(mac: str = "mac-arm64") -> None:
    jail = os.environ.get("JAIL_PATH", "/private/var/jails/first")
    is_mac = sys.platform == "darwin"
    there = ["/bin/test", "-x", ENTER, "-a", "-d", jail]
    looked = subprocess.run(there if is_mac else [STANDIN, "enter", mac, *there], check=False, capture_output=True)
    if looked.returncode != 0:
        subprocess.run([FIRST_JAIL], check=True)
    way, user = ([], getpass.getuser()) if is_mac else (by_ssh(mac), "admin")
    command = [*way, "sudo", ENTER, jail, user]
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(*sys.argv[1:])
