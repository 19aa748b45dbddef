# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Which programs of Debian stay, and where macOS has them: what macOS does not have goes.

A role that calls timeout(1) or sha256sum(1) fails here as it fails on a Mac.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

PLACES = {
    "bin": """
        [ bash cat chmod cp dash date dd df echo ed expr hostname kill ln link ls mkdir mv pax ps pwd realpath rm
        rmdir sleep stty sync test unlink zsh
    """,
    "sbin": "dmesg mknod",
    "usr/bin": """
        awk base64 basename bunzip2 bzcat bzcmp bzdiff bzegrep bzfgrep bzgrep bzip2 bzip2recover bzless bzmore
        captoinfo chfn chgrp chsh cksum clear cmp col colrm column comm csplit curl cut cvtsudoers diff diff3 dirname du
        egrep env ex expand false fgrep file find fmt fold funzip fuser getopt grep groups gunzip gzexe gzip head
        hexdump iconv id infocmp infotocap install join killall last less lessecho locale logger login logname look
        mesg mkfifo mktemp more nano newgrp nice nl nohup od openssl passwd paste pathchk pgrep pico pkill pr printenv
        printf python3 python3.11 readlink renice reset rev rsync scp screen script sdiff sed seq sftp sort split ssh
        ssh-add ssh-agent ssh-copy-id ssh-keygen ssh-keyscan stat su sudo sudoedit sum tabs tail tar tee tic toe top
        touch tput tr true tset tsort tty ul uname uncompress unexpand uniq unzip unzipsfx uptime users vi view w wall
        wc whereis which who whoami write xargs yes zcat zcmp zdiff zegrep zfgrep zforce zgrep zip zipcloak zipgrep
        zipinfo zipnote zipsplit zless zmore znew
    """,
    "usr/sbin": "chown lsof sshd unix_chkpwd visudo",
}
KEPT = {
    "usr/lib": "file locale openssh pam python3 python3.11 ssl standin terminfo",
    "usr/libexec": "sudo",
    "usr/share": "file misc nano openssh python-wheels readline screen tabset terminfo vim zoneinfo zsh",
    "etc": "login.defs protocols rpc screenrc security services ssh ssl",
    "": "etc usr",
}
UNUSED_LIBRARIES = ("perl", "perl-base", "libperl*", "gconv", "libapt-*", "audit", "e2fsprogs")
# Programs that a stand-in of the same name replaces but still needs.
REPLACED = ("bindfs", "domainname", "getconf", "mount", "screen", "umount")
# Not part of macOS, to be installed by Homebrew.
PACKAGES = {
    "nginx": ("usr/sbin/nginx",),
    "redis": ("usr/bin/redis-server", "usr/bin/redis-cli"),
    "tmux": ("usr/bin/tmux",),
    "tree": ("usr/bin/tree",),
}
# The same of 40 MB. It is where no jail gets it; a scenario that needs it copies it to the other packages.
DATABASE = "Library/StandIn/postgresql@17"
DATABASE_PROGRAMS = ("initdb", "pg_isready", "postgres", "psql")
DATABASE_LEFT_OUT = ("etc", "usr/share/doc", "usr/share/lintian", "usr/share/locale", "usr/share/man", "var")
DATABASE_PROGRAM = """#!/bin/sh
PACKAGE=$(dirname "$(dirname "$(readlink -f "$0")")")
export LD_LIBRARY_PATH="$PACKAGE/usr/lib/{triplet}"
exec "$PACKAGE/usr/lib/postgresql/15/bin/{name}" "$@"
"""


def keep_replaced(root: Path) -> None:
    own = root / "usr/lib/standin/bin"
    own.mkdir(parents=True)
    for name in REPLACED:
        shutil.copy(inside(root, root / "usr/bin" / name), own / name)
        (own / name).chmod(0o755)
    for package, paths in PACKAGES.items():
        folder = root / "usr/lib/standin/packages" / package / "bin"
        folder.mkdir(parents=True)
        for path in paths:
            shutil.copy(inside(root, root / path), folder / Path(path).name)
        for path in paths:
            (root / path).unlink()


def keep_database(root: Path, triplet: str) -> None:
    """PostgreSQL with its own libraries. Its compiler of queries needs LLVM, and stays out."""
    package = root / DATABASE
    for name in DATABASE_LEFT_OUT:
        shutil.rmtree(package / name, ignore_errors=True)
    compiler = package / "usr/lib/postgresql/15/lib"
    shutil.rmtree(compiler / "bitcode")
    (compiler / "llvmjit.so").unlink()
    (package / "bin").mkdir()
    for name in DATABASE_PROGRAMS:
        program = package / "bin" / name
        program.write_text(DATABASE_PROGRAM.format(triplet=triplet, name=name), encoding="utf-8")
        program.chmod(0o755)


def place(root: Path) -> None:
    """Undo Debian's merge of /bin and /sbin with /usr; every program lies where macOS has it."""
    old = {folder: root / f"{folder}.debian" for folder in ("usr/bin", "usr/sbin")}
    found = {path.name: inside(root, path) for folder in old for path in (root / folder).iterdir()}
    for path in root.iterdir():
        if path.is_symlink():
            path.unlink()
    for folder, aside in old.items():
        (root / folder).rename(aside)
        found = {name: moved(path, root / folder, aside) for name, path in found.items()}
    placed: dict[Path, Path] = {}
    for folder, names in PLACES.items():
        (root / folder).mkdir(exist_ok=True)
        for name in sorted(names.split(), key=lambda name: found[name].name != name if name in found else True):
            if name in found:
                _put(found[name], root / folder / name, placed)
    for aside in old.values():
        shutil.rmtree(aside)


def moved(path: Path, old: Path, new: Path) -> Path:
    return new / path.relative_to(old) if path.is_relative_to(old) else path


def _put(source: Path, target: Path, placed: dict[Path, Path]) -> None:
    """The first name of a program gets the file, the others a link to it."""
    if source in placed:
        target.symlink_to(os.path.relpath(placed[source], target.parent))
    elif source.is_file():
        source.rename(target)
        placed[source] = target


def drop_the_rest(root: Path, triplet: str) -> None:
    for folder, names in KEPT.items():
        kept = {*names.split(), triplet} if folder else {*names.split(), *(p.split("/")[0] for p in PLACES), "Library"}
        for path in (root / folder).iterdir():
            if path.name not in kept:
                remove(path)
    for pattern in UNUSED_LIBRARIES:
        for path in (root / "usr/lib" / triplet).glob(pattern):
            remove(path)
    shutil.rmtree(root / "usr/share/zsh/functions/Completion", ignore_errors=True)


def remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def inside(root: Path, path: Path) -> Path:
    """Follow every link of path as a process in that root would."""
    done = root
    parts = list(path.relative_to(root).parts)
    for _step in range(400):
        if not parts:
            return done
        part = parts.pop(0)
        if part == "..":
            done = done.parent if done != root else root
        elif (done / part).is_symlink():
            target = os.readlink(done / part)
            done = root if target.startswith("/") else done
            parts = [p for p in target.split("/") if p not in ("", ".")] + parts
        else:
            done = done / part
    raise OSError(f"too many links: {path}")
