# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Directories of a macOS root with their modes and owners, and the awkward files a copier meets.

Modes and owners: apple-oss files, hierarchy*.
"""

from __future__ import annotations

import os
import plistlib
import stat
from pathlib import Path

# path, mode, uid, gid
WHEEL, DAEMON, SYS, STAFF, ADMIN = 0, 1, 3, 20, 80
DIRECTORIES = (
    (".", 0o1775, 0, ADMIN),
    ("Applications", 0o775, 0, ADMIN),
    ("Applications/Utilities", 0o775, 0, ADMIN),
    ("Library", 0o755, 0, WHEEL),
    ("Library/Caches", 0o1777, 0, ADMIN),
    ("Library/Developer", 0o755, 0, ADMIN),
    ("Library/LaunchDaemons", 0o755, 0, WHEEL),
    ("Library/LaunchAgents", 0o755, 0, WHEEL),
    ("Library/Logs", 0o775, 0, ADMIN),
    ("Library/Preferences", 0o755, 0, WHEEL),
    ("Library/Apple", 0o755, 0, WHEEL),
    ("System/Library", 0o755, 0, WHEEL),
    ("System/Library/Caches", 0o755, 0, WHEEL),
    ("System/Library/CoreServices", 0o755, 0, WHEEL),
    ("System/Library/Frameworks", 0o755, 0, WHEEL),
    ("System/Library/Keychains", 0o755, 0, WHEEL),
    ("System/Library/LaunchDaemons", 0o755, 0, WHEEL),
    ("System/Library/OpenSSL", 0o755, 0, WHEEL),
    ("System/Library/OpenSSL/certs", 0o755, 0, WHEEL),
    ("System/Library/Perl/5.34", 0o755, 0, WHEEL),
    ("System/Library/PrivateFrameworks", 0o755, 0, WHEEL),
    ("System/Library/Sandbox/Profiles", 0o755, 0, WHEEL),
    ("System/Library/Security", 0o755, 0, WHEEL),
    ("System/Library/Speech", 0o755, 0, WHEEL),
    ("System/Library/dyld", 0o755, 0, WHEEL),
    ("System/Cryptexes", 0o755, 0, WHEEL),
    ("System/Volumes/Data", 0o755, 0, WHEEL),
    ("System/Volumes/Preboot", 0o755, 0, WHEEL),
    ("System/Volumes/VM", 0o755, 0, WHEEL),
    ("Users", 0o755, 0, ADMIN),
    ("Users/Shared", 0o1777, 0, WHEEL),
    ("Volumes", 0o755, 0, WHEEL),
    ("cores", 0o1775, 0, ADMIN),
    ("dev", 0o555, 0, WHEEL),
    ("opt", 0o755, 0, WHEEL),
    ("private", 0o755, 0, WHEEL),
    ("private/tmp", 0o1777, 0, WHEEL),
    ("private/etc/paths.d", 0o755, 0, WHEEL),
    ("private/etc/manpaths.d", 0o755, 0, WHEEL),
    ("private/etc/sudoers.d", 0o755, 0, WHEEL),
    ("private/var", 0o755, 0, WHEEL),
    ("private/var/db", 0o755, 0, WHEEL),
    ("private/var/db/dslocal/nodes/Default/users", 0o700, 0, WHEEL),
    ("private/var/db/dslocal/nodes/Default/groups", 0o700, 0, WHEEL),
    ("private/var/db/standin", 0o755, 0, WHEEL),
    ("private/var/db/sudo", 0o711, 0, WHEEL),
    ("private/var/db/com.apple.xpc.launchd", 0o755, 0, WHEEL),
    ("private/var/empty", 0o755, 0, SYS),
    ("private/var/folders", 0o755, 0, WHEEL),
    ("private/var/jails", 0o755, 0, WHEEL),
    ("private/var/log", 0o755, 0, WHEEL),
    ("private/var/mail", 0o775, 0, 6),
    ("private/var/root", 0o750, 0, WHEEL),
    ("private/var/run", 0o775, 0, DAEMON),
    ("private/var/select", 0o755, 0, WHEEL),
    ("private/var/spool", 0o755, 0, WHEEL),
    ("private/var/tmp", 0o1777, 0, WHEEL),
    ("proc", 0o555, 0, WHEEL),
    ("usr/lib/system", 0o755, 0, WHEEL),
    ("usr/libexec/cups", 0o755, 0, WHEEL),
    ("usr/local", 0o755, 0, WHEEL),
    ("usr/local/bin", 0o755, 0, WHEEL),
    ("usr/local/lib", 0o755, 0, WHEEL),
    ("usr/share/snmp", 0o755, 0, WHEEL),
)
FILE_MODES = {"private/etc/sudoers": 0o440, "private/etc/master.passwd": 0o600, "private/etc/sudoers.d/standin": 0o440}
LINKS = {
    "home": "/System/Volumes/Data/home",
    "run": "private/var/run",
    "private/etc/localtime": "/var/db/timezone/zoneinfo/UTC",
    "private/etc/resolv.conf": "../var/run/resolv.conf",
    "private/var/db/timezone/zoneinfo": "tz/2025b.1.0/zoneinfo",
    "private/var/select/sh": "/bin/bash",
    "System/Cryptexes/OS": "../../System/Volumes/Preboot/Cryptexes/OS",
    "System/Library/CoreServices/.SystemVersionPlatform.plist": "SystemVersion.plist",
    "usr/libexec/sftp-server": "../lib/openssh/sftp-server",
    "usr/share/zoneinfo": "/var/db/timezone/zoneinfo",
    "usr/share/zoneinfo.default": "/var/db/timezone/zoneinfo",
}
FRAMEWORKS = {
    "System/Library/Frameworks": {"CoreFoundation": "A", "Foundation": "C", "Security": "A", "IOKit": "A"},
    "System/Library/PrivateFrameworks": {"PackageKit": "A", "SystemMigration": "A"},
}


def make_directories(root: Path) -> None:
    for name, mode, uid, gid in DIRECTORIES:
        path = root / name
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, uid, gid)
        path.chmod(mode)


def make_fixtures(root: Path) -> None:
    """Links, frameworks, and one of each kind of file that a careless copier gets wrong."""
    zones = root / "private/var/db/timezone/tz/2025b.1.0"
    zones.mkdir(parents=True)
    (root / "usr/share/zoneinfo").rename(zones / "zoneinfo")
    for name, target in LINKS.items():
        path = root / name
        if path.is_symlink():
            path.unlink()
        path.symlink_to(target)
    for folder, names in FRAMEWORKS.items():
        for name, version in names.items():
            _framework(root / folder / f"{name}.framework", name, version)
    _awkward(root)


def _framework(path: Path, name: str, version: str) -> None:
    """As on disk since macOS 11: the binary is in the shared cache, resources and links are files."""
    resources = path / "Versions" / version / "Resources"
    resources.mkdir(parents=True)
    (resources / "Info.plist").write_bytes(
        plistlib.dumps({"CFBundleName": name, "CFBundleIdentifier": f"com.apple.{name}"})
    )
    (path / "Versions/Current").symlink_to(version)
    (path / "Resources").symlink_to("Versions/Current/Resources")
    (path / name).symlink_to(f"Versions/Current/{name}")  # dangling, as on macOS


def _awkward(root: Path) -> None:
    share = root / "usr/share/standin"
    (share / "empty").mkdir(parents=True)
    (share / ".hidden").write_text("hidden\n", encoding="utf-8")
    (share / "name with space").write_text("space\n", encoding="utf-8")
    (share / "no-access").write_text("mode 0000\n", encoding="utf-8")
    (share / "no-access").chmod(0)
    (share / "one").write_text("hard link\n", encoding="utf-8")
    os.link(share / "one", share / "two")
    os.link(share / "one", root / "usr/libexec/standin-hard-link")
    (share / "dangling").symlink_to("nowhere")
    os.setxattr(share / "one", "user.com.apple.metadata", b"\0binary\xff value")
    with open(share / "sparse", "wb") as sparse:
        sparse.truncate(1 << 20)
    os.utime(share / ".hidden", ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
    os.mkfifo(share / "fifo", 0o644)
    os.mknod(share / "socket", stat.S_IFSOCK | 0o644)
    (root / "private/var/log/lastlog").touch()
    (root / "usr/local/bin/local-only").write_text("#!/bin/sh\necho local\n", encoding="utf-8")
    (root / "usr/local/bin/local-only").chmod(0o755)
    (root / "usr/libexec/cups/on-the-data-volume").write_text("x\n", encoding="utf-8")
