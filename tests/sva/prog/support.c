/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "support.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "pump.h"

#define CHILDREN 128

static bool in_child;
static pid_t children[CHILDREN];
static volatile uint8_t *registers;

double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + now.tv_nsec * 1e-9;
}

bool has_flag(const char *name)
{
    FILE *info = fopen("/proc/cpuinfo", "r");
    bool found = false;
    char word[64];

    MUST(info);
    while (!found && fscanf(info, "%63s", word) == 1) {
        found = strcmp(word, name) == 0;
    }
    fclose(info);
    return found;
}

/* Whoever waits in vain for a child that has failed need not wait longer. */
static void look_after_children(void)
{
    siginfo_t info = { 0 };

    if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
        info.si_pid && info.si_status) {
        FAIL("child %d has ended with %d", (int)info.si_pid, info.si_status);
    }
}

void pause_for(unsigned milliseconds)
{
    look_after_children();
    nanosleep(&(struct timespec){ .tv_nsec = milliseconds * 1000000l }, NULL);
}

/* --- Children --- */

static pid_t *child_entry(pid_t child)
{
    for (size_t i = 0; i < CHILDREN; i++) {
        if (children[i] == child) {
            return &children[i];
        }
    }
    abort();
}

pid_t child_start(void (*run)(void *), void *opaque)
{
    pid_t *entry = child_entry(0);

    fflush(stdout);
    *entry = fork();
    if (*entry == 0) {
        in_child = true;
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        run(opaque);
        fflush(stdout);
        _exit(0);
    }
    MUST(*entry > 0);
    return *entry;
}

static int child_wait(pid_t child)
{
    int status = 0;

    *child_entry(child) = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

void child_join(pid_t child)
{
    MUST_EQ(child_wait(child), 0);
}

void child_kill(pid_t child)
{
    kill(child, SIGKILL);
    child_wait(child);
}

void *shared_memory(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    MUST(at != MAP_FAILED);
    return at;
}

/* --- Failing --- */

static void undo(void)
{
    pump_abandon();
    for (size_t i = 0; i < CHILDREN; i++) {
        if (children[i]) {
            child_kill(children[i]);
        }
    }
    if (registers) {
        device_debug(0);
    }
    queue_close_all();
}

void sva_fail(const char *file, int line, const char *format, ...)
{
    char message[512];
    va_list args;

    va_start(args, format);
    vsnprintf(message, sizeof(message), format, args);
    va_end(args);
    if (in_child) {
        tap_note("%s:%d: in a child: %s", file, line, message);
        fflush(stdout);
        _exit(1);
    }
    undo();
    tap_fail(file, line, "%s", message);
}

/* --- The device --- */

const char *device_address(void)
{
    static char address[64];
    char link[256];
    glob_t found;
    ssize_t length;

    if (!address[0]) {
        MUST_EQ(glob("/sys/class/sva-endpoint/*/device", 0, NULL, &found), 0);
        length = readlink(found.gl_pathv[0], link, sizeof(link) - 1);
        globfree(&found);
        MUST(length > 0);
        link[length] = '\0';
        snprintf(address, sizeof(address), "%s", strrchr(link, '/') + 1);
    }
    return address;
}

const char *device_file(const char *name)
{
    static char path[160];

    snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s",
             device_address(), name);
    return path;
}

static volatile uint8_t *device_at(size_t offset)
{
    if (!registers) {
        int fd = open(device_file("resource0"), O_RDWR | O_SYNC | O_CLOEXEC);

        MUST(fd >= 0);
        registers = mmap(NULL, SVA_EP_BAR_SIZE, PROT_READ | PROT_WRITE,
                         MAP_SHARED, fd, 0);
        MUST(registers != MAP_FAILED);
        close(fd);
    }
    return registers + offset;
}

uint32_t device_read(size_t offset)
{
    return *(volatile uint32_t *)device_at(offset);
}

uint64_t device_read64(size_t offset)
{
    return *(volatile uint64_t *)device_at(offset);
}

void device_write(size_t offset, uint32_t value)
{
    *(volatile uint32_t *)device_at(offset) = value;
}

void device_debug(uint32_t knobs)
{
    device_write(SVA_EP_DEBUG, knobs);
}

void write_file(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        FAIL("%s > %s: %s", text, path, strerror(errno));
    }
    close(fd);
}

size_t attached(void)
{
    FILE *table = fopen("/sys/kernel/debug/iommu/intel/dmar_translation_struct",
                        "r");
    size_t count = 0;
    unsigned pasid;
    char line[256];

    MUST(table);
    /* B:D.F, root entry, context entry, PASID, PASID entry. */
    while (fgets(line, sizeof(line), table)) {
        count += sscanf(line, "%*x:%*x.%*x %*s %*s %u", &pasid) == 1 && pasid;
    }
    fclose(table);
    return count;
}

/* A process whose memory a page request still holds ends a little later. */
void device_must_be_quiet(void)
{
    for (size_t i = 0; i < device_read(SVA_EP_QUEUES); i++) {
        MUST_COME(device_read(SVA_EP_QUEUE_REG(i, SVA_EP_QSTATE)) ==
                  SVA_EP_QSTATE_DISABLED);
    }
    MUST_EQ(device_read64(SVA_EP_COUNT_PAGE_RESPONSES),
            device_read64(SVA_EP_COUNT_PAGE_REQUESTS));
    MUST_EQ(device_read64(SVA_EP_COUNT_UNEXPECTED), 0);
}

/* --- Results --- */

void must_be_done(Result result)
{
    if (result.status != SVA_EP_STATUS_DONE) {
        FAIL("status %u, error %u at 0x%" PRIx64, result.status, result.error,
             result.fault_addr);
    }
}

void must_be_refused(Result result, uint32_t error, const void *address)
{
    MUST_EQ(result.status, SVA_EP_STATUS_ERROR);
    MUST_EQ(result.error, error);
    MUST_EQ(result.fault_addr, (uintptr_t)address);
}

void announce_fault(const void *address)
{
    char line[80];

    snprintf(line, sizeof(line), "sva: announced 0x%" PRIx64,
             (uint64_t)(uintptr_t)address & -(uint64_t)PAGE);
    write_file("/dev/kmsg", line);
}

void announce_end(unsigned pasid)
{
    char line[80];

    snprintf(line, sizeof(line), "sva: announced the end of PASID 0x%x",
             pasid);
    write_file("/dev/kmsg", line);
}
