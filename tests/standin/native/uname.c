/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * uname(2) as Darwin answers it. Release, version and machine come from /usr/lib/standin/kernel,
 * lines of "key: value", which lies below /usr/lib so that it is where the library is, in a jail too.
 * The node name stays the one of the host's UTS namespace.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

static void copy_value(char *to, size_t size, const char *text, const char *key)
{
    const char *line = strstr(text, key);
    size_t length;

    if (line == NULL)
        return;
    line += strlen(key);
    length = strcspn(line, "\n");
    if (length >= size)
        length = size - 1;
    memcpy(to, line, length);
    to[length] = '\0';
}

int uname(struct utsname *out)
{
    char text[4096];
    ssize_t length;
    int fd;

    if (syscall(SYS_uname, out) == -1)
        return -1;
    fd = open("/usr/lib/standin/kernel", O_RDONLY | O_CLOEXEC);
    if (fd == -1)
        return 0;
    length = read(fd, text, sizeof text - 1);
    close(fd);
    if (length <= 0)
        return 0;
    text[length] = '\0';
    strcpy(out->sysname, "Darwin");
    copy_value(out->release, sizeof out->release, text, "kern.osrelease: ");
    copy_value(out->version, sizeof out->version, text, "kern.version: ");
    copy_value(out->machine, sizeof out->machine, text, "hw.machine: ");
    return 0;
}
