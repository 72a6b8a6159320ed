/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vtd.h"

#include <string.h>

#include "guest.h"
#include "tap.h"

TEST(contradicting_options_are_refused_with_a_reason)
{
    VtdOptions o = options_nested();
    static VtdUnit unit;

    guest_memory();
    o.scalable_mode = false;
    CHECK(vtd_init(&unit, &guest.interface, &o));
}

TEST(a_unit_begins_with_its_capabilities)
{
    guest_start(options_nested());
    CHECK_EQ(reg64(VTD_REG_CAP), guest.unit.caps.cap);
    CHECK_EQ(reg64(VTD_REG_ECAP), guest.unit.caps.ecap);
    CHECK_EQ(reg32(VTD_REG_VER), 0x10);
    CHECK(!vtd_translation_enabled(&guest.unit));
}

/* Access -------------------------------------------------------------- */

TEST(reads_of_4_and_8_bytes)
{
    guest_start(options_nested());
    write64(VTD_REG_IRTA, 0x123456789abcd80f);
    CHECK_EQ(reg64(VTD_REG_IRTA), 0x123456789abcd80f);
    CHECK_EQ(reg32(VTD_REG_IRTA), 0x9abcd80f);
    CHECK_EQ(reg32(VTD_REG_IRTA + 4), 0x12345678);
}

TEST(writes_of_4_bytes)
{
    guest_start(options_nested());
    write32(VTD_REG_IRTA + 4, 0x12345678);
    write32(VTD_REG_IRTA, 0x9abcd80f);
    CHECK_EQ(reg64(VTD_REG_IRTA), 0x123456789abcd80f);
}

/* An aligned 8-byte access to the fault event's registers is legal. */
TEST(two_registers_of_4_bytes_as_one_of_8)
{
    guest_start(options_nested());
    write64(VTD_REG_FECTL, 0x1234567800000000);
    CHECK_EQ(reg32(VTD_REG_FECTL), 0);
    CHECK_EQ(reg32(VTD_REG_FEDATA), 0x12345678);
    CHECK_EQ(reg64(VTD_REG_FECTL), 0x1234567800000000);
    command(VTD_GCMD_TE, 0);
    CHECK_EQ(reg64(VTD_REG_GCMD), 0x8000000000000000);
}

TEST(illegal_accesses_read_zero)
{
    static const unsigned sizes[] = { 0, 1, 2, 3, 5, 6, 7, 9, 16 };

    guest_start(options_nested());
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        CHECK_EQ(vtd_mmio_read(&guest.unit, VTD_REG_CAP, sizes[i]), 0);
    }
    for (unsigned offset = 9; offset < 12; offset++) {
        CHECK_EQ(vtd_mmio_read(&guest.unit, offset, 4), 0);
        CHECK_EQ(vtd_mmio_read(&guest.unit, offset, 8), 0);
    }
    CHECK_EQ(vtd_mmio_read(&guest.unit, 12, 8), 0);
    CHECK_EQ(vtd_mmio_read(&guest.unit, VTD_REG_SPACE, 4), 0);
    CHECK_EQ(vtd_mmio_read(&guest.unit, VTD_REG_SPACE - 4, 8), 0);
    CHECK_EQ(vtd_mmio_read(&guest.unit, ~0u, 4), 0);
    CHECK_EQ(vtd_mmio_read(&guest.unit, ~0u - 3, 4), 0);
    CHECK_EQ(vtd_mmio_read(&guest.unit, ~0u - 7, 8), 0);
}

TEST(illegal_accesses_write_nothing)
{
    static const unsigned sizes[] = { 0, 1, 2, 3, 5, 6, 7, 9, 16 };

    guest_start(options_nested());
    for (unsigned i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        vtd_mmio_write(&guest.unit, VTD_REG_FEDATA, 0x55, sizes[i]);
    }
    vtd_mmio_write(&guest.unit, VTD_REG_FEDATA, 0x55, 8); /* not aligned */
    vtd_mmio_write(&guest.unit, VTD_REG_FEDATA + 1, 0x55, 4);
    vtd_mmio_write(&guest.unit, VTD_REG_SPACE, 0x55, 4);
    vtd_mmio_write(&guest.unit, ~0u - 3, 0x55, 4);
    CHECK_EQ(reg32(VTD_REG_FEDATA), 0);
}

TEST(any_legal_access_anywhere_is_harmless)
{
    static const uint64_t values[] = { 0, ~0ull, 0x5555555555555555,
                                       0xaaaaaaaaaaaaaaaa };

    for (unsigned v = 0; v < 4; v++) {
        guest_start(options_nested());
        for (unsigned offset = 0; offset < VTD_REG_SPACE; offset += 4) {
            write32(offset, values[v]);
            reg32(offset);
            if (offset % 8 == 0) {
                write64(offset, values[v]);
                reg64(offset);
            }
        }
        CHECK_EQ(reg64(VTD_REG_CAP), guest.unit.caps.cap);
    }
}

