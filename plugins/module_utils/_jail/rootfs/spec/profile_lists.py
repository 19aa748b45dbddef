# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the built-in profiles copy: lists in the format of manifests, each line with its reason.

A list names what a release of macOS may have; what it has not is passed over.
The shared cache is not here, for its files are named by its header, see
profiles.py. docs/profiles.md shows the lists; sources of the facts are in
docs/macos.md.
"""

from __future__ import annotations

MINIMAL = """
# Shells and tools. chown, chroot, dscl and sysctl are in the sbin directories.
/bin/
/sbin/
/usr/bin/
/usr/sbin/
# The dynamic linker, which the kernel loads from the jail; links to libraries of the shared cache, such as
# libSystem.dylib; modules of PAM and zsh.
/usr/lib/
# /etc/profile and /etc/zprofile set PATH with it.
/usr/libexec/path_helper
# Edits property lists; scripts call it by this path.
/usr/libexec/PlistBuddy
# What ssh, scp, Ansible and sshd start by these paths.
/usr/libexec/sftp-server
/usr/libexec/ssh-*
/usr/libexec/sshd-*
# Languages, character sets and terminals: setlocale(3), ICU, ncurses.
/usr/share/locale/
/usr/share/icu/
/usr/share/terminfo/
# Time zones: the data, the link by which programs find it, the zone of the Mac.
/var/db/timezone/
/usr/share/zoneinfo
/usr/share/zoneinfo.default
/etc/localtime
# What file(1) knows, and the functions and completions of zsh.
/usr/share/file/
/usr/share/zsh/
# Perl with all its versions and the one that is current; shasum and other tools are written in it.
/System/Library/Perl/
# The release: sw_vers, Ruby and Homebrew read it.
/System/Library/CoreServices/SystemVersion.plist
/System/Library/CoreServices/SystemVersionCompat.plist
/System/Library/CoreServices/.SystemVersionPlatform.plist
# Tables and strings of the frameworks that tools of the command line use most. Their code is in the shared cache.
/System/Library/Frameworks/CoreFoundation.framework/
/System/Library/Frameworks/Foundation.framework/
/System/Library/Frameworks/Security.framework/
/System/Library/Frameworks/SystemConfiguration.framework/
# Root certificates and trust: security(1), LibreSSL, and curl, which reads /etc/ssl/cert.pem.
/System/Library/Keychains/
/System/Library/Security/
/System/Library/OpenSSL/
/etc/ssl/
# The profiles that sandbox-exec and sandbox_init read; they import each other.
/System/Library/Sandbox/Profiles/
/usr/share/sandbox/
# Users and groups that Directory Services does not know; mostly system users.
/etc/passwd
/etc/master.passwd
/etc/group
# Names of hosts, services and protocols, which Libinfo reads in the jail. resolv.conf is a link, for programs with a
# resolver of their own.
/etc/hosts
/etc/networks
/etc/protocols
/etc/resolv.conf
/etc/rpc
/etc/services
# Logging in: what shells read when they start, which ones are allowed, which terminals there are.
/etc/bashrc
/etc/manpaths
/etc/paths
/etc/paths.d/
/etc/profile
/etc/shells
/etc/ttys
/etc/zprofile
/etc/zshrc
# sudo and su.
/etc/pam.d/
/etc/sudoers
/etc/sudoers.d/
# Which shell /bin/sh is.
/var/select/
# Devices that work as plain nodes. Terminals do not: they need a devfs.
/dev/null
/dev/random
/dev/urandom
/dev/zero
"""

STANDARD = """
# Helpers of the tools above: makewhatis, atrun, java_home, xpcproxy.
/usr/libexec/
# Manual pages, vim, dictionaries, CUPS, and whatever else a tool looks up.
/usr/share/
# All frameworks: resources, and links to the code in the shared cache. Ruby and Tcl are among them, with link Current.
/System/Library/Frameworks/
# Packages of Tcl, for expect and scripts.
/System/Library/Tcl/
"""

DEVELOPER = """
# Compilers, git, make and Python. The shims in /usr/bin find them here.
/Library/Developer/CommandLineTools/
# Resources of frameworks that have no public interface; tools of developers use some.
/System/Library/PrivateFrameworks/
# Modules of Perl and gems of Ruby that were installed for the system's own interpreters.
/Library/Perl/
/Library/Ruby/
"""

ROSETTA = """
# What the kernel starts for a program for Intel, and the runtime that it opens.
/usr/libexec/rosetta/
/Library/Apple/usr/libexec/oah/
"""

PROFILES = {"minimal": (MINIMAL,), "standard": (MINIMAL, STANDARD), "developer": (MINIMAL, STANDARD, DEVELOPER)}
"""Each profile has what the one before it has."""

ACTING_ON_THE_MAC = ("/sbin/halt", "/sbin/reboot", "/sbin/shutdown")
"""Left out: they would act on the Mac, not on the jail."""

CHOSEN_FOR_THE_MAC = ("/var/select/developer_dir",)
"""Left out: where the Mac has its developer tools, which may be an Xcode that the jail has not."""

WITHOUT_ROSETTA = ("/usr/libexec/rosetta",)
"""Left out unless asked for: it starts programs that would then find no libraries."""
