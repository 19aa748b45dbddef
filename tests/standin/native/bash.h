/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
#ifndef STANDIN_BASH_H
#define STANDIN_BASH_H

/* When bash opens a file. */
void keep_documents_in_files(void);

#endif
