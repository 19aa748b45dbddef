# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Between AnsibleModule and the work: the only place that knows both."""

from __future__ import annotations

import signal
from typing import Any, Callable

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.validation import check_type_path

from .errors import JailError, show, show_message
from .result import Result

Work = Callable[[dict[str, Any], bool], Result]


class Module(AnsibleModule):
    """As Ansible has it, but for one thing."""

    def add_path_info(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Owner and mode of the value `path` are not added: ours is in a jail, and on the host another file has it."""
        return kwargs


def run(work: Work, argument_spec: dict[str, Any], **rules: Any) -> None:
    """Run `work(params, check)` as an Ansible module: a JailError becomes fail_json, a Result exit_json.

    What people read - messages, warnings, diffs - holds nothing that is not printed, and is bounded, wherever it
    came from; values that programs read are exact.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who ignores it, as its parent may, never learns how a child ended
    options = {"argument_spec": _with_paths_checked(argument_spec), "supports_check_mode": True, **rules}
    module = Module(**options)  # type: ignore[no-untyped-call]  # AnsibleModule has no types
    try:
        result = work(module.params, module.check_mode)
    except JailError as exc:
        module.fail_json(msg=show_message(str(exc)))
    for warning in result.shown_warnings():
        module.warn(show_message(warning))
    values = dict(result.values)
    if isinstance(values.get("msg"), str):
        values["msg"] = show_message(values["msg"])
    if module._diff and result.diff:
        steps = result.lines(everything=module._verbosity > 0)
        values["diff"] = {"prepared": "".join(f"{show_message(line)}\n" for step in steps for line in step.split("\n"))}
    if result.failed:
        module.fail_json(changed=result.changed, **values)
    module.exit_json(changed=result.changed, **values)


class PathType(str):
    """Ansible's type path, for paths that can exist. Ansible calls it, and documentation has its name."""

    __name__ = "path"

    def __call__(self, value: object) -> str:
        text: str = check_type_path(value)
        if "\0" in text:
            raise ValueError(f"{show(text)} contains a NUL byte: choose another path")
        return text


def _with_paths_checked(spec: dict[str, Any]) -> dict[str, Any]:
    """An argument_spec with PathType for the type path."""
    found = {}
    for name, rules in spec.items():
        types = {key: PathType("path") for key in ("type", "elements") if rules.get(key) == "path"}
        below = {"options": _with_paths_checked(rules["options"])} if "options" in rules else {}
        found[name] = {**rules, **types, **below}
    return found
