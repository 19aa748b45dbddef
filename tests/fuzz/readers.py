# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Feed the readers of untrusted files with what coverage leads to; any error but the documented one ends the run.

    python -m pip install -r tests/requirements/fuzz.txt
    python tests/fuzz/readers.py macho -max_total_time=60
    python tests/fuzz/readers.py record -runs=1000000

An input that takes more than LONGEST seconds or MOST megabytes ends it, too. Options are those of libFuzzer. An input
that fails is written to the working directory; give its name in place of options to see it fail again.
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

LONGEST, MOST = 10, 1024
BOUNDS = ["-max_len=16384", f"-timeout={LONGEST}", f"-rss_limit_mb={MOST}"]

with atheris.instrument_imports(include=["ansible_collections.darwin.jail.plugins.module_utils"]):
    from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
        FormatError,
        InputError,
        JailError,
        OperationError,
        RecordError,
    )
    from ansible_collections.darwin.jail.plugins.module_utils._jail.macho import code_signature, dyld_cache, macho
    from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.byte_range import ByteRange
    from ansible_collections.darwin.jail.plugins.module_utils._jail.record import record
    from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import globs, manifest
    from ansible_collections.darwin.jail.plugins.module_utils._jail.system.host import canonical


def read_macho(data: bytes) -> None:
    for part in macho.slice_ranges(ByteRange(lambda offset, size: data[offset : offset + size], 0, len(data))):
        code_signature.read_signature(part, macho.read_slice(part))


def read_cache(data: bytes) -> None:
    def read_at(offset: int, size: int) -> bytes:
        return data[offset : offset + size]

    dyld_cache.header(read_at, "cache")
    dyld_cache.subcaches(read_at, "cache")
    dyld_cache.images(read_at, "cache")


def read_manifest(data: bytes) -> None:
    """Two files, which may include each other; what is between is not theirs."""
    files = dict(zip(("/lists/a", "/lists/b"), data.split(b"\0", 1), strict=False))

    def load(path: str) -> bytes:
        if path in files:
            return files[path]
        raise OperationError("read", path, "No such file or directory")

    for entry in manifest.read_manifests(["/lists/a"], load):
        globs.Glob(canonical(entry.src))


def read_record(data: bytes) -> None:
    """A record, and what a killed run left beside it."""
    whole, _nul, journal = data.partition(b"\0")
    found = record.Record()
    record._NestedText(whole, found).add_blocks()
    record._JournalText(journal, found).add_blocks()
    for path in found.blocks:
        found.fields(path)
        found.linked(path)


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


def manifests() -> list[bytes]:
    return [
        b"/usr/bin/*\n# all\n/etc/hosts /etc/h[a-z]s\n@include b\n\0/bin/ /opt/\n@include a\n",
        b"@include ../lists/a",
    ]


def records() -> list[bytes]:
    block = b"usr type=dir mode=0755 uid=0 gid=0 time=1.000000000\n#names 1 deadbeef\n#linked 7 git\\040x\n"
    block += b"git\\040x type=file mode=4755 uid=0 gid=0 size=1 time=1.000000000 sha256digest=" + b"0" * 64 + b"\n"
    block += b"cc type=link uid=0 gid=0 time=1.000000000 link=git\n"
    return [record.HEADER + b". type=dir mode=0755 uid=0 gid=0\n" + block + b"..\n..\n\0#dir /usr/bin\n" + block]


Target = tuple[Callable[[bytes], None], Callable[[], list[bytes]], type[JailError]]
TARGETS: dict[str, Target] = {
    "macho": (read_macho, machos, FormatError),
    "dyld_cache": (read_cache, cache_headers, FormatError),
    "manifest": (read_manifest, manifests, InputError),
    "record": (read_record, records, RecordError),
}
"""What reads, what to start from, and the only error that it may end with."""


def main() -> None:
    if len(sys.argv) < 2 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: readers.py {'|'.join(TARGETS)} [libFuzzer options]")
    read, seeds, documented = TARGETS[sys.argv.pop(1)]

    def one(data: bytes) -> None:
        try:
            read(data)
        except documented:
            return

    with tempfile.TemporaryDirectory() as corpus:
        for number, seed in enumerate(seeds()):
            Path(corpus, str(number)).write_bytes(seed)
        replay = any(not argument.startswith("-") for argument in sys.argv[1:])
        atheris.Setup([*sys.argv, *([] if replay else [corpus, *BOUNDS])], one)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
