/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * chroot(8) with the flags, the order of calls and the messages of macOS.
 *
 * Source: apple-oss shell_cmds chroot/chroot.c 66-207. Names are resolved before the root changes;
 * setgroups only with -G, setgid only with -g, setuid only with -u; 16 groups at most; the
 * environment is kept; the command is looked up over PATH inside the new root.
 */
#define _GNU_SOURCE
#include <ctype.h>
#include <err.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GROUPS_MAX 17

static void usage(void)
{
    fprintf(stderr, "usage: chroot [-g group] [-G group,group,...] [-u user] newroot [command]\n");
    exit(1);
}

static int all_digits(const char *text)
{
    return *text != '\0' && strspn(text, "0123456789") == strlen(text);
}

static unsigned int decimal(const char *text)
{
    unsigned int value = 0;

    while (isdigit((unsigned char)*text))
        value = value * 10 + (unsigned int)(*text++ - '0');
    return value;
}

static gid_t group_id(const char *name)
{
    struct group *entry;

    if (all_digits(name))
        return decimal(name);
    entry = getgrnam(name);
    if (entry == NULL)
        errx(1, "no such group `%s'", name);
    return entry->gr_gid;
}

static uid_t user_id(const char *name)
{
    struct passwd *entry;

    if (all_digits(name))
        return decimal(name);
    entry = getpwnam(name);
    if (entry == NULL)
        errx(1, "no such user `%s'", name);
    return entry->pw_uid;
}

static size_t group_ids(char *names, gid_t *list)
{
    size_t count = 0;
    char *name;

    while ((name = strsep(&names, ",")) != NULL) {
        if (*name == '\0')
            continue;
        if (count == GROUPS_MAX)
            errx(1, "too many supplementary groups provided");
        list[count++] = group_id(name);
    }
    return count;
}

int main(int argc, char **argv)
{
    char *group = NULL, *groups = NULL, *user = NULL, *shell;
    gid_t gid = 0, list[GROUPS_MAX];
    uid_t uid = 0;
    size_t count = 0;
    int flag;

    while ((flag = getopt(argc, argv, "+G:g:u:")) != -1)
        switch (flag) {
        case 'G': groups = optarg; break;
        case 'g': group = optarg; break;
        case 'u': user = optarg; break;
        default: usage();
        }
    argc -= optind;
    argv += optind;
    if (argc < 1)
        usage();
    if (group != NULL)
        gid = group_id(group);
    if (groups != NULL)
        count = group_ids(groups, list);
    if (user != NULL)
        uid = user_id(user);

    if (chdir(argv[0]) == -1 || chroot(".") == -1)
        err(1, "%s", argv[0]);
    if (count > 0 && setgroups(count, list) == -1)
        err(1, "setgroups");
    if (group != NULL && setgid(gid) == -1)
        err(1, "setgid");
    if (user != NULL && setuid(uid) == -1)
        err(1, "setuid");
    if (argv[1] != NULL) {
        execvp(argv[1], &argv[1]);
        err(1, "%s", argv[1]);
    }
    shell = getenv("SHELL");
    if (shell == NULL)
        shell = "/bin/sh";
    execlp(shell, shell, "-i", (char *)NULL);
    err(1, "%s", shell);
}
