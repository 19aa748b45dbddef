# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take settings from inventories and plays, never from the answers of hosts.

Ansible puts the facts of a module's answer among the variables of the host, where they win over the inventory, and
keeps them in its cache for later runs. Modules in a jail run on the jail's Python, so any user of the jail can have an
answer of its own making. This module alone decides which names are settings, and words their refusal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.module_utils.json_utils import _filter_non_json_lines

COLLECTION = Path(__file__).parents[3]

COLLECTION_SETTINGS = re.compile(r"jail_\w+|__[a-z0-9]+_check_\w+", re.ASCII)
"""Variables of jails, and what checks have found, which nobody keeps a list of."""

ANSIBLE_SETTINGS = re.compile(
    r"ansible_(become\w*|connection\w*|delegated_vars|failed_\w+|interpreter_python_fallback|\w+_interpreter|remote_tmp"
    r"|shell_\w+|ssh_(?!host_key_)\w+|(sudo|su|doas|dzdo|ksu|machinectl|pbrun|pfexec|pmrun|runas|sesu|sudosu)_\w+"
    r"|(libssh|paramiko|psrp|winrm)_\w+)",
    re.ASCII,
)
"""Variables by which Ansible decides how to reach a host and what to run there. Keys of a host are facts."""

MAGIC_VARIABLES = frozenset({*constants.INTERNAL_STATIC_VARS, "omit", "vars", "lookup", "query", "q", "now", "undef"})
"""What Ansible gives to every play, and every template can read. Facts win over most of these, too: `omit`, for
example, would then be a value for each option that is to be left out, and files would be looked for elsewhere."""

REGISTERED = re.compile(r"\b__[a-z0-9_]+")

ACTING_KEYS = ("add_host", "add_group", "ansible_stats")
"""Keys of answers, other than facts, that ansible-core acts on: the inventory, and what AWX gives to the next run."""

HINT = re.compile(rb"ansible_facts|\\u|" + "|".join(ACTING_KEYS).encode())
"""In what holds none of these there is nothing to refuse. Names in JSON can be escaped in this one way."""


# -- names --------------------------------------------------------------------------


def is_setting(name: str, read: Iterable[str] = ()) -> bool:
    """Whether a variable of this name decides what is done. `read`: what the plugin reads, too.

    Facts lose the prefix ansible_ in `ansible_facts`, so names of the collection match with and without it.
    """
    bare = name.removeprefix("ansible_")
    known = name in read or name in constants.COMMON_CONNECTION_VARS or name in MAGIC_VARIABLES
    return (
        known
        or bool(COLLECTION_SETTINGS.fullmatch(bare) or ANSIBLE_SETTINGS.fullmatch(name))
        or _is_role_variable(bare)
    )


def _is_role_variable(name: str) -> bool:
    """Facts are there before a task has noted anything."""
    return name.startswith("__") and name in _role_variables()


@cache
def _role_variables() -> frozenset[str]:
    """Only looked for when a fact is called so: these are many files."""
    files = (file for place in ("roles/*/*/**/*.yml", "playbooks/**/*.yml") for file in COLLECTION.glob(place))
    return frozenset(name for file in files for name in REGISTERED.findall(file.read_text()))


# -- facts of a host ----------------------------------------------------------------


def refuse_facts(host: str, variables: Mapping[str, Any], read: Iterable[str] = ()) -> None:
    """Raise when a setting is among the facts of a host, wherever they come from.

    What set_fact sets is no fact, unless it is cacheable. `ansible_facts` has names without the prefix ansible_, so
    that `user` may be anybody's fact. It is a setting where the variable has that value.
    """
    facts = variables.get("ansible_facts") or {}
    for name in facts:
        full = f"ansible_{name}"
        if is_setting(name, read):
            _refuse_fact(name, host)
        if is_setting(full, read) and full in variables and variables[full] == facts[name]:
            _refuse_fact(full, host)


def _refuse_fact(name: str, host: str) -> None:
    raise AnsibleError(
        f"cannot take {name} of {host} from facts: facts of a host must not set settings, and stay in the cache for "
        f"other runs (set it in the inventory, or with set_fact without cacheable; --flush-cache deletes the facts)"
    )


