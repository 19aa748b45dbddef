#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Installs the Command Line Tools without a dialog: install_command_line_tools.sh VERSION LIST_SECONDS INSTALL_SECONDS
#
# Software Update offers them only while a placeholder file exists. The way is that of Homebrew's installer
# (Homebrew/install install.sh 845-877). An empty VERSION means the newest. It needs no more than a Mac fresh from the
# installer has. What went wrong is the line that begins with "error:".
set -u
wanted=$1 list_seconds=$2 install_seconds=$3
placeholder=/tmp/.com.apple.dt.CommandLineTools.installondemand.in-progress
tools=/Library/Developer/CommandLineTools

fail() {
    echo "error: $*" >&2
    exit 1
}

# Run a command, no longer than so many seconds: 124 when its time is over. What it says is in $folder/said.
limited() {
    seconds=$1
    shift
    "$@" </dev/null >"$folder/said" 2>&1 &
    while is_running $!; do
        if [ "$seconds" -le 0 ]; then
            kill $!
            sleep 1
            kill -9 $! 2>/dev/null
            return 124
        fi
        sleep 1
        seconds=$((seconds - 1))
    done
    wait $!
}

# A child that has ended but was not waited for yet still has its number.
is_running() {
    case $(ps -o stat= -p "$1") in
    "" | Z*) return 1;;
    esac
}

last_words() {
    grep . "$folder/said" | tail -n 1
}

list() {
    limited "$list_seconds" softwareupdate -l
    [ $? -ne 124 ] && return
    echo "Software Update did not answer within $list_seconds seconds: restarting its daemon"
    launchctl kickstart -k system/com.apple.softwareupdated
    limited "$list_seconds" softwareupdate -l
    [ $? -ne 124 ] || fail "Software Update did not answer within $list_seconds seconds, nor again after its daemon was" \
        "restarted: restart the Mac, or allow more time with jail_bootstrap_clt_list_timeout"
}

# The labels of all Command Line Tools that are offered, the newest last: "... for Xcode-16.4", "... for Xcode 26.2-26.2".
labels() {
    sed -n 's/^ *\* Label: \(Command Line Tools.*-\)\([^-]*\)$/\2 \1\2/p' "$folder/said" | sort -V | sed 's/^[^ ]* //'
}

# That of the version that is wanted, or of the newest that is no beta.
chosen() {
    if [ -n "$wanted" ]; then
        labels | grep -E "[- ]$(echo "$wanted" | sed 's/\./[.]/g')\$" | tail -n 1
    else
        labels | grep -iv beta | tail -n 1
    fi
}

folder=$(mktemp -d /tmp/darwin.jail.XXXXXX) || fail "cannot make a temporary directory in /tmp"
trap 'rm -rf "$folder" "$placeholder"' EXIT
trap 'exit 1' HUP INT TERM
touch "$placeholder"

list
offered=$(labels)
[ -n "$offered" ] || fail "Software Update offers no Command Line Tools, and says \"$(last_words)\": see whether the Mac" \
    "reaches swscan.apple.com and whether a management profile defers updates, or install the package of" \
    "https://developer.apple.com/download/all/ by hand"
label=$(chosen)
[ -n "$label" ] || fail "Software Update offers no version ${wanted:-but betas} of the Command Line Tools, only:" \
    "$(echo "$offered" | paste -s -d , -): set jail_bootstrap_clt_version to one of these"
echo "installing $label (offered: $(echo "$offered" | paste -s -d , -))"

limited "$install_seconds" softwareupdate -i "$label"
case $? in
124) fail "the installation of $label did not end within $install_seconds seconds, its last words were" \
    "\"$(last_words)\": run again, or allow more time with jail_bootstrap_clt_install_timeout";;
esac
[ -x "$tools/usr/bin/git" ] || fail "softwareupdate -i '$label' ended without installing them, its last words were" \
    "\"$(last_words)\": see /var/log/install.log on the Mac"
xcode-select -p >/dev/null 2>&1 || xcode-select --switch "$tools"
