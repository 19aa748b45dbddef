# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""A real host, over real ssh and from inside. Needs Linux, root and FUSE."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from host import inventory, prepare, state
from stand_ins import ssh, standin

NAME = f"unit-{os.getpid()}"
JAIL = "/private/var/jails/unit"
JAIL_PATHS = (
    "/bin/",
    "/usr/bin/",
    "/usr/sbin/",
    "/usr/libexec/",
    "/System/Library/CoreServices/",
    "/System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld/",
)

pytestmark = pytest.mark.skipif(prepare.missing_for_hosts() is not None, reason=str(prepare.missing_for_hosts()))


def inside(script: str) -> subprocess.CompletedProcess[str]:
    return standin("enter", NAME, "/bin/sh", "-c", script)


@pytest.fixture(scope="module")
def host() -> Iterator[state.Host]:
    made = standin("create", NAME)
    assert made.returncode == 0, made.stderr
    host = state.load(NAME)
    assert host is not None
    yield host
    assert standin("destroy", NAME).returncode == 0


@pytest.fixture(scope="module")
def jail(host: state.Host) -> str:
    entries = [entry["src"] for entry in json.loads(standin("jail-entries").stdout)]
    script = f"mkdir -p {JAIL}/private/tmp {JAIL}/private/var {JAIL}/private/etc && cd {JAIL} && "
    script += "".join(f"ln -s private/{name} {name} && " for name in ("etc", "var", "tmp"))
    script += f"rsync -aR --keep-dirlinks {shlex.join([*JAIL_PATHS, *entries])} {JAIL}/"
    done = inside(script)
    assert done.returncode == 0, done.stderr
    return JAIL


def test_it_says_that_it_is_a_mac(host: state.Host) -> None:
    assert ssh(host, "uname -srm") == "Darwin 24.2.0 arm64\n"
    assert ssh(host, "sw_vers") == "ProductName:\t\tmacOS\nProductVersion:\t\t15.2\nBuildVersion:\t\t24C101\n"
    assert ssh(host, "hostname") == f"{NAME}.local\n"
    assert ssh(host, 'python3 -c "import os; print(os.uname().sysname, os.uname().machine)"') == "Darwin arm64\n"
    assert ssh(host, "csrutil status") == "System Integrity Protection status: disabled.\n"


def test_its_paths_are_those_of_macos(host: state.Host) -> None:
    assert ssh(host, "readlink /etc /var /tmp") == "private/etc\nprivate/var\nprivate/tmp\n"
    modes = ssh(host, "stat -c '%a %U:%G %n' / /private/var/run /private/var/root /cores /Users /Library/Caches")
    assert modes.splitlines() == [
        "1775 root:admin /",
        "775 root:daemon /private/var/run",
        "750 root:wheel /private/var/root",
        "1775 root:admin /cores",
        "755 root:admin /Users",
        "1777 root:admin /Library/Caches",
    ]
    assert ssh(host, "cd /System/Volumes/Data/Users/admin && pwd -P") == "/System/Volumes/Data/Users/admin\n"


def test_the_administrator(host: state.Host) -> None:
    assert len(ssh(host, "id -G").split()) == 18
    assert ssh(host, "sudo -n whoami") == "root\n"
    assert ssh(host, "echo admin | sudo -S -p '' whoami", user="operator") == "root\n"
    assert ssh(host, "sudo -n whoami", user="operator").endswith("[1]")
    assert "is not in the sudoers file" in ssh(host, "echo admin | sudo -S -p '' whoami", user="user1")


def test_a_list_of_more_than_16_groups_is_refused(host: state.Host) -> None:
    script = "import os; os.setgroups(range(100, {}))"
    assert "Invalid argument" in ssh(host, f"sudo -n python3 -c '{script.format(117)}'")
    assert ssh(host, f"sudo -n python3 -c '{script.format(116)}'") == ""
    assert (
        ssh(host, "sudo -n python3 -c 'import os; os.initgroups(\"admin\", 20); print(len(os.getgroups()))'") == "18\n"
    )


