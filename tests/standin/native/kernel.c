/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
#define _GNU_SOURCE
#include "kernel.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int kernel_read(struct kernel *out)
{
    char text[65] = "", root[48];
    char *arch, *sip, *host_root, *rest = text;
    struct stat st;

    if (getdomainname(text, sizeof text - 1) == -1)
        return -1;
    arch = strsep(&rest, ",");
    sip = strsep(&rest, ",");
    host_root = strsep(&rest, ",");
    if (host_root == NULL || strlen(arch) >= sizeof out->arch || stat("/", &st) == -1)
        return -1;
    strcpy(out->arch, arch);
    out->sip = strcmp(sip, "on") == 0;
    snprintf(root, sizeof root, "%lu:%lu", (unsigned long)st.st_dev, (unsigned long)st.st_ino);
    out->chrooted = strcmp(root, host_root) != 0;
    return 0;
}
