#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# First process of a host's namespaces: mounts its root, moves into it, waits for the word that its own
# files are written, then becomes launchd.
#
# Arguments: lower root, host directory, architecture, SIP state, host name, what its kernel does as macOS does.
set -eu
lower=$1 dir=$2 arch=$3 sip=$4 name=$5 xnu=$6
root=$dir/root
mount --make-rprivate /
mkdir -p "$dir/upper" "$dir/work" "$root"
if [ ! -e "$dir/upper/.standin-owner" ]; then
    # A fresh upper directory hides the owner and mode of the lower root.
    chown --reference="$lower" "$dir/upper"
    chmod --reference="$lower" "$dir/upper"
fi
mount -t overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" overlay "$root"
mount -t proc proc "$root/proc"

mount -t tmpfs -o mode=0755,nosuid devfs "$root/dev"
node() { mknod -m "$2" "$root/dev/$1" c "$3" "$4"; }
node null 0666 1 3; node zero 0666 1 5; node random 0666 1 8; node urandom 0666 1 9
node tty 0666 5 0; node ptmx 0666 5 2; node console 0600 5 1; node fuse 0666 10 229
mkdir "$root/dev/pts" "$root/dev/shm"
chmod 1777 "$root/dev/shm"
mount -t devpts -o newinstance,gid=4,mode=0620,ptmxmode=0666 devpts "$root/dev/pts"
ln -s /proc/self/fd "$root/dev/fd"
ln -s fd/0 "$root/dev/stdin"; ln -s fd/1 "$root/dev/stdout"; ln -s fd/2 "$root/dev/stderr"

if [ -f "$dir/jails.xfs" ]; then
    mount -t xfs -o loop,discard "$dir/jails.xfs" "$root/private/var/jails"
fi
# The Data volume shows the targets of the firmlinks a second time.
while read -r path data; do
    [ -d "$root$path" ] || continue
    mkdir -p "$root/System/Volumes/Data/$data"
    mount --rbind "$root$path" "$root/System/Volumes/Data/$data"
done < "$root/usr/share/firmlinks"

# What a boot of macOS empties.
find "$root/private/var/run" -mindepth 1 -delete
find "$root/private/tmp" -mindepth 1 -delete
date +%s > "$root/private/var/run/boottime"

cd "$root"
pivot_root . .
/usr/lib/standin/bin/umount -l .
cd /
echo "$name" > /proc/sys/kernel/hostname
echo "$arch,$sip,$(stat -c %d:%i /)$xnu" > /proc/sys/kernel/domainname
echo ready
read -r _go
exec < /dev/null > /private/var/log/launchd.log 2>&1
exec /usr/bin/env -i PATH=/usr/bin:/bin:/usr/sbin:/sbin /sbin/launchd
