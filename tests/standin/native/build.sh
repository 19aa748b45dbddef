#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# Build the compiled parts of the stand-in below the directory $1:
# the preloaded library, the NSS modules and chroot(8).
set -eu
here=$(cd "$(dirname "$0")" && pwd)
out=$1
triplet=$2
mkdir -p "$out/usr/lib/standin" "$out/usr/lib/$triplet" "$out/usr/sbin"
cd "$here"
set -- -std=c11 -O2 -Wall -Wextra -Werror
gcc "$@" -shared -fPIC -o "$out/usr/lib/standin/libstandin.so" uname.c groups.c dyld.c kernel.c \
    open.c attributes.c poll.c sshd.c bash.c volumes.c
gcc "$@" -shared -fPIC -Wl,-soname,libnss_opendirectory.so.2 \
    -o "$out/usr/lib/$triplet/libnss_opendirectory.so.2" nss_opendirectory.c
gcc "$@" -shared -fPIC -Wl,-soname,libnss_mdnsresponder.so.2 \
    -o "$out/usr/lib/$triplet/libnss_mdnsresponder.so.2" nss_mdnsresponder.c
gcc "$@" -o "$out/usr/sbin/chroot" chroot.c
