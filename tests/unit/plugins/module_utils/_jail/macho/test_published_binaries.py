# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The readers on real programs and libraries, against other people's readers: lief and macholib.

Neither reads code directories; a signature of ours is checked by hashing every page it covers.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Any

import published_binaries
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho import code_signature, macho
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.byte_range import ByteRange
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.code_signature import (
    DEVELOPER_ID,
    NOBODY,
    Signature,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.macho import Slice

lief = pytest.importorskip("lief")
macholib = pytest.importorskip("macholib.MachO")

EVERY = [*published_binaries.WHEELS, *published_binaries.PACKAGES, published_binaries.HARDENED]

LIEF_KINDS = {
    lief.MachO.DylibCommand.TYPE.LOAD_DYLIB: "load",
    lief.MachO.DylibCommand.TYPE.LOAD_WEAK_DYLIB: "weak",
    lief.MachO.DylibCommand.TYPE.REEXPORT_DYLIB: "reexport",
    lief.MachO.DylibCommand.TYPE.LAZY_LOAD_DYLIB: "lazy",
    lief.MachO.DylibCommand.TYPE.LOAD_UPWARD_DYLIB: "upward",
}


def byte_range(data: bytes) -> ByteRange:
    return ByteRange(lambda offset, size: data[offset : offset + size], 0, len(data))


def read(path: Path) -> list[tuple[ByteRange, Slice]]:
    return [(part, macho.read_slice(part)) for part in macho.slice_ranges(byte_range(path.read_bytes()))]


def cpu(arch: str) -> tuple[int, int]:
    return {"arm64": (0x0100000C, 0), "arm64e": (0x0100000C, 2), "x86_64": (0x01000007, 3)}[arch]


@pytest.mark.parametrize("package", EVERY)
def test_against_lief(package: str) -> None:
    for path in published_binaries.files(package):
        ours, theirs = [code for _part, code in read(path)], lief.MachO.parse(str(path), lief.MachO.ParserConfig.quick)
        assert theirs is not None
        assert len(ours) == theirs.size
        for number, one in enumerate(ours):
            _compare_with_lief(one, theirs.at(number))


def _compare_with_lief(ours: Slice, theirs: Any) -> None:
    assert ours.arch == theirs.header.cpu_type.name.lower()
    assert ours.kind == theirs.header.file_type.name.lower()
    identity = lief.MachO.DylibCommand.TYPE.ID_DYLIB
    names = [library.name.encode() for library in theirs.libraries if library.command == identity]
    assert [name for name in [ours.name] if name] == names
    needs = [library for library in theirs.libraries if library.command != identity]
    assert [(need.kind, need.name.decode()) for need in ours.dependencies] == [
        (LIEF_KINDS[need.command], need.name) for need in needs
    ]
    assert [path.decode() for path in ours.rpaths] == [rpath.path for rpath in theirs.rpaths]
    assert (ours.dylinker or b"").decode() == (theirs.dylinker.name if theirs.has_dylinker else "")
    assert ours.signature == (
        (theirs.code_signature.data_offset, theirs.code_signature.data_size) if theirs.has_code_signature else None
    )
    build = theirs.build_version if theirs.has_build_version else theirs.version_min
    assert [ours.sdk >> 16, ours.sdk >> 8 & 0xFF, ours.sdk & 0xFF] == build.sdk


@pytest.mark.parametrize("package", EVERY)
def test_against_macholib(package: str) -> None:
    for path in published_binaries.files(package):
        ours, theirs = [code for _part, code in read(path)], macholib.MachO(str(path)).headers
        assert [cpu(one.arch) for one in ours] == [
            (other.header.cputype, other.header.cpusubtype & 0xFFFFFF) for other in theirs
        ]
        for number, one in enumerate(ours):
            other = theirs[number]
            needs = [name for _number, _kind, name in other.walkRelocatables()]
            assert [need.name.decode() for need in one.dependencies] == needs
            rpaths = [data.rstrip(b"\0") for load, _c, data in other.commands if load.cmd == macho.RPATH]
            assert list(one.rpaths) == rpaths


@pytest.mark.parametrize("package", EVERY)
def test_every_page_of_a_signed_file_has_the_hash_that_is_found(package: str) -> None:
    for path in published_binaries.files(package):
        for part, code in read(path):
            signature = code_signature.read_signature(part, code)
            assert (signature is None) == (code.signature is None)
            if signature:
                assert signature.fault == ""
                _check_pages(part, code)


def _check_pages(part: ByteRange, code: Slice) -> None:
    """All of them, by the first code directory with SHA-256, found by its magic number."""
    assert code.signature
    blob = part.read(*code.signature, "")
    start = next(place for place in _places(blob, b"\xfa\xde\x0c\x02") if blob[place + 37] == 2)
    hashes, slots, limit = (struct.unpack_from(">I", blob, start + at)[0] for at in (16, 28, 32))
    size = 1 << blob[start + 39]
    for page in range(slots):
        data = part.read(page * size, min(size, limit - page * size), "")
        place = start + hashes + 32 * page
        assert blob[place : place + 32] == hashlib.sha256(data).digest()


def _places(data: bytes, what: bytes) -> list[int]:
    found, place = [], data.find(what)
    while place >= 0:
        found.append(place)
        place = data.find(what, place + 1)
    return found


def test_node_is_signed_by_its_foundation_and_hardened() -> None:
    (path,) = [path for path in published_binaries.files(published_binaries.HARDENED) if path.name == "node"]
    ((part, code),) = read(path)
    found = code_signature.read_signature(part, code)
    assert found == Signature(code_signature.RUNTIME, "node", "HX7739G8FX", DEVELOPER_ID)


def test_what_go_and_rust_link_is_signed_by_the_linker() -> None:
    (path,) = published_binaries.files("@esbuild/darwin-arm64@0.28.2")
    ((part, code),) = read(path)
    found = code_signature.read_signature(part, code)
    assert found
    assert (found.authority, found.flag_names()) == (NOBODY, ["adhoc", "linker-signed"])


def test_a_real_universal_file_cut_off() -> None:
    (path,) = published_binaries.files("fsevents@2.3.3")
    data = path.read_bytes()
    whole = [code for _part, code in read(path)]
    assert [code.arch for code in whole] == ["x86_64", "arm64"]
    for end in [*range(4096), *range(4096, len(data), 997)]:
        try:
            parts = macho.slice_ranges(byte_range(data[:end]))
            found = [(part, macho.read_slice(part)) for part in parts]
        except FormatError:
            continue
        assert [code for _part, code in found] in ([], whole)
        assert not found or code_signature.read_signature(*found[1])


PROGRAM = "int answer(void); int main(void) { return answer(); }"
LIBRARY = "int answer(void) { return 42; }"


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program and its library, as clang and a linker make them for Apple silicon."""
    folder = tmp_path_factory.mktemp("compiled")
    published_binaries.compile_c(
        folder, "libanswer.dylib", LIBRARY, "-shared", "-Wl,-install_name,@rpath/libanswer.dylib"
    )
    rpath = "-Wl,-rpath,@executable_path/../lib"
    return published_binaries.compile_c(folder, "ask", PROGRAM, "libanswer.dylib", rpath).parent


def test_what_a_compiler_makes(compiled: Path) -> None:
    ((_part, library),) = read(compiled / "libanswer.dylib")
    ((part, program),) = read(compiled / "ask")
    assert (library.arch, library.kind, library.name) == ("arm64", "dylib", b"@rpath/libanswer.dylib")
    assert (program.kind, program.dylinker) == ("execute", b"/usr/lib/dyld")
    assert b"@rpath/libanswer.dylib" in [need.name for need in program.dependencies]
    assert program.rpaths == (b"@executable_path/../lib",)
    found = code_signature.read_signature(part, program)
    assert found
    assert (found.authority, found.fault) == (NOBODY, "")


def test_arm64e_is_told_from_arm64(compiled: Path) -> None:
    """No published program is for arm64e: the header of a real one is changed, which its signature shows."""
    data = bytearray((compiled / "ask").read_bytes())
    struct.pack_into("<I", data, 8, 0x80000002)
    part = byte_range(bytes(data))
    code = macho.read_slice(part)
    found = code_signature.read_signature(part, code)
    assert found
    assert (code.arch, found.fault) == ("arm64e", "its load commands were changed after it was signed")