def test_dscl_answers_as_published(host: state.Host) -> None:
    asked = "dscl . -read /Users/admin RealName UniqueID PrimaryGroupID UserShell"
    assert ssh(host, asked) == "PrimaryGroupID: 20\nRealName:\n Admin User\nUniqueID: 501\nUserShell: /bin/zsh\n"
    assert ssh(host, "dscl . -read /Users/nobody1") == "<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n[56]"
    assert ssh(host, "dscl . -create /Users/x") == "<dscl_cmd> DS Error: -14120 (eDSPermissionError)\n[40]"
    assert ssh(host, "sudo -n dscl . -create /Users/admin").endswith("-14135 (eDSRecordAlreadyExists)\n[55]")
    assert ssh(host, "dscl . -read /Users/admin Nope") == "No such key: Nope\n"


def test_programs_of_the_jail_run_in_it(host: state.Host, jail: str) -> None:
    assert ssh(host, f"sudo -n chroot -u admin {jail} /usr/bin/whoami") == "admin\n"
    assert ssh(host, f"sudo -n chroot {jail} /usr/bin/sw_vers -productVersion") == "15.2\n"
    assert ssh(host, f"sudo -n chroot {jail} /usr/bin/python3 -c 'print(6 * 7)'") == "42\n"
    assert ssh(host, f"sudo -n chroot {jail} /usr/bin/dscl . -create /Users/admin").startswith(
        "Operation failed with error: eParameterError\n"
    )


def test_the_temporary_directory_is_missing_until_it_is_made(host: state.Host, jail: str) -> None:
    ask = f"sudo -n chroot -u admin {jail} /usr/bin/getconf DARWIN_USER_TEMP_DIR"
    assert ssh(host, ask) == "getconf: confstr: DARWIN_USER_TEMP_DIR: Input/output error\n[1]"
    path = ssh(host, "getconf DARWIN_USER_TEMP_DIR").strip()
    parent = path.removesuffix("/T/")
    assert parent.startswith("/var/folders/")
    inside(f"mkdir -p {jail}{parent} && chown 501:20 {jail}{parent}")
    assert ssh(host, ask) == f"{path}\n"


def test_the_kernel_of_a_protected_mac_refuses_the_cache(host: state.Host, jail: str) -> None:
    """With SIP switched on, and with a cache that is not whole."""
    domain = inside("cat /proc/sys/kernel/domainname").stdout.strip()
    inside(f"echo {domain.replace(',off,', ',on,')} > /proc/sys/kernel/domainname")
    refused = ssh(host, f"sudo -n chroot {jail} /usr/bin/true")
    inside(f"echo {domain} > /proc/sys/kernel/domainname")
    assert "not loaded: syscall to map cache into shared region failed" in refused
    caches = f"{jail}/System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld"
    inside(f"mv {caches}/dyld_shared_cache_arm64e.02 {caches}/aside")
    assert "shared cache file open() failed" in ssh(host, f"sudo -n chroot {jail} /usr/bin/true")
    inside(f"mv {caches}/aside {caches}/dyld_shared_cache_arm64e.02")
    assert ssh(host, f"sudo -n chroot {jail} /usr/bin/true") == ""


def test_chroot_takes_the_flags_of_macos_only(host: state.Host, jail: str) -> None:
    assert "usage: chroot [-g group]" in ssh(host, f"sudo -n chroot --userspec=admin {jail} /usr/bin/id")
    assert ssh(host, f"sudo -n chroot -u nobody1 {jail} /usr/bin/id") == "chroot: no such user `nobody1'\n[1]"
    groups = ssh(host, "id -G").strip().replace(" ", ",")
    assert "too many supplementary groups" in ssh(host, f"sudo -n chroot -G {groups} -u admin {jail} /usr/bin/id")


def test_devfs_can_be_stacked_and_gives_terminals(host: state.Host, jail: str) -> None:
    inside(f"mkdir -p {jail}/dev && mount_devfs devfs {jail}/dev && mount -t devfs devfs {jail}/dev")
    assert ssh(host, "mount | grep -c jails/unit/dev") == "2\n"
    assert ssh(host, f"sudo -n chroot {jail} /usr/bin/script -qc tty /dev/null").startswith("/dev/pts/")
    assert inside(f"umount {jail}/dev && umount {jail}/dev").returncode == 0
    assert ssh(host, f"sudo -n umount {jail}/dev") == f"umount: {jail}/dev: not currently mounted\n[1]"


