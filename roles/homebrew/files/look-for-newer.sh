# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Run in a jail as its user, by sh -eu -s REPOSITORY: names what brew update would fetch, and fetches none of it. brew follows
# the newest tag of its repository, and the main branch of taps and of a repository without tags.
repository=$1

missing() { # REPOSITORY REMOTE NAMES
    found=$(git -C "$1" ls-remote "$2" "$3")
    echo "$found" | while read -r object name; do
        [ -z "$object" ] || git -C "$1" cat-file -e "$object" 2>/dev/null || echo "$2 $name"
    done | sed 's|//[^/@]*@|//***@|'
}

if [ ! -d "$repository/.git" ]; then
    echo "$repository, which is not cloned yet"
else
    origin=${HOMEBREW_BREW_GIT_REMOTE:-$(git -C "$repository" config remote.origin.url)}
    names='refs/tags/*'
    [ -n "$(git -C "$repository" ls-remote "$origin" "$names")" ] || names=HEAD
    missing "$repository" "$origin" "$names"
fi
for tap in "$repository"/Library/Taps/*/*/; do
    [ ! -d "$tap/.git" ] || missing "$tap" "$(git -C "$tap" config remote.origin.url)" HEAD
done
