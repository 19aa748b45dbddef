# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Hostile contents of files: damaged texts, odd JSON, property lists and records, chosen by a seed."""

from __future__ import annotations

import json
import plistlib
import random
import re
from typing import Any

WORDS = [
    b"", b"..", b".", b"/", b"../../../../etc", b"//", b"\0", b"\x1b[31m", b"-1", b"0", b"4294967295",
    b"4294967296", b"99999999999999999999", b"9" * 5000, b"1e999", b"NaN", b"\xc2\xb2", b"\xff\xfe", b"%s",
    b"{{ 7 * 7 }}", b"a" * 3000, b"\\057", b"\\000", b"\\012", b"type=dir", b"type=file", b"type=link link=/",
    b"link=../../..", b"root", b"0:0", b"/private/var/jails/attack/neighbour", b"true", b"null", b"[]",
    b"\xe2\x80\xae", b"\r\n",
]  # fmt: skip
TEXTS = [
    "", ".", "..", "/", "../neighbour", "/private/var/jails/attack/neighbour", "\0", "\x1b[2Jgone", "a\nb",
    "\ud800", "²", "x" * 70000, "{{ 7 * 7 }}", "-rf", "true", "15.2", "9" * 400, "\u202e", "sha256:" + "0" * 64,
    "complete", "building",
]  # fmt: skip
NUMBERS = [0, -1, 1, 2, 1 << 31, 1 << 63, 1 << 64, 10**30, 0.5, float("inf"), float("nan"), -(1 << 63)]


def damaged(rng: random.Random, was: bytes) -> bytes:
    """A text or a binary file with a few changes."""
    found = was
    for _turn in range(rng.choice((1, 1, 2, 5))):
        found = rng.choice((_words, _bytes, _lines, _cut, _repeated))(rng, found)
    return found[: 8 << 20]


def _words(rng: random.Random, was: bytes) -> bytes:
    places = [*re.finditer(rb"[^\s:=,\"<>]+", was[: 1 << 20])]
    if not places:
        return rng.choice(WORDS)
    place = rng.choice(places)
    return was[: place.start()] + rng.choice(WORDS) + was[place.end() :]


def _bytes(rng: random.Random, was: bytes) -> bytes:
    found = bytearray(was or b"x")
    for _turn in range(rng.choice((1, 8, 64))):
        found[rng.randrange(len(found))] = rng.randrange(256)
    return bytes(found)


def _lines(rng: random.Random, was: bytes) -> bytes:
    lines = was.splitlines(keepends=True) or [b"x\n"]
    number = rng.randrange(len(lines))
    change = rng.choice(("gone", "twice", "first", "joined"))
    if change == "gone":
        del lines[number]
    elif change == "twice":
        lines.insert(number, lines[number])
    elif change == "first":
        lines.insert(0, lines.pop(number))
    else:
        lines[number] = lines[number].rstrip(b"\n")
    return b"".join(lines)


def _cut(rng: random.Random, was: bytes) -> bytes:
    return was[: rng.randrange(len(was) + 1)]


def _repeated(rng: random.Random, was: bytes) -> bytes:
    return was[: 1 << 16] * rng.choice((2, 20))


def value(rng: random.Random, depth: int = 3) -> Any:
    """Anything that JSON can hold."""
    kind = rng.randrange(6 if depth else 4)
    if kind == 4:
        return [value(rng, depth - 1) for _number in range(rng.choice((0, 1, 3)))]
    if kind == 5:
        return {rng.choice(TEXTS): value(rng, depth - 1) for _number in range(rng.choice((0, 1, 3)))}
    return rng.choice((rng.choice(TEXTS), rng.choice(NUMBERS), rng.choice((True, False, None)), rng.choice(TEXTS)))


def changed(rng: random.Random, was: Any) -> Any:
    """The same with one value of it replaced, somewhere."""
    if isinstance(was, dict) and was and rng.random() < 0.9:
        key = rng.choice(sorted(was))
        return {**was, key: changed(rng, was[key])} if rng.random() < 0.9 else {**was, rng.choice(TEXTS): value(rng)}
    if isinstance(was, list) and was and rng.random() < 0.8:
        number = rng.randrange(len(was))
        return [*was[:number], changed(rng, was[number]), *was[number + rng.randrange(2) :]]
    return value(rng)


