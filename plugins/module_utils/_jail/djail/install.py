# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install djail on the Mac.

    /Library/PrivilegedHelperTools/darwin.jail/     root's
        djail               a script for sh: asks sudo, then starts Python
        djail-granted       the same for people with grants, which a rule of sudo names
        djail-VERSION/      VERSION is a digest of the sources
            djail_entry.py, __pycache__/    exec and console (programs/djail_session.py)
            darwin_jail.zip                 all other commands
        share/              the man page, and completion of shells

The directory of a version is renamed into place when it is complete, and the scripts are written after it. So each
start has all of one version, whenever an installation is killed.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Iterator
from functools import cache, partial
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from ..errors import InputError, OperationError, show
from ..exec.session import PYTHONS
from ..macos import third_party
from ..plan import Change, apply
from ..programs import (
    chroot_exec,
    djail_arguments,
    djail_compiler,
    djail_first_commands,
    djail_session,
    enter_command,
    jail_entry,
    jail_session,
    passwd_lookup,
    terminal,
)
from ..programs.bundle import program
from ..result import Result
from ..system import host
from ..system.process import run
from ..system.rooted import Root
from . import documents, main, places

if TYPE_CHECKING:  # Ansible sends what it finds imported. Only the sources are needed.
    from . import changes, checks, copying, doctor, grants, listing, reports, running  # noqa: F401
    from . import run as run_module  # noqa: F401

SCRIPT = """\
#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Jails of this Mac: djail help. Do not edit it: the role darwin.jail.mac installs it.
command=${1-help}
for word do
    case $word in
    --) break ;;
    -h|--help) command=help ;;
    --no-color) NO_COLOR= ;;
    esac
done
case $command in
help|-h|--help|completion|man) ;;
*)
    # Who owns / is root. A person with grants uses what the rule of sudo names. All that macOS may have as /bin/sh,
    # which are bash, dash and zsh, know -O. UID saves a process; in a shell that does not set it, the caller may.
    # shellcheck disable=SC3028,SC3067
    if [ ! -O / ]; then
        [ $# -eq 0 ] || shift
        [ -z "${NO_COLOR-}" ] || [ "$command" = names ] || set -- --no-color "$@"
        if [ -d @GRANTS@ ] && [ -e "@GRANTS@/${UID-$(/usr/bin/id -u)}" ]; then
            exec /usr/bin/sudo -n -- @GRANTED@ "$command" "$@"
        fi
        exec /usr/bin/sudo -p 'djail works as root, by sudo. Password of %p: ' -- @COMMAND@ "$command" "$@"
    fi
    ;;
esac
@START@"""

GRANTED_SCRIPT = """\
#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# djail for people who may use it by a rule of sudo, such as
#
#     dana ALL = (root) NOPASSWD: @GRANTED@
#
# It allows what djail grant has granted, and nothing else. Do not edit it: the role darwin.jail.mac installs it.
@START@"""

START = """\
for python in @PYTHONS@; do
    if [ -x "$python" ]; then
        exec "$python" -X utf8 -I -S -c 'import sys
sys.path.insert(0, "@PLACE@")
import djail_entry
sys.exit(djail_entry.djail(sys.argv[1:], @MODE@, "@PLACE@/darwin_jail.zip"))' "$@"
    fi
done
echo 'djail: there is no Python on this Mac: install the Command Line Tools (xcode-select --install)' >&2
exit 69
"""

IMPORT = re.compile(r"^ *from (\.+)([\w.]*) import (\([^)]*\)|.*)", re.MULTILINE)
IMPORTED_NAME = re.compile(r"(\w+)(?: as \w+)?")
COMMENT = re.compile("#.*")
"""ast finds the same, and takes half a second for all modules."""
PACKAGE = __package__.rpartition(".")[0]
VERSION_LETTERS = 16
PREFIX = b"djail-"
GRANTED_NAME = os.path.basename(places.GRANTED_COMMAND).encode()
SHARED = {
    b"share/djail.1": b"/usr/local/share/man/man1/djail.1",
    b"share/_djail": b"/usr/local/share/zsh/site-functions/_djail",
    b"share/djail.bash": b"/usr/local/etc/bash_completion.d/djail",
    b"share/djail.fish": b"/usr/local/share/fish/vendor_completions.d/djail.fish",
}
"""Files for people, and the links by which programs find them."""
LIMIT = 8 << 20


# -- what is installed ---------------------------------------------------------------


