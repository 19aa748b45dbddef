# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Run as the user, by sh -eu -s PREFIX REPOSITORY REMOTE: what Homebrew's installer does once the directories are there
# (Homebrew/install install.sh: init, fetch, reset, link). It can be interrupted and run again: brew is there last.
prefix=$1 repository=$2 remote=$3

cd "$repository" || exit
git init -q
git config remote.origin.url "$remote"
git config remote.origin.fetch '+refs/heads/*:refs/remotes/origin/*'
git config core.autocrlf false
git fetch -q --force --tags origin
git remote set-head origin --auto >/dev/null

# brew runs from a release where there is one.
release=$(git tag --list --sort=-version:refname '[0-9]*' | head -n 1)
git read-tree "${release:-origin/HEAD}"
git ls-files -z -- ':!bin' | git checkout-index -f -z --stdin
git checkout -q -f -B stable "${release:-origin/HEAD}"
[ "$prefix" = "$repository" ] || ln -sf "$repository/bin/brew" "$prefix/bin/brew"
