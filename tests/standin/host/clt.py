# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The Command Line Tools: git, make, Python and a C compiler, apart from the system as on macOS."""

from __future__ import annotations

import os
import plistlib
import shutil
from pathlib import Path

from host.shell import run

PACKAGED = "usr/lib/standin/packages/CommandLineTools"
TOOLS = "Library/Developer/CommandLineTools"
SHIMS = ("cc", "clang", "gcc", "git", "make")
GIT_SERVERS = ("daemon", "http-backend", "http-fetch", "http-push", "imap-send", "shell")
LIBRARIES = ("crt1.o", "crti.o", "crtn.o", "libc.so.6", "libm.so.6")
PACKAGE = "com.apple.pkg.CLTools_Executables"
# Where macOS 13 and later keep Apple's receipts (two current programs look there), and where 12 does.
RECEIPTS, RECEIPTS_OF_12 = "Library/Apple/System/Library/Receipts", "private/var/db/receipts"
# macOS major release -> what pkgutil says of the tools for it (public transcripts).
VERSIONS = {
    12: "14.2.0.0.1.1668646533",
    13: "14.3.1.0.1.1683849156",
    14: "15.3.0.0.1.1708646388",
    27: "27.0.0.0.1788430756",
}
NEWEST = "16.2.0.0.1.1733547573"


def shape(root: Path, triplet: str) -> None:
    """Move what Debian has for developers below the tools; their wrappers are files of root/."""
    tools = root / TOOLS
    for folder in ("usr/bin", "usr/lib", "usr/libexec", "usr/share", "SDKs/MacOSX.sdk/usr/lib"):
        (tools / folder).mkdir(parents=True, exist_ok=True)
    _git(root, tools)
    (root / "usr/bin/make").rename(tools / "usr/bin/make")
    for name in ("cc", "gcc"):
        (tools / "usr/bin" / name).symlink_to("clang")
    os.link(root / "usr/bin/python3.11", tools / "usr/bin/python3.11")
    (tools / "usr/bin/python3").symlink_to("python3.11")
    _compiler(root, tools, triplet)


def make_shims(root: Path) -> None:
    """One file, many names, as on macOS."""
    for name in SHIMS:
        (root / "usr/bin" / name).unlink(missing_ok=True)
        os.link(root / "usr/bin/xcrun", root / "usr/bin" / name)


def _git(root: Path, tools: Path) -> None:
    core = tools / "usr/libexec/git-core"
    (root / "usr/lib/git-core").rename(core)
    for name in (*(f"git-{server}" for server in GIT_SERVERS), "scalar"):
        (core / name).unlink(missing_ok=True)
    for path in [*(root / "usr/bin").glob("git*"), root / "usr/bin/scalar"]:
        path.unlink()
    (root / "usr/share/git-core").rename(tools / "usr/share/git-core")
    shutil.rmtree(root / "usr/share/gitweb", ignore_errors=True)


def _compiler(root: Path, tools: Path, triplet: str) -> None:
    sdk = tools / "SDKs/MacOSX.sdk"
    library = root / "usr/lib" / triplet
    shutil.move(root / "usr/bin/tcc", tools / "usr/libexec/tcc")
    shutil.move(library / "tcc", tools / "usr/lib/tcc")
    (root / "usr/include").rename(sdk / "usr/include")
    for path in (sdk / "usr/include" / triplet).iterdir():
        target = sdk / "usr/include" / path.name
        if target.is_dir():
            shutil.copytree(path, target, dirs_exist_ok=True)
        else:
            path.rename(target)
    for name in LIBRARIES:
        shutil.copy2(library / name, sdk / "usr/lib" / name)
    for name in ("libc", "libm"):
        (sdk / "usr/lib" / f"{name}.so").symlink_to(f"{name}.so.6")
    for path in [*library.glob("*.o"), *library.glob("*.a"), *library.glob("lib*.so")]:
        if path.is_symlink() or path.suffix in (".o", ".a") or path.stat().st_size < 500:
            path.unlink()


def select(root: Path, major: int) -> None:
    """What an installation of the tools leaves in addition to the tools: the receipt and the selection."""
    receipts = root / (RECEIPTS if major >= 13 else RECEIPTS_OF_12)
    receipts.mkdir(parents=True, exist_ok=True)
    receipt = {
        "PackageIdentifier": PACKAGE,
        "PackageVersion": VERSIONS.get(major, NEWEST),
        "InstallPrefixPath": "/",
        "InstallDate": "1734703931",
    }
    (receipts / f"{PACKAGE}.plist").write_bytes(plistlib.dumps(receipt))
    link = root / "private/var/db/xcode_select_link"
    link.unlink(missing_ok=True)
    link.symlink_to(f"/{TOOLS}")


def take_away(root: Path) -> None:
    """A Mac fresh from the installer: the tools are only a package, python3 is only a shim."""
    (root / PACKAGED).parent.mkdir(exist_ok=True)
    run("cp", "-a", str(root / TOOLS), str(root / PACKAGED))
    shutil.rmtree(root / TOOLS)
    for name in ("python3", "python3.11"):
        (root / "usr/bin" / name).unlink()
    (root / "usr/lib/standin/bin/python3").unlink()
    os.link(root / PACKAGED / "usr/bin/python3.11", root / "usr/lib/standin/bin/python3")
    os.link(root / "usr/bin/xcrun", root / "usr/bin/python3")
