/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What QEMU has found the host's kernel to take, and that it takes it: the
 * machine asks for PASIDs and page requests of the device, so that it does not
 * even start where one call is not found.
 */
#include <stdio.h>
#include <string.h>

#include "machine.h"

#define IOVA 0x4000000000ull
#define OLD 0x1111111111111111ull
#define NEW 0x2222222222222222ull
#define SOME_PASID 5
#define PASID_DID 6
#define FINDING "vtd_host_offer "

/* Whether @need is a finding, with no error; all of them as notes. */
static bool was_found(const char *need, bool tell)
{
    FILE *f = fopen(VM_TRACE_FILE, "r");
    char line[1024];
    char wanted[128];
    bool found = false;

    CHECK(f);
    snprintf(wanted, sizeof(wanted), ": %s: result 0\n", need);
    while (fgets(line, sizeof(line), f)) {
        char *finding = strstr(line, FINDING);

        if (finding && tell) {
            tap_note("%s", finding);
        }
        found = found || (finding && strstr(finding, wanted));
    }
    fclose(f);
    return found;
}

TEST(the_probe_finds_what_the_kernel_takes)
{
    static const char *const needs[] = {
        "nest-parent", "first-stage-table", "invalidation", "pasid-table",
        "pasid-attach", "fault-queue", "fault-table",
    };

    machine();
    for (unsigned i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
        tap_context("%s", needs[i]);
        CHECK(was_found(needs[i], i == 0));
    }
}

TEST(the_kernel_takes_tables_and_invalidations)
{
    Machine *m = first_stage_machine();

    map(m, IOVA, page_of(m, OLD), 12);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), OLD);
    map(m, IOVA, page_of(m, NEW), 12);
    unit_pasid_iotlb_pages(&m->unit, DID, PASID, IOVA, 0, true);
    unit_wait(&m->unit);
    CHECK_EQ(endpoint_read(&m->endpoint, IOVA), NEW);
    CHECK_EQ(counter(m, "x-host-errors"), 0);
}

TEST(the_kernel_takes_pasids)
{
    Machine *m = first_stage_machine();
    PageTable table = tables_page_table(&m->tables, STAGE_FIRST, 4, 0);

    tables_scalable_context(&m->tables, m->root, m->endpoint.devfn,
                            &(ScalableContext){ .pasid_dir = m->pasid_dir,
                                                .pasid_enable = true });
    tables_pasid(&m->tables, m->pasid_dir, SOME_PASID,
                 &(PasidEntry){
                     .pgtt = TABLES_PGTT_FIRST_STAGE,
                     .did = PASID_DID,
                     .fs_levels = 4,
                     .fs_table = table.root,
                 });
    unit_context_global(&m->unit);
    unit_pasid_cache(&m->unit, PASID_DID, SOME_PASID);
    unit_wait(&m->unit);
    CHECK_EQ(counter(m, "x-host-pasids"), 1);
    CHECK_EQ(counter(m, "x-host-errors"), 0);
}
