# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Feed the readers of untrusted files with what coverage leads to; any error but the documented one ends the run.

    python -m pip install -r tests/requirements/fuzz.txt
    python tests/fuzz/readers.py macho -max_total_time=60
    python tests/fuzz/readers.py dyld_cache -runs=1000000

Options are those of libFuzzer. An input that fails is written to the working directory;
give its name in place of options to see it fail again.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "fixtures"))
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "standin"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / ".cache" / "collections"))

import atheris
import macho_files as make
from host.dyld_cache import Family

with atheris.instrument_imports(include=["ansible_collections.darwin.jail.plugins.module_utils"]):
    from ansible_collections.darwin.jail.plugins.module_utils import code_signature, dyld_cache, macho
    from ansible_collections.darwin.jail.plugins.module_utils.errors import FormatError
    from ansible_collections.darwin.jail.plugins.module_utils.extent import Extent


def read_macho(data: bytes) -> None:
    for part in macho.extents(Extent(lambda offset, size: data[offset : offset + size], 0, len(data))):
        code_signature.read(part, macho.read(part))


def read_cache(data: bytes) -> None:
    def read_at(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    dyld_cache.header(read_at, "cache")
    dyld_cache.subcaches(read_at, "cache")
    dyld_cache.images(read_at, "cache")


def machos() -> list[bytes]:
    """Small files of all forms to start from."""
    commands = [make.install_name("/a"), make.rpath("/b"), make.dylinker(), make.build_version(1, 0xE0000)]
    commands += [make.need("/c", kind) for kind in make.NEEDS] + [make.use("/d", 1)]
    sign = make.Sign(0x10000, "id", "TEAM", cms=b"Developer ID Certification Authority", hashes=(1, 2))
    thin = [make.thin(arch, "execute", *commands, sign=sign, filler=64) for arch in make.CPUS]
    return [*thin, make.universal(("arm64", thin[0])), make.universal(("arm64", thin[0]), wide=True)]


def cache_headers() -> list[bytes]:
    families = [Family("x86_64", "12.7.6", "21H1320"), Family("arm64e", "26.6", "25G72")]
    return [family.files()[family.name][:8192] for family in families]


TARGETS: dict[str, tuple[Callable[[bytes], None], Callable[[], list[bytes]]]] = {
    "macho": (read_macho, machos),
    "dyld_cache": (read_cache, cache_headers),
}


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: readers.py {'|'.join(TARGETS)} [libFuzzer options]")
    read, seeds = TARGETS[sys.argv.pop(1)]

    def one(data: bytes) -> None:
        try:
            read(data)
        except FormatError:
            return

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(seed)
        replay = any(not argument.startswith("-") for argument in sys.argv[1:])
        atheris.Setup([*sys.argv, *([] if replay else [corpus, "-max_len=16384"])], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
