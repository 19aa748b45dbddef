# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""All ways in which the collection works on a jail: what is asked for, which paths it goes through, what it may change.

Whatever takes a jail is here. `test_every_module_is_attacked` sees to that, and names those that take none.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from djail_calls import PROGRAMS_TRIED, djail_words
from states import PLACES, STATE

FOLDER = "/private/var/jails/attack"
JAIL, NEIGHBOUR, NEW = (f"{FOLDER}/{name}" for name in ("jail", "neighbour", "new"))
LAYOUT, ARCHIVE, PROGRAMS = (f"{FOLDER}/{name}" for name in ("layout", "archive", "programs"))
ENTER, SERVICE = f"{PROGRAMS}/enter.sh", f"{PROGRAMS}/service"
DJAIL, COPIED = "/Library/PrivilegedHelperTools/darwin.jail/djail", f"{FOLDER}/copied"
STATE_OF_MAC = "/private/var/db/darwin.jail"
LOCKS = ("/private/var/root/.darwin.jail.lock", "/private/var/root/.darwin.jail.locks")
JOBS = ("/Library/LaunchDaemons/darwin.jail.jail-*", f"{STATE_OF_MAC}/jobs/darwin.jail.jail-*", f"{STATE_OF_MAC}/jobs")
RUNS = (f"{STATE_OF_MAC}/runs/*", f"{STATE_OF_MAC}/runs", f"{STATE_OF_MAC}/tools")
REGISTERED = f"{STATE_OF_MAC}/jails/jail-*"
BINDFS = "/usr/lib/standin/bin/bindfs"
UUID = "B3B64A4D-3B0F-4F0F-9B5A-6F6F0D6C5F1E"

RECORDED = [name for name in PLACES if name.startswith(STATE)]
SYSTEM = ["System", "System/Library/CoreServices", "System/Library/CoreServices/SystemVersion.plist", "usr/lib", "dev"]
CACHES = "System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld"
FOLDERS = ["private/var/folders", "private/var/folders/zz", "private/var", "private/tmp", "private/var/tmp"]
USERS = [
    f"private/etc/{name}" for name in ("passwd", "group", "master.passwd", "sudoers.d", "sudoers.d/admin", "sudoers")
]
HOMES = ["Users", "Users/admin", "Users/admin/.profile", "Users/admin/.zshrc", "Users/admin/deep", "Users/admin/old"]

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
ENTRIES = [
    *(f"/bin/{name}" for name in ("sh", "zsh", "cat", "ls", "sleep")),
    *(f"/usr/bin/{name}" for name in ("id", "env", "true")),
    *(f"/etc/{name}" for name in ("shells", "passwd", "group", "ld.so.preload", "nsswitch.conf")),
    *(f"/dev/{name}" for name in ("null", "zero", "urandom")),
    *("/lib64/ld-linux-x86-64.so.2", f"{LIBRARIES}/ld-linux-x86-64.so.2", "/usr/lib/standin/libstandin.so"),
    *(f"{LIBRARIES}/lib{name}*" for name in ("c.so.6", "m.so.6", "cap.so", "selinux.so", "pcre2-8.so", "tinfo.so")),
    f"{LIBRARIES}/libnss_*.so.2",
    "/System/Library/CoreServices/SystemVersion.plist",
    f"/{CACHES}/dyld_shared_cache_arm64e*",
]
"""What a jail needs to run these few programs."""

Options = dict[str, Any]


class Entry(NamedTuple):
    """One way in."""

    name: str
    module: str
    """The module that is run, or the name of the program."""
    options: Callable[[random.Random], Options]
    through: Sequence[str]
    """Paths of the jail (or the image) that it goes through."""
    may_change: Sequence[str] = ()
    """Paths of the Mac, with wildcards, that it may change, other than locks and the entry of the jail."""
    input: str = ""
    """A hostile input other than the jail: an archive or a layout of an image."""
    turns: int = 1
    """How often it is tried, of so many turns as all have together."""


def _pick(rng: random.Random, *values: Any) -> Any:
    return rng.choice(values)


def _build(rng: random.Random) -> Options:
    listed = [{"src": entry} for entry in (ENTRIES if rng.random() < 0.7 else rng.sample(ENTRIES, 8))]
    adopt, in_place = rng.random() < 0.3, rng.random() < 0.7
    chosen = {
        "verify": _pick(rng, "quick", "full"),
        "prune": _pick(rng, True, True, False),
        "workers": _pick(rng, 1, 2),
    }
    return {"jail": JAIL, "entries": listed, "adopt": adopt, "update_in_place": in_place, **chosen}


