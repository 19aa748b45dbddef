# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Constants, structures and functions of the macOS backend are those of macOS's headers, on both processors.

The `ziglang` wheel ships the headers and the list of what libSystem exports. Its headers lack
sys/xattr.h: the prototypes of flistxattr, fgetxattr, fsetxattr and fremovexattr rest on its manual
pages, as does what the functions do.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import release
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import process_table
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import copyfile, darwin, open_files

OLDEST = f"{release.OLDEST}.0"
SOURCE = "".join(Path(str(module.__file__)).read_text() for module in (darwin, copyfile, open_files, process_table))

FACTS = {
    "COPYFILE_ACL": darwin.COPYFILE_ACL,
    "COPYFILE_XATTR": darwin.COPYFILE_XATTR,
    "COPYFILE_DATA": darwin.COPYFILE_DATA,
    "COPYFILE_STATE_STATUS_CB": copyfile.COPYFILE_STATE_STATUS_CB,
    "COPYFILE_STATE_XATTRNAME": copyfile.COPYFILE_STATE_XATTRNAME,
    "COPYFILE_STATE_COPIED": copyfile.COPYFILE_STATE_COPIED,
    "COPYFILE_COPY_DATA": copyfile.COPYFILE_COPY_DATA,
    "COPYFILE_COPY_XATTR": copyfile.COPYFILE_COPY_XATTR,
    "COPYFILE_START": copyfile.COPYFILE_START,
    "COPYFILE_ERR": copyfile.COPYFILE_ERR,
    "COPYFILE_PROGRESS": copyfile.COPYFILE_PROGRESS,
    "COPYFILE_CONTINUE": copyfile.COPYFILE_CONTINUE,
    "COPYFILE_SKIP": copyfile.COPYFILE_SKIP,
    "COPYFILE_QUIT": copyfile.COPYFILE_QUIT,
    "CLONE_NOFOLLOW": darwin.CLONE_NOFOLLOW,
    "CLONE_ACL": darwin.CLONE_ACL,
    "MNT_NOWAIT": darwin.MNT_NOWAIT,
    "MNT_NOSUID": darwin.MNT_NOSUID,
    "MNT_NODEV": darwin.MNT_NODEV,
    "MNT_IGNORE_OWNERSHIP": darwin.MNT_IGNORE_OWNERSHIP,
    "_PC_CASE_SENSITIVE": darwin.PC_CASE_SENSITIVE,
    "RENAME_SWAP": darwin.RENAME_SWAP,
    "ACL_TYPE_EXTENDED": darwin.ACL_TYPE_EXTENDED,
    "O_SYMLINK": darwin.O_SYMLINK,
    "(UF_NODUMP | UF_IMMUTABLE | UF_APPEND | UF_OPAQUE | UF_HIDDEN | SF_ARCHIVED | SF_IMMUTABLE | SF_APPEND)": (
        darwin.COPIED_FLAGS
    ),
    "(UF_IMMUTABLE | UF_APPEND | SF_IMMUTABLE | SF_APPEND)": darwin.IMMUTABLE_FLAGS,
    "PROC_PIDLISTFDS": open_files.PROC_PIDLISTFDS,
    "PROC_PIDFDVNODEINFO": open_files.PROC_PIDFDVNODEINFO,
    "PROX_FDTYPE_VNODE": open_files.PROX_FDTYPE_VNODE,
    "sizeof(struct proc_fdinfo)": ctypes.sizeof(open_files.FdInfo),
    "offsetof(struct proc_fdinfo, proc_fdtype)": open_files.FdInfo.proc_fdtype.offset,
    "sizeof(struct vnode_fdinfo)": ctypes.sizeof(open_files.VnodeFdInfo),
    "offsetof(struct vnode_fdinfo, pfi.fi_offset)": open_files.VnodeFdInfo.fi_offset.offset,
    "offsetof(struct vnode_fdinfo, pvi.vi_stat.vst_dev)": open_files.VnodeFdInfo.vst_dev.offset,
    "offsetof(struct vnode_fdinfo, pvi.vi_stat.vst_ino)": open_files.VnodeFdInfo.vst_ino.offset,
    **{
        name: getattr(process_table, name)
        for name in ("PROC_PIDTBSDINFO", "PROC_PIDTASKINFO", "PROC_PIDVNODEPATHINFO", "CTL_KERN", "KERN_PROCARGS2")
    },
    "SZOMB": process_table.ZOMBIE,
    "sizeof(struct proc_bsdinfo)": process_table.BSD_INFO,
    "offsetof(struct proc_bsdinfo, pbi_status)": process_table.BSD_STATUS,
    "offsetof(struct proc_bsdinfo, pbi_pid)": process_table.BSD_STATUS + 8,
    "offsetof(struct proc_bsdinfo, pbi_ppid)": process_table.BSD_STATUS + 12,
    "offsetof(struct proc_bsdinfo, pbi_uid)": process_table.BSD_STATUS + 16,
    "offsetof(struct proc_bsdinfo, pbi_comm)": process_table.BSD_COMMAND,
    "offsetof(struct proc_bsdinfo, pbi_name)": process_table.BSD_NAME,
    "offsetof(struct proc_bsdinfo, pbi_pgid)": process_table.BSD_GROUP,
    "offsetof(struct proc_bsdinfo, pbi_start_tvsec)": process_table.BSD_START,
    "offsetof(struct proc_bsdinfo, pbi_start_tvusec)": process_table.BSD_START + 8,
    "sizeof(struct proc_taskinfo)": process_table.TASK_INFO,
    "offsetof(struct proc_taskinfo, pti_resident_size)": process_table.TASK_MEMORY,
    "offsetof(struct proc_taskinfo, pti_total_user)": process_table.TASK_TIMES,
    "offsetof(struct proc_taskinfo, pti_total_system)": process_table.TASK_TIMES + 8,
    "sizeof(struct proc_vnodepathinfo)": process_table.ROOT_INFO,
    "offsetof(struct proc_vnodepathinfo, pvi_rdir.vip_vi.vi_stat.vst_ino)": process_table.ROOT_INODE,
    "offsetof(struct proc_vnodepathinfo, pvi_rdir.vip_vi.vi_fsid)": process_table.ROOT_VOLUME,
    "offsetof(struct proc_vnodepathinfo, pvi_rdir.vip_path)": process_table.ROOT_PATH,
    "offsetof(struct statfs, f_fsid) + 0": process_table.STATFS_VOLUME,
    "sizeof(struct statfs)": ctypes.sizeof(darwin.StatFs),
    **{
        f"offsetof(struct statfs, {name})": getattr(darwin.StatFs, name).offset
        for name in ("f_fsid", "f_flags", "f_fstypename", "f_mntonname", "f_mntfromname")
    },
    **{
        f"sizeof(((struct statfs *)0)->{name})": getattr(darwin.StatFs, name).size
        for name in ("f_fstypename", "f_mntonname", "f_mntfromname")
    },
}

