/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_caps.h"

#include <string.h>

#include "tap.h"

/* What the device has without any property set. */
static VtdOptions defaults(void)
{
    return (VtdOptions){
        .aw_bits = 48,
        .fs1gp = true,
        .pass_through = true,
        .dma_translation = true,
        .interrupt_remap = true,
        .drain = true,
        .fault_records = 1,
        .mask_order = 18,
    };
}

static VtdOptions scalable(void)
{
    VtdOptions o = defaults();

    o.scalable_mode = true;
    return o;
}

static VtdOptions first_stage(void)
{
    VtdOptions o = scalable();

    o.first_stage = true;
    return o;
}

static VtdCaps compose(VtdOptions o)
{
    VtdCaps caps;
    const char *why = vtd_caps_compose(&o, &caps);

    if (why) {
        tap_fail(__FILE__, __LINE__, "refused: %s", why);
    }
    return caps;
}

static void check_caps(VtdOptions o, uint64_t cap, uint64_t ecap)
{
    VtdCaps caps = compose(o);

    CHECK_EQ(caps.cap, cap);
    CHECK_EQ(caps.ecap, ecap);
}

/* Refused, with a sentence that names @property. */
static void check_refused(VtdOptions o, const char *property)
{
    VtdCaps caps;
    const char *why = vtd_caps_compose(&o, &caps);

    CHECK(why);
    tap_context("the sentence: %s", why);
    CHECK(strstr(why, property));
}

/* The values that guests of the stock device see, by configuration. */

TEST(default_configuration)
{
    check_caps(defaults(), 0x80d2008c222f0606, 0xf00f4a);
}

TEST(width_of_39_bits_has_three_levels_only)
{
    VtdOptions o = defaults();

    o.aw_bits = 39;
    check_caps(o, 0x80d2008c22260206, 0xf00f4a);
}

TEST(width_of_57_bits_has_five_levels_of_both_stages)
{
    VtdOptions o = first_stage();
    VtdCaps caps;

    o.aw_bits = 57;
    caps = compose(o);
    CHECK_EQ(caps.cap & VTD_CAP_FS5LP, VTD_CAP_FS5LP);
    CHECK_EQ(vtd_get(caps.cap, VTD_CAP_SAGAW), 0xe);
    CHECK_EQ(vtd_get(caps.cap, VTD_CAP_MGAW), 56);
    for (unsigned levels = 3; levels <= 5; levels++) {
        CHECK(vtd_caps_second_stage_levels(&caps, levels));
    }
    /* Entries have room for addresses of 52 bits. */
    CHECK_EQ(caps.rsvd_addr, 0);
    CHECK_EQ(caps.fs_leaf_rsvd[1], 0);
    CHECK_EQ(caps.fs_table_rsvd, 0x80);
    o.aw_bits = 48;
    CHECK_EQ(compose(o).cap & VTD_CAP_FS5LP, 0);
    o = defaults();
    o.aw_bits = 57;
    CHECK_EQ(compose(o).cap & VTD_CAP_FS5LP, 0);
}

TEST(caching_mode_sets_CM)
{
    VtdOptions o = defaults();

    o.caching_mode = true;
    check_caps(o, 0x80d2008c222f0686, 0xf00f4a);
}

TEST(device_tlb_sets_DT)
{
    VtdOptions o = defaults();

    o.device_tlb = true;
    check_caps(o, 0x80d2008c222f0606, 0xf00f4e);
}

TEST(eim_sets_EIM)
{
    VtdOptions o = defaults();

    o.eim = true;
    check_caps(o, 0x80d2008c222f0606, 0xf00f5a);
}

TEST(snoop_control_sets_SC)
{
    VtdOptions o = defaults();

    o.snoop_control = true;
    check_caps(o, 0x80d2008c222f0606, 0xf00fca);
}

TEST(no_pass_through_clears_PT)
{
    VtdOptions o = defaults();

    o.pass_through = false;
    check_caps(o, 0x80d2008c222f0606, 0xf00f0a);
}

