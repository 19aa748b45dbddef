# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The directory service: answers libc (lines) and dscl (objects)."""

from __future__ import annotations

import json
from typing import Any

from standin import accounts
from standin.peer import Peer
from standin.records import FOLDERS, Node, Record, native_name, standard_name


class DirectoryError(Exception):
    """An error by its DirectoryService name; args[0] is the name."""


class Directory:
    def __init__(self, node: Node) -> None:
        self.node = node

    def answer(self, question: str, peer: Peer) -> str:
        if question.startswith("{"):
            return json.dumps(self._object(json.loads(question), peer))
        verb, _space, key = question.partition(" ")
        method = getattr(self, f"line_{verb}", None)
        lines: str | None = method(key, peer) if method else None
        return "" if lines is None else lines + "\n"

    # ---- libc ----

    def line_pwnam(self, name: str, peer: Peer) -> str | None:
        record = self.node.find("Users", name)
        return accounts.passwd_line(record) if record else None

    def line_pwuid(self, uid: str, peer: Peer) -> str | None:
        record = self._by_number("Users", "uid", uid)
        return accounts.passwd_line(record) if record else None

    def line_pwall(self, _key: str, peer: Peer) -> str | None:
        return "\n".join(map(accounts.passwd_line, self.node.records["Users"].values()))

    def line_grnam(self, name: str, peer: Peer) -> str | None:
        record = self.node.find("Groups", name)
        return accounts.group_line(record) if record else None

    def line_grgid(self, gid: str, peer: Peer) -> str | None:
        record = self._by_number("Groups", "gid", gid)
        return accounts.group_line(record) if record else None

    def line_grall(self, _key: str, peer: Peer) -> str | None:
        return "\n".join(map(accounts.group_line, self.node.records["Groups"].values()))

    def line_initgroups(self, user: str, peer: Peer) -> str | None:
        found = accounts.group_ids(self.node, user)
        return None if found is None else " ".join(map(str, found))

    def line_spnam(self, name: str, peer: Peer) -> str | None:
        record = self.node.find("Users", name) if peer.uid == 0 else None
        return accounts.shadow_line(record) if record else None

    def line_uuid(self, uid: str, peer: Peer) -> str | None:
        return accounts.uuid_of(self.node, int(uid))

    def _by_number(self, kind: str, native: str, text: str) -> Record | None:
        wanted = int(text)
        for record in self.node.records[kind].values():
            if accounts.unsigned(accounts.first(record, native, "-2")) == wanted:
                return record
        return None

    # ---- dscl ----

    def _object(self, request: dict[str, Any], peer: Peer) -> dict[str, Any]:
        # Transcript, macOS 15.2: "dscl . -create" in a chroot fails with eParameterError
        # (darwin-containers/darwin-jail#20). That reading fails alike is derived.
        try:
            if peer.chrooted:
                raise DirectoryError("eParameterError")
            if request["kind"] not in FOLDERS:
                raise DirectoryError("eDSRecordNotFound")
            return {"result": getattr(self, f"call_{request.pop('call')}")(peer, **request)}
        except DirectoryError as error:
            return {"error": error.args[0]}

    def call_read(self, peer: Peer, kind: str, name: str) -> dict[str, list[str]]:
        return self._public(kind, self._existing(kind, name))

    def call_list(self, peer: Peer, kind: str) -> list[dict[str, list[str]]]:
        return [self._public(kind, record) for _name, record in sorted(self.node.records[kind].items())]

    def call_create(self, peer: Peer, kind: str, name: str, key: str | None, values: list[str]) -> None:
        self._require_root(peer)
        record = self.node.find(kind, name)
        if record is not None and key is None:
            raise DirectoryError("eDSRecordAlreadyExists")
        record = record if record is not None else {"name": [name], "passwd": ["*"]}
        if key is not None:
            record[native_name(kind, key)] = list(values)
        self.node.save(kind, record)

    def call_append(self, peer: Peer, kind: str, name: str, key: str, values: list[str], merge: bool) -> None:
        self._require_root(peer)
        record = self._existing(kind, name)
        held = record.setdefault(native_name(kind, key), [])
        held.extend(value for value in values if not (merge and value in held))
        self.node.save(kind, record)

    def call_delete(self, peer: Peer, kind: str, name: str, key: str | None, values: list[str]) -> None:
        self._require_root(peer)
        record = self._existing(kind, name)
        if key is None:
            self.node.delete(kind, record)
            return
        native = native_name(kind, key)
        if native not in record:
            raise DirectoryError("eDSAttributeNotFound")
        left = [value for value in record[native] if value not in values] if values else []
        if left:
            record[native] = left
        else:
            del record[native]
        self.node.save(kind, record)

    def _existing(self, kind: str, name: str) -> Record:
        record = self.node.find(kind, name)
        if record is None:
            raise DirectoryError("eDSRecordNotFound")
        return record

    def _require_root(self, peer: Peer) -> None:
        if peer.uid != 0:
            raise DirectoryError("eDSPermissionError")

    def _public(self, kind: str, record: Record) -> dict[str, list[str]]:
        """Standard names, without what only the stand-in keeps, with what every record shows."""
        shown = {standard_name(kind, key): list(values) for key, values in record.items() if key != "standin_hash"}
        shown["AppleMetaNodeLocation"] = ["/Local/Default"]
        shown["RecordType"] = [f"dsRecTypeStandard:{kind}"]
        return shown
