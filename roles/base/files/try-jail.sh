# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Run in a jail as its user, by sh -s USER: what programs of the jail know, as JSON. What they do not know is empty, and why is
# told on stderr. It goes on when something fails, and uses no more programs than it asks.

# The directory that confstr(3) names, when it can be written to. It has no substitute for that of caches, so that one shows
# what the temporary one would hide.
written() {
    directory=$(getconf "$1") && : >"$directory.darwin.jail" && rm "$directory.darwin.jail" && echo "$directory"
}

# What programs that are built on LibreSSL trust. A jail without curl may do without.
certificates() {
    [ -x /usr/bin/curl ] || return
    count=0
    while read -r line; do
        case $line in *"BEGIN CERTIFICATE"*) count=$((count + 1));; esac
    done </etc/ssl/cert.pem
    echo "$count"
}

printf '{"macos": "%s", "uid": "%s", "named": "%s", "temporary": "%s", "cache": "%s", "certificates": "%s"}\n' \
    "$(sw_vers -productVersion)" "$(id -u)" "$(id -u "$1")" "$(written DARWIN_USER_TEMP_DIR)" \
    "$(written DARWIN_USER_CACHE_DIR)" "$(certificates)"
