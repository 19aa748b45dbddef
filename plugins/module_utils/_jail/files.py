# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single files, links and directories in a jail that a build does not copy: homes, settings.

ansible.builtin.file and copy would reach them by a path of the Mac, and follow
links in the jail. This file reaches each without following a link.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from . import kept_file
from .accounts import user_tmp
from .accounts.jail_accounts import find_jail_group, find_user
from .errors import InputError, JailError, show
from .jail import Jail, relative
from .plan import Change, apply, change_of, unique
from .predicted import open_predicted
from .protected import guards_state, is_safe_guard
from .result import Result
from .system.paths import parents
from .system.rooted import Root
from .system.volume_names import names_of
from .text_block import Block

MODE = re.compile(r"0[0-7]{3,4}")
MODES = {"directory": 0o755, "file": 0o644}
KINDS = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
MAX_SIZE = 1 << 20
"""The most bytes of a file that is compared or written here."""


@dataclass(frozen=True)
class FileSpec:
    """The desired state of one file, link or directory."""

    path: bytes
    """Below the jail's root."""
    state: str
    mode: int | None
    """None: keep the mode; MODES has the one of a new file."""
    uid: int
    gid: int
    content: bytes | None = None
    """The content of a file; None: keep it; a new file is empty."""
    block: Block | None = None
    """The part of the file that is managed."""
    target: bytes = b""
    """Where a link points."""

    @property
    def is_empty_block(self) -> bool:
        """Whether it asks for no text in a file, which then need not exist."""
        return self.block is not None and not self.block.text


def ensure(
    jail: str,
    files: Sequence[dict[str, Any]],
    check: bool,
    users: Sequence[str] = (),
    compared: Sequence[dict[str, Any]] = (),
) -> Result:
    """Make files and directories of a jail what the items say, and create the temporary directories of users.

    All items are checked before anything is changed. The files of each of `compared` are only compared, afterwards.
    """
    with open_predicted(jail, check) as opened:
        owners = [user_tmp.find_owner(opened.root, user) for user in users]
        specs = sorted((parse_file(*item, opened.root) for item in enumerate(files)), key=lambda spec: spec.path)
        opened.lock(check)
        changes = [*user_tmp.plan_present(opened, owners), *plan_all(opened, specs)]
        values = {"operations": [change.operation for change in changes], "operations_total": len(changes)}
        result = apply(changes, check, values, opened.prediction_warnings)
        if compared:
            result.values["compared_equal"] = [each["name"] for each in compared if _are_equal(opened, each["files"])]
        return result


def _are_equal(jail: Jail, items: Sequence[dict[str, Any]]) -> bool:
    """Whether nothing would be changed for items. False for those that are not valid in this jail, too."""
    try:
        return not plan_all(jail, [parse_file(*item, jail.root) for item in enumerate(items)])
    except JailError:
        return False


def parse_file(number: int, item: dict[str, Any], root: Root) -> FileSpec:
    """One item of the option `files`; InputError when it is not valid."""
    where, state = f"files[{number}]", item["state"]
    rel = relative(f"{where}: path", item["path"])
    content, target, mode = (item.get(option) for option in ("content", "target", "mode"))
    block = Block(item["name"], item["block"]) if item.get("block") is not None else None
    faults = [
        *(
            (item.get(option) is not None and state != needed, f"{option} goes with state {needed}, not with {state}")
            for option, needed in (("content", "file"), ("block", "file"), ("target", "link"))
        ),
        (state == "link" and not target, "a link needs a target: set target"),
        ("\0" in (target or ""), "target contains a NUL: choose another one"),
        (content is not None and block, "content is all of a file and block a part of it: give one of them"),
        (mode and not MODE.fullmatch(mode), f"mode {mode} is not an octal number in quotes such as '0755'"),
        (block and block.error, block.error if block else ""),
    ]
    for is_wrong, message in faults:
        if is_wrong:
            raise InputError(f"{where}: {message}")
    account = find_user(root, item["owner"])
    return FileSpec(
        path=rel,
        state=state,
        mode=int(mode, 8) if mode else None if block else MODES.get(state),
        uid=account.uid,
        gid=find_jail_group(root, item["group"]) if item.get("group") else account.gid,
        content=None if content is None else content.encode("utf-8", "surrogateescape"),
        block=block,
        target=os.fsencode(target or ""),
    )


def plan_all(jail: Jail, specs: Sequence[FileSpec]) -> list[Change]:
    """The changes for all specs, each once; those on mounts are left out."""
    return unique([change for spec in specs if not is_on_mount(jail, spec) for change in plan(jail.root, spec)])


