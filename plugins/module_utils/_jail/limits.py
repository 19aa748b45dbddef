# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The limits on what a jail, an image, an archive or a registry says.

All of these are untrusted input. Each limit is well above what honest input
needs, and low enough that malicious input costs seconds and megabytes. Code that
reads such input uses these limits, and `exceeded` for its errors.

What programs that are installed on the Mac allow has its place in those, for
each of them is one file: programs/daemon.py (lines of a log), programs/dns_relay.py (connections).
"""

from __future__ import annotations

import os

MEBI = 1 << 20


class Limit(int):
    """The highest number that is accepted, what it counts, and the reason for it."""

    unit: str
    reason: str

    def __new__(cls, value: int, unit: str, reason: str) -> Limit:
        limit = super().__new__(cls, value)
        limit.unit, limit.reason = unit, reason
        return limit

    @property
    def text(self) -> str:
        """The number with its unit."""
        if self.unit == "bytes" and self >= MEBI and not self % MEBI:
            return f"{self // MEBI} MiB"
        return f"{self:d} {self.unit}"

    def exceeded(self, verb: str, subject: str, does: str = "has", hint: str = "") -> str:
        """The message for input that is beyond the limit."""
        text = f"cannot {verb} {subject}: it {does} more than {self.text}, which is the limit: {self.reason}"
        return f"{text} ({hint})" if hint else text


TAR_HEADERS = Limit(2 * MEBI, "bytes", "the names and extended attributes of one file are small")
"""The extended headers (long names, pax records) of one member of a tar archive."""
TAR_GLOBAL = Limit(4096, "bytes", "a few words apply to all members")
"""The text of the global headers of a tar archive, which applies to each member."""
DIGITS = Limit(32, "digits", "no number that is read has more than 20")
"""A number in a pax record or in JSON. Python converts longer texts in quadratic time."""
TAR_SIZE = Limit(1 << 43, "bytes", "no archive contains a larger file")
"""The size of one member in a header of a tar archive."""
OWNER = Limit((1 << 32) - 2, "as its number", "it is the highest uid of macOS, and chown(2) reads the next as none")
"""A uid or gid."""
TIME = Limit((1 << 33) - 1, "seconds after 1970", "it is the last second that a tar header can store")
"""A time of modification."""
EXPANSION = Limit(120, "times its size", "system files give 2 to 5, and a decompression bomb gives 1000")
"""The size that a compressed layer or archive may expand to, above EXPANSION_FREE."""
EXPANSION_FREE = 64 * MEBI
"""What any compressed layer or archive may expand to, however small it is."""
STREAMS = Limit(2_000_000, "compressed streams", "formats that are read in parts have two for each file")
"""The compressed streams that follow each other in a layer or an archive: members of gzip, frames of zstd."""
SMALL_BLOCKS = Limit(2_000_000, "blocks of less than 64 bytes", "zstd fills a block, or begins one for each file")
"""Blocks of zstd, except the last of each frame. Each costs half a microsecond, even if it is almost empty."""
SPARSE_FREE = 1024 * MEBI
"""Up to this size a sparse file goes into an image and into a plain copy of a jail, however little it takes."""
IMAGE_ENTRIES = Limit(4_000_000, "entries", "a macOS with Xcode has about 1,000,000 files, and each takes memory")
"""All layers of one image, with implied directories. The inspection takes about 300 bytes of memory for each entry."""
TREE_MEMBERS = Limit(1_000_000, "members", "each takes memory, and a large Homebrew has less than half as many")
"""The members of an archive for darwin_jail_tree, which takes about 700 bytes of memory for each."""
XZ_MEMORY = Limit(256 * MEBI, "bytes", "xz -9 takes 65 MiB")
"""The memory that an archive with xz compression requests."""
PROGRAM_OUTPUT = Limit(16 * MEBI, "bytes", "the log of a long build has a few MiB")
"""The part that is kept of the output, and of the errors, of one program. darwin_chroot_exec has an option for it."""
RECORD = Limit(256 * MEBI, "bytes", "the record of 1,000,000 files has 100 MiB")
"""The record of a jail, all its journals, and the paths of their nested names."""
JOURNALS = Limit(10_000, "journals", "a run has one for each of its processes")
"""The journals that killed runs left in a jail."""
RECORD_DEPTH = Limit(4096, "levels", "macOS resolves no path of more than 512")
"""The directories above a recorded directory. The size of implied paths grows with the square of their number."""
NAME = Limit(255, "UTF-16 units", "it is the longest name of APFS")
"""One name in a record. Volumes refuse to look up longer ones."""
CONFIGURATION = Limit(256 * MEBI, "bytes", "/private/etc has a few MiB")
"""The configuration files that one process compares with the record. Files above the limit count as changed."""
PLIST = Limit(64 << 10, "bytes", "the property lists that are read have less than 4 KiB")
"""A property list in a jail or an image."""
PLIST_TEXT = Limit(1024, "characters", "it is the longest path")
"""A text in a property list."""
CACHES = Limit(8, "shared caches", "a Mac has one for each of three processors at most")
"""The shared caches (of dyld) in one directory."""
CACHE_LIBRARIES = Limit(1 << 14, "libraries", "the shared cache of macOS 15 has 3,500")
"""The libraries in one shared cache, each with a path of at most 1024 bytes."""
SHOWN = Limit(1024, "characters", "it is the longest path of macOS")
"""A path or a name in output. Only the beginning and the end of a longer one are printed."""
MESSAGE = Limit(8192, "characters", "a message names a few paths")
"""A line of output: a message, a warning, a line of a diff or of the output of a program."""
WARNINGS = Limit(2000, "warnings", "nobody reads more")
"""The warnings of one run. Further warnings are counted."""
DIRECTORY_NAMES = Limit(250_000, "names", "each takes 0.8 kB of memory in a report")
"""One directory of a jail in a report. Builds and removals take 0.1 kB for each name, and have no limit."""
MANIFEST = Limit(1_000_000, "lines", "a macOS with Xcode has about 1,000,000 files, and each takes memory")
"""All manifests of a jail, with included files and without comments. Each line takes about 1.5 kB of memory."""
MANIFEST_LINE = Limit(8192, "bytes", "two paths have at most 2046")
"""One line of a manifest."""
IMAGE_JSON = Limit(4 * MEBI, "bytes", "registries accept this size for a manifest (OCI distribution specification)")
"""An index, manifest or configuration of an image."""


def is_mostly_holes(status: os.stat_result) -> bool:
    """Whether a file is so sparse that writing its holes would fill a volume with zeros."""
    return status.st_size > SPARSE_FREE and status.st_size > status.st_blocks * 512 * EXPANSION
