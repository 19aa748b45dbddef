# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The lower root: a minimal Debian, then the same in the shape of macOS. Both are cached.

The cache is keyed by a stamp over the recipe, so that a change of the recipe builds a new one; hosts
keep the one they were made with until they are destroyed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

from host import programs, shape
from host.shell import run
from host.state import HERE, StandinError, everybodys_hosts, locked, state_directory

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
INCLUDE = (
    "bindfs,bsdextrautils,bzip2,ca-certificates,curl,file,git,less,libc6-dev,libpam-modules,lsof,make,nano,netbase,nginx,"
    "openssh-server,procps,psmisc,python3,python3-venv,redis-server,rsync,screen,sudo,tcc,tmux,tree,tzdata,unzip,vim-tiny,"
    "xz-utils,zip,zsh"
)
DATABASE = "postgresql-15 postgresql-client-15 libicu72 libpq5 libxml2 libxslt1.1"
"""Unpacked by themselves: what else they depend on, a compiler and Perl, is not used and takes half a minute."""
A_WHILE = 600  # seconds
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/lintian/*")


def triplet() -> str:
    return f"{os.uname().machine}-linux-gnu"


def debian_stamp() -> str:
    recipe = repr((SUITE, INCLUDE, LEFT_OUT, DATABASE, os.uname().machine))
    return hashlib.sha256(recipe.encode()).hexdigest()[:12]


def macos_stamp() -> str:
    """Everything that ends up in the lower root: programs, files and the code that shapes it."""
    digest = hashlib.sha256(debian_stamp().encode())
    shaping = [HERE / "host" / name for name in ("clt.py", "lower.py", "programs.py", "shape.py", "tree.py")]
    sources = [*shaping, *(HERE / "native").rglob("*"), *(HERE / "root").rglob("*")]
    for path in sorted(p for p in sources if "__pycache__" not in p.parts):
        digest.update(str(path.relative_to(HERE)).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(f"{path.stat().st_mode:o}".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def path() -> Path:
    return state_directory() / "lower" / f"macos-{macos_stamp()}"


def ensure() -> Path:
    """The lower root for today's recipe, built when it is not there."""
    wanted = path()
    if not wanted.is_dir():
        debian = _debian()
        print(f"shaping the lower root {wanted}", flush=True)
        _build(wanted, lambda fresh: shape.shape(debian, fresh, triplet()))
        _forget_unused(wanted)
    return wanted


def _debian() -> Path:
    wanted = state_directory() / "lower" / f"debian-{debian_stamp()}"
    if not wanted.is_dir():
        print(f"bootstrapping Debian {SUITE} into {wanted} (about half a minute)", flush=True)
        _build(wanted, _bootstrap)
    return wanted


def _bootstrap(fresh: Path) -> None:
    mirror = os.environ.get("DARWIN_JAIL_STANDIN_MIRROR", MIRROR)
    options = [f"--dpkgopt=path-exclude={pattern}" for pattern in LEFT_OUT]
    run(
        "mmdebstrap",
        "--mode=root",
        "--variant=minbase",
        f"--include={INCLUDE}",
        '--aptopt=APT::Install-Recommends "false"',
        *options,
        f"--customize-hook={_unpack(DATABASE, programs.DATABASE)}",
        SUITE,
        str(fresh),
        mirror,
    )


def _unpack(packages: str, folder: str) -> str:
    """A command that downloads packages and unpacks them below a folder of the root, which is its first argument."""
    return (
        f'mkdir -p "$1/{folder}" && cd "$1/{folder}" '
        f'&& APT_CONFIG="$MMDEBSTRAP_APT_CONFIG" apt-get -qq download {packages} '
        f'&& for package in *.deb; do dpkg-deb -x "$package" . && rm "$package" || exit 1; done'
    )


def _build(wanted: Path, build: Callable[[Path], None]) -> None:
    """Complete under its name or not there at all. Who comes second waits and finds it."""
    with locked(wanted.parent / "lock"):
        if wanted.is_dir():
            return
        fresh = wanted.with_name(wanted.name + ".new")
        if fresh.exists():
            shutil.rmtree(fresh)
        build(fresh)
        if not fresh.is_dir():
            raise StandinError(f"{fresh} was not made")
        fresh.rename(wanted)


def _forget_unused(wanted: Path) -> None:
    """Remove old lower roots that no host of any checkout uses. One made just now may be for a host to come."""
    with locked(wanted.parent / "lock"):
        used = {wanted.name, *(host.lower for host in everybodys_hosts())}
        for old in wanted.parent.glob("macos-*"):
            if old.name not in used and time.time() - old.stat().st_ctime > A_WHILE:
                shutil.rmtree(old)
