/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
#define _GNU_SOURCE
#include "kernel.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char program[32];

__attribute__((constructor)) static void remember_program(void)
{
    snprintf(program, sizeof program, "%s", program_invocation_short_name);
}

int program_is(const char *name)
{
    return strcmp(program, name) == 0;
}

int kernel_read(struct kernel *out)
{
    char text[65] = "", root[48];
    char *arch, *sip, *host_root, *xnu, *provenance, *rest = text;
    struct stat st;

    if (getdomainname(text, sizeof text - 1) == -1)
        return -1;
    arch = strsep(&rest, ",");
    sip = strsep(&rest, ",");
    host_root = strsep(&rest, ",");
    xnu = strsep(&rest, ",");
    provenance = strsep(&rest, ",");
    if (host_root == NULL || strlen(arch) >= sizeof out->arch || stat("/", &st) == -1)
        return -1;
    strcpy(out->arch, arch);
    out->sip = strcmp(sip, "on") == 0;
    snprintf(root, sizeof root, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    out->chrooted = strcmp(root, host_root) != 0;
    out->xnu = xnu != NULL;
    out->provenance = provenance != NULL;
    return 0;
}

const struct kernel *kernel(void)
{
    static struct kernel known;
    static int asked;

    if (!asked) {
        struct kernel found = {0};
        int error = errno;

        if (kernel_read(&found) == 0)
            known = found;
        asked = 1;
        errno = error;
    }
    return &known;
}