def plan(root: Root, spec: FileSpec) -> list[Change]:
    """The changes for a path and its missing parents, from the top down; InputError when one has another type."""
    _refuse_unsafe_guard(root, spec)
    missing = []
    for parent in parents(spec.path):
        status = root.lstat(parent)
        if status is None and spec.state == "absent":
            return []
        if status is None:
            missing.append(change_of("create", parent, "directory", partial(root.make_dir, parent, 0o755, 0, 0)))
        else:
            _refuse_other_type(root, parent, status, "directory")
    status = root.lstat(spec.path)
    if spec.state == "absent":
        removal = partial(root.remove_tree, spec.path)
        return [change_of("remove", spec.path, _kind(status), removal)] if status else []
    return [*missing, *_plan_item(root, spec, status)] if status or not spec.is_empty_block else []


def _plan_item(root: Root, spec: FileSpec, status: os.stat_result | None) -> list[Change]:
    why = []
    if status is not None:
        _refuse_other_type(root, spec.path, status, spec.state)
        why = _differences(root, spec, status)
        if not why:
            return []
    size = len(_new_content(root, spec)[0]) if spec.state == "file" else 0  # or InputError
    action = "create" if status is None else "change"
    return [change_of(action, spec.path, spec.state, partial(_make, root, spec), ", ".join(why), size)]


def _differences(root: Root, spec: FileSpec, have: os.stat_result) -> list[str]:
    why = []
    if spec.mode not in (None, stat.S_IMODE(have.st_mode)):
        why.append(f"mode {stat.S_IMODE(have.st_mode):04o}, wanted {spec.mode:04o}")
    if (have.st_uid, have.st_gid) != (spec.uid, spec.gid):
        why.append(f"owner {have.st_uid}:{have.st_gid}, wanted {spec.uid}:{spec.gid}")
    if spec.state == "link" and (target := root.read_link(spec.path)) != spec.target:
        why.append(f"target {show(target)}, wanted {show(spec.target)}")
    if spec.state == "file" and not _has_content(root, spec, have):
        why.append(f"block {spec.block.name}" if spec.block else "content")
    return why


def _has_content(root: Root, spec: FileSpec, have: os.stat_result) -> bool:
    """Whether a file has the desired content; one of another size is not read."""
    if spec.content is not None:
        return len(spec.content) == have.st_size and spec.content == root.read(spec.path, MAX_SIZE)
    return spec.block is None or _new_content(root, spec)[0] == root.read(spec.path, MAX_SIZE)


def _new_content(root: Root, spec: FileSpec) -> tuple[bytes, int]:
    """The new content and mode of a file; those that are kept are both read from the same open file."""
    if spec.content is None:
        now, status = kept_file.read(root, spec.path, MAX_SIZE)
    else:
        now, status = spec.content, root.lstat(spec.path)
    mode = spec.mode if spec.mode is not None else kept_file.mode(status, MODES["file"])
    try:
        return (spec.block.insert_into(now) if spec.block else now), mode
    except InputError as exc:
        raise InputError(f"cannot change {show(root.host_path(spec.path))}: {exc}") from exc


def _make(root: Root, spec: FileSpec) -> None:
    """Create or correct it. A file is replaced, never changed in place: it may have hard links elsewhere."""
    if spec.state == "directory":
        root.make_dir(spec.path, _mode(root, spec), spec.uid, spec.gid)
    elif spec.state == "link":
        root.write_link(spec.path, spec.target, spec.uid, spec.gid)
    else:
        root.write(spec.path, *_new_content(root, spec), spec.uid, spec.gid)


def _mode(root: Root, spec: FileSpec) -> int:
    """The mode of a directory."""
    return spec.mode if spec.mode is not None else kept_file.mode(root.lstat(spec.path), MODES[spec.state])


def _refuse_unsafe_guard(root: Root, spec: FileSpec) -> None:
    """InputError for a change after which others than root could rename a directory above the collection's own."""
    if not guards_state(spec.path):
        return
    status = root.lstat(spec.path)
    mode = spec.mode if spec.mode is not None else stat.S_IMODE(status.st_mode) if status else 0
    if spec.state == "absent" or not is_safe_guard(mode, spec.uid):
        raise InputError(
            f"{show(root.host_path(spec.path))} leads to files of the collection in the jail, which must stay, "
            f"belong to root, and not be writable by others: choose another path, owner or mode"
        )


def _kind(status: os.stat_result) -> str:
    return KINDS.get(stat.S_IFMT(status.st_mode), "special file")


def _refuse_other_type(root: Root, path: bytes, status: os.stat_result, kind: str) -> None:
    if _kind(status) != kind:
        raise InputError(f"{show(root.host_path(path))} is a {_kind(status)} where a {kind} should be: remove it first")


def is_on_mount(jail: Jail, spec: FileSpec) -> bool:
    """Whether a directory is on a mount, and so not managed; InputError for a file or link on a mount."""
    names = names_of(jail.root)
    for point in sorted(jail.mounts()):
        on_it = names.is_below(spec.path, point)
        if on_it and spec.state == "directory":
            return True
        if on_it or (spec.state == "absent" and names.is_below(point, spec.path)):
            raise InputError(
                f"cannot change {show(jail.root.host_path(spec.path))}: something is mounted on "
                f"{show(jail.root.host_path(point))}: unmount it first"
            )
    return False
