# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Turn a minimal Debian into the shape of a macOS root, once per recipe.

/bin, /sbin, /usr/bin and /usr/sbin become directories of their own, /etc, /var and /tmp move below
/private, what belongs to Debian's packaging goes, and the files of root/ and native/ come in.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from host import clt, programs, tree
from host.shell import run
from host.state import HERE

LOADERS = {"x86_64-linux-gnu": "lib64/ld-linux-x86-64.so.2", "aarch64-linux-gnu": "lib/ld-linux-aarch64.so.1"}


def shape(debian: Path, root: Path, triplet: str) -> None:
    run("cp", "-a", "--reflink=auto", str(debian), str(root))
    clt.shape(root, triplet)
    programs.keep_replaced(root)
    programs.keep_database(root, triplet)
    programs.place(root)
    programs.drop_the_rest(root, triplet)
    (root / "usr/share/terminfo").rmdir()
    (root / "usr/lib/terminfo").rename(root / "usr/share/terminfo")  # the system's, which ncurses knows, too
    os.link(root / "bin/bash", root / "bin/sh")  # sh of macOS is bash under another name
    _loader(root, triplet)
    _pam(root, triplet)
    _move_to_private(root)
    _own_by_wheel(root)
    tree.make_directories(root)
    run(str(HERE / "native" / "build.sh"), str(root), triplet)
    _copy_files(root)
    clt.make_shims(root)
    tree.make_fixtures(root)
    _python(root)


def _loader(root: Path, triplet: str) -> None:
    """Linux programs name their loader by an absolute path: it stays, as the only thing there."""
    loader = root / LOADERS[triplet]
    loader.parent.mkdir(exist_ok=True)
    loader.symlink_to(os.path.relpath(root / "usr/lib" / triplet / loader.name, loader.parent))


def _pam(root: Path, triplet: str) -> None:
    """Modules lie where macOS has them; their names there end in .so.2."""
    target = root / "usr/lib/pam"
    target.mkdir()
    for module in (root / "usr/lib" / triplet / "security").glob("pam_*.so"):
        module.rename(target / f"{module.name}.2")


def _move_to_private(root: Path) -> None:
    certificates = (root / "etc/ssl/certs/ca-certificates.crt").read_bytes()
    shutil.rmtree(root / "etc/ssl/certs")
    (root / "etc/ssl/certs").mkdir()
    (root / "etc/ssl/cert.pem").write_bytes(certificates)
    (root / "etc/ssl/certs/ca-certificates.crt").symlink_to("../cert.pem")
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    (root / "private").mkdir()
    (root / "etc").rename(root / "private/etc")
    for name in ("etc", "var", "tmp"):
        (root / name).symlink_to(f"private/{name}")
        (root / "private" / name).mkdir(exist_ok=True)


def _own_by_wheel(root: Path) -> None:
    """Debian's group numbers mean nothing on macOS; without the group, setgid means nothing either."""
    for folder, directories, files in os.walk(root):
        for name in (*directories, *files):
            path = os.path.join(folder, name)
            status = os.lstat(path)
            if status.st_gid == 0 and status.st_uid == 0:
                continue
            os.chown(path, 0, 0, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                os.chmod(path, stat.S_IMODE(status.st_mode) & ~0o2000)


def _copy_files(root: Path) -> None:
    """The tree of root/, over what is there; modes come from the files, owners are root."""
    source = HERE / "root"
    for path in sorted(source.rglob("*")):
        if "__pycache__" in path.parts:
            continue
        target = root / path.relative_to(source)
        if path.is_dir():
            target.mkdir(exist_ok=True)
            continue
        if target.is_symlink() or target.exists():
            target.unlink()
        shutil.copyfile(path, target)
        target.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    for name, mode in tree.FILE_MODES.items():
        (root / name).chmod(mode)


def _python(root: Path) -> None:
    """Stand-in commands run on a Python of their own, so that the host's can be taken away."""
    (root / "usr/lib/standin/bin/python3").symlink_to("../../../bin/python3.11")
    run("chroot", str(root), "/usr/bin/python3.11", "-m", "compileall", "-q", "/usr/lib/python3.11/standin")