TEST(no_dma_translation_clears_SAGAW)
{
    VtdOptions o = defaults();

    o.dma_translation = false;
    check_caps(o, 0x80d2008c222f0006, 0xf00f4a);
    o.scalable_mode = true;
    check_caps(o, 0x80d2008c222f0006, 0x480080f00f4a);
}

TEST(no_interrupt_remapping_clears_IR_and_MHMV)
{
    VtdOptions o = defaults();

    o.interrupt_remap = false;
    check_caps(o, 0x80d2008c222f0606, 0xf42);
}

TEST(no_drain_clears_DRD_and_DWD)
{
    VtdOptions o = defaults();

    o.drain = false;
    check_caps(o, 0x8012008c222f0606, 0xf00f4a);
}

TEST(scalable_mode_has_second_stage)
{
    check_caps(scalable(), 0x80d2008c222f0606, 0x480080f00f4a);
}

TEST(first_stage_replaces_second_stage)
{
    check_caps(first_stage(), 0x81d2008c222f0606, 0x880000f00f4a);
}

TEST(first_stage_without_1g_pages_clears_FS1GP)
{
    VtdOptions o = first_stage();

    o.fs1gp = false;
    check_caps(o, 0x80d2008c222f0606, 0x880000f00f4a);
}

TEST(nested_has_both_stages_and_NEST)
{
    VtdOptions o = first_stage();

    o.nested = true;
    check_caps(o, 0x81d2008c222f0606, 0xc80004f00f4a);
}

TEST(pasid_bits_set_PASID_and_PSS)
{
    VtdOptions o = scalable();

    for (unsigned bits = 1; bits <= 20; bits++) {
        o.pasid_bits = bits;
        tap_context("pasid_bits %u", bits);
        check_caps(o, 0x80d2008c222f0606,
                   0x490080f00f4a | (uint64_t)(bits - 1) << 35);
    }
}

TEST(version_1_capabilities_that_are_not_offered_read_zero)
{
    VtdOptions o = first_stage();
    VtdCaps caps;

    o.nested = true;
    o.device_tlb = true;
    o.eim = true;
    o.snoop_control = true;
    o.pasid_bits = 20;
    o.caching_mode = true;
    caps = compose(o);
    /* AFL, RWBF, PLMR, PHMR, ZLR, PI, FS5LP, ECMDS, ESIRTPS */
    CHECK_EQ(caps.cap & 0x7800000000400078, 0);
    /* C, MTS, ERS, PRS, SRS, NWFS, EAFS, DIT, PDS, VCS, SSADS, SMPWCS, RPS,
     * and all above */
    CHECK_EQ(caps.ecap & 0xffff3606b2000021, 0);
}

static VtdOptions nested(void)
{
    VtdOptions o = first_stage();

    o.nested = true;
    return o;
}

/* Each refinement sets one bit, and nothing else. */
TEST(refinements_show_their_bits)
{
    const VtdCaps plain = compose(nested());
    VtdOptions o;

    o = nested();
    o.supervisor_requests = true;
    check_caps(o, plain.cap, plain.ecap | 1ull << 31);
    o = nested();
    o.extended_accessed = true;
    check_caps(o, plain.cap, plain.ecap | 1ull << 34);
    o = nested();
    o.ss_accessed_dirty = true;
    check_caps(o, plain.cap, plain.ecap | 1ull << 45);
    o = nested();
    o.coherent_walks = true;
    check_caps(o, plain.cap, plain.ecap | 1ull << 48);
    o = nested();
    o.rid_pasid = true;
    check_caps(o, plain.cap, plain.ecap | 1ull << 49);
    o = nested();
    o.device_tlb = true;
    o.page_requests = true; /* and their drain */
    check_caps(o, plain.cap, plain.ecap | 1 << 2 | 1 << 29 | 1ull << 42);
    o = nested();
    o.pasid_bits = 20;
    o.virtual_commands = true;
    check_caps(o, plain.cap,
               (plain.ecap & ~(1ull << 46 | 1 << 26)) | 0x119800000000);
    o = nested();
    o.device_tlb = true;
    o.no_write_flag = true;
    check_caps(o, plain.cap, plain.ecap | 1 << 2 | 1ull << 33);
    o = nested();
    o.fault_records = 8;
    check_caps(o, plain.cap | 7ull << 40, plain.ecap);
    o = nested();
    o.mask_order = 36;
    check_caps(o, (plain.cap & ~(0x3full << 48)) | 36ull << 48, plain.ecap);
}

