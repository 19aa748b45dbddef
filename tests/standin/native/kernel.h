/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * What the "kernel" of a stand-in knows about the calling process and its host.
 *
 * The facts that a chroot must not hide (SIP, the architecture, which directory is the host's root)
 * are kept in the NIS domain name: it belongs to the host's own UTS namespace and no root can hide
 * it. Its form is "ARCH,SIP,DEV:INO", for example "arm64,off,44:1234"; of a host that was made with
 * --xnu "ARCH,SIP,DEV:INO,xnu", and with macOS 13 or later "ARCH,SIP,DEV:INO,xnu,provenance".
 */
#ifndef STANDIN_KERNEL_H
#define STANDIN_KERNEL_H

struct kernel {
    char arch[16];    /* arm64 or x86_64 */
    int sip;          /* 1 when file system protection is on */
    int chrooted;     /* 1 when the caller's root is not the host's */
    int xnu;          /* 1 when system calls are answered as macOS answers them */
    int provenance;   /* 1 when it notes of new files that a program made them */
};

/* 0, or -1 outside a stand-in. */
int kernel_read(struct kernel *out);

/* The same as it was when the program first asked; all zero outside a stand-in. */
const struct kernel *kernel(void);

/* Whether the program was started under this name; setproctitle(3) overwrites what the C library knows of it. */
int program_is(const char *name);

#endif
