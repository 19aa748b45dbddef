# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Notes how long each task of a run took in the file $TASK_TIMES, each in a line of JSON."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Notes how long each task took
description: For tests/bench/module.py.
"""


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def v2_playbook_on_task_start(self, _task: Any, is_conditional: bool) -> None:
        self._started = time.perf_counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        seen = {
            "action": result.task.action,
            "seconds": time.perf_counter() - self._started,
            "changed": result.result.get("changed", False),
        }
        with open(os.environ["TASK_TIMES"], "a") as file:
            print(json.dumps(seen), file=file)
