/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz_ops.h"

#define BIAS 0x2000000000ull
#define SOURCES 8
#define MAX_PLACES 512
#define IOVAS 8

typedef struct World {
    bool scalable;
    PageTable second;
    PageTable first;  /* by itself */
    PageTable nested; /* its tables lie at BIAS, behind the second stage */
    VtdSource source[SOURCES];
    uint64_t place[MAX_PLACES]; /* of entries that are worth a change */
    unsigned places;
} World;

static World world;

/* Around the borders of large pages, under two entries of the top level. */
static const uint64_t iovas[IOVAS] = {
    0x0000000000, 0x00001ff000, 0x0000200000, 0x003ffff000,
    0x0040000000, 0x7fc0000000, 0x0000005000, 0xfee00000,
};

uint64_t world_iova(void)
{
    unsigned choice = input_bytes(1);
    uint64_t base = iovas[choice % IOVAS];

    switch (choice >> 6) {
    case 0:
        return base;
    case 1:
        return base + input_bytes(2);
    case 2:
        return -base; /* the upper half of a first stage */
    default:
        return input_number();
    }
}

uint64_t world_page(void)
{
    return input_below(FUZZ_RAM >> VTD_PAGE_SHIFT) << VTD_PAGE_SHIFT;
}

uint64_t world_address(void)
{
    uint64_t page = world_page();

    return page | input_bytes(2) % VTD_PAGE_SIZE;
}

VtdSource *world_source(void)
{
    return &world.source[input_below(SOURCES)];
}

const PageTable *world_second(void)
{
    return &world.second;
}

static void add_place(uint64_t gpa)
{
    if (gpa && world.places < MAX_PLACES) {
        world.place[world.places++] = gpa;
    }
}

static void add_places(const PageTable *p)
{
    for (unsigned i = 0; i < IOVAS; i++) {
        for (unsigned level = 1; level <= p->levels; level++) {
            add_place(tables_entry(&guest.tables, p, iovas[i], level));
        }
    }
}

uint64_t world_place(void)
{
    return world.places ? world.place[input_bytes(2) % world.places] : 0;
}

/* Pages of 4 KiB where the world's addresses are, one large page. */
static void map_iovas(const PageTable *p, uint64_t target)
{
    for (unsigned i = 0; i < IOVAS - 2; i++) {
        tables_map(&guest.tables, p, iovas[i], target + (i << 12), 12,
                   MAP_RW);
    }
    tables_map(&guest.tables, p, 0x80000000, 0x40000000, 30, MAP_RW);
    tables_map(&guest.tables, p, 0xc0000000, 0x40200000, 21, MAP_RW);
    add_places(p);
}

static unsigned top_levels(void)
{
    return (fuzz_options.aw_bits - 12) / 9;
}

static void build_page_tables(unsigned second_levels)
{
    Tables *t = &guest.tables;
    unsigned levels = top_levels();

    world.second = tables_page_table(t, STAGE_SECOND, second_levels, 0);
    map_iovas(&world.second, 0x70000);
    if (!fuzz_options.first_stage) {
        return;
    }
    world.first = tables_page_table(t, STAGE_FIRST, levels, 0);
    map_iovas(&world.first, 0x71000);
    world.nested = tables_page_table(t, STAGE_FIRST, 4, BIAS);
    map_iovas(&world.nested, 0);
    /* Beyond a second stage of three levels. */
    tables_map(t, &world.nested, iovas[6], 1ull << 40, 12, MAP_RW);
    /* The second stage shows memory at BIAS, in pages. */
    tables_map_range(t, &world.second, BIAS, 0, FUZZ_RAM, 12, MAP_RW);
    add_place(tables_entry(t, &world.second, world.nested.root, 1));
    add_place(tables_entry(t, &world.second, world.nested.root, 2));
}

static void build_legacy(void)
{
    static const uint8_t types[] = { TABLES_TT_UNTRANSLATED,
                                     TABLES_TT_DEVICE_TLB,
                                     TABLES_TT_PASS_THROUGH };

    for (unsigned i = 0; i < 3; i++) {
        uint16_t sid = GUEST_SID + i * 0x88;
        LegacyContext context = {
            .tt = types[i],
            .levels = world.second.levels,
            .did = i + 1,
            .ss_table = world.second.root,
        };
        uint64_t gpa =
            tables_legacy_context(&guest.tables, guest.root, sid, &context);

        add_place(gpa);
        add_place(gpa + 8);
        vtd_source_init(&world.source[i], (VtdRequester){ .sid = sid });
    }
}

