/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_inval.h"

#include "guest.h"
#include "tap.h"

enum { OTHER_DOMAIN, SECOND, FIRST, OTHER_PASID, TAGS };

/* One page at 0x1000 and one at 0x400000 under each. */
static const VtdTag tags[TAGS] = {
    [OTHER_DOMAIN] = { .did = 2 },
    [SECOND] = { .did = 1 },
    [FIRST] = { .did = 1, .pasid = 5, .first_stage = true },
    [OTHER_PASID] = { .did = 1, .pasid = 6, .first_stage = true },
};

static uint64_t gen;

static void fill(void)
{
    VtdIotlb *tlb = &guest.unit.iotlb;

    guest_start(options_nested());
    for (unsigned i = 0; i < TAGS; i++) {
        VtdMapping m = { .iova = 0x1000, .shift = 12, .perm = 1 };
        VtdIotlbTicket ticket = vtd_iotlb_ticket(tlb, tags[i]);

        vtd_iotlb_insert(tlb, &ticket, &m);
        m.iova = 0x400000;
        vtd_iotlb_insert(tlb, &ticket, &m);
    }
    gen = guest.unit.config_gen;
}

static bool holds(unsigned tag, uint64_t iova)
{
    VtdMapping m;

    return vtd_iotlb_lookup(&guest.unit.iotlb, vtd_iotlb_key(tags[tag]), iova,
                            &m);
}

/* One letter per tag: 'k' both pages kept, 'd' both dropped, 'p' only the page
 * at 0x1000 dropped.  @configs: whether configurations were dropped. */
static void check_dropped(VtdNotice notice, const char *expected, bool configs)
{
    fill();
    vtd_inval_apply(&guest.unit, &notice);
    for (unsigned i = 0; i < TAGS; i++) {
        tap_context("tag %u, expected %c", i, expected[i]);
        CHECK_EQ(holds(i, 0x1000), expected[i] == 'k');
        CHECK_EQ(holds(i, 0x400000), expected[i] != 'd');
    }
    CHECK_EQ(guest.unit.config_gen != gen, configs);
}

TEST(iotlb_global)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_IOTLB,
                               .scope = VTD_SCOPE_GLOBAL },
                  "dddd", false);
}

TEST(iotlb_domain)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_IOTLB,
                               .scope = VTD_SCOPE_DOMAIN, .did = 1 },
                  "kddd", false);
}

/* Any table of a nested translation may lie in the page. */
TEST(iotlb_page_drops_the_page_and_all_first_stage_of_the_domain)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_IOTLB,
                               .scope = VTD_SCOPE_PAGE, .did = 1,
                               .addr = 0x1000 },
                  "kpdd", false);
}

TEST(pasid_iotlb_pasid)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_PASID_IOTLB,
                               .scope = VTD_SCOPE_PASID, .did = 1,
                               .pasid = 5 },
                  "kkdk", false);
}

TEST(pasid_iotlb_page)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_PASID_IOTLB,
                               .scope = VTD_SCOPE_PAGE, .did = 1,
                               .pasid = 5, .addr = 0x1000 },
                  "kkpk", false);
}

TEST(context_drops_configurations_only)
{
    static const VtdScope scopes[] = { VTD_SCOPE_GLOBAL, VTD_SCOPE_DOMAIN,
                                       VTD_SCOPE_DEVICE };

    for (unsigned i = 0; i < 3; i++) {
        check_dropped((VtdNotice){ .kind = VTD_NOTICE_CONTEXT,
                                   .scope = scopes[i], .did = 1 },
                      "kkkk", true);
    }
}

TEST(pasid_cache_drops_configurations_only)
{
    static const VtdScope scopes[] = { VTD_SCOPE_GLOBAL, VTD_SCOPE_DOMAIN,
                                       VTD_SCOPE_PASID };

    for (unsigned i = 0; i < 3; i++) {
        check_dropped((VtdNotice){ .kind = VTD_NOTICE_PASID_CACHE, .scope = scopes[i],
                                   .did = 1, .pasid = 5 },
                      "kkkk", true);
    }
}

TEST(a_change_of_translation_drops_everything)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_TRANSLATION }, "dddd", true);
}

TEST(device_tlb_and_interrupt_entries_drop_nothing_here)
{
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_DEVICE_TLB, .scope = VTD_SCOPE_PAGE },
                  "kkkk", false);
    check_dropped((VtdNotice){ .kind = VTD_NOTICE_INTERRUPT_ENTRY }, "kkkk", false);
}
