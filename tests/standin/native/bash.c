/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Copyright: (c) 2026, darwin.jail contributors */
/*
 * Here-documents of a script are files, as those of macOS's bash 3.2 are (apple-oss bash redir.c). Since 5.1, bash has
 * pipes for short ones, unless it is to be compatible with 5.0. The variable for that is among the symbols that it
 * exports. Bash sets it when it starts, so here it is set whenever bash opens a file, its script above all.
 */
#define _GNU_SOURCE
#include "bash.h"

#include <dlfcn.h>
#include <stddef.h>

#include "kernel.h"

void keep_documents_in_files(void)
{
    int *level;

    if (!kernel()->xnu || !(program_is("sh") || program_is("bash")))
        return;
    level = dlsym(RTLD_DEFAULT, "shell_compatibility_level");
    if (level != NULL)
        *level = 50;
}
