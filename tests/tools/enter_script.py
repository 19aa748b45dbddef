# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Write roles/mac/files/enter.sh, which is put together from modules of the collection."""

from __future__ import annotations

from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import PYTHONS
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import needed_lines

TOP = Path(__file__).parents[2]
SCRIPT = TOP / "roles/mac/files/enter.sh"
MODULES = ("dirfd", "chroot_exec", "passwd_lookup", "jail_session", "terminal", "enter_command")

HEAD = """\
#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# enter JAIL USER: be a user in a jail, with the user's own shell.
#
# For people who may not become root otherwise. It has to belong to root, in a directory that only root can change,
# and a rule of sudo has to name both words, for example
#
#     dana ALL = (root) NOPASSWD: /Library/PrivilegedHelperTools/darwin.jail/enter /private/var/jails/dev dana
#
# Do not edit it: tests/tools/enter_script.py puts it together.
exec 3<<'PROGRAM'
"""
TAIL = """
import sys

enter(sys.argv[1:])
PROGRAM
# As a word: Python 3.9 would read /dev/fd/3 to its end before it runs it, and macOS opens that as dup(2) does.
program=$(/bin/cat <&3)
exec 3<&-
for python in @PYTHONS@; do
    if [ -x "$python" ]; then
        exec "$python" -X utf8 -I -S -c "$program" "$@"
    fi
done
echo "enter: there is no Python on this Mac: install the Command Line Tools" >&2
exit 1
"""


def script() -> str:
    """What the file has to be."""
    lines = ["from __future__ import annotations", ""]
    for name in MODULES:
        folder = "" if name == "dirfd" else "programs/"
        text = (TOP / f"plugins/module_utils/_jail/{folder}{name}.py").read_text()
        body = text[text.index('"""') :]  # without the licence, which is said above
        lines += needed_lines(body)
    return HEAD + "\n".join(lines) + TAIL.replace("@PYTHONS@", " ".join(PYTHONS))


if __name__ == "__main__":
    SCRIPT.write_text(script())
    SCRIPT.chmod(0o755)
