# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs and libraries of macOS: the header and load commands of a Mach-O file.

Only the headers and load commands are read, by offset, never the whole file.
Offsets and numbers are those of apple-oss-distributions/xnu
EXTERNAL_HEADERS/mach-o/{loader,fat}.h and osfmk/mach/machine.h; what is
refused is what apple-oss-distributions/dyld mach_o/{UnsafeHeader,Universal}.cpp refuse.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

from ..errors import FormatError
from .byte_range import ByteRange, text

FAT, FAT_64 = b"\xca\xfe\xba\xbe", b"\xca\xfe\xba\xbf"
THIN = {
    b"\xcf\xfa\xed\xfe": ("<", 32),
    b"\xce\xfa\xed\xfe": ("<", 28),
    b"\xfe\xed\xfa\xcf": (">", 32),
    b"\xfe\xed\xfa\xce": (">", 28),
}
"""Magic number -> byte order and size of the header."""
MAGICS = frozenset([FAT, FAT_64, *THIN])
MIN_SIZE = 28
"""No Mach-O file is smaller than the header of a 32-bit one."""

# The first bytes of a slice that is a static library or LLVM bitcode, which does not run.
NOT_CODE = (b"!<ar", b"BC\xc0\xde", b"\xde\xc0\x17\x0b")

MAX_SLICES = 42
"""More than any file has; a Java class, which starts with the same bytes as FAT, claims 45 or more."""
MAX_COMMANDS_SIZE = 1 << 20
"""Bytes of load commands; those of the largest frameworks take some ten thousand."""

FILE_TYPES = {
    1: "object",
    2: "execute",
    3: "fvmlib",
    4: "core",
    5: "preload",
    6: "dylib",
    7: "dylinker",
    8: "bundle",
    9: "stub",
    10: "dsym",
    11: "kext",
    12: "fileset",
}

DEPENDENCY_KINDS = {0xC: "load", 0x80000018: "weak", 0x8000001F: "reexport", 0x20: "lazy", 0x80000023: "upward"}
ID_DYLIB, LOAD_DYLINKER, RPATH, CODE_SIGNATURE = 0xD, 0xE, 0x8000001C, 0x1D
MACOS, CATALYST = 1, 6
PROCESSOR_FAMILIES = {"arm64": "arm", "arm64e": "arm", "x86_64": "intel", "x86_64h": "intel"}
"""The architectures that macOS runs, and on which processors."""
BUILD_VERSION = 0x32
VERSION_MIN = {0x24: MACOS, 0x25: 2, 0x2F: 3, 0x30: 4}
"""Older load commands, one for each platform: macOS, iOS, tvOS, watchOS."""

# A newer form of LC_LOAD_DYLIB (dyld mach_o/UnsafeHeader.h, dylib_use_command) keeps flags where the older one has
# the compatibility version, and this in place of the time stamp.
USE_MARKER, USE_WEAK, USE_SIZE = 0x1A741800, 0x01, 28

X86, ARM, POWERPC = 7, 12, 18
ABI64, ABI64_32 = 0x01000000, 0x02000000
ARCHITECTURES = {X86: "i386", ARM: "arm", POWERPC: "ppc", POWERPC | ABI64: "ppc64", ARM | ABI64_32: "arm64_32"}


class Dependency(NamedTuple):
    """A library that a file needs, under the name in the file."""

    kind: str
    """load, weak, reexport, lazy or upward."""
    name: bytes
    """A path, or one that starts with @rpath, @loader_path or @executable_path."""

    @property
    def optional(self) -> bool:
        """Whether a program starts without it (dyld no longer looks at lazy ones before they are used)."""
        return self.kind in ("weak", "lazy")


class Slice(NamedTuple):
    """The code for one architecture."""

    arch: str
    """arm64, arm64e, x86_64, x86_64h, i386 ..."""
    kind: str
    """execute, dylib, bundle, dylinker, object ..."""
    name: bytes | None
    """The install name of a library."""
    dependencies: tuple[Dependency, ...]
    rpaths: tuple[bytes, ...]
    dylinker: bytes | None
    platform: int
    """MACOS (also when the file has none), CATALYST, or another, such as iOS and its simulator."""
    sdk: int
    """The SDK that it was linked with: major << 16 | minor << 8 | patch; 0 when the file does not tell."""
    header: int
    """Bytes of the header and the load commands."""
    signature: tuple[int, int] | None
    """Offset in the slice and size of the code signature."""

    @property
    def runs(self) -> bool:
        """Whether macOS maps it into processes; it does not map object files, symbols, or code for iOS."""
        return self.kind in ("execute", "dylib", "bundle", "dylinker") and self.platform in (MACOS, CATALYST)


