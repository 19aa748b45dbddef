# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Run in a jail as its user, by sh -eu: what the Command Line Tools must be able to do. The first thing that fails ends it.

fail() {
    echo "$*" >&2
    exit 1
}

[ -c /dev/null ] || fail "there is no /dev/null in the jail: run the role terminal, or build the jail again"
developer=$(xcode-select -p) || fail "xcode-select finds no tools in the jail: run the roles base and clt with jail_clt"
_cache=$(getconf DARWIN_USER_CACHE_DIR) || fail "$(id -un) has no temporary directories in the jail: run the role base"
[ -r /System/Library/Sandbox/Profiles/system.sb ] ||
    fail "/System/Library/Sandbox/Profiles/system.sb, which swift build needs, is not in the jail: see what it is made of"

gcc --version
git --version

folder=$(mktemp -d "${TMPDIR:-/tmp}/darwin.jail.XXXXXX")
trap 'rm -rf "$folder"' EXIT
printf '#include <stdio.h>\nint main(void) { return puts("a compiled program runs") < 0; }\n' >"$folder/program.c"
cc -o "$folder/program" "$folder/program.c"
"$folder/program"
echo "by $developer"