/* Reset --------------------------------------------------------------- */

TEST(reset_returns_to_power_on)
{
    VtdMapping m = { .shift = 12, .perm = 1 };
    VtdTag tag = { .did = 1 };
    VtdIotlbTicket ticket;
    uint64_t gen;

    guest_start(options_nested());
    set_root(1);
    write64(VTD_REG_IRTA, 0x7000);
    command(VTD_GCMD_SIRTP, 0);
    start_queue(true, 0);
    enable_translation();
    invalidate(0, 0);
    CHECK(reg32(VTD_REG_FSTS));
    ticket = vtd_iotlb_ticket(&guest.unit.iotlb, tag);
    vtd_iotlb_insert(&guest.unit.iotlb, &ticket, &m);
    gen = guest.unit.config_gen;
    fake_env_forget(&guest.env);
    vtd_reset(&guest.unit);
    CHECK_EQ(reg32(VTD_REG_GSTS), 0);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
    CHECK_EQ(reg64(VTD_REG_IQA), 0);
    CHECK_EQ(guest.unit.root, 0);
    CHECK_EQ(guest.unit.irta, 0);
    CHECK(!vtd_translation_enabled(&guest.unit));
    CHECK(!vtd_iotlb_lookup(&guest.unit.iotlb, vtd_iotlb_key(tag), 0, &m));
    CHECK(guest.unit.config_gen != gen);
    CHECK_EQ(guest.env.notices, 0);
}

TEST(a_unit_works_after_reset)
{
    guest_start(options_nested());
    start_queue(true, 0);
    invalidate(0, 0);
    vtd_reset(&guest.unit);
    start_queue(true, 0);
    invalidate(qi_wait_status(1), GUEST_STATUS);
    CHECK_EQ(fake_load32(&guest.env, GUEST_STATUS), 1);
}

/* Two units share nothing --------------------------------------------- */

TEST(units_do_not_share_state)
{
    static VtdUnit other;
    VtdOptions o = options_legacy();

    guest_start(options_nested());
    o.aw_bits = 39;
    CHECK(!vtd_init(&other, &guest.interface, &o));
    command(VTD_GCMD_TE, 0);
    write32(VTD_REG_FEDATA, 1);
    CHECK(!vtd_translation_enabled(&other));
    CHECK_EQ(vtd_mmio_read(&other, VTD_REG_FEDATA, 4), 0);
    CHECK_EQ(vtd_mmio_read(&other, VTD_REG_CAP, 8), other.caps.cap);
    CHECK(other.caps.rsvd_addr != guest.unit.caps.rsvd_addr);
    vtd_destroy(&other);
}

/* The rest of the entry points ---------------------------------------- */

TEST(continuing_an_empty_queue_ends_at_once)
{
    guest_start(options_nested());
    CHECK(!vtd_continue(&guest.unit));
    start_queue(true, 0);
    CHECK(!vtd_continue(&guest.unit));
}

TEST(a_configuration_can_be_asked_for_quietly)
{
    VtdConfig config;

    guest_start(options_nested());
    guest_scalable();
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_SM_PDIR_NOT_PRESENT);
    CHECK_EQ(reg32(VTD_REG_FSTS), 0);
    tables_pasid(&guest.tables, guest.pasid_dir, 0,
                 &(PasidEntry){ .pgtt = TABLES_PGTT_PASS_THROUGH, .did = 8 });
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_NONE);
    CHECK_EQ(config.kind, VTD_PASS_THROUGH);
    CHECK_EQ(config.did, 8);
}

TEST(forgotten_configurations_are_read_again)
{
    VtdConfig config;

    guest_start(options_nested());
    guest_scalable();
    tables_pasid(&guest.tables, guest.pasid_dir, 0,
                 &(PasidEntry){ .pgtt = TABLES_PGTT_PASS_THROUGH, .did = 8 });
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_NONE);
    guest.source.req.sid++;
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_NONE);
    vtd_forget_configurations(&guest.unit);
    CHECK_EQ(vtd_configuration(&guest.unit, &guest.source, &config),
             VTD_FAULT_SM_CONTEXT_NOT_PRESENT);
}

TEST(a_fault_that_another_found_is_recorded_and_signalled)
{
    VtdSource source;

    guest_start(options_nested());
    write32(VTD_REG_FECTL, 0);
    vtd_source_init(&source, (VtdRequester){ 0x1234, true, 0x55 });
    vtd_report_fault(&guest.unit, &source, VTD_FAULT_FS_NOT_PRESENT,
                     0x40000123);
    CHECK_EQ(reg64(VTD_REG_FRCD), 0x40000000);
    CHECK_EQ(reg64(VTD_REG_FRCD + 8), 0xc000557180001234);
    CHECK_EQ(guest.env.msis, 1);
}