def slice_ranges(file: ByteRange) -> list[ByteRange]:
    """The ranges of the slices: one in a thin file, several in a universal one, none in another file."""
    magic = file.head[:4]
    if magic in THIN:
        return [file]
    if magic not in (FAT, FAT_64) or file.size < 8:
        return []
    count = struct.unpack(">I", file.read(4, 4, "header"))[0]
    if count > MAX_SLICES:
        return []
    wide = magic == FAT_64
    entry = struct.Struct(">iiQQII" if wide else ">iiIII")
    found = []
    for fields in entry.iter_unpack(file.read(8, count * entry.size, "list of slices")):
        if fields[2] < 8 + count * entry.size:
            raise FormatError("a slice lies over its header")
        part = file.within(fields[2], fields[3], "slices")
        if part.head[:4] not in NOT_CODE:
            found.append(part)
    return found


def read_slice(slice_range: ByteRange) -> Slice:
    """The header and load commands of a slice; FormatError when they are damaged."""
    head = slice_range.head
    if head[:4] not in THIN:
        raise FormatError("a slice is not a Mach-O file")
    order, size = THIN[head[:4]]
    if slice_range.size < size:
        raise FormatError("it ends before the end of its header")
    cpu, subtype, kind, count, length = struct.unpack_from(order + "IIIII", slice_range.read(0, size, "header"), 4)
    if kind not in FILE_TYPES:
        raise FormatError(f"it has an unknown type, {kind}")
    if length > MAX_COMMANDS_SIZE:
        raise FormatError(f"it has {length} bytes of load commands")
    commands = slice_range.read(size, length, "load commands")
    return _slice(
        _architecture(cpu, subtype), FILE_TYPES[kind], size + length, _commands(commands, count, order), order
    )


def _architecture(cpu: int, subtype: int) -> str:
    subtype &= 0xFFFFFF  # the upper byte holds capabilities
    if cpu == ARM | ABI64:
        return "arm64e" if subtype == 2 else "arm64"
    if cpu == X86 | ABI64:
        return "x86_64h" if subtype == 8 else "x86_64"
    return ARCHITECTURES.get(cpu, f"cpu {cpu}")


def _commands(data: bytes, count: int, order: str) -> Iterator[tuple[int, bytes]]:
    """The number and the bytes of each load command."""
    pair = struct.Struct(order + "II")
    offset = 0
    for number in range(count):
        if offset + 8 > len(data):
            raise FormatError(f"load command {number + 1} of {count} lies beyond the others")
        command, size = pair.unpack_from(data, offset)
        if size < 8 or size % 4 or offset + size > len(data):
            raise FormatError(f"load command {number + 1} of {count} is {size} bytes long")
        yield command, data[offset : offset + size]
        offset += size


def _slice(arch: str, kind: str, header: int, commands: Iterator[tuple[int, bytes]], order: str) -> Slice:
    name = dylinker = signature = None
    dependencies, rpaths, builds = [], [], {}
    for command, data in commands:
        if command in DEPENDENCY_KINDS:
            dependencies.append(_dependency(command, data, order))
        elif command == ID_DYLIB:
            name = _text(data, 24, order, "name")
        elif command == RPATH:
            rpaths.append(_text(data, 12, order, "rpath"))
        elif command == LOAD_DYLINKER:
            dylinker = _text(data, 12, order, "dynamic linker")
        elif command == CODE_SIGNATURE:
            offset, size = _numbers(data, 8, "II", order)
            signature = offset, size
        elif command == BUILD_VERSION:
            platform, _least, sdk = _numbers(data, 8, "III", order)
            builds[platform] = sdk
        elif command in VERSION_MIN:
            builds[VERSION_MIN[command]] = _numbers(data, 12, "I", order)[0]
    # A library can be for macOS and Catalyst at once.
    platform = MACOS if MACOS in builds else min(builds, default=MACOS)
    sdk = builds.get(platform, 0)
    return Slice(arch, kind, name, tuple(dependencies), tuple(rpaths), dylinker, platform, sdk, header, signature)


def _dependency(command: int, data: bytes, order: str) -> Dependency:
    name = _text(data, 24, order, "libraries")
    kind = DEPENDENCY_KINDS[command]
    offset, marker = _numbers(data, 8, "II", order)
    if marker == USE_MARKER and offset == USE_SIZE and _numbers(data, 24, "I", order)[0] & USE_WEAK:
        kind = "weak"
    return Dependency(kind, name)


def _text(data: bytes, least: int, order: str, what: str) -> bytes:
    """The text whose offset is the third word of a load command; it lies after the fixed fields."""
    offset = _numbers(data, 8, "I", order)[0]
    if not least <= offset < len(data):
        raise FormatError(f"the text of its {what} is outside of its load command")
    return text(data, offset, what)


def _numbers(data: bytes, offset: int, fields: str, order: str) -> tuple[int, ...]:
    if offset + 4 * len(fields) > len(data):
        raise FormatError(f"a load command is only {len(data)} bytes long")
    return struct.unpack_from(order + fields, data, offset)
