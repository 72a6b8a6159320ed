/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared file: configuration in, injections in, log and counters out.
 *
 * The configuration is a text of lines `key value`:
 *
 *   kernel 6.8|6.11|6.15|next   which calls, flags and struct sizes exist
 *   kernel 2020                 no iommufd; nesting of VFIO containers
 *   without NAME                this call does not (ENOTTY), or this flag or
 *                               type of data (EOPNOTSUPP, EINVAL)
 *   cap HEX, ecap HEX           the unit; hw-type N: of IOMMU_GET_HW_INFO
 *   readonly refuse|allow       read-only maps in a nest parent
 *   page-requests on            the device can make them; ats off, pri off:
 *                               but it lacks the capability
 *   pasid-bits N                of the device
 *   nesting-features HEX        of 2020: PASIDs 1, bind 2, invalidate 4
 *   nesting-version N           of its capability; nesting-format N,
 *   nesting-size N              of the struct in it
 *   pasid-quota N               that can be allocated
 *   structs 5.5|5.10            of binding and invalidation
 *   second-cap HEX, second-ecap HEX, second-pasid-bits N: of the other device
 *                               and of its unit, which are else as the first
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/iommufd.h>
#include <linux/vfio.h>

#include "host.h"

RefControl *control;

Config config;

static const Config defaults = {
    .kernel = KERNEL_6_15,
    .cap = REF_CAP,
    .ecap = REF_ECAP,
    .hw_type = 1, /* IOMMU_HW_INFO_TYPE_INTEL_VTD */
    .refuse_readonly = true,
    .ats = true,
    .pri = true,
    .pasid_bits = 20,
    .second = { .cap = REF_CAP, .ecap = REF_ECAP, .pasid_bits = 20 },
    .nesting_features = 7,
    .nesting_version = 1,
    .nesting_format = 1,
    .nesting_size = 56,
    .pasid_quota = 1000,
};

static void fail(const char *line)
{
    fprintf(stderr, "reference host: not understood: %s\n", line);
    abort();
}

static void set_kernel(const char *name)
{
    static const char *const names[KERNELS] = {
        [KERNEL_6_8] = "6.8",   [KERNEL_6_11] = "6.11", [KERNEL_6_15] = "6.15",
        [KERNEL_NEXT] = "next", [KERNEL_2020] = "2020",
    };

    for (unsigned i = 0; i < KERNELS; i++) {
        if (!strcmp(names[i], name)) {
            config.kernel = i;
            return;
        }
    }
    fail(name);
}

static void set_without(const char *name)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!config.without[i][0]) {
            snprintf(config.without[i], sizeof(config.without[i]), "%s", name);
            return;
        }
    }
    fail(name);
}

static bool set_of_2020(const char *key, const char *value)
{
    if (!strcmp(key, "nesting-features")) {
        config.nesting_features = strtoul(value, NULL, 16);
    } else if (!strcmp(key, "nesting-version")) {
        config.nesting_version = atoi(value);
    } else if (!strcmp(key, "nesting-format")) {
        config.nesting_format = atoi(value);
    } else if (!strcmp(key, "nesting-size")) {
        config.nesting_size = atoi(value);
    } else if (!strcmp(key, "pasid-quota")) {
        config.pasid_quota = atoi(value);
    } else if (!strcmp(key, "structs")) {
        config.structs_of_5_5 = !strcmp(value, "5.5");
    } else {
        return false;
    }
    return true;
}

static void set(const char *line)
{
    char key[32], value[32];
    uint64_t number;

    if (sscanf(line, "%31s %31s", key, value) != 2) {
        fail(line);
    }
    number = strtoull(value, NULL, 16);
    if (!strcmp(key, "kernel")) {
        set_kernel(value);
    } else if (!strcmp(key, "without")) {
        set_without(value);
    } else if (!strcmp(key, "cap")) {
        config.cap = number;
    } else if (!strcmp(key, "ecap")) {
        config.ecap = number;
    } else if (!strcmp(key, "hw-type")) {
        config.hw_type = number;
    } else if (!strcmp(key, "readonly")) {
        config.refuse_readonly = !strcmp(value, "refuse");
    } else if (!strcmp(key, "page-requests")) {
        config.page_requests = !strcmp(value, "on");
    } else if (!strcmp(key, "ats")) {
        config.ats = !strcmp(value, "on");
    } else if (!strcmp(key, "pri")) {
        config.pri = !strcmp(value, "on");
    } else if (!strcmp(key, "second-cap")) {
        config.second.cap = number;
    } else if (!strcmp(key, "second-ecap")) {
        config.second.ecap = number;
    } else if (!strcmp(key, "second-pasid-bits")) {
        config.second.pasid_bits = atoi(value);
    } else if (!strcmp(key, "pasid-bits")) {
        config.pasid_bits = atoi(value);
    } else if (!set_of_2020(key, value)) {
        fail(line);
    }
}

