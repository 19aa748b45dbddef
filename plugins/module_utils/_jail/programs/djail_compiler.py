# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compile djail by the Python that is to run it: compiled files are those of one version.

djail/install.py runs it. It reads sources from standard input, and writes what is to be installed to standard output,
both as JSON.
"""

from __future__ import annotations
import __future__

import base64
import importlib.util
import io
import json
import marshal
import sys
import zipfile

UNCHECKED = (1).to_bytes(4, "little") + bytes(8)
"""What follows the magic number in a compiled file that is never compared with its source (PEP 552)."""
PROGRAMS = ("darwin_jail/programs/", "darwin_jail/dirfd.py")
NO_TIME = (1980, 1, 1, 0, 0, 0)


def compiled(path: str, text: str) -> bytes:
    """A compiled file, without docstrings."""
    plain = text.replace("from __future__ import annotations\n", "", 1)  # loading its module costs time
    code = compile(plain, path, "exec", __future__.annotations.compiler_flag, dont_inherit=True, optimize=2)
    return importlib.util.MAGIC_NUMBER + UNCHECKED + marshal.dumps(code)


def archive(sources: dict[str, str]) -> bytes:
    """A zip file of compiled files. Of programs that run by themselves the source is in it, too: bundle.py reads it."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as target:
        for path, text in sorted(sources.items()):
            needed = ((path, text.encode()),) if path.startswith(PROGRAMS) else ()
            for name, data in ((path + "c", compiled(path, text)), *needed):
                info = zipfile.ZipInfo(name, NO_TIME)
                info.compress_type = zipfile.ZIP_DEFLATED
                target.writestr(info, data, compresslevel=9)
    return packed.getvalue()


def main() -> None:
    given = json.load(sys.stdin)
    entry = compiled("djail_entry.py", given["entry"])
    made = {
        f"__pycache__/djail_entry.{sys.implementation.cache_tag}.pyc": entry,
        "darwin_jail.zip": archive(given["sources"]),
    }
    json.dump({name: base64.b64encode(data).decode() for name, data in made.items()}, sys.stdout)
