/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * What opening a file does on macOS, on a host that is xnu's:
 *
 * - /dev/fd/N is dup(2), with the offset shared, for reading and writing as N is.
 *   (bsd/miscfs/devfs/devfs_fdesc_support.c, fdesc_open; bsd/kern/kern_descrip.c, dupfdopen)
 * - devfs sets the modification time of a device that is written to, so that of /dev/null always changes.
 *   (bsd/miscfs/devfs/devfs_vnops.c, devfsspec_write)
 * - macOS 13 and later note on what is made which program made it (attributes.h).
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "attributes.h"
#include "bash.h"
#include "kernel.h"

#define DESCRIPTORS "/dev/fd"

/* The descriptor that a path of /dev means; -1 when it means none. */
static int descriptor(const char *path)
{
    static const char *const standard[] = {"/dev/stdin", "/dev/stdout", "/dev/stderr"};
    const char *number = path + sizeof DESCRIPTORS;
    int i;

    if (!kernel()->xnu || strncmp(path, "/dev/", 5) != 0 || syscall(SYS_faccessat, AT_FDCWD, DESCRIPTORS, F_OK) == -1)
        return -1;
    for (i = 0; i < 3; i++)
        if (strcmp(path, standard[i]) == 0)
            return i;
    if (strncmp(path, DESCRIPTORS "/", sizeof DESCRIPTORS) != 0 || *number == '\0' || strlen(number) > 6)
        return -1;
    return number[strspn(number, "0123456789")] == '\0' ? atoi(number) : -1;
}

static int duplicate(int fd, int flags)
{
    int has = fcntl(fd, F_GETFL);

    if (has == -1)
        return -1;
    if ((has & O_ACCMODE) != O_RDWR && (has & O_ACCMODE) != (flags & O_ACCMODE)) {
        errno = EACCES;
        return -1;
    }
    return fcntl(fd, flags & O_CLOEXEC ? F_DUPFD_CLOEXEC : F_DUPFD, 0);
}

static void written(int fd, const char *path)
{
    int error = errno;

    if (kernel()->xnu && !kernel()->chrooted && strcmp(path, "/dev/null") == 0)
        syscall(SYS_utimensat, fd, NULL, NULL, 0);
    errno = error;
}

static int open_at(int dir_fd, const char *path, int flags, mode_t mode)
{
    int fd = descriptor(path);

    keep_documents_in_files();
    if (fd != -1)
        return duplicate(fd, flags);
    fd = (int)syscall(SYS_openat, dir_fd, path, flags, mode);
    if (fd != -1 && (flags & O_ACCMODE) != O_RDONLY)
        written(fd, path);
    if (fd != -1 && flags & O_CREAT)
        note_provenance(fd);
    return fd;
}

static mode_t mode_of(int flags, va_list rest)
{
    return flags & O_CREAT || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPEN(NAME) \
    int NAME(const char *path, int flags, ...) \
    { \
        va_list rest; \
        mode_t mode; \
        va_start(rest, flags); \
        mode = mode_of(flags, rest); \
        va_end(rest); \
        return open_at(AT_FDCWD, path, flags, mode); \
    }
#define OPENAT(NAME) \
    int NAME(int dir_fd, const char *path, int flags, ...) \
    { \
        va_list rest; \
        mode_t mode; \
        va_start(rest, flags); \
        mode = mode_of(flags, rest); \
        va_end(rest); \
        return open_at(dir_fd, path, flags, mode); \
    }
#define OPEN_2(NAME) \
    int NAME(const char *path, int flags); \
    int NAME(const char *path, int flags) \
    { \
        return open_at(AT_FDCWD, path, flags, 0); \
    }
#define FOPEN(NAME) \
    FILE *NAME(const char *path, const char *how) \
    { \
        static FILE *(*real)(const char *, const char *); \
        int fd = descriptor(path); \
        FILE *file; \
        if (fd != -1) \
            return stream(fd, how); \
        if (real == NULL) \
            real = (FILE * (*)(const char *, const char *))dlsym(RTLD_NEXT, #NAME); \
        file = real(path, how); \
        if (file != NULL && *how != 'r') { \
            written(fileno(file), path); \
            note_provenance(fileno(file)); \
        } \
        return file; \
    }

static FILE *stream(int of, const char *how)
{
    int flags = strchr(how, '+') != NULL ? O_RDWR : *how == 'r' ? O_RDONLY : O_WRONLY;
    int fd = duplicate(of, flags);

    return fd == -1 ? NULL : fdopen(fd, how);
}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
OPEN_2(__open_2)
OPEN_2(__open64_2)
FOPEN(fopen)
FOPEN(fopen64)

int mkdirat(int dir_fd, const char *path, mode_t mode)
{
    int done = (int)syscall(SYS_mkdirat, dir_fd, path, mode), error = errno, fd;

    if (done == 0 && kernel()->provenance) {
        fd = (int)syscall(SYS_openat, dir_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        note_provenance(fd);
        syscall(SYS_close, fd);
    }
    errno = error;
    return done;
}

int mkdir(const char *path, mode_t mode)
{
    return mkdirat(AT_FDCWD, path, mode);
}
