/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * Host names from mDNSResponder, over the socket below this process's own root.
 *
 * As Libinfo does (apple-oss Libinfo lookup.subproj/mdns_module.c, mDNSResponder mDNSShared/dnssd_clientstub.c): one
 * connection for all look-ups of the process, and with the last byte of each request one end of a pair of sockets, over
 * which an error code comes back. There is no other way to a name: no socket, no answer.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define SERVER "/var/run/mDNSResponder"
#define PATIENCE 20
#define MOST_ADDRESSES 16
#define NAME_MAX_LENGTH 1008
#define BODY_MAX 70000
#define RESOLVED 0
#define UNKNOWN 1
#define FAILED (-1)

enum { CONNECTION = 1, QUERY = 8, CANCEL = 63, QUERY_REPLY = 68 };
enum { TYPE_A = 1, TYPE_AAAA = 28, CLASS_IN = 1, MORE_COMING = 1 };
#define QUERY_FLAGS (0x4000 | 0x1000 | 0x10000) /* share connection, intermediates, time out */

struct header {
    uint32_t version, length, flags, operation;
    uint64_t context;
    uint32_t index;
} __attribute__((packed));

struct address {
    int family;
    size_t length;
    char bytes[16];
};

struct found {
    size_t count;
    struct address addresses[MOST_ADDRESSES];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int shared = -1;
static pid_t owner;
static uint64_t contexts;

static int write_all(int fd, const void *data, size_t length)
{
    while (length > 0) {
        ssize_t sent = send(fd, data, length, MSG_NOSIGNAL);

        if (sent <= 0)
            return FAILED;
        data = (const char *)data + sent;
        length -= (size_t)sent;
    }
    return 0;
}

static int read_all(int fd, void *data, size_t length)
{
    while (length > 0) {
        ssize_t got = recv(fd, data, length, 0);

        if (got <= 0)
            return FAILED;
        data = (char *)data + got;
        length -= (size_t)got;
    }
    return 0;
}

static int error_code(int fd)
{
    uint32_t code;

    return read_all(fd, &code, sizeof code) == 0 && code == 0 ? 0 : FAILED;
}

static void be_patient(int fd)
{
    struct timeval patience = {.tv_sec = PATIENCE};

    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
}

static struct header make_header(uint32_t operation, uint64_t context, size_t length)
{
    return (struct header){htonl(1), htonl((uint32_t)length), 0, htonl(operation), htobe64(context), 0};
}

static void forget_connection(void)
{
    if (shared >= 0 && owner == getpid())
        close(shared);
    shared = -1;
}

static int connect_once(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = SERVER};
    struct header request = make_header(CONNECTION, 0, 0);

    if (shared >= 0 && owner == getpid())
        return 0;
    forget_connection();
    shared = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    owner = getpid();
    if (shared < 0)
        return FAILED;
    be_patient(shared);
    if (connect(shared, (struct sockaddr *)&address, sizeof address) == 0 &&
        write_all(shared, &request, sizeof request) == 0 && error_code(shared) == 0)
        return 0;
    forget_connection();
    return FAILED;
}

/* The last byte, with one end of a new pair of sockets; the error code comes over the other one. */
static int send_last_byte(char byte)
{
    int pair[2], status = FAILED;
    struct iovec part = {&byte, 1};
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    struct cmsghdr *rights = CMSG_FIRSTHDR(&message);

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        return FAILED;
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(rights), &pair[1], sizeof(int));
    if (sendmsg(shared, &message, MSG_NOSIGNAL) == 1)
        status = 0;
    close(pair[1]);
    be_patient(pair[0]);
    if (status == 0)
        status = error_code(pair[0]);
    close(pair[0]);
    return status;
}

static int send_query(uint64_t context, const char *name, uint16_t type)
{
    char text[sizeof(struct header) + 1 + 8 + NAME_MAX_LENGTH + 1 + 4], *end = text + sizeof(struct header);
    uint32_t numbers[2] = {htonl(QUERY_FLAGS), 0};
    uint16_t kinds[2] = {htons(type), htons(CLASS_IN)};
    struct header header;

    *end++ = '\0'; /* no path: a socket comes along instead */
    memcpy(end, numbers, sizeof numbers);
    end = stpcpy(end + sizeof numbers, name) + 1;
    memcpy(end, kinds, sizeof kinds);
    end += sizeof kinds;
    header = make_header(QUERY, context, (size_t)(end - text) - sizeof header);
    memcpy(text, &header, sizeof header);
    if (write_all(shared, text, (size_t)(end - text) - 1) == FAILED)
        return FAILED;
    return send_last_byte(end[-1]);
}

/* One reply into `found`; says whether another one follows. */
static int read_reply(uint64_t context, struct found *found)
{
    static char body[BODY_MAX];
    struct header header;
    uint32_t numbers[3], length;
    uint16_t kinds[3];
    size_t name;

    if (read_all(shared, &header, sizeof header) == FAILED || (length = ntohl(header.length)) > sizeof body ||
        read_all(shared, body, length) == FAILED)
        return FAILED;
    if (be64toh(header.context) != context || ntohl(header.operation) != QUERY_REPLY || length < sizeof numbers)
        return MORE_COMING; /* of a look-up that was given up */
    memcpy(numbers, body, sizeof numbers);
    name = strnlen(body + sizeof numbers, length - sizeof numbers) + 1;
    if (sizeof numbers + name + sizeof kinds > length)
        return FAILED;
    memcpy(kinds, body + sizeof numbers + name, sizeof kinds);
    length -= (uint32_t)(sizeof numbers + name + sizeof kinds);
    if (numbers[2] == 0 && found->count < MOST_ADDRESSES && ntohs(kinds[2]) <= length &&
        (ntohs(kinds[2]) == 4 || ntohs(kinds[2]) == 16)) {
        struct address *address = &found->addresses[found->count++];

        address->length = ntohs(kinds[2]);
        address->family = address->length == 4 ? AF_INET : AF_INET6;
        memcpy(address->bytes, body + sizeof numbers + name + sizeof kinds, address->length);
    }
    return ntohl(numbers[0]) & MORE_COMING;
}