bool control_open(void)
{
    const char *path = getenv(REF_CONTROL_VARIABLE);
    int fd;

    if (!path || (strncmp(program_invocation_short_name, "qemu-system", 11) &&
                  strncmp(program_invocation_short_name, "reference-host-",
                          15))) {
        return false;
    }
    fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0) {
        fail(path);
    }
    control = mmap(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED,
                   fd, 0);
    syscall(SYS_close, fd);
    if (control == MAP_FAILED) {
        fail(path);
    }
    control_configure();
    return true;
}

void control_configure(void)
{
    char text[sizeof(control->config)], *rest = text, *line;

    config = defaults;
    memcpy(text, control->config, sizeof(text));
    text[sizeof(text) - 1] = 0;
    while ((line = strsep(&rest, "\n"))) {
        if (*line) {
            set(line);
        }
    }
}

bool config_without(const char *name)
{
    for (unsigned i = 0; i < 8; i++) {
        if (!strcmp(config.without[i], name)) {
            return true;
        }
    }
    return false;
}

uint64_t config_cap(const Device *dev)
{
    return dev == &second_device ? config.second.cap : config.cap;
}

uint64_t config_ecap(const Device *dev)
{
    return dev == &second_device ? config.second.ecap : config.ecap;
}

unsigned config_pasid_bits(const Device *dev)
{
    uint64_t ecap = config_ecap(dev);
    unsigned bits = dev == &second_device ? config.second.pasid_bits :
                                            config.pasid_bits;

    return ecap & ECAP_PASID ? MIN_OF(bits, ECAP_PSS(ecap)) : 0;
}

void count(RefKind kind, int by)
{
    control->live[kind] += by;
}

/* --- Log ----------------------------------------------------------------- */

RefCall *log_call(RefKind kind, unsigned request, const void *arg)
{
    RefCall *call = &control->log[control->calls % REF_LOG];

    *call = (RefCall){ .kind = kind, .request = request,
                       .arg = (uintptr_t)arg };
    if (request != VFIO_DEVICE_RESET) { /* the one call without a struct */
        user_read(&call->size, (uintptr_t)arg, sizeof(call->size));
        user_read(call->data, (uintptr_t)arg,
                  MIN_OF(call->size, sizeof(call->data)));
    }
    if (kind == REF_IOMMUFD && request == IOMMU_HWPT_ALLOC) {
        const struct iommu_hwpt_alloc *alloc = (void *)call->data;

        log_extra(call, alloc->data_uptr, alloc->data_len);
    } else if (kind == REF_IOMMUFD && request == IOMMU_HWPT_INVALIDATE) {
        const struct iommu_hwpt_invalidate *inval = (void *)call->data;

        log_extra(call, inval->data_uptr,
                  (size_t)inval->entry_len * inval->entry_num);
    }
    control->calls++;
    return call;
}

void log_extra(RefCall *call, uint64_t user, size_t len)
{
    call->extra_size = len;
    user_read(call->extra, user, MIN_OF(len, sizeof(call->extra)));
}

/* --- Injection ----------------------------------------------------------- */

static bool maps_in(const RefCall *call, uint32_t ioas)
{
    return (call->request == IOMMU_IOAS_MAP &&
            ((struct iommu_ioas_map *)call->data)->ioas_id == ioas) ||
           (call->request == IOMMU_IOAS_UNMAP &&
            ((struct iommu_ioas_unmap *)call->data)->ioas_id == ioas);
}

static bool maps_in_container(const RefCall *call)
{
    return call->kind == REF_CONTAINER &&
           (call->request == VFIO_IOMMU_MAP_DMA ||
            call->request == VFIO_IOMMU_UNMAP_DMA);
}

static RefInjection *next_injection(const RefCall *call)
{
    for (unsigned i = 0; i < REF_INJECTIONS; i++) {
        RefInjection *in = &control->injection[i];

        if (!in->times || (in->request && in->request != call->request) ||
            (in->kind && in->kind != call->kind) ||
            maps_in(call, in->spares_ioas) ||
            (in->spares_maps && maps_in_container(call))) {
            continue;
        }
        if (in->skip) {
            in->skip--;
            continue;
        }
        in->times -= in->times != UINT32_MAX;
        control->injected++;
        return in;
    }
    return NULL;
}

static const RefInjection *for_array;

int inject(const RefCall *call)
{
    const RefInjection *in = next_injection(call);
    bool array = call->request == IOMMU_HWPT_INVALIDATE;

    for_array = array ? in : NULL;
    return in && !array ? in->error : 0;
}

unsigned inject_array(unsigned request, unsigned entries, int *error,
                      bool *silent)
{
    *silent = false;
    if (!for_array || request != IOMMU_HWPT_INVALIDATE) {
        *error = 0;
        return entries;
    }
    *error = -for_array->error;
    *silent = for_array->silent;
    return MIN_OF(for_array->done, entries);
}
