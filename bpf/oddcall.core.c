// SPDX-License-Identifier: GPL-2.0-only OR MIT
/* What the loader `core` loads: the same text, compiled ahead of time. */
#include "core.h"
#include "oddcall.c"
