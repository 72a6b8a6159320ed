/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd_context.h"

#include "guest.h"
#include "tap.h"

#define SID 0x12a5 /* bus 0x12, device 20: the upper scalable-mode table */
#define PASID 0x12345
#define RID_PASID 0x7

static VtdCaps caps;
static VtdConfig config;
static uint64_t root;
static uint64_t context; /* place of the entry */
static uint64_t pdir;    /* place of the directory's entry for PASID */
static uint64_t entry;   /* place of the PASID entry */

static void compose(VtdOptions o)
{
    CHECK(!vtd_caps_compose(&o, &caps));
}

static VtdFault fetch(unsigned ttm, VtdRequester req)
{
    return vtd_context_fetch(&guest.interface, &caps,
                             (VtdRoot){ .base = root, .ttm = ttm }, req,
                             &config);
}

static void change(uint64_t place, uint64_t set, uint64_t clear)
{
    fake_store64(&guest.env, place,
                 (fake_load64(&guest.env, place) & ~clear) | set);
}

/* Legacy mode --------------------------------------------------------- */

static const LegacyContext legacy_context = {
    .tt = TABLES_TT_UNTRANSLATED,
    .levels = 4,
    .did = 0x4321,
    .ss_table = 0x77000,
};

static void legacy_with(VtdOptions o, LegacyContext c)
{
    guest_memory();
    compose(o);
    root = tables_alloc(&guest.tables, 1);
    context = tables_legacy_context(&guest.tables, root, SID, &c);
}

static void legacy(void)
{
    legacy_with(options_legacy(), legacy_context);
}

static VtdFault fetch_legacy(void)
{
    return fetch(0, (VtdRequester){ .sid = SID });
}

TEST(legacy_second_stage)
{
    legacy();
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_SECOND_STAGE);
    CHECK_EQ(config.did, 0x4321);
    CHECK_EQ(config.ss_table, 0x77000);
    CHECK_EQ(config.ss_levels, 4);
    CHECK(!config.scalable);
    CHECK(!config.device_tlb);
    CHECK(!config.fault_disable);
}

TEST(legacy_three_levels)
{
    LegacyContext c = legacy_context;

    c.levels = 3;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK_EQ(config.ss_levels, 3);
}

TEST(legacy_pass_through)
{
    LegacyContext c = legacy_context;

    c.tt = TABLES_TT_PASS_THROUGH;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_PASS_THROUGH);
    CHECK_EQ(config.did, 0x4321);
}

TEST(legacy_pass_through_without_PT)
{
    LegacyContext c = legacy_context;
    VtdOptions o = options_legacy();

    c.tt = TABLES_TT_PASS_THROUGH;
    o.pass_through = false;
    legacy_with(o, c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
}

TEST(legacy_device_tlb)
{
    LegacyContext c = legacy_context;
    VtdOptions o = options_legacy();

    c.tt = TABLES_TT_DEVICE_TLB;
    o.device_tlb = true;
    legacy_with(o, c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_SECOND_STAGE);
    CHECK(config.device_tlb);
}

TEST(legacy_device_tlb_without_DT)
{
    LegacyContext c = legacy_context;

    c.tt = TABLES_TT_DEVICE_TLB;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
}

TEST(legacy_reserved_translation_type)
{
    LegacyContext c = legacy_context;

    c.tt = 3;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
}

TEST(legacy_unsupported_width)
{
    static const uint8_t aws[] = { 0, 3, 4, 5, 6, 7 };

    for (unsigned i = 0; i < sizeof(aws); i++) {
        legacy();
        change(context + 8, aws[i], 7);
        tap_context("AW %u", aws[i]);
        CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
    }
}

TEST(legacy_four_levels_with_39_bits)
{
    VtdOptions o = options_legacy();

    o.aw_bits = 39;
    legacy_with(o, legacy_context);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
}

TEST(legacy_pass_through_with_unsupported_width)
{
    LegacyContext c = legacy_context;

    c.tt = TABLES_TT_PASS_THROUGH;
    c.levels = 5;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_INVALID);
}

TEST(legacy_root_not_present)
{
    legacy();
    change(root + 0x12 * 16, 0, 1);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_ROOT_NOT_PRESENT);
}

TEST(legacy_root_not_in_memory)
{
    legacy();
    root = GUEST_RAM;
    CHECK_EQ(fetch_legacy(), VTD_FAULT_ROOT_ACCESS);
}

