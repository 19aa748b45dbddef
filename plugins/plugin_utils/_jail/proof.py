# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is written of a run of the selftest: a document for machines, and a page for people.

Only a run on macOS is a proof. One on anything else, such as the hosts of this collection's tests, says so in both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.claims import DISPROVEN, NOT_TRIED, PROVEN
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.judging import ordered_claims

SCHEMA = 1
MAC, STAND_IN = "mac", "stand-in"
VERDICTS = (PROVEN, DISPROVEN, NOT_TRIED)
MAX_TEXT = 256

_TEXT = re.compile(r"[^\x00-\x1f\x7f-\x9f]*")
_KEYS: dict[str, type | tuple[type, ...] | re.Pattern[str]] = {
    "schema": int,
    "machine": re.compile(f"{MAC}|{STAND_IN}"),
    "system": re.compile(r"[a-z0-9]{1,20}"),
    "collection": re.compile(r"[0-9A-Za-z.+-]{1,40}"),
    "ansible": re.compile(r"[0-9A-Za-z.+-]{1,40}"),
    "date": re.compile(r"20\d\d-(0[1-9]|1[0-2])-([0-2]\d|3[01])"),
    "macos": re.compile(r"\d{1,3}(\.\d{1,3}){0,3}"),
    "build": re.compile(r"[0-9A-Za-z]{1,20}"),
    "processor": re.compile(r"arm64|x86_64"),
    "sip": re.compile(r"enabled|disabled|custom|unknown"),
    "virtual": bool,
    "over_ssh": bool,
    "seconds": int,
    "megabytes": int,
    "claims": list,
}


def document(mac: Mapping[str, Any], claims: Sequence[Mapping[str, Any]], about: Mapping[str, Any]) -> dict[str, Any]:
    """All that is published of a run. What of it is the Mac's was cleaned there."""
    system = str(mac.get("system", ""))
    kept = {key: mac.get(key) for key in ("macos", "build", "processor", "sip", "virtual", "over_ssh")}
    verdicts = {str(one["id"]): one for one in claims}
    return {
        "schema": SCHEMA,
        "machine": MAC if system == "darwin" else STAND_IN,
        "system": system,
        **about,
        **kept,
        "claims": [
            {"id": one.id, **{key: verdicts[one.id][key] for key in ("verdict", "seen")}}
            if one.id in verdicts
            else {"id": one.id, "verdict": NOT_TRIED, "seen": "the run ended before"}
            for one in ordered_claims()
        ],
    }


def errors_in(found: Any) -> list[str]:
    """What is wrong with a document; nothing of one that was written here."""
    if not isinstance(found, dict):
        return ["it is not an object"]
    wrong = [f"{key} is missing" for key in _KEYS if key not in found]
    wrong += [f"{key} is unknown" for key in found if key not in _KEYS]
    for key, kind in _KEYS.items():
        if key in found and not _fits(found[key], kind):
            wrong.append(f"{key} is not right")
    if found.get("schema") != SCHEMA:
        wrong.append(f"its schema is not {SCHEMA}")
    if found.get("machine") == MAC and found.get("system") != "darwin":
        wrong.append("a Mac whose system is not darwin is none")
    claims = found.get("claims")
    for one in claims if isinstance(claims, list) else []:
        wrong += _wrong_in_claim(one)
    ids = [one.get("id") for one in claims if isinstance(one, dict)] if isinstance(claims, list) else []
    return wrong + ([] if ids and len(set(map(str, ids))) == len(ids) else ["a claim is there twice, or none is"])


def _fits(value: object, kind: object) -> bool:
    if isinstance(kind, re.Pattern):
        return isinstance(value, str) and bool(kind.fullmatch(value))
    return value.__class__ is kind and not (kind is int and isinstance(value, int) and value < 0)


def _wrong_in_claim(one: Any) -> list[str]:
    if not isinstance(one, dict) or set(one) != {"id", "verdict", "seen"}:
        return ["a claim has not id, verdict and seen, and nothing else"]
    if not isinstance(one["id"], str) or not re.fullmatch(r"M-[A-Z]{2,12}-\d{1,3}", one["id"]):
        return ["the id of a claim is not right"]
    if one["verdict"] not in VERDICTS:
        return [f"{one['id']}: its verdict is not right"]
    text = one["seen"]
    if not isinstance(text, str) or len(text) > MAX_TEXT or not _TEXT.fullmatch(text):
        return [f"{one['id']}: what was seen is not right"]
    return []


def is_proof(found: Mapping[str, Any]) -> bool:
    """Whether a valid document is about a Mac."""
    return bool(found["machine"] == MAC and found["system"] == "darwin")


def counts(claims: Iterable[Mapping[str, Any]]) -> str:
    verdicts = [one["verdict"] for one in claims]
    return ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in VERDICTS)


def page(found: Mapping[str, Any]) -> str:
    """The same for people, ready to be attached to an issue."""
    says = {one.id: one.says for one in ordered_claims()}
    title = f"darwin.jail on macOS {found['macos']} ({found['build']}), {found['processor']}"
    lines = [f"# Selftest of {title}", ""]
    if not is_proof(found):
        lines += [
            f"**This is a {STAND_IN} and no Mac: its system is {cell(found['system'])}. It proves nothing of macOS.**",
            "",
        ]
    way = "over ssh with pipelining" if found["over_ssh"] else "without ssh, or without pipelining"
    lines += [
        f"- {found['date']}, darwin.jail {found['collection']}, ansible-core {found['ansible']}, {way}",
        f"- System Integrity Protection: {found['sip']}; virtual machine: {'yes' if found['virtual'] else 'no'}",
        f"- It took {found['seconds']} seconds and at most {found['megabytes']} MB.",
        f"- {counts(found['claims'])}",
        "",
        "| claim | | verdict | what was seen, or why it was not tried |",
        "|---|---|---|---|",
    ]
    for one in found["claims"]:
        verdict = f"**{one['verdict']}**" if one["verdict"] == DISPROVEN else one["verdict"]
        lines.append(f"| {one['id']} | {cell(says.get(one['id'], ''))} | {verdict} | {cell(one['seen'])} |")
    return "\n".join(lines) + "\n"


def cell(text: str) -> str:
    """A text in a table of Markdown that calls nobody, is no markup, and ends no cell."""
    text = "".join(char if char.isprintable() else " " for char in text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_\[\]{}|#!~])", r"\\\1", text).replace("@", "&#64;")