# As they are called by ctypes: a plain number is an int, bytes are a char *, None is any pointer.
PROTOTYPES = {
    "fcopyfile": "int (*)(int, int, copyfile_state_t, uint32_t)",
    "copyfile_state_alloc": "copyfile_state_t (*)(void)",
    "copyfile_state_free": "int (*)(copyfile_state_t)",
    "copyfile_state_set": "int (*)(copyfile_state_t, uint32_t, const void *)",
    "copyfile_state_get": "int (*)(copyfile_state_t, uint32_t, void *)",
    "fclonefileat": "int (*)(int, int, const char *, uint32_t)",
    "renameatx_np": "int (*)(int, const char *, int, const char *, unsigned int)",
    "fchflags": "int (*)(int, uint32_t)",
    "getfsstat": "int (*)(struct statfs *, int, int)",
    "fstatfs": "int (*)(int, struct statfs *)",
    "proc_pidinfo": "int (*)(int, int, uint64_t, void *, int)",
    "proc_listallpids": "int (*)(void *, int)",
    "sysctl": "int (*)(int *, unsigned int, void *, size_t *, void *, size_t)",
    "sysctlbyname": "int (*)(const char *, void *, size_t *, void *, size_t)",
    "proc_pidfdinfo": "int (*)(int, int, int, void *, int)",
    "acl_get_fd_np": "acl_t (*)(int, acl_type_t)",
    "acl_get_link_np": "acl_t (*)(const char *, acl_type_t)",
    "acl_set_link_np": "int (*)(const char *, acl_type_t, acl_t)",
    "acl_size": "ssize_t (*)(acl_t)",
    "acl_copy_ext": "ssize_t (*)(void *, acl_t, ssize_t)",
    "acl_free": "int (*)(void *)",
}

