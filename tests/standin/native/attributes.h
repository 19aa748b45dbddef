/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
#ifndef STANDIN_ATTRIBUTES_H
#define STANDIN_ATTRIBUTES_H

/* Put com.apple.provenance on what was made, where macOS does so by itself. */
void note_provenance(int fd);

#endif
