/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qtest of draining (CAP.DRD, CAP.DWD): endpoints access memory without pause,
 * each in an iothread, while their translation is changed.  Once the guest has
 * seen an invalidation complete, no access uses the old one.
 *
 * Each access is one memcpy() of 1 MiB behind one translation, so that most of
 * the time one is under way.  The unit itself looks for it: the status of wait
 * descriptors lies at both ends of the page that was given up.  A write that is
 * not over overwrites one, a read that is not over meets one.  The guest's
 * memory is shared with this program, for speed.
 *
 * Some tests leave nothing to chance: they hold the thread in the middle of an
 * access.
 */
#include "qemu/osdep.h"
#include <sys/ptrace.h>
#include <sys/wait.h>
#include "qemu/atomic.h"
#include "qemu/bswap.h"
#include "qobject/qdict.h"
#include "qobject/qlist.h"
#include "vtd-guest.h"

#define ROUNDS 200
#define READ_ROUNDS 600 /* reads are half of what the engine does then */
#define HELD_ROUNDS 4
#define ENDPOINTS 2

#define PAGE (2 * MiB)
#define BURST SVA_EP_LENGTH_LIMIT
#define STEP 4096
/* Words near the ends of an access: memcpy() may begin or end with the very
 * first and the very last bytes. */
#define LOW_END STEP
#define HIGH_END (BURST - STEP)
#define FILLING 0x5a5a5a5a5a5a5a5aull

#define UNDRAINED "-device intel-iommu,dma-drain=off "

/* An endpoint and the pages that its address moves between. */
typedef struct Runner {
    QPCIDevice *dev;
    QPCIBar bar;
    uint64_t iova;
    uint64_t page[2];
    uint64_t slot; /* the entry that maps iova */
} Runner;

typedef struct Race {
    Guest g;
    GuestTables tables;
    uint64_t other; /* a page of FILLING, and where it is mapped */
    int fd;
    uint8_t *ram;
    unsigned runners;
    Runner runner[ENDPOINTS];
    unsigned round;
} Race;

static gint64 deadline_from_now(void)
{
    return g_get_monotonic_time() + 60 * G_USEC_PER_SEC;
}

/* --- The guest's memory --------------------------------------------------- */

static uint64_t *word(Race *r, uint64_t pa)
{
    return (uint64_t *)(r->ram + pa);
}

static void fill(Race *r, uint64_t page, uint64_t value)
{
    for (uint64_t at = 0; at < BURST; at += 8) {
        *word(r, page + at) = value;
    }
}

static void map(Race *r, uint64_t slot, uint64_t page)
{
    qatomic_set(word(r, slot),
                cpu_to_le64(page | VTD_SS_PS | r->tables.leaf_bits));
}

/* --- The machine ---------------------------------------------------------- */

