# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail grant, revoke and grants: who may enter which jail as which user.

    /private/var/db/darwin.jail/grants/     root's; others may see which names are in it
        UID                                 {"format": 1, "grants": [{"jail": ID, "user": NAME, "commands": [...]}]}

programs/djail_session.py reads it when a person comes by the rule of sudo.
"""

from __future__ import annotations

import json
import os
import pwd
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from .. import register
from ..accounts.directory_services import find_account
from ..errors import InputError, NotAJailError, RecordError, show
from ..jail import open_jail
from ..programs import djail_session
from ..result import Result
from ..system import host
from ..system.build_lock import locked_directory
from ..system.rooted import Root
from .answers import Answer, plain
from .request import Request

ID = re.compile("[0-9a-f]{32}")
ATTEMPTS = 100

Grant = dict[str, Any]


def grant(request: Request) -> Answer:
    """Allow a person exec and console, or one of them, in a jail as a user."""
    user, only = request["user"], request["only"]
    if not user:
        raise InputError("--user is missing: name the user that the person may be in the jail")
    if only and only not in djail_session.GRANTED:
        raise InputError(f"--only {show(only)} cannot be granted: give {' or '.join(djail_session.GRANTED)}")
    person = _person(request["person"])
    path = request.jail()
    with open_jail(path) as jail:
        jail.refuse_unknown("grant a way into")
        wanted = {"jail": jail.entry["id"], "user": user, "commands": [only] if only else [*djail_session.GRANTED]}

    def change(grants: list[Grant]) -> list[Grant]:
        others = [one for one in grants if (one.get("jail"), one.get("user")) != (wanted["jail"], user)]
        return [*others, wanted]

    changed = _change(person, change, request.is_dry_run)
    may = f"{request['person']} may use djail {' and '.join(wanted['commands'])} in {path} as {user}"
    return Answer({"changed": changed, "path": path, "grant": wanted}, [show(may)])


def revoke(request: Request) -> Answer:
    """Take back all that a person was granted for a jail."""
    person, jail = _person(request["person"]), request["jail"]
    known = jail if ID.fullmatch(jail) else _id(request.jail())
    changed = _change(person, lambda grants: [one for one in grants if one.get("jail") != known], request.is_dry_run)
    said = f"{request['person']} has no grant for {jail}" + (" any more" if changed else "")
    return Answer({"changed": changed, "id": known}, [show(said)])


def list_grants(request: Request) -> Answer:
    """All grants. A jail that is gone is shown by its id."""
    names = {entry["id"]: os.fsdecode(path) for path, entries in register.all_known().items() for entry in entries}
    found: list[dict[str, Any]] = []
    for name in _persons():
        with Root(djail_session.GRANTS) as root:
            found += [{"uid": int(name), **one, "path": names.get(one.get("jail"))} for one in _read(root, name)]
    rows = [
        plain(_name(one["uid"]), one["path"] or f"{one['jail']} (gone)", one["user"], ", ".join(one["commands"]))
        for one in found
    ]
    head = ("person", "jail", "user", "commands")
    return Answer({"grants": found}, request.style.table(head, rows) if rows else ["nobody was granted anything"])


# -- those of an inventory -----------------------------------------------------------


def ensure(wanted: list[dict[str, Any]], check: bool) -> Result:
    """Make the grants of each listed jail those that are listed; other jails keep theirs.

    A jail is listed by its path, and its grants hold for its id. One that is made again is granted by the next run.
    """
    persons: dict[bytes, list[Grant]] = {}
    paths: dict[str, str] = {}
    warnings: list[str] = []
    for one in wanted:
        try:
            jail = _id(djail_session.normal_path(one["jail"]))
        except NotAJailError:
            warnings.append(
                f"nobody was granted {show(one['jail'])}, which is not a jail yet: build it, and run this again"
            )
            continue
        paths[jail] = one["jail"]
        for person in one["persons"]:
            given = [{"jail": jail, "user": user, "commands": one["commands"]} for user in one["users"]]
            persons[_person(person)] = [*persons.get(_person(person), []), *given]
    diff = []
    for file in sorted({*persons, *_persons()}):
        wanted_grants = persons.get(file, [])

        def change(grants: list[Grant], wanted_grants: list[Grant] = wanted_grants) -> list[Grant]:
            return [*(one for one in grants if one["jail"] not in paths), *wanted_grants]

        if _change(file, change, check):
            places = ", ".join(sorted(show(paths[one["jail"]]) for one in wanted_grants)) or "nothing"
            diff.append(f"~ grants of {_name(int(file))}: {places}")
    return Result(bool(diff), {}, diff, warnings)


def _persons() -> list[bytes]:
    """The names of all files of persons."""
    if not os.path.isdir(djail_session.GRANTS):
        return []
    with Root(djail_session.GRANTS) as root:
        return [name for name in sorted(root.names(b"")) if name.isdigit()]


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _person(name: str) -> bytes:
    """The name of the file of a person."""
    uid = find_account(name).uid
    if uid == 0:
        raise InputError("root needs no grant: root may use every command")
    return str(uid).encode()


def _id(path: str) -> str:
    with open_jail(path) as jail:
        jail.refuse_unknown("find what was granted for", "name it by its id, as djail grants shows it")
        return str(jail.entry["id"])


def _change(person: bytes, change: Any, check: bool) -> bool:
    """Change the grants of a person; whether they changed."""
    if check:
        grants = []
        if os.path.isdir(djail_session.GRANTS):
            with Root(djail_session.GRANTS) as root:
                grants = _read(root, person)
        return bool(change(grants) != grants)
    with _locked() as root:
        root.sweep(person)
        grants = _read(root, person)
        wanted = change(grants)
        if _same(wanted, grants):
            return False
        if wanted:
            data = json.dumps({"format": 1, "grants": wanted}).encode() + b"\n"
            if len(data) > djail_session.MAX_FILE:  # a longer one could not be read, and then nothing would be granted
                raise InputError(
                    f"{_name(int(person))} would have {len(wanted)} grants, which are too many: revoke some"
                )
            root.write(person, data, mode=0o600)
        else:
            root.unlink(person)
    return True


def _same(one: list[Grant], other: list[Grant]) -> bool:
    return sorted(map(json.dumps, one)) == sorted(map(json.dumps, other))


def _read(root: Root, person: bytes) -> list[Grant]:
    data = root.read(person, djail_session.MAX_FILE)
    if data is None:
        return []
    found: dict[str, Any] = {}
    with suppress(ValueError):
        found = json.loads(data)
    try:
        return [{name: one[name] for name in ("jail", "user", "commands")} for one in found["grants"]]
    except (KeyError, TypeError) as exc:
        where = show(root.host_path(person))
        raise RecordError(f"{where} is damaged: remove it, and grant again what it held") from exc


@contextmanager
def _locked() -> Iterator[Root]:
    """The directory of the grants, made when it is missing, and locked against other runs."""
    place = os.fsencode(djail_session.GRANTS)
    host.make_dirs(place)
    with Root(place) as root, locked_directory(root, attempts=ATTEMPTS):
        yield root
