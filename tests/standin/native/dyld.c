/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * What dyld does when a program starts in another root: map the shared cache of that root.
 *
 * With SIP on the kernel refuses to map a copied cache and the program aborts. The text is that of a
 * transcript of macOS 13 (cpp-linter/clang-tools-static-binaries#51), exit status 134; that it is so
 * in a chroot too: darwin-containers/darwin-jail#2 (macOS 11). Without a cache in the jail nothing
 * can load libSystem: same abort, "no dyld cache".
 */
#define _GNU_SOURCE
#include "kernel.h"

#include <errno.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const DIRECTORIES[] = {
    "/System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld",
    "/System/Library/dyld",
};

/* Names that dyld tries, in its order: dyld/SharedCacheRuntime.cpp 442-459. */
static const char *const ARM64_NAMES[] = {"arm64e", NULL};
static const char *const X86_64_NAMES[] = {"x86_64h", "x86_64", NULL};

static int cache_exists(const char *arch)
{
    const char *const *names = strcmp(arch, "arm64") == 0 ? ARM64_NAMES : X86_64_NAMES;
    char path[256];
    struct stat st;
    size_t i, j;

    for (i = 0; i < sizeof DIRECTORIES / sizeof *DIRECTORIES; i++)
        for (j = 0; names[j] != NULL; j++) {
            snprintf(path, sizeof path, "%s/dyld_shared_cache_%s", DIRECTORIES[i], names[j]);
            if (stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0)
                return 1;
        }
    return 0;
}

static void die(const char *why)
{
    int pid = (int)getpid();

    if (why != NULL)
        dprintf(2, "dyld[%d]: dyld cache '(null)' not loaded: %s\n", pid, why);
    dprintf(2,
            "dyld[%d]: Library not loaded: /usr/lib/libSystem.B.dylib\n"
            "  Referenced from: <E9C9C71A-12E2-3003-AA7D-16D6E4FD29C8> %s\n"
            "  Reason: tried: '/usr/lib/libSystem.B.dylib' (no such file), "
            "'/System/Volumes/Preboot/Cryptexes/OS/usr/lib/libSystem.B.dylib' (no such file), "
            "'/usr/lib/libSystem.B.dylib' (no such file, no dyld cache), "
            "'/usr/local/lib/libSystem.B.dylib' (no such file)\n",
            pid, program_invocation_name);
    abort();
}

__attribute__((constructor)) static void map_shared_cache(void)
{
    struct kernel kernel;

    if (kernel_read(&kernel) == -1 || !kernel.chrooted)
        return;
    if (!cache_exists(kernel.arch))
        die(NULL);
    if (kernel.sip)
        die("syscall to map cache into shared region failed");
}