TEST(legacy_root_reserved_bits)
{
    legacy();
    for (unsigned bit = 1; bit < 128; bit++) {
        uint64_t place = root + 0x12 * 16 + bit / 64 * 8;
        uint64_t old = fake_load64(&guest.env, place);

        if (bit >= 12 && bit < 48) {
            continue;
        }
        change(place, 1ull << bit % 64, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_legacy(), VTD_FAULT_ROOT_RESERVED);
        fake_store64(&guest.env, place, old);
    }
}

TEST(legacy_context_not_present)
{
    legacy();
    change(context, 0, 1);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_NOT_PRESENT);
}

TEST(legacy_context_not_in_memory)
{
    legacy();
    fake_store64(&guest.env, root + 0x12 * 16, GUEST_RAM | 1);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_ACCESS);
}

TEST(legacy_context_reserved_bits)
{
    legacy();
    for (unsigned bit = 4; bit < 128; bit++) {
        uint64_t place = context + bit / 64 * 8;

        if ((bit >= 12 && bit < 48) || (bit >= 64 && bit < 71) ||
            (bit >= 72 && bit < 88)) {
            continue;
        }
        change(place, 1ull << bit % 64, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_RESERVED);
        change(place, 0, 1ull << bit % 64);
    }
}

TEST(legacy_available_bits_are_ignored)
{
    legacy();
    change(context + 8, 0xf << 3, 0);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
}

TEST(legacy_fault_disable)
{
    LegacyContext c = legacy_context;

    c.fault_disable = true;
    legacy_with(options_legacy(), c);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK(config.fault_disable);
}

TEST(legacy_fault_disable_counts_in_an_entry_not_present)
{
    legacy();
    change(context, 2, 1);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_NOT_PRESENT);
    CHECK(config.fault_disable);
}

TEST(legacy_request_with_pasid)
{
    legacy();
    CHECK_EQ(fetch(0, (VtdRequester){ SID, true, 1 }),
             VTD_FAULT_SM_PASID_IN_LEGACY_MODE);
}

TEST(legacy_each_entry_is_read_once)
{
    legacy();
    fake_env_forget(&guest.env);
    CHECK_EQ(fetch_legacy(), VTD_FAULT_NONE);
    CHECK_EQ(fake_env_reads(&guest.env), 2);
}

TEST(legacy_failing_reads)
{
    legacy();
    fake_env_forget(&guest.env);
    guest.env.fail_at[FAKE_READ] = 1;
    CHECK_EQ(fetch_legacy(), VTD_FAULT_ROOT_ACCESS);
    fake_env_forget(&guest.env);
    guest.env.fail_at[FAKE_READ] = 2;
    CHECK_EQ(fetch_legacy(), VTD_FAULT_CONTEXT_ACCESS);
}

TEST(devices_of_a_bus_have_entries_of_their_own)
{
    legacy();
    CHECK_EQ(fetch(0, (VtdRequester){ .sid = SID ^ 1 }),
             VTD_FAULT_CONTEXT_NOT_PRESENT);
    CHECK_EQ(fetch(0, (VtdRequester){ .sid = SID ^ 0x100 }),
             VTD_FAULT_ROOT_NOT_PRESENT);
}

/* Scalable mode ------------------------------------------------------- */

static const PasidEntry nested_entry = {
    .pgtt = TABLES_PGTT_NESTED,
    .did = 0xabcd,
    .ss_levels = 4,
    .ss_table = 0x100000,
    .fs_levels = 4,
    .fs_table = 0x200000,
};

static void scalable_with(VtdOptions o, PasidEntry e)
{
    uint64_t dir;

    guest_memory();
    compose(o);
    root = tables_alloc(&guest.tables, 1);
    dir = tables_pasid_directory(&guest.tables, 7);
    context = tables_scalable_context(&guest.tables, root, SID,
                                      &(ScalableContext){
                                          .pasid_dir = dir,
                                          .pdts = 7,
                                          .pasid_enable = true,
                                          .rid_pasid = RID_PASID,
                                      });
    pdir = tables_pasid_directory_place(dir, PASID);
    entry = tables_pasid(&guest.tables, dir, PASID, &e);
    tables_pasid(&guest.tables, dir, RID_PASID, &e);
}

static void scalable(void)
{
    scalable_with(options_nested(), nested_entry);
}

static VtdFault fetch_pasid(void)
{
    return fetch(1, (VtdRequester){ SID, true, PASID });
}