STATFS = re.findall(r'_with_inode64\("(\w+)"', SOURCE)

INCLUDES = (
    "copyfile.h fcntl.h libproc.h stddef.h stdint.h stdio.h sys/acl.h sys/clonefile.h sys/mount.h sys/proc.h "
    "sys/stat.h sys/sysctl.h unistd.h"
)

pytestmark = pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="the ziglang wheel is missing")


def compile_c(folder: Path, text: str, arch: str) -> subprocess.CompletedProcess[str]:
    (folder / "facts.c").write_text("".join(f"#include <{name}>\n" for name in INCLUDES.split()) + text)
    command = [sys.executable, "-m", "ziglang", "cc", "-target", f"{arch}-macos.{OLDEST}", "-Werror"]
    command += ["-c", "-o", "facts.o", "facts.c"]
    environment = {**os.environ, **dict.fromkeys(("ZIG_LOCAL_CACHE_DIR", "ZIG_GLOBAL_CACHE_DIR"), str(folder / "zig"))}
    return subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=environment)


@pytest.mark.parametrize("arch", ["aarch64", "x86_64"])
def test_constants_and_structures(tmp_path: Path, arch: str) -> None:
    text = "".join(f'_Static_assert({name} == {value}, "{name}");\n' for name, value in FACTS.items())
    text += (
        f'_Static_assert(sizeof(acl_type_t) == sizeof(int) && sizeof(void *) == {ctypes.sizeof(ctypes.c_void_p)}, "");'
    )
    done = compile_c(tmp_path, text, arch)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arch", ["aarch64", "x86_64"])
def test_the_function_that_copyfile_asks(tmp_path: Path, arch: str) -> None:
    """Two numbers, three pointers and a pointer; it answers a number."""
    kinds = {ctypes.c_int: "int", ctypes.c_void_p: "void *", ctypes.c_char_p: "const char *"}
    arguments = [kinds[kind] for kind in copyfile.Callback._argtypes_]
    assert copyfile.Callback._restype_ is ctypes.c_int
    arguments[2] = "copyfile_state_t"
    type_ = f"int (*)({', '.join(arguments)})"
    done = compile_c(tmp_path, f'_Static_assert(__builtin_types_compatible_p(copyfile_callback_t, {type_}), "");', arch)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("arch", ["aarch64", "x86_64"])
def test_prototypes(tmp_path: Path, arch: str) -> None:
    text = "".join(
        f'_Static_assert(__builtin_types_compatible_p(__typeof__(&{name}), {type_}), "{name}");\n'
        for name, type_ in PROTOTYPES.items()
    )
    done = compile_c(tmp_path, text, arch)
    assert done.returncode == 0, done.stderr


def exported(arch: str) -> set[str]:
    """What libSystem offers to programs for a processor, by the list in the wheel."""
    spec = importlib.util.find_spec("ziglang")
    assert spec
    assert spec.origin
    text = (Path(spec.origin).parent / "lib/libc/darwin/libSystem.tbd").read_text()
    found: set[str] = set()
    for targets, symbols in re.findall(r"- targets:\s*\[([^]]*)\]\s*symbols:\s*\[([^]]*)\]", text):
        if f"{arch}-macos" in re.split(r"[,\s]+", targets):
            found |= {name.strip("'\"") for name in re.split(r"[,\s]+", symbols)}
    return found


@pytest.mark.parametrize("arch", ["arm64e", "x86_64"])
def test_what_is_called_is_exported(arch: str) -> None:
    """By these very names; on Intel getfsstat has its old structure unless it is asked otherwise."""
    names = {*re.findall(r'_call\("(\w+)"', SOURCE), *STATFS, *re.findall(r"libc?\.(\w+)\(", SOURCE)}
    assert names >= set(PROTOTYPES)
    known = exported(arch)
    assert {f"_{name}" for name in names} - known == set()
    for name in STATFS:
        assert (f"_{name}$INODE64" in known) == (arch == "x86_64")


def test_a_wrong_fact_is_noticed(tmp_path: Path) -> None:
    done = compile_c(tmp_path, f'_Static_assert(CLONE_ACL == {darwin.CLONE_NOFOLLOW}, "CLONE_ACL");', "aarch64")
    assert done.returncode != 0
    assert "CLONE_ACL" in done.stderr
