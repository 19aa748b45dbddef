# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The JSON that commands print, as JSON Schema: docs/djail.schema.json is made of it, and tests validate by it.

A field may be added at any time. SCHEMA of djail_arguments.py grows when one is removed or changes its meaning.
"""

from __future__ import annotations

from typing import Any

from ..programs.djail_arguments import SCHEMA

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
FLAG: Schema = {"type": "boolean"}
SOME_TEXT: Schema = {"type": ["string", "null"]}
SOME_COUNT: Schema = {"type": ["integer", "null"]}
ANYTHING: Schema = {"type": "object"}


def described(schema: Schema, text: str) -> Schema:
    return {**schema, "description": text}


def array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def record(**fields: Schema) -> Schema:
    """An object with these fields, all of which are there."""
    return {"type": "object", "properties": fields, "required": sorted(fields)}


PATH = described(TEXT, "The path on the Mac.")
CHANGED = described(FLAG, "Whether something was changed, or would be with --dry-run.")
STATS = described(ANYTHING, "What was copied, as `stats` of darwin_jail_rootfs.")
SIZES: dict[str, Schema] = {
    "files": COUNT,
    "bytes": described(COUNT, "In the files."),
    "disk": described(COUNT, "Bytes that they take on the volume."),
}
GRANT: dict[str, Schema] = {
    "jail": described(TEXT, "The id of the jail."),
    "user": described(TEXT, "The user in the jail."),
    "commands": array({"enum": ["exec", "console"]}),
}

JAIL = record(
    name=TEXT,
    path=PATH,
    id=SOME_TEXT,
    macos_version=SOME_TEXT,
    macos_build=SOME_TEXT,
    bytes=described(SOME_COUNT, "In the files that builds copied; null when it is not known."),
    users=described(array(TEXT), "Who has a home in the jail, and users of the jail alone."),
    services=array(record(name=TEXT, state=TEXT, problem=described(TEXT, "Empty when it works, or is stopped."))),
    health=described(
        TEXT,
        "complete, or what it is instead: building, interrupted, outdated (another macOS than the Mac), gone, not "
        "mounted, unknown to this Mac, in work: BY WHOM, unusable: WHY.",
    ),
    created=described(SOME_COUNT, "Seconds since 1970."),
    built=SOME_COUNT,
)

CONTROLLED: dict[str, Schema] = {
    "changed": CHANGED,
    "services": described(array(ANYTHING), "As `services` of darwin_jail_services."),
}
FIELDS: dict[str, dict[str, Schema]] = {
    "ps": {"processes": described(array(ANYTHING), "As `processes` of darwin_jail_info.")},
    "status": {"services": described(array(ANYTHING), "As `services` of darwin_jail_services_info, without the log.")},
    "start": CONTROLLED,
    "stop": CONTROLLED,
    "restart": CONTROLLED,
    "logs": {"logs": array(record(name=TEXT, path=PATH, lines=array(TEXT)))},
    "list": {"jails": array(JAIL)},
    "info": {
        "identity": described(ANYTHING, "As darwin_jail_info returns it, and so are host, mounts and jobs."),
        "host": ANYTHING,
        "mounts": array(ANYTHING),
        "jobs": array(ANYTHING),
    },
    "df": {},
    "check": {
        "checks": array(record(jail=TEXT, check=TEXT, result={"enum": ["ok", "failed", "skipped"]}, detail=TEXT)),
    },
    "doctor": {
        "findings": array(
            record(subject=TEXT, result={"enum": ["ok", "attention", "note"]}, detail=TEXT, remedy=TEXT),
        ),
    },
    "cp": {"changed": CHANGED, "dest": PATH, "stats": described(ANYTHING, "As `stats` of darwin_jail_tree.")},
    "create": {"changed": CHANGED, "path": PATH, "stats": STATS},
    "clone": {"changed": CHANGED, "path": PATH, "clone_of": PATH, "stats": STATS},
    "destroy": {"changed": CHANGED, "path": PATH},
    "grant": {"changed": CHANGED, "path": PATH, "grant": record(**GRANT)},
    "revoke": {"changed": CHANGED, "id": described(TEXT, "The id of the jail.")},
    "grants": {"grants": array(record(uid=COUNT, path=described(SOME_TEXT, "Null for a jail that is gone."), **GRANT))},
}
"""The fields of each command that has --json."""

ONE_JAIL: dict[str, Schema] = {
    "path": PATH,
    "free": described(COUNT, "Bytes on its volume."),
    "sizes": {"type": "object", "additionalProperties": record(**SIZES)},
    "largest": array(record(path=TEXT, disk=COUNT, directory=FLAG)),
}
ALL_JAILS: dict[str, Schema] = {"jails": array(record(name=TEXT, path=PATH, free=COUNT, **SIZES))}


def schema() -> Schema:
    """The whole document."""
    answers = [_answer(name, fields) for name, fields in FIELDS.items() if name != "df"]
    answers += [_answer("df", ALL_JAILS), _answer("df", ONE_JAIL)]
    error = record(
        schema={"const": SCHEMA},
        command=TEXT,
        error=described(TEXT, "One sentence."),
        exit_code=COUNT,
    )
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "What djail prints with --json",
        "oneOf": [*answers, error],
    }


def _answer(command: str, fields: dict[str, Schema]) -> Schema:
    return record(schema={"const": SCHEMA}, command={"const": command}, warnings=array(TEXT), **fields)