TEST(options_can_be_changed_before_the_guest_runs)
{
    VtdOptions o = options_full();

    guest_start(o);
    CHECK_EQ(reg64(VTD_REG_CAP) & VTD_CAP_CM, 0);
    CHECK_EQ(reg64(VTD_REG_ECAP) & VTD_ECAP_EAFS, VTD_ECAP_EAFS);
    o.caching_mode = true;
    o.extended_accessed = false;
    CHECK(!vtd_set_options(&guest.unit, &o));
    CHECK_EQ(reg64(VTD_REG_CAP) & VTD_CAP_CM, VTD_CAP_CM);
    CHECK_EQ(reg64(VTD_REG_ECAP) & VTD_ECAP_EAFS, 0);
    vtd_reset(&guest.unit);
    CHECK_EQ(reg64(VTD_REG_CAP) & VTD_CAP_CM, VTD_CAP_CM);
    CHECK_EQ(reg64(VTD_REG_ECAP) & VTD_ECAP_EAFS, 0);
}

TEST(options_that_contradict_each_other_change_nothing)
{
    VtdOptions o = options_full();
    uint64_t ecap;

    guest_start(o);
    ecap = reg64(VTD_REG_ECAP);
    o.scalable_mode = false;
    CHECK(vtd_set_options(&guest.unit, &o));
    CHECK_EQ(reg64(VTD_REG_ECAP), ecap);
    CHECK_EQ(guest.unit.caps.ecap, ecap);
}

/* Each deliver, message and status write is made without the lock. */
static void check_unlocked(FakeEnv *env, void *opaque)
{
    unsigned *count = opaque;

    (void)env;
    CHECK_EQ(pthread_mutex_trylock(&guest.unit.lock), 0);
    pthread_mutex_unlock(&guest.unit.lock);
    ++*count;
}

TEST(effects_happen_without_the_lock)
{
    static unsigned count;
    VtdMapping out;

    guest_start(options_legacy());
    set_root(0);
    enable_translation();
    start_queue(false, 0);
    write32(VTD_REG_FECTL, 0);
    write32(VTD_REG_IECTL, 0);
    fake_env_forget(&guest.env);
    count = 0;
    guest.env.hook = check_unlocked;
    guest.env.hook_opaque = &count;
    guest.env.hook_at[FAKE_DELIVER] = 1;
    guest.env.hook_at[FAKE_WRITE] = 1;
    guest.env.hook_at[FAKE_SEND_MSI] = 1;
    queue_descriptor(qi_iotlb(QI_GLOBAL, 0), 0);
    queue_descriptor(qi_wait_status(1) | 1 << 4, GUEST_STATUS);
    kick();
    CHECK_EQ(count, 3);
    guest.env.hook_at[FAKE_SEND_MSI] = 2;
    CHECK_EQ(translate(0x1000, VTD_PERM_READ, &out),
             VTD_FAULT_ROOT_NOT_PRESENT);
    CHECK_EQ(count, 4);
    guest.env.hook_at[FAKE_DELIVER] = 2;
    command(VTD_GCMD_SRTP, 0);
    CHECK_EQ(count, 5);
}

/* PASIDs that have an entry. */

static void start_with_pasids(void)
{
    guest_start(options_nested());
    guest_scalable();
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                                .pasid_enable = true,
                            });
    tables_pasid(&guest.tables, guest.pasid_dir, 3, &(PasidEntry){ 0 });
    tables_pasid(&guest.tables, guest.pasid_dir, 63, &(PasidEntry){ 0 });
    tables_pasid(&guest.tables, guest.pasid_dir, 200, &(PasidEntry){ 0 });
}

TEST(the_next_pasid_with_an_entry)
{
    static const uint32_t wanted[] = { 3, 63, 200 };
    uint32_t pasid = 0;

    start_with_pasids();
    for (unsigned i = 0; i < 3; i++) {
        CHECK(vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
        CHECK_EQ(pasid, wanted[i]);
        pasid++;
    }
    CHECK(!vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
    pasid = 200;
    CHECK(vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
    CHECK_EQ(pasid, 200);
}

TEST(absent_directory_entries_are_passed_over)
{
    uint32_t pasid = 64;

    start_with_pasids();
    fake_env_forget(&guest.env);
    CHECK(vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
    CHECK_EQ(pasid, 200);
    /* Root and context, three directory entries, PASIDs 192 to 200. */
    CHECK_EQ(fake_env_reads(&guest.env), 2 + 3 + 9);
}

TEST(no_pasid_without_translation_tables_or_permission)
{
    uint32_t pasid = 0;

    start_with_pasids();
    CHECK(!vtd_next_pasid(&guest.unit, GUEST_SID + 1, &pasid));
    command(0, VTD_GCMD_TE);
    CHECK(!vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
    enable_translation();
    tables_scalable_context(&guest.tables, guest.root, GUEST_SID,
                            &(ScalableContext){
                                .pasid_dir = guest.pasid_dir,
                            });
    CHECK(!vtd_next_pasid(&guest.unit, GUEST_SID, &pasid));
    CHECK_EQ(pasid, 0);
}