static VtdFault fetch_rid(void)
{
    return fetch(1, (VtdRequester){ .sid = SID });
}

TEST(scalable_nested)
{
    scalable();
    CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
    CHECK(config.scalable);
    CHECK(config.has_pasid);
    CHECK_EQ(config.kind, VTD_NESTED);
    CHECK_EQ(config.pasid, PASID);
    CHECK_EQ(config.did, 0xabcd);
    CHECK_EQ(config.ss_levels, 4);
    CHECK_EQ(config.ss_table, 0x100000);
    CHECK_EQ(config.fs_levels, 4);
    CHECK_EQ(config.fs_table, 0x200000);
    CHECK(!config.supervisor_enable);
    CHECK(!config.execute_enable);
    CHECK(!config.write_protect);
    CHECK(!config.no_execute);
    CHECK(!config.extended_accessed);
}

TEST(scalable_first_stage)
{
    PasidEntry e = nested_entry;

    e.pgtt = TABLES_PGTT_FIRST_STAGE;
    scalable_with(options_nested(), e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_FIRST_STAGE);
}

TEST(scalable_second_stage)
{
    PasidEntry e = nested_entry;

    e.pgtt = TABLES_PGTT_SECOND_STAGE;
    e.ss_levels = 3;
    scalable_with(options_scalable(), e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_SECOND_STAGE);
    CHECK_EQ(config.ss_levels, 3);
}

TEST(scalable_pass_through)
{
    PasidEntry e = nested_entry;

    e.pgtt = TABLES_PGTT_PASS_THROUGH;
    scalable_with(options_scalable(), e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_PASS_THROUGH);
    CHECK_EQ(config.did, 0xabcd);
}

TEST(scalable_flags_of_the_pasid_entry)
{
    static const struct {
        uint64_t bit;
        size_t offset;
    } flags[] = {
        { 1 << 1, offsetof(VtdConfig, execute_enable) },
        { 1 << 4, offsetof(VtdConfig, write_protect) },
        { 1 << 5, offsetof(VtdConfig, no_execute) },
    };

    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        scalable();
        change(entry + 16, flags[i].bit, 0);
        tap_context("flag %u", i);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
        CHECK(*((bool *)&config + flags[i].offset));
    }
}

TEST(scalable_request_without_pasid_uses_RID_PASID)
{
    scalable();
    CHECK_EQ(fetch_rid(), VTD_FAULT_NONE);
    CHECK_EQ(config.pasid, RID_PASID);
    CHECK(!config.has_pasid);
}

TEST(scalable_lower_and_upper_context_table)
{
    static const uint16_t sids[] = { 0x1200, 0x127f, 0x1280, 0x12ff };

    for (unsigned i = 0; i < 4; i++) {
        scalable();
        uint64_t place = tables_scalable_context_place(&guest.tables, root,
                                                       sids[i]);

        for (unsigned q = 0; q < 4; q++) {
            fake_store64(&guest.env, place + q * 8,
                         fake_load64(&guest.env, context + q * 8));
        }
        tap_context("source id 0x%x", sids[i]);
        CHECK_EQ(fetch(1, (VtdRequester){ sids[i], true, PASID }),
                 VTD_FAULT_NONE);
        CHECK_EQ(fetch(1, (VtdRequester){ sids[i] ^ 1, true, PASID }),
                 VTD_FAULT_SM_CONTEXT_NOT_PRESENT);
    }
}

TEST(reserved_translation_table_modes)
{
    scalable();
    CHECK_EQ(fetch(2, (VtdRequester){ .sid = SID }),
             VTD_FAULT_SM_TTM_RESERVED);
    CHECK_EQ(fetch(3, (VtdRequester){ .sid = SID }),
             VTD_FAULT_SM_TTM_RESERVED);
}

TEST(scalable_mode_without_SMTS)
{
    scalable();
    compose(options_legacy());
    CHECK_EQ(fetch_rid(), VTD_FAULT_SM_TTM_RESERVED);
}

TEST(scalable_root_not_present)
{
    scalable();
    change(root + 0x12 * 16 + 8, 0, 1);
    CHECK_EQ(fetch_rid(), VTD_FAULT_SM_ROOT_NOT_PRESENT);
}

