# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Notes the tasks of a run in the file $TASKS_SEEN, each in a line of JSON."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: tasks_seen
type: aggregate
short_description: Notes each task of a run
description: For tests/bench/rerun.py.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "tasks_seen"

    def v2_playbook_on_play_start(self, play: Any) -> None:
        self._play = play.get_name()

    def v2_runner_on_ok(self, result: Any) -> None:
        self._note(result, skipped=False)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._note(result, skipped=True)

    def _note(self, result: Any, skipped: bool) -> None:
        seen = {"play": self._play, "host": result.host.get_name(), "action": result.task.action, "skipped": skipped}
        with open(os.environ["TASKS_SEEN"], "a") as file:
            print(json.dumps(seen), file=file)
