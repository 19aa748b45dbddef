/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * sshd as Apple builds it, without USE_PIPES: a command has one socketpair for stdin and stdout and
 * another for stderr, and sshd shuts down its writing on the first when the stdin of the client ends.
 * (apple-oss OpenSSH session.c, do_exec_no_pty; channels.c, channel_register_fds; nchan.c, chan_shutdown_write)
 *
 * Debian's takes three pipes, one after the other, in a process of the user's, which makes no other
 * pipes. Here these are ends of the two pairs; its end of stdin is shut down when sshd closes it.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kernel.h"

enum { STDIN, STDOUT, STDERR, PIPES };
#define MOST_DESCRIPTORS 1024

static unsigned char half_closed[MOST_DESCRIPTORS];
static pid_t owner;

/* fds[0] is read, fds[1] is written: sshd's own ends are those that it writes stdin to and reads the others from. */
int pipe(int fds[2])
{
    static int next, program, server;
    int which = next, pair[2];

    if (!kernel()->xnu || !program_is("sshd") || geteuid() == 0)
        return (int)syscall(SYS_pipe2, fds, 0);
    next = (next + 1) % PIPES;
    if (which == STDOUT) {
        fds[0] = dup(server);
        fds[1] = dup(program);
        return fds[0] == -1 || fds[1] == -1 ? -1 : 0;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        return -1;
    fds[0] = pair[0];
    fds[1] = pair[1];
    if (which == STDIN && pair[1] < MOST_DESCRIPTORS) {
        program = pair[0];
        server = pair[1];
        half_closed[server] = 1;
        owner = getpid();
    }
    return 0;
}

int close(int fd)
{
    if (fd >= 0 && fd < MOST_DESCRIPTORS && half_closed[fd] && owner == getpid()) {
        half_closed[fd] = 0;
        shutdown(fd, SHUT_WR);
    }
    return (int)syscall(SYS_close, fd);
}
