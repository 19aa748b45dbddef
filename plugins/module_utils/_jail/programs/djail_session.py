# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail exec and djail console: a program of a jail, or a login shell, at a terminal of its own.

bundle.py makes one program of this module and those that it imports. That program starts most often, so it imports
little; for all other commands it imports the package djail from an archive beside it. It runs as root. It reads no
environment variable but LANG, TERM and those of sudo, and nothing below the working directory.
"""

from __future__ import annotations

import errno
import os
import stat

from ..dirfd import PRIVATE, is_link_to_private, open_below, read_below
from .chroot_exec import StepError, close_inherited, execute, locate, suppressed
from .djail_arguments import SCHEMA, Call, DjailError, harmless, parse
from .djail_first_commands import FIRST_COMMANDS
from .enter_command import (
    MESSAGES,
    SIP_IS_ON,
    UNFINISHED,
    hand_over_terminal,
    is_protected,
    known_terminal,
    start_shell,
)
from .jail_entry import belongs
from .jail_session import (
    MARKER,
    MAX_MARKER,
    account,
    chroot_to_jail,
    environment,
    is_building,
    join_groups,
    open_jail,
    require_root_only,
)
from .terminal import Terminal, run_at_new_terminal

TYPE_CHECKING = False
if TYPE_CHECKING:
    import pwd
    from collections.abc import Sequence
    from typing import Any

# sysexits(3), and the exit codes of a shell that cannot start a program.
EX_DATAERR, EX_NOINPUT, EX_NOUSER, EX_UNAVAILABLE, EX_SOFTWARE, EX_OSERR, EX_NOPERM = 65, 66, 67, 69, 70, 71, 77
NOT_EXECUTABLE, NOT_FOUND = 126, 127
INTERRUPTED = 130

REGISTER = "/private/var/db/darwin.jail/jails"
"""register.py describes it."""
GRANTS = "/private/var/db/darwin.jail/grants"
"""A file of root's for each person, named after the uid: {"format": 1, "grants": [{"jail", "user", "commands"}]}."""
MAX_FILE = 1 << 16
MAX_READABLE = 40
"""Letters of the name of a jail in the name of its file."""
GRANTED = ("exec", "console")
PATH_LINE = b' "path": "'
"""The line of an entry with the path of the jail. json.py costs as much as a start of Python, so it is read so."""


# -- the jail ------------------------------------------------------------------


def normal_path(path: str) -> str:
    """An absolute path as the register has it: without the links of macOS at its start, and with single slashes."""
    parts = [part for part in path.split("/") if part]
    if ".." in parts or "." in parts or not parts:
        raise DjailError(f"{harmless(path)} is not the path of a jail: give an absolute path without '.' and '..'")
    if (first := os.fsencode(parts[0])) in PRIVATE and is_link_to_private(first):
        parts.insert(0, "private")
    return "/" + "/".join(parts)


def path_of(jail: str) -> str:
    """The path of a jail that is named by its path, or by the last part of it; DjailError when there is none such."""
    if "/" in jail:
        if not jail.startswith("/"):
            raise DjailError(f"{harmless(jail)} is neither a name nor an absolute path: give the whole path, from /")
        return normal_path(jail)
    found = sorted(path for path in (registered_path(data) for data in register_files(jail)) if base_name(path) == jail)
    if not found:
        raise DjailError(f"this Mac knows no jail {harmless(jail)}: djail list shows all", EX_NOINPUT)
    if len(found) > 1:
        raise DjailError(f"there is more than one jail {harmless(jail)}: give a path: {harmless(', '.join(found))}")
    return found[0]


def base_name(path: str) -> str:
    return path.rpartition("/")[2]


def register_files(name: str = "") -> list[bytes]:
    """The files of the register, or those of jails with this name. None when there is no register.

    As register.py does, it leaves out a file that does not have the name for the path in it.
    """
    found = read_files(REGISTER, file_start(name))
    return [data for file, data in found if file == file_name(registered_path(data))]


def file_start(name: str) -> str:
    """The first letters of the file of a jail: those of its name up to what is neither a letter nor a digit."""
    letters = next((place for place, char in enumerate(name) if not (char.isascii() and char.isalnum())), len(name))
    return name[: min(letters, MAX_READABLE)]


def file_name(path: str) -> str:
    """The name of the file of a jail, see _name of register.py."""
    try:
        from _sha256 import sha256  # type: ignore[import-not-found]  # noqa: PLC0415 (a tenth of what hashlib takes)
    except ImportError:
        from hashlib import sha256  # noqa: PLC0415 (newer versions of Python)
    parts = "".join(char if char.isascii() and char.isalnum() else " " for char in base_name(path)).split()
    return f"{'-'.join(parts)[:MAX_READABLE]}-{sha256(os.fsencode(path)).hexdigest()[:32]}.json"


