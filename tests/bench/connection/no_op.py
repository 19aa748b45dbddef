# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A connection that only answers: what is sent is thrown away, a module's answer is always the same."""

from __future__ import annotations

import json

from ansible.plugins.connection import ConnectionBase

DOCUMENTATION = """
name: no_op
short_description: Answers, and runs nothing
description: For a benchmark.
author: darwin.jail contributors
options: {}
"""

ANSWER = json.dumps({"changed": False}).encode()


class Connection(ConnectionBase):
    transport = "no_op"
    has_pipelining = True

    def _connect(self) -> Connection:
        self._connected = True
        return self

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> tuple[int, bytes, bytes]:
        if "mkdir -p" in cmd:
            return 0, b"ansible-tmp-1=/tmp/ansible-tmp-1\n", b""
        return 0, ANSWER, b""

    def put_file(self, in_path: str, out_path: str) -> None:
        pass

    def fetch_file(self, in_path: str, out_path: str) -> None:
        pass

    def close(self) -> None:
        self._connected = False
