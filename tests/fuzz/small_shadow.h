/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SMALL_SHADOW_H
#define SMALL_SHADOW_H

#include "vtd_shadow.h"

#undef VTD_SHADOW_MAX_TABLES
#define VTD_SHADOW_MAX_TABLES 48

#endif