PLIST = """\
<plist version="1.0"><dict>
<key>Label</key><string>org.test</string>
<key>ProgramArguments</key><array><string>/bin/sh</string><string>-c</string>
<string>echo up >> /private/var/log/org.test.log; exec sleep 600</string></array>
<key>KeepAlive</key><true/>
</dict></plist>
"""


def test_launchd_runs_jobs_and_runs_them_again_after_a_reboot(host: state.Host) -> None:
    path = "/Library/LaunchDaemons/org.test.plist"
    standin("enter", NAME, "/bin/sh", "-c", f"cat > {path}", stdin=PLIST)
    assert ssh(host, f"sudo -n launchctl bootstrap system {path}") == ""
    again = ssh(host, f"sudo -n launchctl bootstrap system {path}")
    assert again.startswith("Bootstrap failed: 5: Input/output error")
    assert again.endswith("[5]")
    assert "\tstate = running\n" in ssh(host, "launchctl print system/org.test")
    assert standin("reboot", NAME).returncode == 0
    assert ssh(host, "cat /var/log/org.test.log") == "up\nup\n"
    assert ssh(host, "sudo -n launchctl bootout system/org.test") == ""
    gone = ssh(host, "launchctl print system/org.test")
    assert gone == 'Bad request.\nCould not find service "org.test" in domain for system\n[113]'
    assert ssh(host, "sudo -n launchctl bootout system/org.test") == "Boot-out failed: 3: No such process\n[3]"


DAEMON = """\
<plist version="1.0"><dict>
<key>Label</key><string>org.test.NAME</string>
<key>ProgramArguments</key><array><string>/bin/sh</string><string>-c</string><string>SCRIPT</string></array>
<key>RunAtLoad</key><true/>
<key>ExitTimeOut</key><integer>2</integer>
</dict></plist>
"""


def test_a_reboot_lets_jobs_end_and_a_loss_of_power_does_not(host: state.Host) -> None:
    """At a reboot one job ends in time, and the other is killed; a loss of power kills both."""
    log = "/private/var/log/org.test.ends"
    ends = f"trap 'sleep 1; echo NAME ended >> {log}; exit' TERM; while :; do sleep 0.1; done"
    scripts = {"orderly": ends, "late": ends.replace("sleep 1", "sleep 60")}
    paths = {name: f"/Library/LaunchDaemons/org.test.{name}.plist" for name in scripts}
    for name, script in scripts.items():
        text = DAEMON.replace("SCRIPT", script.replace(">", "&gt;")).replace("NAME", name)
        standin("enter", NAME, "/bin/sh", "-c", f"cat > {paths[name]}", stdin=text)
        assert ssh(host, f"sudo -n launchctl bootstrap system {paths[name]}") == ""
    begin = time.monotonic()
    assert standin("reboot", NAME).returncode == 0
    assert time.monotonic() - begin < 10
    assert ssh(host, f"cat {log}") == "orderly ended\n"
    assert standin("reboot", NAME, "--power-loss").returncode == 0
    assert ssh(host, f"cat {log}") == "orderly ended\n"
    for name, path in paths.items():
        inside(f"launchctl bootout system/org.test.{name}; rm {path}")


RESOLVE = "python3 -c 'import socket, sys; print(*[a[4][0] for a in socket.getaddrinfo(sys.argv[1], 80, type=1)])'"


def test_names_come_from_mdnsresponder_alone(host: state.Host) -> None:
    assert ssh(host, f"{RESOLVE} {NAME}.local") == f"{host.address}\n"
    assert ssh(host, f"{RESOLVE} 10-1-2-3.ip.test") == "10.1.2.3\n"
    assert "gaierror" in ssh(host, f"{RESOLVE} unknown.test")
    inside("mv /var/run/mDNSResponder /var/run/aside")
    assert "gaierror" in ssh(host, f"{RESOLVE} 10-1-2-3.ip.test")
    inside("mv /var/run/aside /var/run/mDNSResponder")


