# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Notes tasks and their times, and each module that runs for one, in the file $TASK_TIMES, each in a line of JSON.

An action may run no module or several, which only the method tells that all actions run them by. Workers are forked
from the process that this is loaded in.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_times
type: aggregate
short_description: Notes tasks and modules
description: For a benchmark.
"""

RUN = ActionBase._execute_module


def note(**what: Any) -> None:
    with open(os.environ["TASK_TIMES"], "a") as file:
        file.write(json.dumps(what) + "\n")


def run(self: ActionBase, *args: Any, **options: Any) -> Any:
    note(module=options.get("module_name") or (args[0] if args else None) or self._task.action)
    return RUN(self, *args, **options)


class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_times"

    def __init__(self) -> None:
        super().__init__()
        setattr(ActionBase, RUN.__name__, run)

    def v2_playbook_on_task_start(self, _task: Any, is_conditional: bool) -> None:
        self._started = time.perf_counter()

    def v2_runner_on_ok(self, result: Any) -> None:
        seconds = time.perf_counter() - self._started
        note(action=result.task.action, seconds=seconds, changed=result.result.get("changed", False))