def odd_json(rng: random.Random, was: bytes) -> bytes:
    """JSON that Python's reader takes, or not."""
    deep = rng.choice((900, 5000, 100000))
    return rng.choice(
        (
            lambda: json.dumps(changed(rng, json.loads(was))).encode("utf-8", "surrogatepass"),
            lambda: json.dumps(changed(rng, changed(rng, json.loads(was)))).encode("utf-8", "surrogatepass"),
            lambda: json.dumps(value(rng)).encode("utf-8", "surrogatepass"),
            lambda: b"[" * deep + b"]" * deep,
            lambda: b'{"a":' * deep + b"1" + b"}" * deep,
            lambda: was.replace(b"1", b"1" * 60000),
            lambda: damaged(rng, was),
            lambda: b"\xef\xbb\xbf" + was,
            lambda: was.decode().encode("utf-16"),
            lambda: was + b" " * (1 << 20),
        )
    )()


def odd_plist(rng: random.Random) -> bytes:
    """A property list that Python's reader takes, or not."""
    versions = {
        "ProductVersion": rng.choice(("15.2", "²", "1" * 5000, "\x7f", "15.2\n", "")),
        "ProductBuildVersion": "24C101",
    }
    wanted = {
        "RunAtLoad": True,
        "Label": rng.choice(("darwin.jail.x", "../x", "a\nb")),
        "Program": ["/bin/sh", {"a": 1}],
    }
    binary = plistlib.dumps(rng.choice((versions, wanted)), fmt=plistlib.FMT_BINARY)
    text = plistlib.dumps(rng.choice((versions, wanted)))
    offsets = b"bplist00" + b"\xaf\x12\x7f\xff\xff\xff" + bytes(8)
    entities = b"".join(b'<!ENTITY a%d "%s">' % (n, b"&a%d;" % (n - 1) * 10 if n else b"x" * 10) for n in range(9))
    return rng.choice(
        (
            lambda: text,
            lambda: binary,
            lambda: damaged(rng, text),
            lambda: damaged(rng, binary),
            lambda: binary[:-8] + rng.randbytes(8),
            lambda: binary[:-32] + rng.randbytes(32),
            lambda: offsets + bytes(6) + b"\x01\x01" + (1 << 40).to_bytes(8, "big") + bytes(8) + b"\0" * 7 + b"\x09",
            lambda: b'<?xml version="1.0"?><!DOCTYPE plist [' + entities + b"]><plist><string>&a8;</string></plist>",
            lambda: b"<plist>" + b"<array>" * 50000,
            lambda: b'<plist version="1.0"><integer>' + b"9" * 60000 + b"</integer></plist>",
        )
    )()


def odd_record(rng: random.Random, was: bytes) -> bytes:
    """A record or a journal with lines that no run wrote."""
    names = (
        b"usr",
        b"private",
        b"..",
        b"a\\057b",
        b"\\000",
        b"\\033[2J",
        b"x" * 300,
        b"etc",
        b"\\056\\056",
        b".",
        b"neighbour",
    )
    directory = b"%s type=dir mode=0755 uid=0 gid=0 time=1.000000000\n"
    entry = b"%s type=file mode=%s uid=%s gid=0 size=%s time=%s.000000000\n"
    made = []
    for _turn in range(rng.choice((1, 5, 50))):
        made.append(
            rng.choice(
                (
                    directory % rng.choice(names),
                    entry % (rng.choice(names), b"4777", b"4294967295", b"9" * 20, b"-" + b"9" * 19),
                    b"%s type=link uid=0 gid=0 time=1.0 link=%s\n" % (rng.choice(names), rng.choice(WORDS)),
                    b"#dir %s\n" % rng.choice((b"usr", b"..", b"private/../..", b"/", b"usr/" * 400, b"private/etc")),
                    b"..\n",
                    b"#linked 1 sh 1 ../x\n",
                    b"#names 1 00000000\n",
                )
            )
        )
    text = b"".join(made)
    place = was.find(b"\n", rng.randrange(len(was))) + 1 if was else 0
    deep = b"".join(directory % b"d" for _level in range(rng.choice((100, 5000, 60000))))
    return rng.choice(
        (
            lambda: was[:place] + text + was[place:],
            lambda: text,
            lambda: b"#dir .\n" + text,
            lambda: b"#dir usr\n" + deep,
            lambda: was + deep,
            lambda: b"#mtree\n" + deep,
            lambda: damaged(rng, was or text),
        )
    )()
