/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * What dyld does when a program starts in another root: map the shared cache of that root.
 *
 * With SIP on the kernel refuses to map a copied cache and the program aborts. The text is that of a
 * transcript of macOS 13 (cpp-linter/clang-tools-static-binaries#51), exit status 134; that it is so
 * in a chroot too: darwin-containers/darwin-jail#2 (macOS 11). Without a cache in the jail, or with an
 * incomplete one, nothing can load libSystem: same abort.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel.h"

static const char *const DIRECTORIES[] = {
    "/System/Volumes/Preboot/Cryptexes/OS/System/Library/dyld",
    "/System/Library/dyld",
    NULL,
};

/* Names that dyld tries, in its order: dyld/SharedCacheRuntime.cpp 442-459. */
static const char *const ARM64_NAMES[] = {"arm64e", NULL};
static const char *const X86_64_NAMES[] = {"x86_64h", "x86_64", NULL};

static __attribute__((noreturn)) void die(const char *cache, const char *why)
{
    int pid = (int)getpid();

    if (why != NULL)
        dprintf(2, "dyld[%d]: dyld cache '%s' not loaded: %s\n", pid, cache, why);
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

static int exists(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == 0;
}

/* The main file of the first cache that dyld would take, in `path`; 0 when there is none. */
static int find_cache(const char *arch, char *path, size_t size)
{
    const char *const *names = strcmp(arch, "arm64") == 0 ? ARM64_NAMES : X86_64_NAMES;
    const char *const *directory, *const *name;

    for (directory = DIRECTORIES; *directory != NULL; directory++)
        for (name = names; *name != NULL; name++) {
            snprintf(path, size, "%s/dyld_shared_cache_%s", *directory, *name);
            if (exists(path))
                return 1;
        }
    return 0;
}

/* The subcaches that the header of the main file names: include/mach-o/dyld_cache_format.h 32-116. */
static void check_subcaches(FILE *cache, const char *path, const unsigned char *header)
{
    uint32_t mapping_offset, offset, count, i;
    char suffix[33] = "", sub[512];

    memcpy(&mapping_offset, header + 0x10, 4);
    memcpy(&offset, header + 0x188, 4);
    memcpy(&count, header + 0x18C, 4);
    for (i = 0; mapping_offset > 0x188 && i < count; i++) {
        if (mapping_offset <= 0x1C8) {
            snprintf(suffix, sizeof suffix, ".%u", i + 1);
        } else {
            fseek(cache, (long)(offset + i * 56 + 24), SEEK_SET);
            if (fread(suffix, 1, 32, cache) != 32)
                die(path, "malformed cache file");
        }
        snprintf(sub, sizeof sub, "%s%s", path, suffix);
        if (!exists(sub))
            die(path, "shared cache file open() failed");
    }
}

/* dyld compares the length of the file with the end of its signature before it maps anything. */
static void check_cache(const char *path)
{
    unsigned char header[0x1C8];
    uint64_t offset, size;
    FILE *cache = fopen(path, "re");

    if (cache == NULL)
        die(path, "shared cache file open() failed");
    if (fread(header, 1, sizeof header, cache) != sizeof header || memcmp(header, "dyld_v1", 7) != 0)
        die(path, "shared cache file has wrong magic");
    memcpy(&offset, header + 0x28, 8);
    memcpy(&size, header + 0x30, 8);
    if (fseek(cache, 0, SEEK_END) == -1 || (uint64_t)ftell(cache) != offset + size)
        die(path, "code signature registration for shared cache failed");
    check_subcaches(cache, path, header);
    fclose(cache);
}

__attribute__((constructor)) static void map_shared_cache(void)
{
    struct kernel kernel;
    char path[256];

    if (kernel_read(&kernel) == -1 || !kernel.chrooted)
        return;
    if (!find_cache(kernel.arch, path, sizeof path))
        die(NULL, NULL);
    check_cache(path);
    if (kernel.sip)
        die("(null)", "syscall to map cache into shared region failed");
}