def test_a_program_that_is_started_by_its_socket(host: state.Host) -> None:
    """It keeps the socket when it dies, and has a new one after a reboot."""
    identity = "stat -c %i /var/run/mDNSResponder"
    before = ssh(host, identity)
    assert ssh(host, "sudo -n launchctl kill KILL system/com.apple.mDNSResponder.reloaded") == ""
    assert ssh(host, f"{RESOLVE} 10-1-2-3.ip.test") == "10.1.2.3\n"
    assert ssh(host, identity) == before
    inside("ln /var/run/mDNSResponder /var/tmp/link")
    assert standin("reboot", NAME).returncode == 0
    assert ssh(host, f"{RESOLVE} 10-1-2-3.ip.test") == "10.1.2.3\n"
    refused = "python3 -c 'import socket; socket.socket(1).connect(\"/var/tmp/link\")'"
    assert "ConnectionRefusedError" in ssh(host, refused)


def test_the_compiler_of_the_command_line_tools(host: state.Host) -> None:
    assert ssh(host, "xcode-select -p") == "/Library/Developer/CommandLineTools\n"
    program = 'int puts(const char *); int main(void) { puts("compiled"); return 3; }'
    built = f"cd /tmp && echo {shlex.quote(program)} > a.c && cc -o a a.c && ./a"
    assert ssh(host, built) == "compiled\n[3]"


def test_the_stub_of_brew(host: state.Host) -> None:
    brew = "/opt/homebrew/bin/brew"
    assert ssh(host, f"{brew} --version") == "Homebrew 4.4.11 (a stand-in, not Homebrew)\n"
    assert "[1]" in ssh(host, f"sudo -n {brew} list"), "root is refused"
    assert 'PATH="/opt/homebrew/bin:/opt/homebrew/sbin:' in ssh(host, f"{brew} shellenv")
    check = f"echo 'brew \"tree\"' > Brewfile && {brew} bundle check --file=Brewfile --no-upgrade"
    assert ssh(host, check).endswith("Satisfy missing dependencies with `brew bundle install`.\n[1]")
    said = ssh(host, f"{brew} bundle install --file=Brewfile --no-upgrade")
    assert said == "Installing tree\n`brew bundle` complete! 1 Brewfile dependency now installed.\n"
    assert ssh(host, check) == "The Brewfile's dependencies are satisfied.\n"
    assert ssh(host, "/opt/homebrew/bin/tree --version").startswith("tree v")


def test_a_sandbox_in_a_chroot(host: state.Host, jail: str) -> None:
    confined = "sandbox-exec -p '(version 1)(allow default)' /bin/echo ran"
    assert ssh(host, confined) == "ran\n"
    failed = "sandbox-exec: execvp() of '/bin/echo' failed: Operation not permitted\n[71]"
    assert ssh(host, f"sudo -n chroot -u admin {jail} {confined}") == failed
    assert ssh(host, "sandbox-exec -n none true") == 'sandbox-exec: unable to open "none.sb": not found\n[65]'


def test_a_catalogue_that_hangs(host: state.Host) -> None:
    settings = '{"versions": [], "hang": 3, "until_restart": true}'
    inside(f"echo '{settings}' > /private/var/db/standin/softwareupdate.json")
    assert ssh(host, "sudo -n launchctl kickstart -k system/com.apple.softwareupdated") == ""
    for _try in range(50):
        if '"hang": 0' in (said := inside("cat /private/var/db/standin/softwareupdate.json").stdout):
            break
    assert said == '{"versions": [], "hang": 0}'
    inside("rm /private/var/db/standin/softwareupdate.json")


def test_the_inventory_names_the_host(host: state.Host) -> None:
    assert f"    {NAME}:\n      ansible_host: {host.address}\n" in inventory.render([host])


def test_destroy_leaves_nothing(host: state.Host) -> None:
    other = f"{NAME}-gone"
    assert standin("create", other, "--arch", "x86_64").returncode == 0
    made = state.load(other)
    assert made is not None
    assert standin("destroy", other).returncode == 0
    assert not made.directory.exists()
    assert not made.running()
    for table in ("/proc/self/mountinfo", "/proc/net/dev"):
        assert other not in Path(table).read_text(encoding="utf-8")
    backing = [path.read_text(encoding="utf-8") for path in Path("/sys/block").glob("loop*/loop/backing_file")]
    assert not any(other in text for text in backing)