def _files(rng: random.Random) -> Options:
    items = [
        {"path": "/Users/admin/deep/er", "state": "directory", "owner": "admin"},
        {"path": "/Users/admin", "state": "directory", "mode": "0755", "owner": "501"},
        {"path": "/Users/admin/.profile", "content": "ours\n", "mode": "0600", "owner": "admin"},
        {"path": "/Users/admin/.zshrc", "block": "ours"},
        {"path": "/private/etc/hosts", "block": "127.0.0.1 ours"},
        {"path": "/etc/passwd", "content": "ours\n"},
        {"path": "/Users/admin/link", "state": "link", "target": "elsewhere"},
        {"path": "/Users/admin/old", "state": "absent"},
        {"path": "/usr/bin/id", "state": "file", "content": "ours\n", "mode": "0755"},
        {"path": "/private/tmp/new", "content": "ours\n", "owner": "admin", "group": "staff"},
    ]
    return {"jail": JAIL, "files": rng.sample(items, rng.randrange(1, 5))}


def _users(rng: random.Random) -> Options:
    items = [
        {"name": "admin", "sudo": True},
        {"name": "worker", "uid": 600, "group": "staff", "shell": "/bin/sh", "sudo": _pick(rng, True, False)},
        {"name": "worker", "state": "absent", "remove": True},
        {"name": "admin", "state": "absent", "remove": True},
        {"name": "other", "home": "/Users/admin/deep", "comment": "Other"},
    ]
    return {"jail": JAIL, "users": rng.sample(items, 1)}


def _user_tmp(rng: random.Random) -> Options:
    state = _pick(rng, "present", "absent")
    known = {"user": "admin"}
    given = {"user": "worker", "uid": 600, "gid": 20, "uuid": UUID}
    return {"jail": JAIL, "state": state, **_pick(rng, known, given)}


def _exec(rng: random.Random) -> Options:
    options: Options = {"jail": JAIL, "timeout": 5, "user": _pick(rng, "root", "admin", "admin", "501", "nobody")}
    options["argv"] = _pick(rng, *PROGRAMS_TRIED)
    if rng.random() < 0.3:
        options["chdir"] = _pick(rng, "/Users/admin", "/private/tmp", "/usr")
    if rng.random() < 0.3:
        options[_pick(rng, "creates", "removes")] = _pick(
            rng, "/private/etc/*", "/Users/admin/.profile", "/private/var/../tmp"
        )
    if rng.random() < 0.2:
        options["groups"] = ["admin", "staff"]
    return options


def _mounts(rng: random.Random) -> Options:
    dest = _pick(rng, "/Users/admin/src", "/private/tmp/mnt", "/usr/local/src")
    mount = {"src": f"{FOLDER}/shown", "dest": dest, "read_only": _pick(rng, True, False)}
    return {"jail": JAIL, "mounts": _pick(rng, [mount], [mount], []), "bindfs": BINDFS, "timeout": 2}


def _copy(rng: random.Random) -> Options:
    owner = _pick(rng, {}, {"owner": "admin"}, {"keep_owners": True})
    if rng.random() < 0.5:
        src = _pick(rng, "/Users/admin", "/Users/admin/.zshrc", "/private/etc", "/usr")
        return {"jail": JAIL, "from_jail": True, "src": src, "dest": COPIED, **owner}
    src = _pick(rng, f"{FOLDER}/shown", f"{FOLDER}/shown/file")
    dest = _pick(rng, "/Users/admin/", "/Users/admin/deep/", "/private/etc/", "/private/tmp/new")
    return {"jail": JAIL, "src": src, "dest": dest, **owner}


def _services(rng: random.Random) -> Options:
    web = {
        "name": "web",
        "argv": ["/bin/sleep", "60"],
        "user": _pick(rng, "root", "admin"),
        "chdir": _pick(rng, "/", "/Users/admin"),
        "state": _pick(rng, "started", "started", "stopped"),
    }
    return {"jail": JAIL, "services": [web], "timeout": 5}


def _image(rng: random.Random) -> Options:
    architecture = _pick(rng, "arm64", None)
    options: Options = {"jail": JAIL, "layout": LAYOUT, "compression": "gzip"}
    if architecture:
        options["architecture"] = architecture
    if rng.random() < 0.3:
        options["archive"] = f"{FOLDER}/written"
    return options


