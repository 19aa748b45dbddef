/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * The limit of 16 groups: setgroups(2) of xnu refuses a longer list with EINVAL (NGROUPS_MAX,
 * bsd/sys/syslimits.h), while initgroups(3) works for members of more groups, since the kernel then
 * asks the directory. glibc's initgroups does not call the exported setgroups, so it keeps working.
 *
 * Two programs are Linux's own here and behave otherwise than Apple's: sshd keeps its list by
 * setgroups where Apple's calls initgroups, and sudo asks sysconf(3) before it shortens its list.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <grp.h>
#include <unistd.h>

#include "kernel.h"

#define DARWIN_NGROUPS_MAX 16

int setgroups(size_t count, const gid_t *list)
{
    static int (*real)(size_t, const gid_t *);

    if (count > DARWIN_NGROUPS_MAX && !program_is("sshd")) {
        errno = EINVAL;
        return -1;
    }
    if (real == NULL)
        real = (int (*)(size_t, const gid_t *))dlsym(RTLD_NEXT, "setgroups");
    return real(count, list);
}

long sysconf(int name)
{
    static long (*real)(int);

    if (name == _SC_NGROUPS_MAX && program_is("sudo"))
        return DARWIN_NGROUPS_MAX;
    if (real == NULL)
        real = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
    return real(name);
}
