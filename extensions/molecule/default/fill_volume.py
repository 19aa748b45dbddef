# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Take all space of a volume by one file: fill_volume.py FILE. Never that of the volume of /."""

from __future__ import annotations

import os
import sys


def fill(path: str) -> None:
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    amount = 1 << 30
    while amount >= 4096:
        try:
            os.posix_fallocate(fd, os.fstat(fd).st_size, amount)
        except OSError:
            amount //= 2
    os.close(fd)


def main(path: str) -> str:
    if os.stat(os.path.dirname(path)).st_dev == os.stat("/").st_dev:
        return "no volume of its own"
    fill(path)
    return "full"


if __name__ == "__main__":
    print(main(sys.argv[1]))
