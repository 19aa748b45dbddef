# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The prefix that Homebrew's installer leaves, with a stub in the place of brew.

Directories and their owner: Homebrew/install install.sh. On Apple silicon the repository is the prefix; on
Intel the prefix is /usr/local, which stays root's, and the repository lies below it.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

STUB = "usr/lib/standin/homebrew/bin/brew"
FOLDERS = """
    Caskroom Cellar Frameworks bin etc include lib opt sbin share var var/homebrew var/homebrew/linked var/log
""".split()


def install(root: Path, arch: str, uid: int, gid: int) -> None:
    """Into a host whose prefix is not there yet."""
    prefix = root / ("opt/homebrew" if arch == "arm64" else "usr/local")
    repository = prefix if arch == "arm64" else prefix / "Homebrew"
    folders = [repository, repository / "bin", repository / "Library", repository / "Library/Taps"]
    folders += [prefix / folder for folder in FOLDERS]
    for path in folders:
        path.mkdir(parents=True, exist_ok=True)
    shutil.copy2(root / STUB, repository / "bin/brew")
    if repository != prefix:
        (prefix / "bin/brew").symlink_to("../Homebrew/bin/brew")
    settings = prefix / "etc/standin.conf"
    settings.write_text("# comes with the prefix\n", encoding="utf-8")
    for path in (*folders, repository / "bin/brew", prefix / "bin/brew", settings):
        os.chown(path, uid, gid, follow_symlinks=False)