@cache
def sources() -> dict[str, str]:
    """The sources of all that the commands import, by their paths in the archive."""
    found: dict[str, str] = {"darwin_jail/__init__.py": ""}
    modules = {handler.partition(":")[0] for handler in main.HANDLERS.values()}
    waiting, seen = [main.__name__, *(f"{__package__}.{name}" for name in modules)], {PACKAGE}
    while waiting:
        name = waiting.pop()
        if name in seen or not name.startswith(PACKAGE + "."):
            continue
        seen.add(name)
        spec = _spec_of(name)
        if spec is None:
            continue
        is_package = spec.submodule_search_locations is not None
        text = _source_of(spec.loader, name)
        path = name[len(PACKAGE) + 1 :].replace(".", "/")
        found[f"darwin_jail/{path}{'/__init__' if is_package else ''}.py"] = text
        waiting.append(name.rpartition(".")[0])
        waiting += _imported(text, name if is_package else name.rpartition(".")[0])
    return found


@cache
def _spec_of(name: str) -> ModuleSpec | None:
    """None for a name of the module above it, which find_spec() would import to see that."""
    above = name.rpartition(".")[0]
    package = None if above == PACKAGE else _spec_of(above)
    is_in_package = above == PACKAGE or (package is not None and package.submodule_search_locations)
    return find_spec(name) if is_in_package else None


def _source_of(loader: Any, name: str) -> str:
    text: str | bytes = loader.get_source(name) or ""
    return text.decode() if isinstance(text, bytes) else text  # the loader of Ansible's controller gives bytes


def _imported(text: str, package: str) -> Iterator[str]:
    """The names that a module in a package imports by relative imports, of modules and of what is in them."""
    for dots, module, names in IMPORT.findall(text):
        above = package.rsplit(".", len(dots) - 1)[0]
        base = f"{above}.{module}" if module else above
        yield base
        yield from (f"{base}.{name}" for name in IMPORTED_NAME.findall(COMMENT.sub("", names)))


def entry() -> str:
    """The program for exec and console, which loads the archive for all others."""
    return program(
        chroot_exec, passwd_lookup, jail_session, jail_entry, terminal, enter_command, djail_arguments,
        djail_first_commands, djail_session, call="",
    )  # fmt: skip


def version(texts: dict[str, str], program_text: str) -> str:
    """A digest of all sources. The script djail contains it, so a Mac that has that script has all others of it."""
    found = hashlib.sha256(json.dumps([texts, program_text, GRANTED_SCRIPT], sort_keys=True).encode())
    return found.hexdigest()[:VERSION_LETTERS]


def scripts(version_name: str) -> dict[bytes, bytes]:
    """The scripts, by name; djail is the last one, so that who has it has all the others."""
    place = f"{places.DIRECTORY}/djail-{version_name}"
    values = {
        "GRANTS": djail_session.GRANTS,
        "GRANTED": places.GRANTED_COMMAND,
        "COMMAND": places.COMMAND,
        "PYTHONS": " ".join(PYTHONS),
        "PLACE": place,
    }
    found = {}
    for name, text, mode in ((GRANTED_NAME, GRANTED_SCRIPT, "True"), (b"djail", SCRIPT, "False")):
        text = text.replace("@START@", START.replace("@MODE@", mode))
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        found[name] = text.encode()
    return found


def shared() -> dict[bytes, bytes]:
    texts = (documents.man_page(), *map(documents.completion_script, documents.SHELLS))
    return {name: text.encode() for name, text in zip(SHARED, texts)}


# -- changes -------------------------------------------------------------------------


def ensure(state: str, python: str, check: bool) -> Result:
    """Install djail, or remove it."""
    if state == "absent":
        return apply(_plan_absent(), check)
    third_party.require_root_owned(python)
    texts, program_text = sources(), entry()
    known = version(texts, program_text)
    changes = [*_plan_directory(), *_plan_version(known, texts, program_text, python)]
    files = [*shared().items(), *scripts(known).items()]
    changes += [change for name, data in files for change in _plan_file(name, data)]
    links = {places.LINK.encode(): places.COMMAND.encode()}
    links.update((link, f"{places.DIRECTORY}/".encode() + name) for name, link in SHARED.items())
    missing: list[str] = []
    linked = [change for link, target in links.items() for change in _plan_link(link, target, missing)]
    values = {"command": places.COMMAND, "version": known, "links_missing": missing}
    return apply([*linked, *changes, *_plan_old_versions(known)], check, values)


def _plan_directory() -> list[Change]:
    place = places.DIRECTORY.encode()
    loose = host.writable_ancestors(place + b"/djail")
    if loose:
        why = f"others than root can change {show(loose[0])}, and what is in it runs as root"
        raise InputError(f"djail cannot be installed in {show(place)}: {why}: make it root's alone (chown, chmod go-w)")
    if os.path.isdir(place):
        return []
    return [Change(f"+ {show(place)}", partial(host.make_dirs, place))]


def _there(name: bytes) -> os.stat_result | None:
    place = places.DIRECTORY.encode()
    if not os.path.isdir(place):
        return None
    with Root(place) as root:
        return root.lstat(name)


