/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * Extended attributes of a host that is xnu's: `com.apple.x` is `user.com.apple.x` to Linux. Those that
 * System Integrity Protection keeps are set and removed by nobody while it is on; com.apple.provenance and
 * com.apple.macl never are, and the first comes by itself on what a program makes (attributes.h).
 * (eclecticlight.co 2018-01-05; octave-app issue 252; oferchen/rsync pull request 7002)
 */
#define _GNU_SOURCE
#include "attributes.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#include "kernel.h"

#define PREFIX "user."
#define APPLE "com.apple."
#define OF_LINUX PREFIX APPLE
#define NAME_SIZE 256

static int is_any(const char *name, const char *const *names)
{
    for (; *names != NULL; names++)
        if (strcmp(name, *names) == 0)
            return 1;
    return 0;
}

static int is_kept(const char *name)
{
    static const char *const never[] = {"com.apple.macl", "com.apple.provenance", NULL};
    static const char *const by_sip[] = {"com.apple.rootless", "com.apple.root.installed", NULL};

    return kernel()->xnu && (is_any(name, never) || (kernel()->sip && is_any(name, by_sip)));
}

/* The name that Linux has for an attribute. */
static const char *here(const char *name, char *buffer)
{
    if (!kernel()->xnu || strncmp(name, APPLE, strlen(APPLE)) != 0)
        return name;
    snprintf(buffer, NAME_SIZE, PREFIX "%s", name);
    return buffer;
}

/* Names that macOS has, in the place of those of Linux; they are shorter. */
static ssize_t there(char *list, ssize_t length)
{
    char *from = list, *to = list, *end = list + length;

    if (!kernel()->xnu || list == NULL || length <= 0)
        return length;
    while (from < end) {
        char *name = strncmp(from, OF_LINUX, strlen(OF_LINUX)) == 0 ? from + strlen(PREFIX) : from;
        size_t size = strlen(name) + 1;

        from = name + size;
        memmove(to, name, size);
        to += size;
    }
    return to - list;
}

static int refused(void)
{
    errno = EPERM;
    return -1;
}

void note_provenance(int fd)
{
    static const char value[11] = {1, 2, 0};
    int error = errno;

    if (kernel()->provenance)
        syscall(SYS_fsetxattr, fd, PREFIX "com.apple.provenance", value, sizeof value, 0);
    errno = error;
}

#define FAMILY(PRE, OF, CALL) \
    int PRE##setxattr(OF of, const char *name, const void *value, size_t size, int flags) \
    { \
        char buffer[NAME_SIZE]; \
        return is_kept(name) ? refused() \
                             : (int)syscall(SYS_##CALL##setxattr, of, here(name, buffer), value, size, flags); \
    } \
    ssize_t PRE##getxattr(OF of, const char *name, void *value, size_t size) \
    { \
        char buffer[NAME_SIZE]; \
        return syscall(SYS_##CALL##getxattr, of, here(name, buffer), value, size); \
    } \
    ssize_t PRE##listxattr(OF of, char *list, size_t size) \
    { \
        return there(size != 0 ? list : NULL, syscall(SYS_##CALL##listxattr, of, list, size)); \
    } \
    int PRE##removexattr(OF of, const char *name) \
    { \
        char buffer[NAME_SIZE]; \
        return is_kept(name) ? refused() : (int)syscall(SYS_##CALL##removexattr, of, here(name, buffer)); \
    }

FAMILY(, const char *, )
FAMILY(l, const char *, l)
FAMILY(f, int, f)
