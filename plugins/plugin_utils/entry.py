# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a visit to a jail says when it came to nothing: sudo on the Mac refused, or the jail cannot be entered."""

from __future__ import annotations

import re

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.module_utils.errors import JailError, OperationError, show
from ansible_collections.darwin.jail.plugins.module_utils.visit import Visit
from ansible_collections.darwin.jail.plugins.plugin_utils.mac import Answer

display = Display()

# How a module says that it misses a library of Python, in an answer of the jail: no more is taken of it than two words.
LACKING = re.compile(
    rb"Failed to import the required Python library \(([\w.-]{1,60})\) "
    rb"on [\w.-]{1,99}'s Python (/[\w./+-]{1,200})\. "
)
# How sudo tells that it will not, and what can be done about it.
GIVE_IT = (
    "give the password of the user there with --ask-become-pass or ansible_become_password, or a sudo rule that asks "
    "for none"
)
REFUSALS = {
    b"a password is required": GIVE_IT,
    b"is not in the sudoers file": "jails need a user who may do everything",
    b"is not allowed to": "jails need a user who may do everything",
    b"may not run sudo": "jails need a user who may do everything",
}


def judge(visit: Visit, rc: int, said: bytes, mac: str) -> None:
    """Raise when nothing was done: the step into the jail failed, or sudo on the Mac refused."""
    from ansible_collections.darwin.jail.plugins.module_utils import refusal  # noqa: PLC0415 (few tasks need it)

    try:
        refusal.refuse(visit, rc, said)
    except OperationError as exc:
        kind = AnsibleError if exc.verb in ("read", "write", "transfer") else AnsibleConnectionFailure
        raise kind(show(str(exc))) from None
    except JailError as exc:
        raise AnsibleConnectionFailure(f"{show(str(exc))} (on {mac})") from None
    for text, advice in REFUSALS.items():
        if rc == 1 and text in said:
            words = show(to_text(said).strip())
            raise AnsibleError(f"sudo on {mac} refuses to enter {visit.jail}: {words}: {advice}")


def unreached(mac: str, visit: Visit, cause: str) -> str:
    """What is said when there is no way to the Mac. Why not follows."""
    from ansible_collections.darwin.jail.plugins.plugin_utils.reach import advised  # noqa: PLC0415 (few tasks need it)

    return advised(f"cannot reach {mac}, the Mac of the jail {visit.jail}", cause)


def explain(visit: Visit, answer: Answer) -> None:
    """Say what is known of programs that were killed, and of a library that a module misses."""
    from ansible_collections.darwin.jail.plugins.module_utils import refusal  # noqa: PLC0415 (few tasks need it)

    rc, stdout, stderr = answer
    why = refusal.killed(visit, rc, stderr)
    if why:
        display.warning(show(why))
    lacking = LACKING.search(stdout)
    if lacking:
        library, python = (word.decode() for word in lacking.groups())
        display.warning(
            f"Python in the jail {show(visit.jail)} has no {library}, which the module needs: bring it there by "
            f"running in the jail, as its user: {python} -m pip install --user {library}"
        )
