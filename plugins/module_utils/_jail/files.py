# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Single files, links and directories in a jail that no entry copies: homes, markers, settings.

ansible.builtin.file and copy would reach them by a path of the Mac, through
whatever links the jail holds. Here each is reached without following one.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from . import kept_file
from .accounts import user_tmp
from .accounts.jail_accounts import find_jail_group, find_user
from .errors import InputError, OperationError, SpaceError, failed, show
from .jail import Jail
from .predicted import open_predicted
from .protected import guards_state, is_safe_guard, is_state
from .result import Result
from .rootfs.spec.manifest import canonical
from .sizes import size
from .system import host
from .system.rooted import Root
from .system.volume_names import names_of
from .text_block import Block

MODE = re.compile(r"0[0-7]{3,4}")
MODES = {"directory": 0o755, "file": 0o644}
KINDS = {stat.S_IFDIR: "directory", stat.S_IFREG: "file", stat.S_IFLNK: "link"}
LARGEST = 1 << 20
"""Files that are compared or written here are small, in bytes."""
BLOCK = 4096
"""What the name of a file takes at most, besides its content, in bytes."""


@dataclass(frozen=True)
class Wanted:
    """One file or directory, as it is to be."""

    path: bytes
    """Below the jail's root."""
    state: str
    mode: int | None
    """None: the mode that it has, and the usual one when it is new."""
    uid: int
    gid: int
    content: bytes | None = None
    """What a file is to hold; None: what it holds, and nothing when it is new."""
    block: Block | None = None
    """The part of the file that is ours."""
    target: bytes = b""
    """Where a link points."""


class Step(NamedTuple):
    """What is to be done for one of them."""

    action: str
    path: bytes
    kind: str
    why: str = ""

    def report(self) -> dict[str, str]:
        found = {"action": self.action, "path": "/" + show(self.path), "type": self.kind}
        return {**found, "why": self.why} if self.why else found

    def describe(self) -> str:
        sign = {"create": "+", "change": "~", "remove": "-"}[self.action]
        return f"{sign} /{show(self.path)}" + (f" ({self.why})" if self.why else "")


def ensure(jail: str, files: Sequence[dict[str, Any]], check: bool, users: Sequence[str] = ()) -> Result:
    """Make files and directories of a jail what the items say, and the temporary ones of users.

    All of it is looked at before anything is changed.
    """
    planned: dict[Step, Wanted] = {}
    with open_predicted(jail, check) as opened:
        owners = [user_tmp.owner_of(opened.root, user) for user in users]
        specs = [wanted(number, item, opened.root) for number, item in enumerate(files)]
        asked = sorted(specs, key=lambda want: want.path)
        opened.lock(check)
        changes = user_tmp.plan_changes(opened, owners)
        for want in asked:
            for step in [] if is_mounted(opened, want) else plan(opened.root, want):
                planned.setdefault(step, want)
        if not check:
            user_tmp.apply(opened, changes)
            carry_out_all(opened.root, planned)
    steps = [
        *(Step("change" if one.why else "create", one.directory.rel, "directory", one.why) for one in changes),
        *planned,
    ]
    values = {"operations": [step.report() for step in steps], "operations_total": len(steps)}
    return Result(bool(steps), values, [step.describe() for step in steps], opened.prediction_warnings)


def wanted(number: int, item: dict[str, Any], root: Root) -> Wanted:
    """One item of the option `files`; InputError when it cannot be meant."""
    where, path, state = f"files[{number}]", item["path"], item["state"]
    if not path.startswith("/") or ".." in path.split("/"):
        raise InputError(f"{where}: path '{path}' is not an absolute path without '..': give it as seen in the jail")
    real = canonical(os.fsencode(path))
    if not real or is_state(real):
        raise InputError(f"{where}: path '{path}' is the jail's own: choose one below the jail's root")
    for option, goes_with in (("content", "file"), ("block", "file"), ("target", "link")):
        if item.get(option) is not None and state != goes_with:
            raise InputError(f"{where}: {option} goes with state {goes_with}, not with state {state}")
    if state == "link" and not item.get("target"):
        raise InputError(f"{where}: a link needs a target: say where it is to point")
    if "\0" in (item.get("target") or ""):
        raise InputError(f"{where}: target holds a NUL, and no path can: give another one")
    if item.get("content") is not None and item.get("block") is not None:
        raise InputError(f"{where}: content is all of a file and block a part of it: give one of them")
    mode = item.get("mode")
    if mode and not MODE.fullmatch(mode):
        raise InputError(f"{where}: mode {mode} is not an octal number in quotes such as '0755'")
    account = find_user(root, item["owner"])
    return Wanted(
        path=real,
        state=state,
        mode=int(mode, 8) if mode else None if item.get("block") is not None else MODES.get(state),
        uid=account.uid,
        gid=find_jail_group(root, item["group"]) if item.get("group") else account.gid,
        content=None if item.get("content") is None else item["content"].encode("utf-8", "surrogateescape"),
        block=_block(where, item),
        target=os.fsencode(item.get("target") or ""),
    )


def _block(where: str, item: dict[str, Any]) -> Block | None:
    if item.get("block") is None:
        return None
    block = Block(item["name"], item["block"])
    if block.error:
        raise InputError(f"{where}: {block.error}")
    return block