def read_files(place: str, start: str = "") -> list[tuple[str, bytes]]:
    """The files of a directory that root alone can write, with their names; none when it is missing."""
    try:
        folder = open_below(os.open("/", os.O_RDONLY), place.strip("/").split("/"))
    except FileNotFoundError:
        return []
    require_root_only(folder, place)
    names_there = [name for name in os.listdir(folder) if name.startswith(start)]
    found = [(name, read_below(folder, name, MAX_FILE)) for name in names_there]
    os.close(folder)
    return found


def registered_path(data: bytes) -> str:
    """The path in a file of the register; empty when the file is not valid."""
    for line in data.split(b"\n"):
        if line.startswith(PATH_LINE) and b"\\" not in line and line.endswith(b'"'):
            return os.fsdecode(line[len(PATH_LINE) : -1])
    path = parse_json(data).get("path", "")
    return path if isinstance(path, str) else ""


def parse_json(data: bytes) -> dict[str, Any]:
    import json  # noqa: PLC0415 (costs as much as a start of Python)

    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def names() -> list[str]:
    """The names of all jails."""
    return sorted({base_name(path) for path in map(registered_path, register_files()) if path})


# -- who may -------------------------------------------------------------------


def registered_id(jail: int, path: str) -> str:
    """The id of an open jail by the register, see register.find; empty when the Mac does not know it as it is."""
    marker, inode = parse_json(read_below(jail, MARKER, MAX_MARKER)), os.fstat(jail).st_ino
    for known in map(parse_json, register_files(base_name(path))):
        for entry in known.get("jails", []) if known.get("path") == path and known.get("format") == 1 else []:
            if belongs(entry, inode, marker):
                return str(entry["id"])
    return ""


def granted_to(uid: str) -> list[dict[str, Any]]:
    """The grants of a person; DjailError when others than root could have written them."""
    try:
        folder = open_below(os.open("/", os.O_RDONLY), GRANTS.strip("/").split("/"))
        require_root_only(folder, GRANTS)
        status = os.stat(uid, dir_fd=folder, follow_symlinks=False)
        if not stat.S_ISREG(status.st_mode) or status.st_uid or status.st_mode & 0o022:
            raise StepError("others", f"{GRANTS}/{uid}", 0)
        found = parse_json(read_below(folder, uid, MAX_FILE))
    except FileNotFoundError:
        return []
    grants = found.get("grants") if found.get("format") == 1 else None
    grants = grants if isinstance(grants, list) else []
    return [grant for grant in grants if isinstance(grant, dict) and isinstance(grant.get("commands"), list)]


def granted_jail(call: Call, user: str) -> tuple[str, set[str]]:
    """The path of the jail that the person who called sudo was granted for this command and user, and its ids.

    DjailError otherwise, which says nothing of jails and files that the person may not see.
    """
    uid = os.environ.get("SUDO_UID", "")
    if not (uid.isascii() and uid.isdecimal()):
        raise DjailError("nobody called sudo: root uses djail itself", EX_NOPERM)
    ids = {
        str(grant.get("jail"))
        for grant in granted_to(uid)
        if grant.get("user") == user and call.name in grant["commands"]
    }
    jail = call.values["jail"]
    wanted = normal_path(jail) if jail.startswith("/") else jail
    found = set()
    for known in map(parse_json, register_files()) if ids else ():
        path = str(known.get("path"))
        if wanted in (path, base_name(path)) and ids & {str(entry.get("id")) for entry in known.get("jails", ())}:
            found.add(path)
    if len(found) != 1:
        raise not_granted(call, user)
    return found.pop(), ids


def not_granted(call: Call, user: str) -> DjailError:
    jail, person = harmless(call.values["jail"]), harmless(os.environ.get("SUDO_USER", ""))
    advice = "give the user that you were granted, with -u USER"  # root, who is meant without it, is seldom granted
    if call.values["user"]:
        grant = f"djail grant {jail} {person} --user {harmless(user)}"
        advice = f"who administers this Mac can allow it: {grant}"
    return DjailError(f"you may not use djail {call.name} in {jail} as {harmless(user)}: {advice}", EX_NOPERM)


# -- the session ---------------------------------------------------------------


def session(call: Call, granted: bool) -> int:
    """Run the program or the shell; return its exit status."""
    user, ids = call.values["user"] or "root", set[str]()
    if granted:
        path, ids = granted_jail(call, user)
    else:
        path = path_of(call.values["jail"])
    jail = open_jail(path)
    if granted and registered_id(jail, path) not in ids:
        raise not_granted(call, user)
    return start(jail, path, user, call.words)


def start(jail: int, path: str, user: str, words: list[str]) -> int:
    """Run a program in an open jail, or without words the login shell of the user; return its exit status."""
    who, groups = account(jail, user)
    join_groups(who, groups)
    terminal = Terminal()
    missing = hand_over_terminal(jail, terminal.fd, who.pw_uid) if terminal.fd >= 0 else ""
    warnings = [UNFINISHED if is_building(jail) else ""]
    warnings += [] if words else [missing, SIP_IS_ON if is_protected() else ""]
    for warning in filter(None, warnings):
        os.write(2, f"djail: {warning}\n".encode())
    if words:
        return run_at_new_terminal(terminal, lambda: ending(lambda: start_program(jail, path, who, words, terminal)))
    return run_at_new_terminal(terminal, lambda: ending(lambda: start_shell(jail, path, who, terminal)))


