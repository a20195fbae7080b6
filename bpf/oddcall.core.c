// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What the loader `core` loads: the same text, compiled ahead of time. */
#include "core.h"
#include "oddcall.c"

/* Hash of these files and the headers: an object of another version is not loaded. */
char SOURCES[] SEC("oddcall.sources") = OC_SOURCES;