TEST(refinements_need_what_they_refine)
{
    VtdOptions o;

    o = scalable();
    o.supervisor_requests = true;
    check_refused(o, "x-flts");
    o = scalable();
    o.extended_accessed = true;
    check_refused(o, "x-flts");
    o = first_stage();
    o.ss_accessed_dirty = true;
    check_refused(o, "nested");
    o = defaults();
    o.ss_accessed_dirty = true;
    check_refused(o, "x-scalable-mode");
    o = defaults();
    o.coherent_walks = true;
    check_refused(o, "x-scalable-mode");
    o = defaults();
    o.rid_pasid = true;
    check_refused(o, "x-scalable-mode");
    o = nested();
    o.pasid_bits = 0;
    o.virtual_commands = true;
    check_refused(o, "pasid-bits");
    o = scalable();
    o.page_requests = true;
    check_refused(o, "device-iotlb");
    o = scalable();
    o.no_write_flag = true;
    check_refused(o, "device-iotlb");
    o = defaults();
    o.fault_records = 0;
    check_refused(o, "fault-records");
    o.fault_records = 9;
    check_refused(o, "fault-records");
}

/* What contradicts itself. */

TEST(width_other_than_39_48_and_57_is_refused)
{
    static const uint8_t widths[] = { 0, 32, 38, 40, 47, 49, 52, 56, 58, 255 };

    for (unsigned i = 0; i < sizeof(widths); i++) {
        VtdOptions o = defaults();

        o.aw_bits = widths[i];
        check_refused(o, "aw-bits");
    }
}

TEST(first_stage_without_scalable_mode_is_refused)
{
    VtdOptions o = first_stage();

    o.scalable_mode = false;
    check_refused(o, "scalable");
}

TEST(first_stage_with_39_bits_is_refused)
{
    VtdOptions o = first_stage();

    o.aw_bits = 39;
    check_refused(o, "aw-bits");
}

TEST(nested_without_first_stage_is_refused)
{
    VtdOptions o = scalable();

    o.nested = true;
    check_refused(o, "nested");
}

TEST(nested_without_scalable_mode_is_refused)
{
    VtdOptions o = defaults();

    o.nested = true;
    check_refused(o, "nested");
}

TEST(pasids_without_scalable_mode_are_refused)
{
    VtdOptions o = defaults();

    o.pasid_bits = 8;
    check_refused(o, "PASID");
}

TEST(more_than_20_pasid_bits_are_refused)
{
    VtdOptions o = scalable();

    o.pasid_bits = 21;
    check_refused(o, "pasid-bits");
    o.pasid_bits = 255;
    check_refused(o, "pasid-bits");
}

TEST(eim_without_interrupt_remapping_is_refused)
{
    VtdOptions o = defaults();

    o.interrupt_remap = false;
    o.eim = true;
    check_refused(o, "eim");
}

/* What is derived. */

TEST(pasid_limit_follows_PSS)
{
    VtdOptions o = scalable();
    VtdCaps caps = compose(o);

    CHECK_EQ(vtd_caps_pasid_limit(&caps), 1);
    o.pasid_bits = 1;
    caps = compose(o);
    CHECK_EQ(vtd_caps_pasid_limit(&caps), 2);
    o.pasid_bits = 20;
    caps = compose(o);
    CHECK_EQ(vtd_caps_pasid_limit(&caps), 1 << 20);
}

TEST(largest_address_mask_is_MAMV)
{
    VtdCaps caps = compose(defaults());

    CHECK_EQ(vtd_caps_max_order(&caps), 18);
}

