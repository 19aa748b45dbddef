# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The verbs of standin."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict

from host import inventory, jail_entries, lifecycle, lower, namespaces, prepare
from host.state import Host, StandinError, hosts, load, names


def parser() -> argparse.ArgumentParser:
    top = argparse.ArgumentParser(prog="standin", description="Stand-in Macs for the tests of darwin.jail.")
    verbs = top.add_subparsers(dest="verb", required=True, metavar="VERB")
    verbs.add_parser("setup", help="install and build what hosts need")
    create = verbs.add_parser("create", help="make a host, or start it again")
    create.add_argument("name", nargs="*")
    create.add_argument("--pair", action="store_true", help="mac-arm64 (macOS 15.2) and mac-x86 (13.7.8), SIP off")
    create.add_argument("--arch", choices=("arm64", "x86_64"), default="arm64")
    create.add_argument("--macos", metavar="VERSION")
    create.add_argument("--cpu", metavar="MACHINE", help="m1, m1-vm, i5, ivybridge")
    create.add_argument("--sip", default="off", help="on, off, custom, custom-fs (file system protection on)")
    create.add_argument("--bare", action="store_true", help="without Command Line Tools and Python")
    create.add_argument("--vms", action="store_true", help="its tart can run virtual machines, called NAME-VM")
    create.add_argument("--xnu", action="store_true", help="system calls and sshd behave as on macOS, see README.md")
    create.add_argument("--folding", action="store_true", help="its volume of jails compares names as APFS does")
    listing = verbs.add_parser("list", help="the hosts of this checkout")
    listing.add_argument("--json", action="store_true")
    enter = verbs.add_parser("enter", help="a root shell or a command in a host")
    enter.add_argument("name")
    enter.add_argument("command", nargs=argparse.REMAINDER)
    reboot = verbs.add_parser("reboot", help="restart a host")
    reboot.add_argument("name")
    reboot.add_argument("--power-loss", action="store_true", help="end all programs at once, without a shutdown")
    update = verbs.add_parser("update", help="another macOS, and a restart")
    update.add_argument("name")
    update.add_argument("--macos", metavar="VERSION", required=True)
    destroy = verbs.add_parser("destroy", help="remove hosts")
    destroy.add_argument("name", nargs="*")
    destroy.add_argument("--all", action="store_true")
    verbs.add_parser("inventory", help="print an Ansible inventory").add_argument("name", nargs="*")
    verbs.add_parser("jail-entries", help="print what Linux programs need in a jail, as JSON")
    return top


def do_setup(_arguments: argparse.Namespace) -> int:
    prepare.setup()
    print("ready")
    return 0


def do_create(arguments: argparse.Namespace) -> int:
    wanted = [(name, arguments.arch) for name in arguments.name]
    if arguments.pair:
        wanted += lifecycle.PAIR
    if not wanted:
        raise StandinError("create: name a host, or --pair")
    prepare.setup()
    for name, arch in wanted:
        traits = [trait for trait in lifecycle.TRAITS if getattr(arguments, trait)]
        host = lifecycle.create(name, arch, arguments.macos, arguments.cpu, arguments.sip, traits)
        print(describe(host))
    return 0


def describe(host: Host) -> str:
    words = [host.name, "running" if host.running() else "stopped", host.address, host.arch, f"macOS {host.macos}"]
    words += [f"SIP {host.sip}", f"jails on {host.volume}"]
    if host.lower != lower.path().name:
        words.append("(older recipe: destroy and create it to renew)")
    return "  ".join(words)


def do_list(arguments: argparse.Namespace) -> int:
    if arguments.json:
        print(json.dumps([{**asdict(host), "running": host.running()} for host in hosts()], indent=1))
        return 0
    for name in names():
        host = load(name)
        print(describe(host) if host else f"{name}  half-made: create or destroy it")
    return 0


def do_enter(arguments: argparse.Namespace) -> int:
    return namespaces.enter(lifecycle.existing(arguments.name), arguments.command)


def do_reboot(arguments: argparse.Namespace) -> int:
    print(describe(lifecycle.reboot(arguments.name, arguments.power_loss)))
    return 0


def do_update(arguments: argparse.Namespace) -> int:
    print(describe(lifecycle.update(arguments.name, arguments.macos)))
    return 0


def do_destroy(arguments: argparse.Namespace) -> int:
    if not arguments.name and not arguments.all:
        raise StandinError("destroy: name hosts, or --all")
    for name in names() if arguments.all else arguments.name:
        lifecycle.destroy(name)
        print(f"{name}  destroyed")
    return 0


def do_inventory(arguments: argparse.Namespace) -> int:
    chosen = [lifecycle.existing(name) for name in arguments.name] if arguments.name else hosts()
    sys.stdout.write(inventory.render(chosen))
    return 0


def do_jail_entries(_arguments: argparse.Namespace) -> int:
    print(json.dumps(jail_entries.entries(), indent=1))
    return 0


def main(argv: list[str]) -> int:
    arguments = parser().parse_args(argv)
    verb = arguments.verb.replace("-", "_")
    reason = prepare.missing_for_hosts()
    try:
        if reason is not None:
            raise StandinError(reason)
        status: int = globals()[f"do_{verb}"](arguments)
    except StandinError as error:
        print(f"standin: {error}", file=sys.stderr)
        return 1
    return status
