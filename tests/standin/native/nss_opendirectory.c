/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * Users and groups from the host's directory service, not from files.
 *
 * On macOS Libinfo asks opendirectoryd over Mach, which a chroot does not touch (apple-oss Libinfo,
 * lookup.subproj/search_module.c and ds_module.c). Here the service listens on an abstract socket,
 * which a chroot does not touch either. One line goes out, the answer comes back as the line of a
 * passwd, group or shadow file, or empty for "no such record".
 */
#define _GNU_SOURCE
#include <errno.h>
#include <grp.h>
#include <nss.h>
#include <pwd.h>
#include <shadow.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVICE "com.apple.system.opendirectoryd"
#define ANSWER_MAX 65536

static int service_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = 5};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(SERVICE));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    memcpy(address.sun_path + 1, SERVICE, strlen(SERVICE));
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(fd, (struct sockaddr *)&address, length) == -1) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Ask and store the whole answer in `answer`; its length, or -1 when nobody answers. */
static ssize_t ask(const char *verb, const char *key, char *answer, size_t size)
{
    char question[512];
    size_t done = 0;
    ssize_t got = 0;
    int length = snprintf(question, sizeof question, "%s %s\n", verb, key);
    int fd = service_connect();

    if (fd == -1)
        return -1;
    if (length >= (int)sizeof question || strchr(key, '\n') != NULL) {
        close(fd);
        return 0;
    }
    if (send(fd, question, (size_t)length, MSG_NOSIGNAL) != length) {
        close(fd);
        return -1;
    }
    while (done < size - 1 && (got = read(fd, answer + done, size - 1 - done)) > 0)
        done += (size_t)got;
    close(fd);
    if (got == -1)
        return -1;
    answer[done] = '\0';
    return (ssize_t)done;
}

static unsigned int number(const char *text)
{
    unsigned int value = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        value = value * 10 + (unsigned int)(*text - '0');
    return value;
}

/* Split a line at colons into exactly `count` fields. */
static int split(char *line, char **fields, int count)
{
    int i;

    line[strcspn(line, "\n")] = '\0';
    for (i = 0; i < count && line != NULL; i++)
        fields[i] = strsep(&line, ":");
    return i == count ? 0 : -1;
}

static enum nss_status parse_passwd(char *line, struct passwd *out)
{
    char *f[7];

    if (split(line, f, 7) == -1)
        return NSS_STATUS_NOTFOUND;
    out->pw_name = f[0];
    out->pw_passwd = f[1];
    out->pw_uid = number(f[2]);
    out->pw_gid = number(f[3]);
    out->pw_gecos = f[4];
    out->pw_dir = f[5];
    out->pw_shell = f[6];
    return NSS_STATUS_SUCCESS;
}

/* The member pointers are laid out behind the line, in the caller's buffer. */
static enum nss_status parse_group(char *line, struct group *out, char *end, size_t room, int *errnop)
{
    size_t skip = (size_t)-(long)end & (sizeof(char *) - 1);
    char **members = (char **)(void *)(end + skip);
    char *f[4], *name, *rest;
    size_t n = 0;

    if (split(line, f, 4) == -1)
        return NSS_STATUS_NOTFOUND;
    rest = f[3];
    while ((name = strsep(&rest, ",")) != NULL) {
        if (*name == '\0')
            continue;
        if (skip + (n + 2) * sizeof *members > room) {
            *errnop = ERANGE;
            return NSS_STATUS_TRYAGAIN;
        }
        members[n++] = name;
    }
    if (skip + (n + 1) * sizeof *members > room) {
        *errnop = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    members[n] = NULL;
    out->gr_name = f[0];
    out->gr_passwd = f[1];
    out->gr_gid = number(f[2]);
    out->gr_mem = members;
    return NSS_STATUS_SUCCESS;
}

static enum nss_status fetch(const char *verb, const char *key, char *buffer, size_t size, int *errnop)
{
    ssize_t length = ask(verb, key, buffer, size);