TEST(second_stage_levels_follow_SAGAW)
{
    VtdOptions o = defaults();
    VtdCaps caps = compose(o);

    for (unsigned levels = 0; levels < 16; levels++) {
        CHECK_EQ(vtd_caps_second_stage_levels(&caps, levels),
                 levels == 3 || levels == 4);
    }
    o.aw_bits = 39;
    caps = compose(o);
    CHECK(vtd_caps_second_stage_levels(&caps, 3));
    CHECK(!vtd_caps_second_stage_levels(&caps, 4));
    o.dma_translation = false;
    caps = compose(o);
    CHECK(!vtd_caps_second_stage_levels(&caps, 3));
}

TEST(addresses_beyond_the_width_are_reserved)
{
    VtdOptions o = defaults();
    VtdCaps caps = compose(o);

    CHECK_EQ(caps.rsvd_addr, 0x000f000000000000);
    o.aw_bits = 39;
    caps = compose(o);
    CHECK_EQ(caps.rsvd_addr, 0x000fff8000000000);
}

TEST(second_stage_reserved_bits_by_level)
{
    VtdCaps caps = compose(defaults());
    const uint64_t wide = 0x000f000000000000 | 1ull << 62 | 1 << 11;

    CHECK_EQ(caps.ss_leaf_rsvd[1], wide);
    CHECK_EQ(caps.ss_leaf_rsvd[2], wide | 0x1ff000);
    CHECK_EQ(caps.ss_leaf_rsvd[3], wide | 0x3ffff000);
    CHECK_EQ(caps.ss_leaf_rsvd[4], ~0ull);
    CHECK_EQ(caps.ss_table_rsvd, wide | 0x80);
}

TEST(snoop_bit_of_a_page_is_reserved_in_legacy_mode_without_SC)
{
    VtdOptions o = defaults();
    VtdCaps caps;

    o.snoop_control = true;
    caps = compose(o);
    CHECK_EQ(caps.ss_leaf_rsvd[1] & 1 << 11, 0);
    CHECK_EQ(caps.ss_table_rsvd & 1 << 11, 1 << 11);
    caps = compose(scalable());
    CHECK_EQ(caps.ss_leaf_rsvd[1] & 1 << 11, 0);
    CHECK_EQ(caps.ss_table_rsvd & 1 << 11, 1 << 11);
}

/* Old kernels set it, and only machine types of their time let them. */
TEST(transient_mapping_bit_is_reserved_unless_both_options_allow_it)
{
    for (unsigned i = 0; i < 4; i++) {
        VtdOptions o = defaults();
        VtdCaps caps;

        o.device_tlb = i & 1;
        o.stale_tm = i & 2;
        caps = compose(o);
        CHECK_EQ(!(caps.ss_leaf_rsvd[1] & 1ull << 62), i == 3);
        CHECK(caps.ss_table_rsvd & 1ull << 62);
    }
}

TEST(scalable_mode_without_drain_is_refused)
{
    VtdOptions o = first_stage();
    VtdCaps caps;

    o.drain = false;
    CHECK(vtd_caps_compose(&o, &caps));
}

TEST(first_stage_reserved_bits_by_level)
{
    VtdOptions o = first_stage();
    VtdCaps caps = compose(o);
    const uint64_t wide = 0x000f000000000000;

    CHECK_EQ(caps.fs_leaf_rsvd[1], wide);
    /* Bit 12 is PAT. */
    CHECK_EQ(caps.fs_leaf_rsvd[2], wide | 0x1fe000);
    CHECK_EQ(caps.fs_leaf_rsvd[3], wide | 0x3fffe000);
    CHECK_EQ(caps.fs_leaf_rsvd[4], ~0ull);
    CHECK_EQ(caps.fs_table_rsvd, wide | 0x80);
    o.fs1gp = false;
    caps = compose(o);
    CHECK_EQ(caps.fs_leaf_rsvd[2], wide | 0x1fe000);
    CHECK_EQ(caps.fs_leaf_rsvd[3], ~0ull);
}