/* PASID 0 second stage, 1 first stage, 2 nested, 3 pass-through. */
static void build_pasids(void)
{
    static const uint8_t types[] = {
        TABLES_PGTT_SECOND_STAGE, TABLES_PGTT_FIRST_STAGE,
        TABLES_PGTT_NESTED, TABLES_PGTT_PASS_THROUGH
    };

    for (unsigned pasid = 0; pasid < 4; pasid++) {
        bool nested = types[pasid] == TABLES_PGTT_NESTED;
        PasidEntry entry = {
            .pgtt = types[pasid],
            .did = pasid + 1,
            .ss_levels = world.second.levels,
            .ss_table = world.second.root,
            .fs_levels = nested ? 4 : top_levels(),
            .fs_table = nested ? world.nested.root : world.first.root,
            .execute = pasid & 1,
        };
        uint64_t gpa;

        if (!fuzz_options.nested && fuzz_options.first_stage) {
            entry.pgtt = TABLES_PGTT_FIRST_STAGE;
        }
        gpa = tables_pasid(&guest.tables, guest.pasid_dir, pasid, &entry);
        for (unsigned i = 0; i < 4; i++) {
            add_place(gpa + 8 * i);
        }
    }
    add_place(guest.pasid_dir);
}

static void build_scalable(void)
{
    guest.pasid_dir = tables_pasid_directory(&guest.tables, 0);
    build_pasids();
    for (unsigned i = 0; i < 2; i++) {
        ScalableContext context = {
            .pasid_dir = guest.pasid_dir,
            .pasid_enable = true,
            .device_tlb = fuzz_options.device_tlb,
            .rid_pasid = i * 2,
        };
        uint16_t sid = GUEST_SID + i * 0x88;
        uint64_t gpa = tables_scalable_context(&guest.tables, guest.root, sid,
                                               &context);

        add_place(gpa);
        add_place(gpa + 8);
        vtd_source_init(&world.source[i], (VtdRequester){ .sid = sid });
    }
    for (unsigned i = 2; i < SOURCES; i++) {
        vtd_source_init(&world.source[i], (VtdRequester){
            .sid = GUEST_SID,
            .has_pasid = true,
            .pasid = i < 6 ? i - 2 : i * 0x3fff,
        });
    }
}

/* Entry 0 remaps for anyone, entry 1 for one source, the rest not. */
static void build_interrupts(void)
{
    uint64_t table = tables_alloc(&guest.tables, 1);

    fuzz_poke(table, VTD_IRTE_P | 0x30 << 16);
    fuzz_poke(table + 16, VTD_IRTE_P | 0x31 << 16);
    fuzz_poke(table + 24, GUEST_SID | vtd_put(VTD_IRTE_SVT, VTD_SVT_SID));
    for (unsigned i = 0; i < 4; i++) {
        add_place(table + 8 * i);
    }
    write64(VTD_REG_IRTA, table | 3);
    command(VTD_GCMD_SIRTP, 0);
    command(VTD_GCMD_IRE, 0);
}

void world_build(void)
{
    unsigned how = input_bytes(1);

    world.places = 0;
    world.scalable = fuzz_options.scalable_mode && !(how & 1);
    for (unsigned i = 0; i < SOURCES; i++) {
        vtd_source_init(&world.source[i],
                        (VtdRequester){ .sid = GUEST_SID + i });
    }
    set_root(world.scalable);
    build_page_tables(how & 32 ? 3 : top_levels());
    if (world.scalable) {
        build_scalable();
    } else {
        build_legacy();
    }
    add_place(guest.root);
    add_place(guest.root + 8);
    build_interrupts();
    start_queue(fuzz_options.scalable_mode && !(how & 2), how >> 2 & 1);
    /* Messages of both events, unless they stay masked. */
    write32(VTD_REG_FECTL, how & 8 ? VTD_EVENT_IM : 0);
    write32(VTD_REG_IECTL, how & 16 ? VTD_EVENT_IM : 0);
    enable_translation();
}
