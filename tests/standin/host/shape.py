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

from host import clt, tree
from host.shell import run
from host.state import HERE

LOADERS = {"x86_64-linux-gnu": "lib64/ld-linux-x86-64.so.2", "aarch64-linux-gnu": "lib/ld-linux-aarch64.so.1"}
BIN = (
    "[ bash cat chmod cp dash date dd df echo ed expr hostname kill ln link ls mkdir mv pax ps pwd realpath rm rmdir sh "
    "sleep stty sync test unlink zsh"
).split()
SBIN = "dmesg mknod".split()
MEMBERS_OF_USR = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
KEEP_ETC = ("ssl", "security", "services", "protocols", "rpc", "screenrc", "ssh", "login.defs")
DEBIAN_ONLY = (
    "boot", "home", "media", "mnt", "srv", "opt", "root", "run", "sys", "proc", "dev", "var", "tmp",
    "usr/games", "usr/src", "usr/local", "usr/lib32", "usr/lib64", "usr/libx32", "usr/lib/apt",
    "usr/lib/dpkg", "usr/lib/systemd", "usr/lib/udev", "usr/lib/init", "usr/lib/tmpfiles.d", "usr/lib/sysusers.d",
    "usr/lib/modprobe.d", "usr/lib/sysctl.d", "usr/lib/lsb", "usr/lib/mime", "usr/lib/valgrind", "usr/lib/environment.d",
    "usr/share/apt", "usr/share/bash-completion", "usr/share/bug", "usr/share/common-licenses", "usr/share/debconf",
    "usr/share/debianutils", "usr/share/doc", "usr/share/doc-base", "usr/share/dpkg", "usr/share/gcc", "usr/share/gdb",
    "usr/share/info", "usr/share/keyrings", "usr/share/lintian", "usr/share/locale", "usr/share/man", "usr/share/menu",
    "usr/share/pam-configs", "usr/share/perl", "usr/share/perl5", "usr/share/pixmaps", "usr/share/polkit-1",
    "usr/share/runit", "usr/share/zsh/functions/Completion", "usr/share/zsh/help", "usr/share/sensible-utils", "usr/share/libc-bin", "usr/share/adduser", "usr/share/applications",
    "usr/share/base-files", "usr/share/base-passwd", "usr/share/bsdextrautils", "usr/share/icons", "usr/share/initramfs-tools",
    "usr/share/pam", "usr/share/lua", "usr/share/ufw", "usr/share/xml", "usr/share/util-linux",
)
DEBIAN_PROGRAMS = (
    "apt*", "dpkg*", "deb-*", "debconf*", "update-*", "add-shell", "remove-shell", "adduser", "addgroup", "deluser",
    "delgroup", "useradd", "userdel", "usermod", "group*", "gpasswd", "chpasswd", "chgpasswd", "newusers", "vipw", "vigr",
    "pwck", "grpck", "pwconv", "pwunconv", "grpconv", "grpunconv", "invoke-rc.d", "service", "start-stop-daemon",
    "policy-rc.d", "deb-systemd*", "dh_*", "systemd*", "switch_root", "pivot_root", "losetup", "fsck*", "mkfs*",
    "mkswap", "swapon", "swapoff", "agetty", "getty", "sulogin", "runuser", "nologin", "ldconfig", "unix_update",
    "*perl*", "cpan*", "enc2xs", "h2*", "json_pp", "libnetcfg", "pl2pm", "pod*", "prove", "ptar*", "splain", "xsubpp",
    "corelist", "encguess", "instmodsh", "piconv", "shasum", "streamzip", "zipdetails",
    "chroot", "sysctl", "faillock", "mkhomedir_helper", "pam-auth-update", "pam_getenv", "tzselect", "zdump", "zic",
    "e2*", "mke2fs", "tune2fs", "resize2fs", "dumpe2fs", "debugfs", "badblocks", "bl*", "fstrim", "hwclock", "shadowconfig",
    "sensible-*", "select-editor", "ischroot", "savelog", "which.debianutils", "chage", "expiry", "chcpu", "ctrlaltdel",
    "mountpoint", "findmnt", "unshare", "nsenter", "setpriv", "lsblk", "wipefs", "zramctl", "partx", "rtcwake",
    "readprofile", "raw", "ldattach", "fsfreeze", "findfs", "isosize", "cpgr", "cppw", "telinit", "init", "runlevel",
)
DEBIAN_LIBRARIES = ("perl", "perl-base", "libperl*", "gconv", "libapt-*", "libstdc++*", "audit", "e2fsprogs")
# Programs of Linux that a stand-in of the same name replaces but still needs.
REPLACED = ("mount", "umount", "getconf", "domainname")


def shape(debian: Path, root: Path, triplet: str) -> None:
    run("cp", "-a", "--reflink=auto", str(debian), str(root))
    _keep_replaced(root)
    clt.shape(root, triplet)
    _drop(root)
    _split_usr(root)
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


def _keep_replaced(root: Path) -> None:
    kept = root / "usr/lib/standin/bin"
    kept.mkdir(parents=True)
    for name in REPLACED:
        shutil.copy2(inside(root, root / "usr/bin" / name), kept / name)
        (kept / name).chmod(0o755)
        (root / "usr/bin" / name).unlink()


def _drop(root: Path) -> None:
    for name in DEBIAN_ONLY:
        shutil.rmtree(root / name, ignore_errors=True)
    for folder in ("usr/bin", "usr/sbin"):
        for pattern in DEBIAN_PROGRAMS:
            for path in (root / folder).glob(pattern):
                path.unlink()
    for pattern in DEBIAN_LIBRARIES:
        for path in (root / "usr/lib").glob(f"*-linux-gnu/{pattern}"):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _split_usr(root: Path) -> None:
    """Undo the merge of /bin and /sbin with /usr; links are made anew with where things are now."""
    places = {f"usr/bin/{name}": f"bin/{name}" for name in BIN} | {f"usr/bin/{name}": f"sbin/{name}" for name in SBIN}
    places |= {f"usr/sbin/{name}": f"sbin/{name}" for name in SBIN}
    links = {}
    for folder in ("usr/bin", "usr/sbin"):
        for path in sorted((root / folder).iterdir()):
            if path.is_symlink():
                links[str(path.relative_to(root))] = str(inside(root, path).relative_to(root))
                path.unlink()
    for name in MEMBERS_OF_USR:
        if (root / name).is_symlink():
            (root / name).unlink()
    for name in ("bin", "sbin"):
        (root / name).mkdir()
    for old, new in places.items():
        if (root / old).exists():
            (root / old).rename(root / new)
    for link, target in links.items():
        link, target = places.get(link, link), places.get(target, target)
        if (root / target).exists() and not (root / link).exists():
            (root / link).symlink_to(os.path.relpath(target, os.path.dirname(link)))


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
    for path in sorted((root / "etc").iterdir()):
        if path.name not in KEEP_ETC:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
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
    run("python3", "-m", "compileall", "-q", "-s", str(root), str(root / "usr/lib/python3.11/standin"))