TEST(scalable_root_reserved_bits)
{
    scalable();
    for (unsigned bit = 1; bit < 64; bit++) {
        if (bit == 12) {
            bit = 48;
        }
        change(root + 0x12 * 16 + 8, 1ull << bit, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_rid(), VTD_FAULT_SM_ROOT_RESERVED);
        change(root + 0x12 * 16 + 8, 0, 1ull << bit);
    }
}

TEST(scalable_failing_reads)
{
    static const VtdFault faults[] = {
        VTD_FAULT_SM_ROOT_ACCESS,
        VTD_FAULT_SM_CONTEXT_ACCESS,
        VTD_FAULT_SM_PDIR_ACCESS,
        VTD_FAULT_SM_PASID_ACCESS,
    };

    scalable();
    for (unsigned n = 1; n <= 4; n++) {
        fake_env_forget(&guest.env);
        guest.env.fail_at[FAKE_READ] = n;
        tap_context("read %u", n);
        CHECK_EQ(fetch_pasid(), faults[n - 1]);
        CHECK_EQ(fake_env_reads(&guest.env), n);
    }
    fake_env_forget(&guest.env);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
    CHECK_EQ(fake_env_reads(&guest.env), 4);
}

TEST(scalable_context_not_present)
{
    scalable();
    change(context, 2, 1);
    CHECK_EQ(fetch_rid(), VTD_FAULT_SM_CONTEXT_NOT_PRESENT);
    CHECK(config.fault_disable);
}

TEST(scalable_context_reserved_bits)
{
    scalable();
    for (unsigned bit = 5; bit < 256; bit++) {
        uint64_t place = context + bit / 64 * 8;

        if ((bit >= 9 && bit < 48) || (bit >= 64 && bit < 85)) {
            continue;
        }
        change(place, 1ull << bit % 64, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_CONTEXT_RESERVED);
        change(place, 0, 1ull << bit % 64);
    }
}

TEST(scalable_context_without_pasid_enable)
{
    scalable();
    change(context, 0, 8);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_CONTEXT_NO_PASID);
    CHECK_EQ(fetch_rid(), VTD_FAULT_NONE);
}

TEST(scalable_request_with_pasid_without_PASID_support)
{
    VtdOptions o = options_nested();

    scalable();
    o.pasid_bits = 0;
    compose(o);
    change(context, 0, 8);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_CONTEXT_NO_PASID);
    CHECK_EQ(fetch_rid(), VTD_FAULT_NONE);
}

TEST(scalable_pasid_beyond_the_directory)
{
    scalable();
    change(context, 0, 7 << 9); /* PDTS 0: 2^13 PASIDs */
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_TOO_LARGE);
    CHECK_EQ(fetch(1, (VtdRequester){ SID, true, 1 << 13 }),
             VTD_FAULT_SM_PASID_TOO_LARGE);
    CHECK_EQ(fetch(1, (VtdRequester){ SID, true, (1 << 13) - 1 }),
             VTD_FAULT_SM_PDIR_NOT_PRESENT);
}

TEST(scalable_pasid_beyond_PSS)
{
    VtdOptions o = options_nested();

    scalable();
    o.pasid_bits = 16;
    compose(o);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_TOO_LARGE);
}

TEST(scalable_RID_PASID_beyond_the_directory)
{
    scalable();
    change(context, 0, 7 << 9);
    change(context + 8, 1 << 13, 0xfffff);
    CHECK_EQ(fetch_rid(), VTD_FAULT_SM_RID_PASID_TOO_LARGE);
    CHECK_EQ(fetch(1, (VtdRequester){ SID, true, RID_PASID }),
             VTD_FAULT_NONE);
}

TEST(scalable_device_tlb_enable)
{
    scalable();
    change(context, 4, 0);
    CHECK_EQ(fetch_rid(), VTD_FAULT_NONE);
    CHECK(config.device_tlb);
}

TEST(pasid_directory_not_present)
{
    scalable();
    change(pdir, 0, 1);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PDIR_NOT_PRESENT);
}

TEST(pasid_directory_reserved_bits)
{
    scalable();
    for (unsigned bit = 2; bit < 64; bit++) {
        if (bit == 12) {
            bit = 48;
        }
        change(pdir, 1ull << bit, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PDIR_RESERVED);
        change(pdir, 0, 1ull << bit);
    }
}

TEST(pasid_entry_not_present)
{
    scalable();
    change(entry, 0, 1);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_NOT_PRESENT);
}