def _plan_version(known: str, texts: dict[str, str], program_text: str, python: str) -> list[Change]:
    """The directory of this version, unless it is there for this Python."""
    name = PREFIX + known.encode()
    tag = _run_python(python, "import sys; print(sys.implementation.cache_tag)").decode().strip()
    if _there(name + b"/__pycache__/djail_entry." + tag.encode() + b".pyc"):
        return []
    return [Change(f"+ {places.DIRECTORY}/{show(name)}", partial(_make_version, name, texts, program_text, python))]


def _make_version(name: bytes, texts: dict[str, str], program_text: str, python: str) -> None:
    made = compiled(texts, program_text, python)
    with Root(places.DIRECTORY) as root:
        new = name + b".new"
        for old in (new, name):
            root.remove_tree(old)
        root.make_dir(new, 0o755, 0, 0)
        root.make_dir(new + b"/__pycache__", 0o755, 0, 0)
        root.write(new + b"/djail_entry.py", program_text.encode(), mode=0o644)
        for path, data in made.items():
            root.write(new + b"/" + path.encode(), data, mode=0o644)
        root.rename(new, name)


def compiled(texts: dict[str, str], program_text: str, python: str) -> dict[str, bytes]:
    """The compiled files of a version, by name."""
    given = json.dumps({"sources": texts, "entry": program_text}).encode()
    made = json.loads(_run_python(python, program(djail_compiler, call="main()"), given))
    return {name: base64.b64decode(data) for name, data in made.items()}


def _run_python(python: str, text: str, stdin: bytes = b"") -> bytes:
    # Positions in lines, which newer versions keep for tracebacks, would be a fifth of all.
    ended = run([python, "-X", "utf8", "-X", "no_debug_ranges", "-I", "-S", "-c", text], stdin=stdin, limit=2 * LIMIT)
    if ended.rc:
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("compile djail by", python, said or f"it ended with {ended.rc}")
    return ended.stdout


def _plan_file(name: bytes, data: bytes) -> list[Change]:
    mode = 0o644 if b"/" in name else 0o755
    status = _there(name)
    if status and (status.st_mode & 0o7777, status.st_uid, status.st_size) == (mode, 0, len(data)):
        with Root(places.DIRECTORY) as root:
            if root.read(name, LIMIT) == data:
                return []
    sign = "~" if status else "+"
    return [Change(f"{sign} {places.DIRECTORY}/{show(name)}", partial(_write, name, data, mode))]


def _write(name: bytes, data: bytes, mode: int) -> None:
    with Root(places.DIRECTORY) as root:
        if b"/" in name:
            root.make_dir(os.path.dirname(name), 0o755, 0, 0)
        root.sweep(name)
        root.write(name, data, mode=mode)


def _plan_old_versions(known: str) -> list[Change]:
    """Remove versions that no script names any more, and those that a killed installation left."""
    kept = (PREFIX + known.encode(), GRANTED_NAME)
    return [_removal(name) for name in _names() if name.startswith(PREFIX) and name not in kept]


def _names() -> list[bytes]:
    place = places.DIRECTORY.encode()
    if not os.path.isdir(place):
        return []
    with Root(place) as root:
        return sorted(root.names(b""))


def _removal(name: bytes) -> Change:
    return Change(f"- {places.DIRECTORY}/{show(name)}", partial(_remove, places.DIRECTORY.encode(), name))


def _remove(place: bytes, name: bytes) -> None:
    with Root(place) as root:
        root.remove_tree(name)


def _plan_link(link: bytes, target: bytes, missing: list[str]) -> list[Change]:
    """A link in a directory of root's. `missing` says why there is none: a directory of others, or a name in use."""
    loose = host.writable_ancestors(link)
    if loose:
        missing.append(f"there is no link {show(link)}: others than root can change {show(loose[0])}")
        return []
    if os.path.islink(link) and os.fsencode(os.readlink(link)) == target:
        return []
    if os.path.lexists(link) and not os.path.islink(link):
        missing.append(f"there is no link {show(link)}: something else has the name")
        return []
    return [Change(f"+ {show(link)} -> {show(target)}", partial(_link, link, target))]


def _link(link: bytes, target: bytes) -> None:
    folder, name = os.path.split(link)
    host.make_dirs(folder)
    with Root(folder) as root:
        root.write_link(name, target, 0, 0)


def _plan_absent() -> list[Change]:
    """Remove all of djail. The command enter and what is kept of grants stay."""
    ours = [name for name in _names() if name in (b"djail", b"share") or name.startswith(PREFIX)]
    links = {places.LINK.encode(): places.COMMAND.encode()}
    links.update((link, f"{places.DIRECTORY}/".encode() + name) for name, link in SHARED.items())
    there = [
        link for link, target in links.items() if os.path.islink(link) and os.fsencode(os.readlink(link)) == target
    ]
    gone = [Change(f"- {show(link)}", partial(_remove, *os.path.split(link))) for link in there]
    return [*gone, *map(_removal, ours)]
