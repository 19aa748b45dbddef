# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Run in a jail as its user, by sh -eu -s PREFIX PROFILE: what Homebrew must be able to do. PROFILE says whether
# ~/.zprofile is ours.
prefix=$1 profile=$2

fail() {
    echo "$*" >&2
    exit 1
}

[ "$(id -u)" != 0 ] || fail "Homebrew cannot belong to root: set jail_user to the user that owns it in the jail"
[ -x "$prefix/bin/brew" ] || fail "there is no brew in $prefix of the jail: run the role homebrew"
[ -w "$prefix/bin/" ] || fail "$prefix in the jail does not belong to $(id -un), so that brew cannot install anything"
"$prefix/bin/brew" --version
if [ "$profile" = True ]; then
    found=$(/bin/zsh -lc 'command -v brew') || fail "a login shell of $(id -un) does not find brew: see ~/.zprofile"
    [ "$found" = "$prefix/bin/brew" ] || fail "a login shell of $(id -un) finds another brew first, $found"
fi
echo "in $prefix, with $("$prefix/bin/brew" list | wc -l | tr -d ' ') packages"