/* AW, PGTT, pointers and memory types aside. */
TEST(pasid_entry_reserved_bits)
{
    scalable();
    for (unsigned bit = 5; bit < 512; bit++) {
        uint64_t place = entry + bit / 64 * 8;
        bool address = bit % 64 >= 12 && bit % 64 < 48;

        if ((bit < 64 && (address || (bit >= 6 && bit <= 8))) ||
            (bit >= 64 && bit < 80) || (bit >= 87 && bit < 136) ||
            (bit >= 128 && bit < 192 && address)) {
            continue;
        }
        change(place, 1ull << bit % 64, 0);
        tap_context("bit %u", bit);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_RESERVED);
        change(place, 0, 1ull << bit % 64);
    }
}

TEST(pasid_entry_reserved_types)
{
    static const unsigned types[] = { 0, 5, 6, 7 };

    for (unsigned i = 0; i < 4; i++) {
        scalable();
        change(entry, types[i] << 6, 7 << 6);
        tap_context("PGTT %u", types[i]);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    }
}

TEST(pasid_entry_types_that_are_not_offered)
{
    VtdOptions o = options_scalable();
    PasidEntry e = nested_entry;

    /* only second stage */
    scalable_with(o, nested_entry);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    e.pgtt = TABLES_PGTT_FIRST_STAGE;
    scalable_with(o, e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    /* only first stage */
    o.first_stage = true;
    e.pgtt = TABLES_PGTT_SECOND_STAGE;
    scalable_with(o, e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    scalable_with(o, nested_entry);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    /* no pass-through */
    o.pass_through = false;
    e.pgtt = TABLES_PGTT_PASS_THROUGH;
    scalable_with(o, e);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
}

TEST(pasid_entry_unsupported_second_stage_width)
{
    static const unsigned aws[] = { 0, 3, 4, 7 };
    PasidEntry e = nested_entry;

    for (unsigned i = 0; i < 4; i++) {
        e.pgtt = i & 1 ? TABLES_PGTT_SECOND_STAGE : TABLES_PGTT_NESTED;
        scalable_with(options_nested(), e);
        change(entry, aws[i] << 2, 7 << 2);
        tap_context("AW %u", aws[i]);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    }
}

TEST(pasid_entry_unsupported_first_stage_modes)
{
    for (unsigned mode = 1; mode < 4; mode++) {
        scalable();
        change(entry + 16, mode << 2, 3 << 2);
        tap_context("FSPM %u", mode);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
    }
}

TEST(pasid_entry_supervisor_requests_are_not_offered)
{
    scalable();
    change(entry + 16, 1, 0);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
}

TEST(pasid_entry_extended_accessed_is_not_offered)
{
    scalable();
    change(entry + 16, 1 << 7, 0);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_INVALID);
}

TEST(fault_disable_at_each_level)
{
    for (unsigned i = 0; i < 3; i++) {
        scalable();
        change(i == 0 ? context : i == 1 ? pdir : entry, 2, 0);
        tap_context("level %u", i);
        CHECK_EQ(fetch_pasid(), VTD_FAULT_NONE);
        CHECK(config.fault_disable);
    }
}

TEST(fault_disable_counts_in_entries_not_present)
{
    scalable();
    change(pdir, 2, 1);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PDIR_NOT_PRESENT);
    CHECK(config.fault_disable);
    scalable();
    change(entry, 2, 1);
    CHECK_EQ(fetch_pasid(), VTD_FAULT_SM_PASID_NOT_PRESENT);
    CHECK(config.fault_disable);
}

/* Tags ---------------------------------------------------------------- */

TEST(tag_of_first_stage_and_nested_has_the_pasid)
{
    VtdConfig c = { .kind = VTD_NESTED, .did = 3, .pasid = 9 };
    VtdTag tag = vtd_config_tag(&c);

    CHECK_EQ(tag.did, 3);
    CHECK_EQ(tag.pasid, 9);
    CHECK(tag.first_stage);
    c.kind = VTD_FIRST_STAGE;
    tag = vtd_config_tag(&c);
    CHECK_EQ(tag.pasid, 9);
    CHECK(tag.first_stage);
}

TEST(tag_of_second_stage_has_no_pasid)
{
    VtdConfig c = { .kind = VTD_SECOND_STAGE, .did = 3, .pasid = 9 };
    VtdTag tag = vtd_config_tag(&c);

    CHECK_EQ(tag.did, 3);
    CHECK_EQ(tag.pasid, 0);
    CHECK(!tag.first_stage);
}