static int ask(const char *name, uint16_t type, struct found *found)
{
    uint64_t context = ++contexts;
    struct header cancel = make_header(CANCEL, context, 0);
    int more;

    if (send_query(context, name, type) == FAILED)
        return FAILED;
    do {
        more = read_reply(context, found);
    } while (more == MORE_COMING);
    return more == FAILED ? FAILED : write_all(shared, &cancel, sizeof cancel);
}

/* All addresses of a name. A broken connection is made again, once: the daemon may have been restarted. */
static int resolve(const char *name, int family, struct found *found)
{
    int status = FAILED, attempt;

    if (strlen(name) > NAME_MAX_LENGTH)
        return UNKNOWN;
    pthread_mutex_lock(&lock);
    for (attempt = 0; attempt < 2 && status == FAILED; attempt++) {
        found->count = 0;
        if (connect_once() == FAILED)
            continue;
        status = 0;
        if (family != AF_INET6)
            status = ask(name, TYPE_A, found);
        if (family != AF_INET && status == 0)
            status = ask(name, TYPE_AAAA, found);
        if (status == FAILED)
            forget_connection();
    }
    pthread_mutex_unlock(&lock);
    return status == 0 && found->count == 0 ? UNKNOWN : status;
}

static enum nss_status verdict(int status, int *errnop, int *h_errnop)
{
    if (status == RESOLVED)
        return NSS_STATUS_SUCCESS;
    *errnop = status == UNKNOWN ? ENOENT : EAGAIN;
    *h_errnop = status == UNKNOWN ? HOST_NOT_FOUND : TRY_AGAIN;
    return status == UNKNOWN ? NSS_STATUS_NOTFOUND : NSS_STATUS_UNAVAIL;
}

static enum nss_status too_small(int *errnop, int *h_errnop)
{
    *errnop = ERANGE;
    *h_errnop = NETDB_INTERNAL;
    return NSS_STATUS_TRYAGAIN;
}

/* A piece of the caller's buffer, aligned; NULL when it is used up. */
static void *take(char **buffer, size_t *room, size_t size)
{
    size_t skip = (size_t)-(uintptr_t)*buffer & (sizeof(void *) - 1);
    char *start = *buffer + skip;

    if (skip + size > *room)
        return NULL;
    *buffer += skip + size;
    *room -= skip + size;
    return start;
}

enum nss_status _nss_mdnsresponder_gethostbyname4_r(const char *name, struct gaih_addrtuple **out, char *buffer,
                                                    size_t room, int *errnop, int *h_errnop, int32_t *ttl)
{
    struct found found;
    int status = resolve(name, AF_UNSPEC, &found);
    char *copy = take(&buffer, &room, strlen(name) + 1);
    struct gaih_addrtuple *given = *out;
    size_t i;

    if (status != RESOLVED)
        return verdict(status, errnop, h_errnop);
    if (copy == NULL)
        return too_small(errnop, h_errnop);
    strcpy(copy, name);
    for (i = 0; i < found.count; i++) {
        struct gaih_addrtuple *tuple = i == 0 && given != NULL ? given : take(&buffer, &room, sizeof *tuple);

        if (tuple == NULL)
            return too_small(errnop, h_errnop);
        *tuple = (struct gaih_addrtuple){.name = copy, .family = found.addresses[i].family};
        memcpy(tuple->addr, found.addresses[i].bytes, found.addresses[i].length);
        *out = tuple;
        out = &tuple->next;
    }
    if (ttl != NULL)
        *ttl = 60;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_mdnsresponder_gethostbyname2_r(const char *name, int family, struct hostent *out, char *buffer,
                                                    size_t room, int *errnop, int *h_errnop)
{
    struct found found;
    int status = family == AF_INET || family == AF_INET6 ? resolve(name, family, &found) : UNKNOWN;
    char *copy = take(&buffer, &room, strlen(name) + 1);
    char **list = take(&buffer, &room, (MOST_ADDRESSES + 2) * sizeof *list);
    size_t i;

    if (status != RESOLVED)
        return verdict(status, errnop, h_errnop);
    if (copy == NULL || list == NULL)
        return too_small(errnop, h_errnop);
    *out = (struct hostent){.h_name = strcpy(copy, name), .h_addrtype = family, .h_addr_list = list};
    out->h_length = (int)found.addresses[0].length;
    for (i = 0; i < found.count; i++) {
        list[i] = take(&buffer, &room, found.addresses[i].length);
        if (list[i] == NULL)
            return too_small(errnop, h_errnop);
        memcpy(list[i], found.addresses[i].bytes, found.addresses[i].length);
    }
    list[i] = list[i + 1] = NULL;
    out->h_aliases = list + i + 1;
    return NSS_STATUS_SUCCESS;
}

enum nss_status _nss_mdnsresponder_gethostbyname_r(const char *name, struct hostent *out, char *buffer, size_t room,
                                                   int *errnop, int *h_errnop)
{
    return _nss_mdnsresponder_gethostbyname2_r(name, AF_INET, out, buffer, room, errnop, h_errnop);
}