def start_program(jail: int, path: str, who: pwd.struct_passwd, words: list[str], terminal: Terminal) -> None:
    """Become a program in the jail."""
    terminal.attach()
    at_terminal = {name: os.environ[name] for name in ("LANG", "TERM") if name in os.environ and terminal.fd >= 0}
    chroot_to_jail(jail, who)
    env = {**environment(path, who), **at_terminal}
    if "TERM" in env:
        env["TERM"] = known_terminal(env["TERM"], env["HOME"])
    execute(locate(words[0], env["PATH"]), words, env)


def ending(become: Any) -> None:
    """Become a program in a forked process, which ends here when that fails."""
    code = EX_OSERR
    try:
        become()
    except Exception as exc:  # noqa: BLE001 (whatever it is, this process is not the one that goes on)
        code = report(exc)
    finally:
        os._exit(code)


# -- what is said --------------------------------------------------------------


def report(exc: BaseException, argv: Sequence[str] = ()) -> int:
    """Write one sentence about an error, and JSON where these words ask for it; return the exit code."""
    message, code = explained(exc)
    with suppressed(OSError):  # nobody reads it, and the code still tells
        os.write(2, f"djail: {message}\n".encode("utf-8", "backslashreplace"))
    if "--json" in argv:
        import json  # noqa: PLC0415 (costs as much as a start of Python)

        answer = {"schema": SCHEMA, "command": argv[0], "error": message, "exit_code": code}
        with suppressed(OSError):
            os.write(1, json.dumps(answer, sort_keys=True).encode() + b"\n")
    return code


def explained(exc: BaseException) -> tuple[str, int]:
    """The sentence and the exit code for an error."""
    if isinstance(exc, DjailError):
        return exc.message, exc.code
    if isinstance(exc, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    if isinstance(exc, OSError):
        return harmless(str(exc)), EX_OSERR
    if not isinstance(exc, StepError):
        fault = harmless(f"{type(exc).__name__}: {exc}")
        return f"djail failed by a fault of its own, please report it: {fault}", EX_SOFTWARE
    event, path, number = exc.args
    before, after = MESSAGES.get(event, (f"{event} ", ""))
    if event in ("find", "execute"):
        before = "cannot start "
    elif event == "interpreter":
        before = "cannot start the program, its interpreter is "
    reason = f": {os.strerror(number)}" if number and event != "marker" else ""
    return f"{before}{harmless(path)}{reason}{after}", exit_code(event, number)


def exit_code(event: str, number: int) -> int:
    if event in ("find", "interpreter", "execute"):
        return NOT_FOUND if event == "find" and number == errno.ENOENT else NOT_EXECUTABLE
    known = {"open": EX_NOINPUT, "marker": EX_NOINPUT, "account": EX_NOUSER, "number": EX_DATAERR, "others": EX_NOPERM}
    return known.get(event, EX_OSERR)


def djail(argv: list[str], granted: bool, library: str) -> int:
    """Run a command; `library` is the archive of those that are not here. Returns the exit code."""
    close_inherited()
    argv = argv or ["help"]
    words = argv[: argv.index("--")] if "--" in argv else argv
    try:
        if argv[0] in [command.name for command in FIRST_COMMANDS]:
            call = parse(argv, FIRST_COMMANDS)
            if not call.values["help"]:
                return run_first(call, granted)
        elif granted:
            raise DjailError(f"djail {harmless(argv[0])} is for root alone: you may use exec and console", EX_NOPERM)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 (no traceback for people)
        return report(exc, words)
    import sys  # noqa: PLC0415 (what starts a program needs none of this)

    sys.path.insert(0, library)
    try:
        from darwin_jail.djail.main import run  # type: ignore[import-not-found]  # noqa: PLC0415
    except ImportError as exc:
        why = f"djail cannot be loaded by Python {sys.version.split(maxsplit=1)[0]}: {exc}"
        return report(DjailError(f"{why}: install it again, by the role darwin.jail.mac", EX_UNAVAILABLE), words)
    return int(run(argv))


def run_first(call: Call, granted: bool) -> int:
    """Run a command that is here; exec and console do not return."""
    if call.name in GRANTED:
        if os.geteuid() != 0:
            raise DjailError("only root can enter a jail: call it by sudo", EX_NOPERM)
        os._exit(session(call, granted))  # nothing is left to be tidied up, which would take Python a millisecond
    if granted:
        raise DjailError(f"djail {call.name} is for root alone: you may use exec and console", EX_NOPERM)
    os.write(1, "".join(f"{harmless(name)}\n" for name in names()).encode("utf-8", "backslashreplace"))
    return 0
