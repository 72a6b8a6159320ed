/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest's unit shows of its features: those that RIG_FEATURES names,
 * and no other of these.
 */
#include <stdlib.h>
#include <string.h>

#include "machine.h"

#define REG_CAP 0x08
#define REG_ECAP 0x10

static const struct {
    const char *name;
    unsigned reg;
    unsigned bit;
} feature[] = {
    { "fs1gp", REG_CAP, 56 },   { "srs", REG_ECAP, 31 },
    { "eafs", REG_ECAP, 34 },   { "ssads", REG_ECAP, 45 },
    { "smpwcs", REG_ECAP, 48 }, { "rps", REG_ECAP, 49 },
};

static bool wanted(const char *name)
{
    const char *list = getenv("RIG_FEATURES");

    CHECK(list);
    return strstr(list, name);
}

TEST(the_unit_shows_what_the_host_has)
{
    Machine *m = machine();

    for (unsigned i = 0; i < sizeof(feature) / sizeof(feature[0]); i++) {
        uint64_t value = unit_read64(&m->unit, feature[i].reg);

        tap_context("%s", feature[i].name);
        CHECK_EQ(value >> feature[i].bit & 1, wanted(feature[i].name));
    }
}
