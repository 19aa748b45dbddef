# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The files that make one host differ from the next: release, kernel facts, caches, people, keys."""

from __future__ import annotations

import os
import plistlib
import shutil
from pathlib import Path

from host import accounts, clt, homebrew
from host.dyld_cache import Family
from host.releases import Release, kernel_facts, machine_for, release_for
from host.shell import run
from host.state import Host, checkout_directory

CRYPTEX = "System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld"
# What System Integrity Protection marks, by an attribute without a value; Linux has another name for it.
PROTECTED, ROOTLESS = ("bin", "sbin", "usr", "System"), "user.com.apple.rootless"
ARCHES = {"arm64": ("arm64e", "x86_64"), "x86_64": ("x86_64", "x86_64h")}


def write(host: Host, root: Path) -> None:
    release = release_for(host.macos, host.arch)
    write_release(host, root)
    accounts.write(root, host.name)
    _homes(root)
    _keys(root, host)
    if host.xnu:
        for name in PROTECTED:
            os.setxattr(root / name, ROOTLESS, b"")
    if host.bare:
        clt.take_away(root)
        _take_fuse_away(root)
    else:
        clt.select(root, release.major)
        homebrew.install(root, host.arch, accounts.PEOPLE["admin"][0], accounts.SYSTEM_GROUPS["admin"])
        _copy_bindfs(root)


def write_release(host: Host, root: Path) -> None:
    """What another macOS changes: its version, its kernel, its shared caches."""
    release = release_for(host.macos, host.arch)
    _version_plists(root, release)
    facts = kernel_facts(release, machine_for(host.cpu, host.arch), host.hostname)
    text = "".join(f"{key}: {value}\n" for key, value in facts.items())
    (root / "usr/lib/standin/kernel").write_text(text, encoding="utf-8")
    _caches(root, host.arch, release)


def _take_fuse_away(root: Path) -> None:
    """macFUSE and bindfs are what people install."""
    shutil.rmtree(root / "Library/Filesystems/macfuse.fs")
    (root / "usr/local/bin/bindfs").unlink()


def _copy_bindfs(root: Path) -> None:
    """What an administrator does who trusts Homebrew's: root runs no program that a person can replace."""
    folder = root / "opt/darwin.jail/bin"
    folder.mkdir(parents=True)
    for made in (folder.parent, folder):
        made.chmod(0o755)
    shutil.copy(root / "usr/local/bin/bindfs", folder)


def _version_plists(root: Path, release: Release) -> None:
    folder = root / "System/Library/CoreServices"
    version = {
        "BuildID": "5F1B4A3E-9D6C-11EF-8F4B-2A5B1C2D3E4F",
        "ProductBuildVersion": release.build,
        "ProductCopyright": "1983-2024 Apple Inc.",
        "ProductName": "macOS",
        "ProductUserVisibleVersion": release.version,
        "ProductVersion": release.version,
        "iOSSupportVersion": f"{release.major + 3}.0",
    }
    (folder / "SystemVersion.plist").write_bytes(plistlib.dumps(version))
    compat = {**version, "ProductName": "Mac OS X", "ProductUserVisibleVersion": "10.16", "ProductVersion": "10.16"}
    (folder / "SystemVersionCompat.plist").write_bytes(plistlib.dumps(compat))


def _caches(root: Path, arch: str, release: Release) -> None:
    folder = root / (CRYPTEX if release.major >= 13 else "System/Library/dyld")
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("dyld_shared_cache_*"):
        old.unlink()
    for cache in ARCHES[arch]:
        for name, contents in Family(cache, release.version, release.build).files().items():
            path = folder / name
            path.write_bytes(contents)
            path.chmod(0o755)


def _homes(root: Path) -> None:
    public = (checkout_directory() / "id_ed25519.pub").read_bytes()
    for name, (uid, _full, _shell, _groups) in accounts.PEOPLE.items():
        home = root / "Users" / name
        for folder, mode in ((home, 0o755), (home / ".ssh", 0o700), (home / "Library", 0o700)):
            folder.mkdir(exist_ok=True)
            folder.chmod(mode)
            os.chown(folder, uid, accounts_staff())
        keys = home / ".ssh/authorized_keys"
        keys.write_bytes(public)
        keys.chmod(0o600)
        os.chown(keys, uid, accounts_staff())


def accounts_staff() -> int:
    return accounts.SYSTEM_GROUPS["staff"]


def _keys(root: Path, host: Host) -> None:
    """The host's ssh key is made here, so that the machine knows it before the first connection."""
    key = host.directory / "ssh_host_ed25519_key"
    if not key.exists():
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(key))
    for suffix, mode in (("", 0o600), (".pub", 0o644)):
        target = root / f"private/etc/ssh/ssh_host_ed25519_key{suffix}"
        shutil.copyfile(f"{key}{suffix}", target)
        target.chmod(mode)