MODULES = [
    Entry("rootfs", "darwin_jail_rootfs", _build, [*PLACES, *RECORDED, *RECORDED], turns=6),
    Entry(
        "rootfs absent",
        "darwin_jail_rootfs",
        lambda rng: {"jail": JAIL, "state": "absent", "unmount": _pick(rng, True, False)},
        PLACES,
        (JAIL,),
        turns=4,
    ),
    Entry(
        "clone",
        "darwin_jail_rootfs",
        lambda rng: {
            "jail": NEW,
            "clone_of": JAIL,
            "entries": [{"src": "/usr/bin/id"}],
            "allow_full_copy": _pick(rng, True, False),
        },
        [*PLACES, *RECORDED],
        (NEW, f"{STATE_OF_MAC}/jails/new-*"),
        turns=4,
    ),
    Entry(
        "files",
        "darwin_jail_files",
        _files,
        [*HOMES, *HOMES, "private/etc/hosts", "private/tmp", STATE, f"{STATE}/stage"],
        turns=4,
    ),
    Entry("users", "darwin_jail_users", _users, [*USERS, *USERS, *HOMES, "private/etc", f"{STATE}/stage"], turns=5),
    Entry(
        "user_tmp",
        "darwin_jail_user_tmp",
        _user_tmp,
        [*FOLDERS, *FOLDERS, "private", "var", "private/etc/passwd"],
        turns=3,
    ),
    Entry(
        "image exported",
        "darwin_jail_image",
        _image,
        [*PLACES, *SYSTEM],
        (f"{LAYOUT}*", f"{FOLDER}/written", f"{STATE_OF_MAC}/images*"),
        turns=4,
    ),
    Entry(
        "image present",
        "darwin_jail_image",
        lambda _rng: {"jail": NEW, "state": "present", "layout": LAYOUT},
        ["index.json", "oci-layout", "blobs", "blobs/sha256"],
        (NEW, f"{STATE_OF_MAC}/jails/new-*", f"{LAYOUT}/.darwin.jail*"),
        "layout",
        turns=6,
    ),
    Entry(
        "tree",
        "darwin_jail_tree",
        lambda rng: {
            "jail": JAIL,
            "src": ARCHIVE,
            "dest": _pick(rng, "/opt/tree", "/Users/admin/deep", "/usr/local"),
            "owner": _pick(rng, "root", "admin"),
        },
        ["opt", "opt/tree", "Users/admin", "Users/admin/deep", "usr/local", STATE, f"{STATE}/stage"],
        input="archive",
        turns=4,
    ),
    Entry("copy", "darwin_jail_copy", _copy, [*HOMES, *HOMES, "private/etc", "private/tmp", STATE], (COPIED,), turns=3),
    Entry(
        "mounts",
        "darwin_jail_mounts",
        _mounts,
        [*HOMES, "Users/admin/src", "private/tmp", "private/tmp/mnt", "usr/local"],
        JOBS,
        turns=2,
    ),
    Entry(
        "dns",
        "darwin_jail_dns",
        lambda rng: {
            "jail": JAIL,
            "timeout": 2,
            **_pick(rng, {"mode": "auto"}, {"mode": "relay"}, {"mode": "link"}, {"state": "absent"}),
        },
        ["private/var/run", "private/var/run/mDNSResponder", "private/var", "var"],
        JOBS,
        turns=2,
    ),
    Entry(
        "dns_info",
        "darwin_jail_dns_info",
        lambda _rng: {"jail": JAIL, "names": ["localhost"]},
        ["private/var/run", "private/var/run/mDNSResponder", "usr", "bin/sh"],
        turns=2,
    ),
    Entry(
        "devfs",
        "darwin_jail_devfs",
        lambda rng: {"jail": JAIL, "state": _pick(rng, "present", "absent"), "timeout": 2},
        ["dev", "dev/null"],
        JOBS,
        turns=2,
    ),
    Entry(
        "services", "darwin_jail_services", _services, [*USERS, "bin/sleep", "Users/admin", *RECORDED], JOBS, turns=2
    ),
    Entry("services_info", "darwin_jail_services_info", lambda _rng: {"jail": JAIL}, RECORDED),
    Entry(
        "info",
        "darwin_jail_info",
        lambda rng: {"jail": JAIL, "gather_subset": _pick(rng, ["all"], ["all"], ["identity", "mounts"])},
        [*PLACES, *SYSTEM, CACHES, *RECORDED, *USERS],
        turns=5,
    ),
    Entry(
        "swap",
        "darwin_jail_swap",
        lambda rng: {
            **_pick(rng, {"jail": JAIL, "replacement": NEW}, {"jail": NEW, "replacement": JAIL}),
            "state": "swapped",
            "migrate": _pick(rng, True, True, False),
        },
        [*PLACES, *HOMES, *RECORDED],
        (NEW, f"{STATE_OF_MAC}/jails/new-*", *JOBS),
        "replacement",
        turns=4,
    ),
    Entry("committed", "darwin_jail_swap", lambda _rng: {"jail": JAIL, "state": "committed"}, RECORDED),
    Entry(
        "time_machine",
        "darwin_jail_time_machine",
        lambda rng: {"jail": JAIL, "state": _pick(rng, "present", "absent")},
        RECORDED,
    ),
    Entry("volume", "darwin_jail_volume", lambda rng: {"name": "attack", "state": "absent", "jail": JAIL}, RECORDED),
    Entry(
        "exec",
        "darwin_chroot_exec",
        _exec,
        [*USERS, "bin/sh", "usr/bin/id", CACHES, "private/etc", "Users/admin", "usr/lib", *RECORDED],
        turns=4,
    ),
    Entry(
        "exec in a clone",
        "darwin_chroot_exec",
        lambda rng: {**_exec(rng), "ephemeral": True},
        [*USERS, *RECORDED, "usr", "Users"],
        (f"{FOLDER}/.darwin.jail.runs*",),
        turns=2,
    ),
    Entry(
        "leftovers",
        "darwin_jail_leftovers",
        lambda rng: {"remove_jails": _pick(rng, True, False)},
        RECORDED,
        (JAIL, *JOBS),
        turns=3,
    ),
]
PROGRAMS_RUN = [
    Entry(
        "enter",
        "enter",
        lambda rng: {"words": [JAIL, _pick(rng, "root", "admin", "admin")]},
        [*USERS, "bin/sh", "Users/admin", *RECORDED],
        turns=3,
    ),
    Entry(
        "djail",
        "djail",
        lambda rng: {"words": djail_words(rng, JAIL, f"{FOLDER}/shown", COPIED)},
        [*USERS, *HOMES, "bin/sh", "usr/bin/id", "private/etc", "private/tmp", CACHES, *RECORDED, *RECORDED],
        (
            *(JAIL, NEW, f"{STATE_OF_MAC}/jails/new-*", f"{FOLDER}/.darwin.jail.runs*", COPIED, f"{COPIED}/*"),
            *(f"{STATE_OF_MAC}/grants", f"{STATE_OF_MAC}/grants/*", *JOBS),
        ),
        turns=7,
    ),
    Entry(
        "dns relay",
        "dns_relay",
        lambda rng: {"words": ["--mode", _pick(rng, "auto", "relay", "link"), JAIL]},
        ["private", "private/var", "private/var/run", "private/var/run/mDNSResponder"],
        turns=3,
    ),
    Entry("devfs job", "devfs_mount", lambda _rng: {"words": [JAIL]}, ["dev", "dev/null", ""]),
    Entry(
        "mount job",
        "bind_mount",
        lambda rng: {"words": [JAIL, _pick(rng, "Users/admin/deep", "private/tmp"), f"{FOLDER}/shown", BINDFS]},
        ["Users", "Users/admin", "Users/admin/deep", "private/tmp"],
        turns=2,
    ),
    Entry(
        "service job",
        "service_supervisor",
        lambda _rng: {"words": [SERVICE]},
        ["bin/sh", "Users/admin", "usr/lib", STATE],
        (SERVICE, f"{SERVICE}/*"),
        turns=2,
    ),
]
CONNECTION = Entry(
    "connection", "connection", lambda _rng: {}, [*USERS, *HOMES, "bin/sh", "private/tmp", *RECORDED], turns=5
)
OF_ANSIBLE = ("/Users/admin/.ansible", "/private/tmp/*")
REPORT = Entry("report", "darwin_jail_check_results", lambda _rng: {}, [], OF_ANSIBLE, turns=2)
ALL = [*MODULES, *PROGRAMS_RUN, CONNECTION, REPORT]

NO_JAIL = {
    "darwin_jail_command": "installs djail, which is attacked as a program",
    "darwin_mac_info": "looks at the Mac alone",
    "darwin_mac_vm": "works on virtual machines of a Mac",
    "darwin_selftest": "works in a directory of its own, with jails that it built",
    "darwin_selftest_report": "writes what the former said, on the controller",
}
"""Modules that take no jail."""

TURNS = [entry for build_lock in range(max(entry.turns for entry in ALL)) for entry in ALL if build_lock < entry.turns]
"""Each entry as often as it has turns, those that have few first."""


def entry_of(seed: int) -> Entry:
    return TURNS[seed % len(TURNS)]
