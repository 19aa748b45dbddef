# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Make a wheel that pip installs without an index: make-wheel.py FOLDER

Run by the jail's own Python, in the jail.
"""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

NAME = "greeting-1.0"
FILES = {
    "greeting.py": "def greet(name):\n    return f'hello, {name}'\n",
    f"{NAME}.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
    f"{NAME}.dist-info/WHEEL": "Wheel-Version: 1.0\nGenerator: by-hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
}

with zipfile.ZipFile(Path(sys.argv[1]) / f"{NAME}-py3-none-any.whl", "w") as wheel:
    for path, content in FILES.items():
        wheel.writestr(path, content)
    record = "".join(f"{path},,\n" for path in [*FILES, f"{NAME}.dist-info/RECORD"])
    wheel.writestr(f"{NAME}.dist-info/RECORD", record)
