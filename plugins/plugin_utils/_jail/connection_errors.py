# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors and warnings of sessions: sudo on the Mac refused, or the jail cannot be entered."""

from __future__ import annotations

import re

from ansible.errors import AnsibleConnectionFailure, AnsibleError
from ansible.module_utils.common.text.converters import to_text
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    JailError,
    OperationError,
    show,
    show_message,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import Session
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.mac import CommandResult

display = Display()

# How a module says what it misses, in an answer of the jail: no more is taken of it than this word.
LIBRARY = re.compile(
    rb"Failed to import the required Python library \(([\w.-]{1,60})\) on |Unable to find any of (pip)3 to use\. "
)
VIRTUALENV = b'Failed to find required executable \\"virtualenv\\" in paths: '
PYTHON = re.compile(r"(/[\w./+-]*/python[\d.]*) ")
"""What a module runs on, in the command for it."""
# A Python without pip, one whose packages are another program's to install and an old pip all take this.
INSTALL_COMMAND = '{0} -m venv ~/pip && ~/pip/bin/pip install --target "$({0} -m site --user-site)" {1}'
# How sudo tells that it will not, and what can be done about it.
SUDO_ADVICE = (
    "give the password of the user there with --ask-become-pass or ansible_become_password, or a sudo rule that asks "
    "for none"
)
REFUSALS = {
    b"a password is required": SUDO_ADVICE,
    b"is not in the sudoers file": "jails need a user with full sudo rights",
    b"is not allowed to": "jails need a user with full sudo rights",
    b"may not run sudo": "jails need a user with full sudo rights",
}


def raise_for(session: Session, rc: int, said: bytes, mac: str) -> None:
    """Raise when nothing was done: the step into the jail failed, or sudo on the Mac refused."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail.exec import session_errors  # noqa: PLC0415 (few tasks need it)

    try:
        session_errors.raise_for(session, rc, said)
    except OperationError as exc:
        kind = AnsibleError if exc.verb in ("read", "write", "transfer") else AnsibleConnectionFailure
        raise kind(show_message(str(exc))) from None
    except JailError as exc:
        raise AnsibleConnectionFailure(f"{show_message(str(exc))} (on {mac})") from None
    for text, advice in REFUSALS.items():
        if rc == 1 and text in said:
            words = show_message(to_text(said).strip())
            raise AnsibleError(f"sudo on {mac} refuses to enter {session.jail}: {words}: {advice}")


def unreachable_message(mac: str, session: Session, cause: str) -> str:
    """What is said when there is no way to the Mac. Why not follows."""
    from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import with_advice  # noqa: PLC0415 (few tasks need it)

    return with_advice(f"cannot reach {mac}, the Mac of the jail {session.jail}", cause)


def incomplete_warning(session: Session) -> str:
    """What is said of a jail whose build did not end."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import incomplete_message  # noqa: PLC0415 (few tasks need it)

    return incomplete_message(session.jail)


def explain(session: Session, answer: CommandResult) -> None:
    """Say what is known of programs that were killed, and of a library that a module misses."""
    from ansible_collections.darwin.jail.plugins.module_utils._jail.exec import session_errors  # noqa: PLC0415 (few tasks need it)

    rc, stdout, stderr = answer
    why = session_errors.explain_end(session, rc, stderr)
    if why:
        display.warning(show_message(why))
    warn_missing_library(session, stdout)


def warn_missing_library(session: Session, answer: bytes) -> None:
    """Say how to bring what a module misses: a library of Python, or the program virtualenv of the module pip."""
    runs_on = PYTHON.search(session.words[-1])
    library = LIBRARY.search(answer)
    if runs_on and library:
        name = (library[1] or library[2]).decode()
        display.warning(
            f"Python in the jail {show(session.jail)} has no {name}, which the module needs: bring it there by running "
            f"in the jail, as {show(session.user)}: {INSTALL_COMMAND.format(runs_on[1], name)}"
        )
    if runs_on and VIRTUALENV in answer:
        display.warning(
            f"there is no program virtualenv in the jail {show(session.jail)}: let Python create the environment, "
            f"with virtualenv_command: {runs_on[1]} -m venv"
        )
