# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lines of mtree(5), as macOS's own mtree(8) reads them.

Only keywords that apple-oss-distributions/file_cmds mtree/misc.c knows are
used: type, mode, uid, gid, size, time, link, flags, sha256digest. A name holds
no slash there (spec.c), so the tree is nested: a directory's line opens it
and `..` closes it. Names and link targets are encoded as vis(3) does, wild
cards too, since mtree would take them for patterns.

Cost: about 0.8 microseconds a line to write, 3 to read.
"""

from __future__ import annotations

import re
import stat
from typing import NamedTuple

from ..errors import RecordError, show
from ..limits import NAME

UP = b"..\n"

_PLAIN = b"!$%&'()+,-./0123456789:;<>@ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz{|}~"
_SPECIAL = re.compile(b"[^" + re.escape(_PLAIN) + b"]")
_SECOND = 1_000_000_000
_ESCAPE = re.compile(rb"\\([0-7]{3})")
_LINE = re.compile(
    rb"(\S+) type=(file|dir|link|char|block|fifo)(?: mode=([0-7]{4}))? uid=(\d{1,10}) gid=(\d{1,10})"
    rb"(?: size=(\d{1,20}))?(?: time=(-?\d{1,20})\.(\d{9}))?(?: link=(\S*))?(?: sha256digest=([0-9a-f]{64}))?\n"
)
_PLAIN_LINE = re.compile(
    rb"^([^\s/\\\0]{1,255}) type=(?:file mode=[0-7]{4} uid=\d{1,10} gid=\d{1,10} size=\d{1,20} time=\d{1,20}\.\d{9}|"
    rb"link uid=\d{1,10} gid=\d{1,10} time=\d{1,20}\.\d{9} link=\S*)\n",
    re.MULTILINE,
)
"""What nearly all lines are, and the name as it is."""

_SHARED: dict[tuple[int, int, int], bytes] = {}
_SHARED_TEXT: dict[tuple[int, int, int], str] = {}
"""What lines of files have in common, by mode and owner."""

TYPES = {
    stat.S_IFREG: b"file",
    stat.S_IFDIR: b"dir",
    stat.S_IFLNK: b"link",
    stat.S_IFCHR: b"char",
    stat.S_IFBLK: b"block",
    stat.S_IFIFO: b"fifo",
}
WRITTEN_THROUGH = (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO)
"""Their times are those of the last writing, of which nothing is left in them, and say nothing (docs/macos.md)."""
FORMATS = {name: kind for kind, name in TYPES.items()}


class Fields(NamedTuple):
    """What a line says; names of os.stat_result where there is one."""

    st_mode: int
    st_uid: int
    st_gid: int
    st_size: int = 0
    st_mtime_ns: int | None = None
    st_flags: int = 0
    link: bytes | None = None
    digest: str | None = None
    """SHA-256 of the contents; kept for configuration only."""


def encode(name: bytes) -> bytes:
    """A name without white space, `#`, `=`, backslashes, wildcards and bytes beyond ASCII."""
    if not name.translate(None, _PLAIN):
        return name
    return _SPECIAL.sub(lambda match: b"\\%03o" % match[0][0], name)


def decode(text: bytes) -> bytes:
    """The name that `encode` was given; RecordError for what it would not have written."""
    if b"\\" not in text and b"\0" not in text:
        return text
    if b"\\" in _ESCAPE.sub(b"", text):
        raise RecordError(f"'{show(text[:80])}' is not a name as mtree writes it")
    try:
        found = _ESCAPE.sub(lambda match: bytes([int(match[1], 8)]), text)
    except ValueError as exc:
        raise RecordError(f"'{show(text[:80])}' is not a name as mtree writes it") from exc
    if b"\0" in found:
        raise RecordError(f"'{show(text[:80])}' has a NUL byte, which no name has")
    return found


def decode_name(text: bytes) -> bytes:
    """The same for the name of something in a directory; RecordError for what cannot be one."""
    name = decode(text)
    check_name(name)
    return name


def check_name(name: bytes) -> None:
    """RecordError for what cannot be the name of anything in a directory."""
    if b"/" in name or name in (b"", b".."):
        raise RecordError(f"'{show(name[:80])}' is not the name of anything in a directory")
    if len(name) > NAME and len(name.decode("utf-8", "replace").encode("utf-16-le")) > 2 * NAME:
        raise RecordError(NAME.exceeded("read", f"the name {show(name[:80])}..."))


def line(name: bytes, status: Fields, link: bytes | None = None, digest: str | None = None) -> bytes:
    """One line. `status` may be anything with the attributes of os.stat_result."""
    mode, time = status.st_mode, status.st_mtime_ns
    kind = mode & 0o170000
    if name.translate(None, _PLAIN):
        name = encode(name)
    if kind == 0o100000 and time is not None and digest is None:  # what nearly all lines are
        owned = mode, status.st_uid, status.st_gid
        common = _SHARED.get(owned) or _shared_part(owned)
        return b"%s%b%d time=%d.%09d\n" % (name, common, status.st_size, time // _SECOND, time % _SECOND)
    if kind == 0o120000:  # Linux has no modes for links
        text = b"%s type=link uid=%d gid=%d" % (name, status.st_uid, status.st_gid)
    else:
        text = b"%s type=%s mode=%04o uid=%d gid=%d" % (name, TYPES[kind], mode & 0o7777, status.st_uid, status.st_gid)
    if kind == 0o100000:
        text += b" size=%d" % status.st_size
    if time is not None and kind not in WRITTEN_THROUGH:
        text += b" time=%d.%09d" % divmod(time, _SECOND)
    if link is not None:
        text += b" link=" + encode(link)
    if digest is not None:
        text += b" sha256digest=" + digest.encode()
    return text + b"\n"


def _shared_part(owned: tuple[int, int, int]) -> bytes:
    """What the lines of files with this mode and owner have in common."""
    if len(_SHARED) > 1000:
        _SHARED.clear()
    mode, uid, gid = owned
    text = _SHARED[owned] = b" type=file mode=%04o uid=%d gid=%d size=" % (mode & 0o7777, uid, gid)
    return text


def file_fields(status: Fields) -> str:
    """What `line` writes after the name of a regular file without a digest, as text: half the time of `line`."""
    owned = status.st_mode, status.st_uid, status.st_gid
    time = str(status.st_mtime_ns)
    return f"{_SHARED_TEXT.get(owned) or _shared_text(owned)}{status.st_size} time={time[:-9]}.{time[-9:]}"


def _shared_text(owned: tuple[int, int, int]) -> str:
    if len(_SHARED_TEXT) > 1000:
        _SHARED_TEXT.clear()
    text = _SHARED_TEXT[owned] = _shared_part(owned).decode()[1:]
    return text


def names_of(text: bytes) -> list[bytes]:
    """The names in lines, without comments and without what a killed run began; RecordError for what is no line.

    Cost: 0.5 microseconds a line, unless one of them takes a closer look.
    """
    names: list[bytes] = _PLAIN_LINE.findall(text)
    if len(names) == text.count(b"\n") and text.endswith(b"\n") and b".." not in names:
        return names
    lines = (line for line in text.splitlines(True) if line.endswith(b"\n") and not line.startswith(b"#"))
    return [_name_of(line) for line in lines]


def _name_of(text: bytes) -> bytes:
    found = _LINE.fullmatch(text)
    if not found:
        raise _refused(text)
    return decode_name(found[1])


def parse(text: bytes) -> tuple[bytes, Fields]:
    """The name and fields of a line; RecordError for anything that `line` does not write."""
    found = _LINE.fullmatch(text)
    if not found:
        raise _refused(text)
    name, kind, mode, uid, gid, size, seconds, nanoseconds, link, digest = found.groups()
    name = decode_name(name)
    fits = (mode is None, link is not None, size is not None) == (kind == b"link", kind == b"link", kind == b"file")
    if not fits:
        raise _refused(text)
    fields = Fields(
        FORMATS[kind] | int(mode or b"0", 8),
        int(uid),
        int(gid),
        int(size or 0),
        None if seconds is None or FORMATS[kind] in WRITTEN_THROUGH else int(seconds) * _SECOND + int(nanoseconds),
        0,
        None if link is None else decode(link),
        None if digest is None else digest.decode(),
    )
    return name, fields


def _refused(text: bytes) -> RecordError:
    return RecordError(f"'{show(text.strip()[:80])}' is not a line of the record")


def type_name(mode: int) -> str:
    """The word of mtree(5) for a type of file."""
    return "socket" if stat.S_ISSOCK(mode) else TYPES[stat.S_IFMT(mode)].decode()
