/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * What the "kernel" of a stand-in knows about the calling process and its host.
 *
 * The facts that a chroot must not hide (SIP, the architecture, which directory is the host's root)
 * are kept in the NIS domain name: it belongs to the host's own UTS namespace and no root can hide
 * it. Its form is "ARCH,SIP,DEV:INO", for example "arm64,off,44:1234".
 */
#ifndef STANDIN_KERNEL_H
#define STANDIN_KERNEL_H

struct kernel {
    char arch[16];    /* arm64 or x86_64 */
    int sip;          /* 1 when file system protection is on */
    int chrooted;     /* 1 when the caller's root is not the host's */
};

/* 0, or -1 outside a stand-in. */
int kernel_read(struct kernel *out);

#endif
