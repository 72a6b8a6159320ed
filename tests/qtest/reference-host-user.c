/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "qemu/osdep.h"

#include <sys/ioctl.h>

#include "hw/misc/sva_endpoint_regs.h"
#include "reference-host-user.h"

#define CONFIG_OFFSET (7ull << 40)

RefControl *user_ref;
uint8_t *user_memory;
int user_device = -1, user_iommufd = -1, user_container = -1, user_group = -1;

void user_configure(const char *text)
{
    memset(user_memory, 0, USER_MEMORY);
    strcpy(user_ref->config, text);
    memset(user_ref->leaked, 0, sizeof(user_ref->leaked));
}

int user_call(int fd, unsigned long request, void *arg)
{
    int result = ioctl(fd, request, arg);

    return result < 0 ? -errno : result;
}

uint64_t *user_entry_at(uint64_t gpa)
{
    return (uint64_t *)(user_memory + gpa);
}

void user_map_page(unsigned levels, uint64_t page)
{
    uint64_t table = TABLES;

    for (unsigned level = levels; level > 1; level--, table += PAGE) {
        user_entry_at(table)[IOVA >> (12 + 9 * (level - 1)) & 0x1ff] =
            (table + PAGE) | 7;
    }
    user_entry_at(table)[IOVA >> 12 & 0x1ff] = page ? page | 7 : 0;
}

uint32_t user_bar32(uint64_t offset)
{
    uint32_t value;

    g_assert_cmpint(pread(user_device, &value, 4, offset), ==, 4);
    return value;
}

uint32_t user_dma(uint64_t iova, uint64_t value, uint32_t pasid)
{
    const uint16_t master = 6;
    const struct sva_ep_cmd cmd = {
        .opcode = SVA_EP_OP_FILL, .dst = iova, .length = 8, .operand = value,
    };
    const uint32_t start = SVA_EP_DOORBELL_START;

    g_assert_cmpint(pwrite(user_device, &master, 2, CONFIG_OFFSET + 4), ==, 2);
    g_assert_cmpint(pwrite(user_device, &pasid, 4, REF_BAR_PASID), ==, 4);
    g_assert_cmpint(pwrite(user_device, &cmd, sizeof(cmd), SVA_EP_SLOT_CMD),
                    ==, sizeof(cmd));
    g_assert_cmpint(pwrite(user_device, &start, 4, SVA_EP_SLOT_DOORBELL), ==,
                    4);
    return user_bar32(SVA_EP_SLOT_STATUS);
}

void user_assert_dma(uint64_t iova, uint32_t pasid, uint64_t page)
{
    static uint64_t value;

    value++;
    g_assert_cmpint(user_dma(iova, value, pasid), ==, SVA_EP_STATUS_DONE);
    g_assert_cmphex(*user_entry_at(page), ==, value);
}

void user_assert_no_dma(uint64_t iova, uint32_t pasid)
{
    g_assert_cmpint(user_dma(iova, 1, pasid), ==, SVA_EP_STATUS_ERROR);
}

void user_close_all(void)
{
    int *const fds[] = { &user_device, &user_iommufd, &user_group,
                         &user_container };

    for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
        if (*fds[i] >= 0) {
            close(*fds[i]);
            *fds[i] = -1;
        }
    }
    for (RefKind kind = REF_CONTAINER; kind < REF_KINDS; kind++) {
        g_assert_cmpint(user_ref->live[kind], ==, 0);
    }
}

/* Once more, with the reference host loaded. */
static void run_again(char **argv)
{
    const char *library = g_getenv("REFERENCE_HOST_LIBRARY");
    g_autofree char *path = NULL;
    int fd;

    if (!library) {
        g_error("this test is the reference host's: use make check-host");
    }
    path = g_strdup_printf("%s-%d", library, getpid());
    fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    g_assert_cmpint(ftruncate(fd, sizeof(*user_ref)), ==, 0);
    g_setenv(REF_CONTROL_VARIABLE, path, true);
    g_setenv("LD_PRELOAD", library, true);
    execv("/proc/self/exe", argv);
    g_error("cannot run this program again: %s", strerror(errno));
}

void user_start(char **argv)
{
    const char *path;
    int fd;

    if (!g_getenv("LD_PRELOAD")) {
        run_again(argv);
    }
    path = g_getenv(REF_CONTROL_VARIABLE);
    fd = open(path, O_RDWR);
    user_ref = mmap(NULL, sizeof(*user_ref), PROT_READ | PROT_WRITE,
                    MAP_SHARED, fd, 0);
    user_memory = mmap(NULL, USER_MEMORY, PROT_READ | PROT_WRITE,
                       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    g_assert_true(user_ref != MAP_FAILED && user_memory != MAP_FAILED);
    close(fd);
    unlink(path);
}