static char *share_memory(Race *r)
{
    r->fd = memfd_create("guest", 0);
    g_assert_cmpint(r->fd, >=, 0);
    g_assert_cmpint(ftruncate(r->fd, RAM_END), ==, 0);
    r->ram = mmap(NULL, RAM_END, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
    g_assert_true(r->ram != MAP_FAILED);
    return g_strdup_printf("-machine q35,memory-backend=ram -nodefaults "
                           "-m 256M -object memory-backend-file,id=ram,"
                           "size=256M,share=on,mem-path=/proc/%d/fd/%d ",
                           getpid(), r->fd);
}

static void find_runner(Race *r, unsigned i)
{
    Runner *runner = &r->runner[i];

    runner->dev = qpci_device_find(r->g.bus, QPCI_DEVFN(4 + i, 0));
    g_assert_nonnull(runner->dev);
    qpci_device_enable(runner->dev);
    runner->bar = qpci_iomap(runner->dev, SVA_EP_BAR_REGS, NULL);
    runner->page[0] = (32 + 8 * i) * MiB;
    runner->page[1] = runner->page[0] + PAGE;
    runner->iova = (IOVA & ~(PAGE - 1)) + 16 * i * MiB;
}

/* A machine whose address of each endpoint is page[0]; @first: by first-stage
 * tables, else by second-stage ones. */
static void start(Race *r, const char *iommu, bool first, unsigned runners)
{
    g_autofree char *machine = NULL;

    *r = (Race){ .runners = runners, .other = 64 * MiB };
    machine = share_memory(r);
    r->g.qts = qtest_initf("%s%s-object iothread,id=t0 "
                           "-object iothread,id=t1 "
                           "-device sva-endpoint,addr=4,iothread=t0 "
                           "-device sva-endpoint,addr=5,iothread=t1",
                           machine, iommu);
    r->g.scalable = first;
    r->g.bus = qpci_new_pc(r->g.qts, NULL);
    r->tables = first ? guest_first_stage(0) : guest_second_stage();
    for (unsigned i = 0; i < runners; i++) {
        Runner *runner = &r->runner[i];

        find_runner(r, i);
        runner->slot = guest_entry(&r->g, &r->tables, runner->iova, 2);
        map(r, runner->slot, runner->page[0]);
    }
    map(r, guest_entry(&r->g, &r->tables, r->other, 2), r->other);
}

/* The same tables for all endpoints. */
static void translate(Race *r)
{
    for (unsigned i = 0; i < r->runners; i++) {
        if (!r->g.scalable) {
            guest_legacy_context(&r->g, r->runner[i].dev->devfn, 0);
        }
    }
    if (r->g.scalable) {
        guest_scalable_context(&r->g, VTD_PGTT_FIRST_STAGE);
        qtest_writeq(r->g.qts, CONTEXT + (SID + 8) * 32,
                     PASID_DIR | VTD_SMCTX_P);
    }
    guest_queue_on(&r->g);
    guest_translation_on(&r->g);
}

static void finish(Race *r)
{
    g_assert_cmphex(guest_reg32(&r->g, VTD_REG_FSTS), ==, 0);
    for (unsigned i = 0; i < r->runners; i++) {
        g_free(r->runner[i].dev);
    }
    qpci_free_pc(r->g.bus);
    qtest_quit(r->g.qts);
    munmap(r->ram, RAM_END);
    close(r->fd);
}

/* --- Endpoints ------------------------------------------------------------ */

static uint32_t runner_status(Runner *e)
{
    return qpci_io_readl(e->dev, e->bar, SVA_EP_SLOT_STATUS);
}

static uint64_t bytes_read(Runner *e)
{
    return qpci_io_readq(e->dev, e->bar, SVA_EP_COUNT_READ);
}

static uint64_t bytes_written(Runner *e)
{
    return qpci_io_readq(e->dev, e->bar, SVA_EP_COUNT_WRITTEN);
}

/* A command that repeats, once it has been seen to run. */
static void run(Runner *e, unsigned opcode, uint64_t src, uint64_t dst,
                uint64_t operand)
{
    gint64 deadline = deadline_from_now();
    uint64_t slot = SVA_EP_SLOT_CMD;

    qpci_io_writel(e->dev, e->bar, slot,
                   SVA_EP_CMD_WORD0(opcode, SVA_EP_FLAG_REPEAT |
                                    SVA_EP_FLAG_BURST));
    qpci_io_writeq(e->dev, e->bar, slot + SVA_EP_CMD_SRC, src);
    qpci_io_writeq(e->dev, e->bar, slot + SVA_EP_CMD_DST, dst);
    qpci_io_writel(e->dev, e->bar, slot + SVA_EP_CMD_LENGTH, BURST);
    qpci_io_writeq(e->dev, e->bar, slot + SVA_EP_CMD_OPERAND, operand);
    qpci_io_writel(e->dev, e->bar, SVA_EP_SLOT_DOORBELL,
                   SVA_EP_DOORBELL_START);
    while (!bytes_read(e) && !bytes_written(e)) {
        g_assert_cmpint(runner_status(e), ==, SVA_EP_STATUS_BUSY);
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

static void run_writes(Race *r)
{
    for (unsigned i = 0; i < r->runners; i++) {
        run(&r->runner[i], SVA_EP_OP_FILL, 0, r->runner[i].iova, FILLING);
    }
}

/* What it compares never differs, unless it sees poison. */
static void run_reads(Race *r)
{
    fill(r, r->other, FILLING);
    for (unsigned i = 0; i < r->runners; i++) {
        Runner *e = &r->runner[i];

        fill(r, e->page[0], FILLING);
        fill(r, e->page[1], FILLING);
        run(e, SVA_EP_OP_COMPARE, e->iova, r->other, 0);
    }
}

static void stop(Race *r)
{
    gint64 deadline = deadline_from_now();

    for (unsigned i = 0; i < r->runners; i++) {
        Runner *e = &r->runner[i];

        qpci_io_writel(e->dev, e->bar, SVA_EP_SLOT_DOORBELL,
                       SVA_EP_DOORBELL_STOP);
        while (runner_status(e) == SVA_EP_STATUS_BUSY) {
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        }
        g_assert_cmpint(runner_status(e), ==, SVA_EP_STATUS_DONE);
    }
}

/* Returns when the engine has written to @page after now: an access that was
 * under way before is over. */
static void await_write(Race *r, uint64_t page)
{
    gint64 deadline = deadline_from_now();
    uint64_t *last = word(r, page + BURST - 8);

    qatomic_set(last, 0);
    while (!qatomic_load_acquire(last)) {
        sched_yield();
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

/* The same for reads: all of a pass has followed.  False: it has seen a
 * difference. */
static bool await_read(Runner *e)
{
    gint64 deadline = deadline_from_now();
    uint64_t then = bytes_read(e);

    while (bytes_read(e) < then + 4 * BURST) {
        if (runner_status(e) != SVA_EP_STATUS_BUSY) {
            return false;
        }
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    return true;
}

/* --- Invalidations -------------------------------------------------------- */

/* A descriptor that the unit is not told of yet. */
static void put(Race *r, uint64_t qw0, uint64_t qw1)
{
    uint64_t at = QUEUE + r->g.tail;

    *word(r, at) = cpu_to_le64(qw0);
    *word(r, at + 8) = cpu_to_le64(qw1);
    r->g.tail = (r->g.tail + (r->g.scalable ? 32 : 16)) % 4096;
}

typedef void Submit(Race *r);

static void submit_pages(Race *r)
{
    for (unsigned i = 0; i < r->runners; i++) {
        put(r, (uint64_t)DID << 16 | 3 << 4 | (r->g.scalable ? 6 : 2),
            r->runner[i].iova | 9);
    }
}

static void submit_domain(Race *r)
{
    put(r, (uint64_t)DID << 16 | 2 << 4 | 2, 0);
}

/* Of the endpoints' one PASID entry. */
static void submit_configuration(Race *r)
{
    put(r, (uint64_t)DID << 16 | 1 << 4 | 7, 0);
    submit_domain(r);
}

static uint32_t token(Race *r)
{
    return r->round + 1;
}

static uint32_t *status_word(Race *r, uint64_t pa)
{
    return (uint32_t *)(r->ram + pa);
}

static bool has_status(Race *r, uint64_t pa)
{
    return qatomic_load_acquire(status_word(r, pa)) == cpu_to_le32(token(r));
}

static void submit_wait(Race *r, uint64_t pa)
{
    put(r, (uint64_t)token(r) << 32 | 1 << 5 | 5, pa);
}

/* The page that an endpoint's address does not mean any more. */
static uint64_t old_page(Race *r, Runner *e)
{
    return e->page[r->round % 2];
}

/* Of the marks on it, one lies where memcpy() has not been yet. */
static bool has_marks(Race *r, uint64_t page)
{
    return has_status(r, page + LOW_END) && has_status(r, page + HIGH_END);
}

/* Invalidate, and have the old pages marked as soon as that is complete; all
 * with one write of the tail, as time counts.  Returns the queue's head until
 * it is complete. */
static unsigned submit_all(Race *r, Submit *submit)
{
    unsigned head;

    qatomic_set(status_word(r, STATUS), 0);
    submit(r);
    head = r->g.tail;
    for (unsigned i = 0; i < r->runners; i++) {
        submit_wait(r, old_page(r, &r->runner[i]) + LOW_END);
        submit_wait(r, old_page(r, &r->runner[i]) + HIGH_END);
    }
    submit_wait(r, STATUS);
    qtest_writeq(r->g.qts, REGS + VTD_REG_IQT, r->g.tail);
    return head;
}

static void await_status(Race *r)
{
    gint64 deadline = deadline_from_now();

    while (!has_status(r, STATUS)) {
        sched_yield();
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
}

/* --- Races ---------------------------------------------------------------- */

/* From one page to the other. */
static void move(Race *r, Submit *submit)
{
    for (unsigned i = 0; i < r->runners; i++) {
        map(r, r->runner[i].slot, r->runner[i].page[(r->round + 1) % 2]);
    }
    submit_all(r, submit);
    await_status(r);
}

/* Whether all writes to the old pages were over. */
static bool writes_were_over(Race *r)
{
    bool over = true;

    for (unsigned i = 0; i < r->runners; i++) {
        Runner *e = &r->runner[i];

        await_write(r, e->page[(r->round + 1) % 2]);
        over &= has_marks(r, old_page(r, e));
    }
    return over;
}

static bool reads_were_over(Race *r)
{
    bool over = true;

    for (unsigned i = 0; i < r->runners; i++) {
        over &= await_read(&r->runner[i]);
        *word(r, old_page(r, &r->runner[i]) + LOW_END) = FILLING;
        *word(r, old_page(r, &r->runner[i]) + HIGH_END) = FILLING;
    }
    return over;
}

/* Up to @limit rounds; returns those in which all went well. */
static unsigned race(const char *iommu, bool first, unsigned runners,
                     bool reads, Submit *submit, unsigned limit)
{
    unsigned rounds = 0;
    Race r;

    start(&r, iommu, first, runners);
    translate(&r);
    if (reads) {
        run_reads(&r);
    } else {
        run_writes(&r);
    }
    for (; r.round < limit && r.round == rounds; r.round++) {
        move(&r, submit);
        rounds += reads ? reads_were_over(&r) : writes_were_over(&r);
    }
    stop(&r);
    finish(&r);
    return rounds;
}

static void test_writes(void)
{
    g_assert_cmpint(race(FIRST_STAGE, true, 1, false, submit_pages, ROUNDS), ==,
                    ROUNDS);
}

static void test_reads(void)
{
    g_assert_cmpint(race(FIRST_STAGE, true, 1, true, submit_pages, READ_ROUNDS),
                    ==, READ_ROUNDS);
}

static void test_second_stage(void)
{
    g_assert_cmpint(race(LEGACY, false, 1, false, submit_domain, ROUNDS), ==,
                    ROUNDS);
}

static void test_two_writes(void)
{
    g_assert_cmpint(race(LEGACY, false, 2, false, submit_pages, ROUNDS), ==,
                    ROUNDS);
}

static void test_two_reads(void)
{
    g_assert_cmpint(race(FIRST_STAGE, true, 2, true, submit_pages, ROUNDS), ==,
                    ROUNDS);
}

/* That the tests above see what they look for: without the capability
 * nothing waits for an access. */
static void test_undrained(void)
{
    g_assert_cmpint(race(UNDRAINED, false, 1, false, submit_pages, ROUNDS), <,
                    ROUNDS);
}

/* --- An access that takes its time ---------------------------------------- */

/* The first endpoint's thread. */
static pid_t thread_id(Race *r)
{
    QDict *answer = qtest_qmp(r->g.qts, "{ 'execute': 'query-iothreads' }");
    QDict *thread = qobject_to(
        QDict, qlist_peek(qdict_get_qlist(answer, "return")));
    pid_t id;

    g_assert_cmpstr(qdict_get_str(thread, "id"), ==, "t0");
    id = qdict_get_int(thread, "thread-id");
    qobject_unref(answer);
    return id;
}

/* In between nothing may be asserted: a machine with a thread that is held
 * does not end. */
static void stop_thread(pid_t thread)
{
    g_assert_cmpint(ptrace(PTRACE_SEIZE, thread, 0, 0), ==, 0);
    ptrace(PTRACE_INTERRUPT, thread, 0, 0);
    waitpid(thread, NULL, __WALL);
}

static void release(pid_t thread)
{
    ptrace(PTRACE_DETACH, thread, 0, 0);
}

/* Whether a word between the ends that was cleared is not written yet. */
static bool has_gap(Race *r, uint64_t page)
{
    for (uint64_t at = LOW_END + STEP; at < HIGH_END; at += STEP) {
        if (!qatomic_read(word(r, page + at))) {
            return true;
        }
    }
    return false;
}

/*
 * Hold the thread in the middle of a write to @page.
 *
 * Whether memcpy() goes up or down: an access that has written one end and not
 * a word between the ends, which was cleared before, has not crossed that.
 * What is found at the other end was written by the access before it, which
 * had.
 */
static void hold(Race *r, pid_t thread, uint64_t page)
{
    gint64 deadline = deadline_from_now();
    uint64_t *low = word(r, page + LOW_END), *high = word(r, page + HIGH_END);

    for (;;) {
        for (uint64_t at = LOW_END + STEP; at < HIGH_END; at += STEP) {
            qatomic_set(word(r, page + at), 0);
        }
        smp_mb();
        qatomic_set(low, 0);
        qatomic_set(high, 0);
        while (!qatomic_load_acquire(low) || !qatomic_load_acquire(high)) {
            sched_yield();
            g_assert_cmpint(g_get_monotonic_time(), <, deadline);
        }
        stop_thread(thread);
        if (has_gap(r, page)) {
            return;
        }
        release(thread);
    }
}

static void set_view(Race *r)
{
    guest_pasid_entry(&r->g, r->round % 2 ? VTD_PGTT_PASS_THROUGH
                                          : VTD_PGTT_FIRST_STAGE);
}

static void set_page(Race *r)
{
    map(r, r->runner[0].slot, r->runner[0].page[(r->round + 1) % 2]);
}

/*
 * @change what the endpoint's address means while it is in the middle of an
 * access; the guest must not be told that this is complete.
 */
static void run_held(Race *r, void (*change)(Race *r), Submit *submit)
{
    Runner *e = &r->runner[0];
    pid_t thread = thread_id(r);

    for (; r->round < HELD_ROUNDS; r->round++) {
        bool told = false;
        unsigned head;

        hold(r, thread, old_page(r, e));
        change(r);
        head = submit_all(r, submit);
        for (int i = 0; i < 100; i++) {
            told |= has_status(r, old_page(r, e) + LOW_END) ||
                    guest_reg64(&r->g, VTD_REG_IQH) != head;
        }
        release(thread);
        g_assert_false(told);
        await_status(r);
        g_assert_true(writes_were_over(r));
    }
}

static void test_held_translated(void)
{
    Race r;

    start(&r, FIRST_STAGE, true, 1);
    translate(&r);
    run_writes(&r);
    run_held(&r, set_page, submit_pages);
    stop(&r);
    finish(&r);
}

/*
 * From pass-through, where accesses do not ask the unit, to translation and
 * back: page[0] is its own address, and translates to page[1].
 */
static void test_held_view(void)
{
    Race r;
    Runner *e = &r.runner[0];

    start(&r, FIRST_STAGE, true, 1);
    map(&r, guest_entry(&r.g, &r.tables, e->page[0], 2), e->page[1]);
    translate(&r);
    guest_pasid_entry(&r.g, VTD_PGTT_PASS_THROUGH);
    submit_all(&r, submit_configuration);
    await_status(&r);
    run(e, SVA_EP_OP_FILL, 0, e->page[0], FILLING);
    run_held(&r, set_view, submit_configuration);
    stop(&r);
    finish(&r);
}

static bool iotlb_command_is_busy(Race *r)
{
    return guest_reg64(&r->g, VTD_REG_IOTLB) & VTD_IOTLB_IVT;
}

static void test_held_register(void)
{
    gint64 deadline = deadline_from_now();
    bool busy = true;
    pid_t thread;
    Race r;

    start(&r, LEGACY, false, 1);
    translate(&r);
    run_writes(&r);
    thread = thread_id(&r);
    hold(&r, thread, r.runner[0].page[0]);
    qtest_writeq(r.g.qts, REGS + VTD_REG_IOTLB,
                 VTD_IOTLB_IVT | vtd_put(VTD_IOTLB_IIRG, 1));
    for (int i = 0; i < 100; i++) {
        busy &= iotlb_command_is_busy(&r);
    }
    release(thread);
    g_assert_true(busy);
    while (iotlb_command_is_busy(&r)) {
        g_assert_cmpint(g_get_monotonic_time(), <, deadline);
    }
    stop(&r);
    finish(&r);
}

/* --- A queue that takes its time ------------------------------------------- */

#define LONG_QUEUE (96 * MiB)
#define LONG_SHIFT 5 /* 128 KiB */
#define LONG_WAITS 8000 /* more than is done at a stretch */

/* What is left of it is left while the machine is stopped. */
static void test_stopped_queue(void)
{
    Race r;

    start(&r, LEGACY, false, 0);
    for (unsigned i = 0; i < LONG_WAITS; i++) {
        *word(&r, LONG_QUEUE + i * 16) =
            cpu_to_le64((uint64_t)(i + 1) << 32 | 1 << 5 | 5);
        *word(&r, LONG_QUEUE + i * 16 + 8) = cpu_to_le64(STATUS);
    }
    qtest_writeq(r.g.qts, REGS + VTD_REG_IQA, LONG_QUEUE | LONG_SHIFT);
    guest_command(&r.g, VTD_GCMD_QIE);
    qtest_qmp_assert_success(r.g.qts, "{ 'execute': 'stop' }");
    qtest_writeq(r.g.qts, REGS + VTD_REG_IQT, LONG_WAITS * 16);
    qtest_qmp_assert_success(r.g.qts, "{ 'execute': 'query-status' }");
    g_assert_cmpint(*status_word(&r, STATUS), <, LONG_WAITS);
    r.round = LONG_WAITS - 1;
    qtest_qmp_assert_success(r.g.qts, "{ 'execute': 'cont' }");
    await_status(&r);
    finish(&r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    qtest_add_func("/intel-iommu/race/writes", test_writes);
    qtest_add_func("/intel-iommu/race/reads", test_reads);
    qtest_add_func("/intel-iommu/race/second-stage", test_second_stage);
    qtest_add_func("/intel-iommu/race/two-writes", test_two_writes);
    qtest_add_func("/intel-iommu/race/two-reads", test_two_reads);
    qtest_add_func("/intel-iommu/race/undrained", test_undrained);
    qtest_add_func("/intel-iommu/held/translated", test_held_translated);
    qtest_add_func("/intel-iommu/held/view", test_held_view);
    qtest_add_func("/intel-iommu/held/register", test_held_register);
    qtest_add_func("/intel-iommu/stopped/queue", test_stopped_queue);
    return g_test_run();
}