def plan(root: Root, want: Wanted) -> list[Step]:
    """What is missing or wrong, from the top down; InputError when something else has the name."""
    _refuse_exposure(root, want)
    steps = []
    parents = want.path.split(b"/")[:-1]
    for depth in range(1, len(parents) + 1):
        parent = b"/".join(parents[:depth])
        status = root.lstat(parent)
        if status is None and want.state == "absent":
            return []
        if status is None:
            steps.append(Step("create", parent, "directory"))
        else:
            _refuse_other(root, parent, status, "directory")
    status = root.lstat(want.path)
    if want.state == "absent":
        return [Step("remove", want.path, _kind(status))] if status else []
    if status is None:
        nothing = want.block is not None and not want.block.text
        return [] if nothing else [*steps, Step("create", want.path, want.state)]
    _refuse_other(root, want.path, status, want.state)
    why = _differences(root, want, status)
    if why and want.state == "file":
        _future(root, want)  # refuses what may not be kept
    return [Step("change", want.path, want.state, ", ".join(why))] if why else []


def _differences(root: Root, want: Wanted, have: os.stat_result) -> list[str]:
    why = []
    if want.mode not in (None, stat.S_IMODE(have.st_mode)):
        why.append(f"mode {stat.S_IMODE(have.st_mode):04o}, wanted {want.mode:04o}")
    if (have.st_uid, have.st_gid) != (want.uid, want.gid):
        why.append(f"owner {have.st_uid}:{have.st_gid}, wanted {want.uid}:{want.gid}")
    if want.state == "link" and (target := root.read_link(want.path)) != want.target:
        why.append(f"target {show(target)}, wanted {show(want.target)}")
    if want.state == "file" and not _holds(root, want, have):
        why.append(f"block {want.block.name}" if want.block else "content")
    return why


def _holds(root: Root, want: Wanted, have: os.stat_result) -> bool:
    """Whether a file holds what it is to hold; one of another size need not be read."""
    if want.content is not None:
        return len(want.content) == have.st_size and want.content == root.read(want.path, LARGEST)
    return want.block is None or _future(root, want)[0] == root.read(want.path, LARGEST)


def _target(root: Root, path: bytes) -> bytes:
    parent, name = os.path.split(path)
    try:
        with root.directory(parent) as fd:
            return os.readlink(name, dir_fd=fd)
    except OSError as exc:
        raise failed("read the link", root.host_path(path), exc) from exc


def _future(root: Root, want: Wanted) -> tuple[bytes, int]:
    """What a file is to hold, and its mode; what is kept of one that is there is all of one and the same file."""
    if want.content is None:
        now, status = kept_file.read(root, want.path, LARGEST)
    else:
        now, status = want.content, root.lstat(want.path)
    mode = want.mode if want.mode is not None else kept_file.mode(status, MODES["file"])
    try:
        return (want.block.insert_into(now) if want.block else now), mode
    except InputError as exc:
        raise InputError(f"cannot change {show(root.host_path(want.path))}: {exc}") from exc


def carry_out_all(root: Root, planned: Mapping[Step, Wanted]) -> None:
    """Do all steps; SpaceError, with what is still needed, when the volume is full."""
    left = dict(planned)
    for step, want in planned.items():
        try:
            carry_out(root, want, step)
        except OperationError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            needed = sum(BLOCK + (len(_future(root, one)[0]) if one.state == "file" else 0) for one in left.values())
            free = host.free_bytes(root.path)
            raise SpaceError(f"{exc} (needs {size(needed)}, {size(free)} free): free some space and run again") from exc
        del left[step]


def carry_out(root: Root, want: Wanted, step: Step) -> None:
    """Do one step. A file is replaced, never changed in place: it may have another name elsewhere."""
    if step.action == "remove":
        root.remove_tree(step.path)
    elif step.path != want.path:
        root.make_dir(step.path, 0o755, 0, 0)
    elif want.state == "directory":
        root.make_dir(want.path, _mode(root, want), want.uid, want.gid)
    elif want.state == "link":
        root.write_link(want.path, want.target, want.uid, want.gid)
    else:
        root.write(want.path, *_future(root, want), want.uid, want.gid)


def _mode(root: Root, want: Wanted) -> int:
    """Of a directory."""
    return want.mode if want.mode is not None else kept_file.mode(root.lstat(want.path), MODES[want.state])


def _refuse_exposure(root: Root, want: Wanted) -> None:
    """What the collection keeps in a jail is safe as long as only root can rename what leads to it."""
    if not guards_state(want.path):
        return
    status = root.lstat(want.path)
    mode = want.mode if want.mode is not None else stat.S_IMODE(status.st_mode) if status else 0
    if want.state == "absent" or not is_safe_guard(mode, want.uid):
        raise InputError(
            f"{show(root.host_path(want.path))} leads to what the collection keeps in the jail: it stays, is root's, "
            "and nobody else can write there: choose another path, owner or mode"
        )


def _kind(status: os.stat_result | None) -> str:
    if status is None:
        return "absent"
    return KINDS.get(stat.S_IFMT(status.st_mode), "special file")


def _refuse_other(root: Root, path: bytes, status: os.stat_result, kind: str) -> None:
    if _kind(status) != kind:
        raise InputError(f"{show(root.host_path(path))} is a {_kind(status)} where a {kind} should be: remove it first")


def is_mounted(jail: Jail, want: Wanted) -> bool:
    """Whether a wanted directory is on a mount, and so somebody else's; InputError for anything else that is."""
    names = names_of(jail.root)
    for point in sorted(jail.mounts()):
        on_it = names.is_below(want.path, point)
        if on_it and want.state == "directory":
            return True
        if on_it or (want.state == "absent" and names.is_below(point, want.path)):
            raise InputError(
                f"cannot change {show(jail.root.host_path(want.path))}: something is mounted on "
                f"{show(jail.root.host_path(point))}: unmount it first"
            )
    return False
