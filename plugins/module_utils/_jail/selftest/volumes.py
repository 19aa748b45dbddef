# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes, and what lies on which."""

from __future__ import annotations

import os
import re
import stat

from ..macos import property_list
from ..rootfs.spec.base_layout import DEV, DIRECTORIES
from ..system import call_probes, host
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program

SYSTEM, DATA = "/", "/System/Volumes/Data"
DISKUTIL, HDIUTIL = "/usr/sbin/diskutil", "/usr/bin/hdiutil"
FIRMLINKS = "/usr/share/firmlinks"


@claim(
    "M-VOLUME-1",
    "The System and the Data volume have one st_dev",
    source="Copying: aoss/xnu, FSOPT_RETURN_REALDEV",
    judged="stat(2)",
)
def one_number(_context: Context) -> Verdict:
    same = os.stat(SYSTEM).st_dev == os.stat(DATA).st_dev
    return found(same, "it is the same" if same else "they differ")


@claim(
    "M-VOLUME-2",
    "f_fsid distinguishes the System and the Data volume",
    source="Copying: sys/mount.h",
    judged="fstatfs(2)",
)
def two_numbers(_context: Context) -> Verdict:
    numbers = [host.volume(os.fsencode(path)).number for path in (SYSTEM, DATA)]
    return found(numbers[0] != numbers[1], "they differ" if numbers[0] != numbers[1] else "they are equal")


@claim(
    "M-VOLUME-3",
    "mount and fstatfs(2) agree on the mount options of a volume",
    source="A volume for jails: sys/mount.h",
    judged="mount",
)
def flags(context: Context) -> Verdict:
    volume = host.volume(context.directory)
    options = options_of(context.path())
    said_ = [name for name in ("nodev", "nosuid", "noowners") if getattr(volume, name)]
    told = [name for name in ("nodev", "nosuid", "noowners") if name in options]
    return found(said_ == told, f"mount: {', '.join(told) or 'none'}; fstatfs: {', '.join(said_) or 'none'}")


def options_of(path: str) -> list[str]:
    """The options of the volume of a path, as mount(8) prints them."""
    best: tuple[str, list[str]] = ("", [])
    for line in run_program("/sbin/mount").stdout.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r".* on (/.*) \((.*)\)", line)
        if match and (path + "/").startswith(match[1].rstrip("/") + "/") and len(match[1]) > len(best[0]):
            best = (match[1], match[2].split(", "))
    return best[1]


@claim(
    "M-VOLUME-4",
    "A volume that is not internal is mounted nosuid, nodev and noowners",
    source="A volume for jails: aoss/DiskArbitration DAMount.c 939-965, 1532-1542",
    judged="hdiutil, mount",
)
def external(context: Context) -> Verdict:
    image, point = context.path("scratch", "image.dmg"), context.path("scratch", "volume")
    made = run_program(HDIUTIL, "create", "-size", "20m", "-fs", "APFS", "-volname", "selftest", "-quiet", image)
    if made.rc:
        raise NotTriedError(f"hdiutil made no image: {output_of(made)}")
    call_probes.make_dir(os.fsencode(point))
    ended = run_program(HDIUTIL, "attach", "-nobrowse", "-quiet", "-mountpoint", point, image)
    if ended.rc:
        raise NotTriedError(f"hdiutil attached no image: {output_of(ended)}")
    try:
        options = options_of(point)
    finally:
        run_program(HDIUTIL, "detach", "-quiet", point)
    lacking = [name for name in ("nosuid", "nodev", "noowners") if name not in options]
    return found(not lacking, f"not {', '.join(lacking)}" if lacking else "all three")


@claim(
    "M-FIRMLINK-1",
    "Each line of /usr/share/firmlinks names a directory that is the same on the Data volume",
    source="The tree of a jail: aoss/files usr/share/firmlinks",
    judged="stat(2)",
)
def firmlinks(_context: Context) -> Verdict:
    other = []
    lines = host.read_file(FIRMLINKS).decode("utf-8", "replace").splitlines()
    for line in lines:
        here, tab, there = line.partition("\t")
        inside = f"{DATA}/{there.lstrip('/')}"
        if not tab or (os.path.exists(here) and not (os.path.exists(inside) and os.path.samefile(here, inside))):
            other.append(here)
    return found(bool(lines) and not other, f"not so: {', '.join(other[:5])}" if other else f"all {len(lines)}")


@claim(
    "M-SEAL-1",
    "diskutil info -plist / reports the sealed snapshot that macOS started from",
    source="Whether the source is the same: aws/ec2-macos-utils",
    judged="diskutil",
)
def sealed(_context: Context) -> Verdict:
    values = property_list.load(run_program(DISKUTIL, "info", "-plist", "/").stdout)
    keys = ("APFSSnapshot", "Sealed", "MountPoint")
    told = ", ".join(f"{key} {values.get(key)}" for key in keys)
    uuid = "with a UUID" if values.get("APFSSnapshotUUID") else "without a UUID"
    holds = values.get("APFSSnapshot") is True and values.get("Sealed") == "Yes" and values.get("MountPoint") == "/"
    return found(holds and bool(values.get("APFSSnapshotUUID")), f"{told}, {uuid}")


@claim(
    "M-LAYOUT-1",
    "The directories of macOS have the modes and owners that jails get",
    source="The tree of a jail: aoss/files, hierarchy files",
    judged="stat(2)",
)
def layout(_context: Context) -> Verdict:
    other = []
    seen = [path for path in DIRECTORIES if path != DEV and os.path.isdir(b"/" + path)]
    there = [(f"/{os.fsdecode(path)}", DIRECTORIES[path]) for path in seen]
    for path, wanted in there:
        status = os.lstat(path)
        if (status.st_mode, status.st_uid, status.st_gid) != (wanted.st_mode, wanted.st_uid, wanted.st_gid):
            other.append(f"{path} {stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}")
    return found(not other, f"otherwise: {'; '.join(other)}" if other else f"all {len(there)}")


@claim(
    "M-VOLUME-5",
    "macOS mounts a volume for jails at boot before it starts the jobs of the jails",
    source="A volume for jails",
    judged="a restart",
    needs=("restart",),
)
def in_time(_context: Context) -> Verdict:
    raise NotTriedError("it takes a restart of the Mac")