    if (length == -1) {
        *errnop = ENOENT;
        return NSS_STATUS_UNAVAIL;
    }
    if (length == 0) {
        *errnop = ENOENT;
        return NSS_STATUS_NOTFOUND;
    }
    if ((size_t)length == size - 1 && buffer[length - 1] != '\n') {
        *errnop = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    return NSS_STATUS_SUCCESS;
}

static enum nss_status get_passwd(const char *verb, const char *key, struct passwd *out, char *buffer,
                                  size_t size, int *errnop)
{
    enum nss_status status = fetch(verb, key, buffer, size, errnop);

    return status == NSS_STATUS_SUCCESS ? parse_passwd(buffer, out) : status;
}

static enum nss_status get_group(const char *verb, const char *key, struct group *out, char *buffer,
                                 size_t size, int *errnop)
{
    enum nss_status status = fetch(verb, key, buffer, size, errnop);
    size_t used;

    if (status != NSS_STATUS_SUCCESS)
        return status;
    used = strlen(buffer) + 1;
    return parse_group(buffer, out, buffer + used, size - used, errnop);
}

enum nss_status _nss_opendirectory_getpwnam_r(const char *name, struct passwd *out, char *buffer,
                                              size_t size, int *errnop)
{
    return get_passwd("pwnam", name, out, buffer, size, errnop);
}

enum nss_status _nss_opendirectory_getpwuid_r(uid_t uid, struct passwd *out, char *buffer, size_t size,
                                              int *errnop)
{
    char key[16];

    snprintf(key, sizeof key, "%u", (unsigned int)uid);
    return get_passwd("pwuid", key, out, buffer, size, errnop);
}

enum nss_status _nss_opendirectory_getgrnam_r(const char *name, struct group *out, char *buffer,
                                              size_t size, int *errnop)
{
    return get_group("grnam", name, out, buffer, size, errnop);
}

enum nss_status _nss_opendirectory_getgrgid_r(gid_t gid, struct group *out, char *buffer, size_t size,
                                              int *errnop)
{
    char key[16];

    snprintf(key, sizeof key, "%u", (unsigned int)gid);
    return get_group("grgid", key, out, buffer, size, errnop);
}

/* Only root gets an answer: sudo(8) and login(1) check passwords with it. */
enum nss_status _nss_opendirectory_getspnam_r(const char *name, struct spwd *out, char *buffer,
                                              size_t size, int *errnop)
{
    enum nss_status status = fetch("spnam", name, buffer, size, errnop);
    char *f[2];

    if (status != NSS_STATUS_SUCCESS)
        return status;
    if (split(buffer, f, 2) == -1)
        return NSS_STATUS_NOTFOUND;
    memset(out, -1, sizeof *out);
    out->sp_namp = f[0];
    out->sp_pwdp = f[1];
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_opendirectory_initgroups_dyn(const char *user, gid_t primary, long *start,
                                                  long *size, gid_t **list, long limit, int *errnop)
{
    char answer[4096];
    char *rest = answer, *word;
    enum nss_status status = fetch("initgroups", user, answer, sizeof answer, errnop);

    if (status != NSS_STATUS_SUCCESS)
        return status;
    answer[strcspn(answer, "\n")] = '\0';
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word == '\0' || number(word) == primary)
            continue;
        if (*start == *size) {
            long larger = *size * 2;
            gid_t *moved;

            if (limit > 0 && *size >= limit)
                break;
            if (limit > 0 && larger > limit)
                larger = limit;
            moved = realloc(*list, (size_t)larger * sizeof **list);
            if (moved == NULL)
                return NSS_STATUS_TRYAGAIN;
            *list = moved;
            *size = larger;
        }
        (*list)[(*start)++] = number(word);
    }
    return NSS_STATUS_SUCCESS;
}

/* Enumeration: the whole list is fetched once, then handed out line by line. */
struct listing {
    char *text;
    char *next;
};

static __thread struct listing users, groups;

static enum nss_status listing_open(struct listing *list, const char *verb)
{
    free(list->text);
    list->text = list->next = malloc(ANSWER_MAX);
    if (list->text == NULL || ask(verb, "-", list->text, ANSWER_MAX) == -1) {
        free(list->text);
        list->text = list->next = NULL;
        return NSS_STATUS_UNAVAIL;
    }
    return NSS_STATUS_SUCCESS;
}

static enum nss_status listing_close(struct listing *list)
{
    free(list->text);
    list->text = list->next = NULL;
    return NSS_STATUS_SUCCESS;
}

/* Copy the next line to the caller's buffer; `used` says how much of it that took. */
static enum nss_status listing_line(struct listing *list, char *buffer, size_t size, size_t *used,
                                    int *errnop)
{
    size_t length;

    if (list->next == NULL || *list->next == '\0')
        return NSS_STATUS_NOTFOUND;
    length = strcspn(list->next, "\n");
    if (length + 1 > size) {
        *errnop = ERANGE;
        return NSS_STATUS_TRYAGAIN;
    }
    memcpy(buffer, list->next, length);
    buffer[length] = '\0';
    *used = length + 1;
    return NSS_STATUS_SUCCESS;
}

static void listing_advance(struct listing *list, size_t used)
{
    list->next += used - 1;
    if (*list->next == '\n')
        list->next++;
}

enum nss_status _nss_opendirectory_setpwent(int stay)
{
    (void)stay;
    return listing_open(&users, "pwall");
}

enum nss_status _nss_opendirectory_endpwent(void)
{
    return listing_close(&users);
}

enum nss_status _nss_opendirectory_getpwent_r(struct passwd *out, char *buffer, size_t size, int *errnop)
{
    size_t used;
    enum nss_status status = listing_line(&users, buffer, size, &used, errnop);

    if (status != NSS_STATUS_SUCCESS)
        return status;
    listing_advance(&users, used);
    return parse_passwd(buffer, out);
}

enum nss_status _nss_opendirectory_setgrent(int stay)
{
    (void)stay;
    return listing_open(&groups, "grall");
}

enum nss_status _nss_opendirectory_endgrent(void)
{
    return listing_close(&groups);
}

enum nss_status _nss_opendirectory_getgrent_r(struct group *out, char *buffer, size_t size, int *errnop)
{
    size_t used;
    enum nss_status status = listing_line(&groups, buffer, size, &used, errnop);

    if (status != NSS_STATUS_SUCCESS)
        return status;
    status = parse_group(buffer, out, buffer + used, size - used, errnop);
    if (status == NSS_STATUS_SUCCESS)
        listing_advance(&groups, used);
    return status;
}