# -- an answer of a jail --------------------------------------------------------------


def set_variables(variables: Mapping[str, Any]) -> frozenset[str]:
    """Names of variables that are no facts, where a fact of such a name could win over them; else none."""
    if not constants.config.get_config_value("INJECT_FACTS_AS_VARS"):
        return frozenset()
    facts = variables.get("ansible_facts") or {}
    full = {name: f"ansible_{name}" for name in facts}  # each is a variable by the name that the answer had
    known = {full[name] if variables.get(full[name], facts) == facts[name] else name for name in facts}
    return frozenset(variables).difference(known)


def refuse_answer(stdout: bytes, jail: str, read: Iterable[str] = (), held: frozenset[str] = frozenset()) -> None:
    """Raise when what a module in a jail says would set a setting, or change the inventory.

    `held`: variables of others, of which a setting may be made.
    """
    if not HINT.search(stdout):
        return
    for text in _readings(to_text(stdout, errors="surrogate_then_replace")):
        answer = _parsed(text, jail)
        for key in ACTING_KEYS:
            if key in answer:
                _refuse(jail, f"it contains {key}, and a module in a jail must not change the inventory or the run")
        facts = answer.get("ansible_facts") or {}
        if not isinstance(facts, dict):
            _refuse(jail, "its ansible_facts are not names with values")
        for name in facts:
            if is_setting(name, read):
                _refuse(jail, f"it would set {name}, and only the inventory and plays set that")
            if name in held:
                _refuse(
                    jail,
                    f"it would set {name}, a variable that the inventory, a play or a role has set (with "
                    "inject_facts_as_vars = false in ansible.cfg, facts are not among the variables)",
                )


def _readings(text: str) -> Iterator[str]:
    """The text as Ansible reads it: with the line of a become method, and without."""
    yield text
    if text.strip().startswith("BECOME-SUCCESS-"):
        yield re.sub(r"^((\r)?\n)?BECOME-SUCCESS.*(\r)?\n", "", text)


def _parsed(text: str, jail: str) -> dict[str, Any]:
    """The answer; empty where Ansible takes the text for none."""
    try:
        answer = json.loads(_filter_non_json_lines(text, objects_only=True)[0], object_hook=_unwrapped)
    except ValueError:
        return {}
    except RecursionError:
        _refuse(jail, "it is nested too deeply")
    return answer if isinstance(answer, dict) else {}


def _unwrapped(value: dict[str, Any]) -> Any:
    """Ansible's JSON can have a value in an object that says of which type it is."""
    return value["value"] if "__ansible_type" in value and "value" in value else value


PRINTED = ("msg", "warnings", "deprecations", "exception", "diff", "ansible_job_id", "started", "finished")
"""What Ansible prints of an answer as it is. All else it prints as JSON or YAML, which have escapes."""

CONTROL = re.compile(rb"[\x00-\x08\x0b-\x1f\x7f]|\\u00|\\[bfr]|\xc2[\x80-\x9f]")
"""What holds none of these has no control characters but tabs and line breaks."""


def printable(stdout: bytes) -> bytes:
    """An answer whose words move no cursor of a terminal; all that is data in it stays as it is."""
    if not CONTROL.search(stdout):
        return stdout
    try:
        answer = json.loads(_filter_non_json_lines(to_text(stdout, errors="surrogate_then_replace"), True)[0])
    except (ValueError, RecursionError):
        return stdout  # Ansible takes it for no answer, and prints it as JSON
    words = {key: _escaped(answer[key]) for key in PRINTED if key in answer}
    return json.dumps({**answer, **words}).encode()


def _escaped(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escaped(key): _escaped(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escaped(item) for item in value]
    if not isinstance(value, str):
        return value
    return "".join(char if char.isprintable() or char in "\n\t" else ascii(char)[1:-1] for char in value)


def _refuse(jail: str, why: str) -> None:
    raise AnsibleError(
        f"cannot take the answer of the jail {jail}: {why} (nothing was set; check the programs of the jail, first "
        f"its Python and the files that it loads)"
    )
