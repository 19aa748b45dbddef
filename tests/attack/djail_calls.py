# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Calls of the command djail."""

from __future__ import annotations

import os
import random
import subprocess

PROGRAMS_TRIED = [["/usr/bin/id"], ["/bin/cat", "/private/etc/hosts"], ["true"], ["/bin/sh", "-c", "id; pwd"]]


def djail_words(rng: random.Random, path: str, shown: str, copied: str) -> list[str]:
    """A call of djail by root; `granted` is exec by a person who was granted the jail.

    `shown` is a directory of the Mac with a file in it, and `copied` is where copies out of the jail go.
    """
    jail, user = rng.choice([path, os.path.basename(path)]), rng.choice(["root", "admin", "admin", "501"])
    sessions = [[name, jail, "-u", user, "--", *argv] for name in ("exec", "granted") for argv in PROGRAMS_TRIED]
    copies = [
        *(["cp", shown, f"{jail}:{dest}"] for dest in ("/Users/admin/", "/Users/admin/deep", "/private/tmp/new")),
        *(
            ["cp", "-o", "admin", f"{shown}/file", f"{jail}:{dest}"]
            for dest in ("/Users/admin/.profile", "/usr/bin/id")
        ),
        *(["cp", f"{jail}:{src}", copied] for src in ("/Users/admin", "/private/etc", "/Users/admin/.zshrc", "/usr")),
    ]
    reports = [["list", "--json"], *([name, jail, "--json"] for name in ("info", "df", "ps", "status", "logs"))]
    changes = [
        ["run", jail, "-u", user, "--", "/usr/bin/id"],
        ["check", jail, "-u", user],
        ["clone", jail, "new"],
        ["destroy", jail, "--yes"],
        ["grant", jail, "operator", "--user", user],
        ["revoke", jail, "operator"],
    ]
    return rng.choice(rng.choice([sessions, copies, copies, reports, changes]))


def run_djail(command: str, words: list[str]) -> None:
    """Run djail as root does, or as somebody in sudo's name to whom root has granted the jail."""
    known = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "SUDO_UID": "501", "SUDO_GID": "20", "SUDO_USER": "admin"}
    if words[0] == "granted":
        user = words[words.index("-u") + 1]
        grant = [command, "grant", words[1], "admin", "--user", user]
        subprocess.run(grant, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=known, check=False, timeout=20)
        words = ["exec", *words[1:]]
        subprocess.run([f"{command}-granted", *words], stdin=subprocess.DEVNULL, env=known, check=False, timeout=20)
        return
    subprocess.run([command, *words], stdin=subprocess.DEVNULL, env=known, check=False, timeout=40)
