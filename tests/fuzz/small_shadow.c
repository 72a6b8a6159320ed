/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mirror with room for few tables, so that a case can exhaust it. */
#include "small_shadow.h"

#include "vtd_shadow.c"
