# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Built-in lists of what a jail needs, by release of macOS and architecture.

Why each path is there, with its source: docs/macos.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from .._sys import at
from .._sys.rooted import Root
from ..dyld_cache import subcaches
from ..errors import InputError, failed, show
from ..macos import architecture, release
from .manifest import Entry, checked
from .source import Source

NAMES = ("standard",)

STANDARD = """
/bin/ /sbin/ /usr/bin/ /usr/lib/ /usr/libexec/ /usr/sbin/ /usr/share/
/System/Library/Frameworks/ /System/Library/Perl/
/System/Library/Sandbox/Profiles/
/System/Library/Keychains/ /System/Library/Security/ /System/Library/OpenSSL/
/System/Library/CoreServices/SystemVersion.plist
/System/Library/CoreServices/SystemVersionCompat.plist
/System/Library/CoreServices/.SystemVersionPlatform.plist
/etc/bashrc /etc/group /etc/hosts /etc/localtime /etc/manpaths /etc/master.passwd /etc/networks
/etc/pam.d/ /etc/passwd /etc/paths /etc/paths.d/ /etc/profile /etc/protocols /etc/resolv.conf
/etc/rpc /etc/services /etc/shells /etc/ssl/ /etc/sudoers /etc/sudoers.d/ /etc/ttys
/etc/zprofile /etc/zshrc
/var/db/timezone/ /var/select/
/dev/null /dev/random /dev/urandom /dev/zero
""".split()

# They would act on the Mac, not on the jail.
ACTING_ON_THE_MAC = ("/sbin/halt", "/sbin/reboot", "/sbin/shutdown")

# Where the Mac has its developer tools, which may be an Xcode that the jail has not.
CHOSEN_FOR_THE_MAC = ("/var/select/developer_dir",)

CACHE = b"System/Library/dyld"
CACHE_SOURCES = (b"System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld", CACHE)
MAIN_FILES = {
    "arm64": ("dyld_shared_cache_arm64e",),
    "x86_64": ("dyld_shared_cache_x86_64h", "dyld_shared_cache_x86_64"),
}


class Profile(NamedTuple):
    """What a profile adds to what the user names."""

    entries: Sequence[Entry] = ()
    exclude: Sequence[str] = ()
    configuration: Sequence[bytes] = ()
    warnings: Sequence[str] = ()


def chosen(name: str | None, source: Source, nothing_named: bool) -> Profile:
    """The profile that applies: the one named, or `standard` when the user names nothing at all."""
    if name is None and not nothing_named:
        return Profile()
    found = release(source.root)
    arch = architecture()
    if found.major < 12 or arch not in MAIN_FILES:
        raise InputError(
            f"there is no profile for macOS {found.version} on {arch}: name what to copy with manifests or entries"
        )
    origin = f"profile {name or 'standard'}"
    caches = _shared_cache(source, arch, origin)
    warnings = (
        () if caches else (f"no shared cache for {arch} in {show(source.path)}: programs in the jail cannot start",)
    )
    listed = [checked(os.fsencode(path), None, True, origin) for path in STANDARD]
    return Profile([*listed, *caches], (*ACTING_ON_THE_MAC, *CHOSEN_FOR_THE_MAC), (), warnings)


def _shared_cache(source: Source, arch: str, origin: str) -> list[Entry]:
    """Entries for the files of the shared cache that programs of this architecture use."""
    for place in CACHE_SOURCES:
        directory = source.resolve(place, True)
        if directory is None:
            continue
        names: list[str] = []
        for main in MAIN_FILES[arch]:
            path = directory + b"/" + os.fsencode(main)
            if source.root.lstat(path) is not None:
                names += [main, *_subcaches(source.root, path, main)]
        if names:
            dest = b"/" + CACHE + b"/"
            return [checked(b"/" + place + b"/" + os.fsencode(name), dest, False, origin) for name in names]
    return []


def _subcaches(root: Root, path: bytes, main: str) -> list[str]:
    parent, name = os.path.split(path)
    try:
        with root.directory(parent) as dir_fd:
            fd = at.open_file(name, dir_fd)
        try:
            return [part.name for part in subcaches(lambda offset, size: os.pread(fd, size, offset), main)]
        finally:
            os.close(fd)
    except OSError as exc:
        raise failed("read", root.outside(path), exc) from exc
