/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * Volumes of a host that is xnu's.
 *
 * clonefile(2) makes a new file that shares its blocks: EXDEV between file systems, EINVAL for flags that
 * the release does not know, which are 0x1 and 0x2, and 0x4 (CLONE_ACL) from macOS 13 on; setuid and
 * setgid are lost. (apple-oss xnu bsd/vfs/vfs_syscalls.c, bsd/sys/clonefile.h, 8020.140.41 and 8792.41.9)
 *
 * f_fsid of the Data volume is another one than that of the System volume, with which it has its st_dev in
 * common. (sys/mount.h) What lies there is seen below /System/Volumes/Data, and also by firmlinks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <dlfcn.h>
#include <unistd.h>

#include "kernel.h"

#define CLONE_ACL 0x4u
#define SET_ID (S_ISUID | S_ISGID)

int clonefile(const char *source, const char *target, uint32_t flags)
{
    uint32_t known = 0x1u | 0x2u | (kernel()->provenance ? CLONE_ACL : 0u);
    struct stat status;
    int from, to, failed;

    if (flags & ~known) {
        errno = EINVAL;
        return -1;
    }
    from = open(source, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (from == -1)
        return -1;
    to = fstat(from, &status) == -1 ? -1 : open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    failed = to == -1 || ioctl(to, FICLONE, from) == -1 || fchmod(to, status.st_mode & 07777 & ~SET_ID) == -1;
    if (failed && to != -1) {
        int error = errno;

        unlink(target);
        errno = error;
    }
    if (to != -1)
        close(to);
    close(from);
    return failed ? -1 : 0;
}

static int is_of_data(int fd)
{
    static const char *const places[] = {"/System/Volumes/Data", "/private", "/Users", "/Library", "/Applications", NULL};
    char name[64], path[4096];
    ssize_t length;
    int i;

    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    length = readlink(name, path, sizeof path - 1);
    if (length <= 0)
        return 0;
    path[length] = '\0';
    for (i = 0; places[i] != NULL; i++) {
        size_t size = strlen(places[i]);

        if (strncmp(path, places[i], size) == 0 && (path[size] == '/' || path[size] == '\0'))
            return 1;
    }
    return 0;
}

int fstatvfs64(int fd, struct statvfs64 *out)
{
    static int (*real)(int, struct statvfs64 *);
    int result;

    if (real == NULL)
        real = (int (*)(int, struct statvfs64 *))dlsym(RTLD_NEXT, "fstatvfs64");
    result = real(fd, out);
    if (result == 0 && kernel()->xnu && is_of_data(fd))
        out->f_fsid ^= 1;
    return result;
}
