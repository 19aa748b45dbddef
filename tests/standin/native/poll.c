/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * poll(2) as xnu answers it: whoever asks for POLLHUP asks to read, as with POLLIN, and the answer to
 * that is POLLHUP as soon as the other side has shut down its writing. A question for POLLOUT alone is
 * answered so only when the other side is gone. (bsd/kern/sys_generic.c, poll_nocancel;
 * bsd/kern/uipc_socket.c, filt_soread_common) Linux answers POLLHUP in the second case alone.
 *
 * Where reading is asked for, POLLRDHUP, which Linux has for it, is never the only answer: it comes
 * with POLLIN or becomes POLLHUP. So no call returns that would not have.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stddef.h>

#include "kernel.h"

#define READING (POLLIN | POLLRDNORM | POLLPRI | POLLRDBAND | POLLHUP)

int poll(struct pollfd *fds, nfds_t count, int timeout)
{
    static int (*real)(struct pollfd *, nfds_t, int);
    int xnu = kernel()->xnu && !program_is("sshd");
    int found;
    nfds_t i;

    if (real == NULL)
        real = (int (*)(struct pollfd *, nfds_t, int))dlsym(RTLD_NEXT, "poll");
    if (!xnu)
        return real(fds, count, timeout);
    for (i = 0; i < count; i++)
        if (fds[i].events & READING)
            fds[i].events |= POLLRDHUP;
    found = real(fds, count, timeout);
    for (i = 0; i < count; i++) {
        if (found > 0 && fds[i].revents & POLLRDHUP)
            fds[i].revents = (short)((fds[i].revents & ~POLLRDHUP) | POLLHUP);
        fds[i].events &= ~POLLRDHUP;
    }
    return found;
}
