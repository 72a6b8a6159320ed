/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls on our descriptors come to us, all others go to the kernel.
 * Loaded by LD_PRELOAD.
 *
 * Our descriptors are real ones: of /dev/null, whose mmap() fails as that of a
 * region without VFIO_REGION_INFO_FLAG_MMAP does, or an eventfd where poll()
 * has to work.  One lock is held during each call.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "host.h"

/* All else is built with hidden names, which cannot clash with the program's. */
#define PUBLIC __attribute__((visibility("default")))

#define FILES 1024

static File *files[FILES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool active;

/* --- Descriptors --------------------------------------------------------- */

File *file_at(int fd)
{
    return active && fd >= 0 && fd < FILES ? files[fd] : NULL;
}

void file_add(int fd, const FileOps *ops, void *object)
{
    File *f = calloc(1, sizeof(*f));

    if (fd < 0 || fd >= FILES || files[fd] || !f) {
        abort();
    }
    *f = (File){ .ops = ops, .object = object, .fd = fd };
    files[fd] = f;
    count(ops->kind, 1);
}

int file_new(int wanted, bool is_eventfd, const FileOps *ops, void *object)
{
    int fd = is_eventfd ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) :
             (int)syscall(SYS_openat, AT_FDCWD, "/dev/null",
                          O_RDWR | O_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    if (wanted >= 0) {
        int placed = dup3(fd, wanted, O_CLOEXEC);

        syscall(SYS_close, fd);
        fd = placed;
    }
    file_add(fd, ops, object);
    return fd;
}

void eventfd_signal(int fd)
{
    uint64_t one = 1;

    syscall(SYS_write, fd, &one, sizeof(one));
}

void eventfd_clear(int fd)
{
    uint64_t value;

    syscall(SYS_read, fd, &value, sizeof(value));
}

void fd_close(int fd)
{
    syscall(SYS_close, fd);
}

int fd_duplicate(int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    return copy < 0 ? -errno : copy;
}

/* --- Memory of the program ----------------------------------------------- */

int user_read(void *to, uint64_t from, size_t len)
{
    struct iovec local = { to, len };
    struct iovec remote = { (void *)(uintptr_t)from, len };

    return len && process_vm_readv(getpid(), &local, 1, &remote, 1, 0) !=
                      (ssize_t)len ? -EFAULT : 0;
}

int user_write(uint64_t to, const void *from, size_t len)
{
    struct iovec local = { (void *)(uintptr_t)from, len };
    struct iovec remote = { (void *)(uintptr_t)to, len };

    return len && process_vm_writev(getpid(), &local, 1, &remote, 1, 0) !=
                      (ssize_t)len ? -EFAULT : 0;
}

int user_read_struct(void *to, size_t size, uint64_t from, size_t user_size)
{
    memset(to, 0, size);
    for (size_t at = size; at < user_size; at++) {
        uint8_t byte;

        if (user_read(&byte, from + at, 1)) {
            return -EFAULT;
        }
        if (byte) {
            return -E2BIG;
        }
    }
    return user_read(to, from, MIN_OF(size, user_size));
}

int user_read_min(void *to, size_t min, size_t size, uint64_t from)
{
    uint32_t argsz;

    memset(to, 0, size);
    if (user_read(&argsz, from, sizeof(argsz))) {
        return -EFAULT;
    }
    if (argsz < min) {
        return -EINVAL;
    }
    return user_read(to, from, MIN_OF(argsz, size));
}

/* --- Calls --------------------------------------------------------------- */

static long finish(long result)
{
    pthread_mutex_unlock(&lock);
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

/* NULL: not ours.  Else the lock is held. */
static File *begin(int fd)
{
    File *f;

    if (!active || fd < 0 || fd >= FILES) {
        return NULL;
    }
    pthread_mutex_lock(&lock);
    f = files[fd];
    if (!f) {
        pthread_mutex_unlock(&lock);
    }
    return f;
}

PUBLIC int ioctl(int fd, unsigned long request, ...)
{
    File *f = begin(fd);
    RefCall *call;
    va_list ap;
    void *arg;
    long result;

    va_start(ap, request);
    arg = va_arg(ap, void *);
    va_end(ap);
    if (!f) {
        return (int)syscall(SYS_ioctl, fd, request, arg);
    }
    call = log_call(f->ops->kind, (unsigned)request, arg);
    result = -inject(call);
    call->injected = result != 0;
    if (!result) {
        result = f->ops->ioctl ? f->ops->ioctl(f, (unsigned)request, arg) :
                 -ENOTTY;
    }
    call->result = result;
    return (int)finish(result);
}

static ssize_t transfer_at(File *f, void *in, const void *out, size_t len,
                           uint64_t offset)
{
    ssize_t result = -EINVAL;

    if (in && f->ops->pread) {
        result = f->ops->pread(f, in, len, offset);
    } else if (out && f->ops->pwrite) {
        result = f->ops->pwrite(f, out, len, offset);
    }
    return finish(result);
}

PUBLIC ssize_t pread64(int fd, void *buf, size_t len, off64_t offset)
{
    File *f = begin(fd);

    return f ? transfer_at(f, buf, NULL, len, offset) :
           syscall(SYS_pread64, fd, buf, len, offset);
}

PUBLIC ssize_t pwrite64(int fd, const void *buf, size_t len, off64_t offset)
{
    File *f = begin(fd);

    return f ? transfer_at(f, NULL, buf, len, offset) :
           syscall(SYS_pwrite64, fd, buf, len, offset);
}

PUBLIC ssize_t read(int fd, void *buf, size_t len)
{
    File *f = begin(fd);

    if (!f) {
        return syscall(SYS_read, fd, buf, len);
    }
    return finish(f->ops->read ? f->ops->read(f, buf, len) : -EINVAL);
}

PUBLIC ssize_t write(int fd, const void *buf, size_t len)
{
    File *f = begin(fd);

    if (!f) {
        return syscall(SYS_write, fd, buf, len);
    }
    return finish(f->ops->write ? f->ops->write(f, buf, len) : -EINVAL);
}

PUBLIC int close(int fd)
{
    File *f = begin(fd);

    if (!f) {
        return (int)syscall(SYS_close, fd);
    }
    files[fd] = NULL;
    f->ops->close(f);
    count(f->ops->kind, -1);
    syscall(SYS_close, fd);
    free(f);
    return (int)finish(0);
}

/* The second device has the name and the group that tests give it. */
static Device *device_named(const char *path)
{
    return !strcmp(path, "/dev/vfio/devices/" REF_SECOND_NAME) ||
                   !strcmp(path, "/dev/vfio/" REF_SECOND_GROUP) ?
               &second_device : &the_device;
}

/* A descriptor if the path is one of ours, else -ENOENT. */
static int open_ours(const char *path)
{
    bool has_iommufd;
    void *group;

    control_configure();
    has_iommufd = config.kernel != KERNEL_2020;
    if (!strcmp(path, "/dev/vfio/vfio")) {
        return file_new(-1, false, &container_ops, container_new());
    }
    if (!strcmp(path, "/dev/iommu") && has_iommufd) {
        return file_new(-1, false, &iommufd_ops, context_new());
    }
    if (!strncmp(path, "/dev/vfio/devices/", 18) && has_iommufd) {
        return file_new(-1, false, &device_ops,
                        device_file_new(device_named(path)));
    }
    if (strspn(path + 10, "0123456789") == strlen(path + 10)) {
        group = group_new(device_named(path));
        return group ? file_new(-1, false, &group_ops, group) : -EBUSY;
    }
    return -ENOENT;
}

static int open_any(int dir, const char *path, int flags, mode_t mode)
{
    if (active && (!strncmp(path, "/dev/vfio/", 10) ||
                   !strcmp(path, "/dev/iommu"))) {
        pthread_mutex_lock(&lock);
        return (int)finish(open_ours(path));
    }
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

static mode_t mode_of(int flags, va_list ap)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;
}

PUBLIC int open64(const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = mode_of(flags, ap);
    va_end(ap);
    return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int openat64(int dir, const char *path, int flags, ...)
{
    va_list ap;
    mode_t mode;

    va_start(ap, flags);
    mode = mode_of(flags, ap);
    va_end(ap);
    return open_any(dir, path, flags, mode);
}

/*
 * What the names in the C library's headers may turn into on a 64-bit host,
 * with and without _FILE_OFFSET_BITS and _FORTIFY_SOURCE.
 */
PUBLIC int open(const char *path, int flags, ...)
    __attribute__((alias("open64")));
PUBLIC int openat(int dir, const char *path, int flags, ...)
    __attribute__((alias("openat64")));
PUBLIC ssize_t pread(int fd, void *buf, size_t len, off_t offset)
    __attribute__((alias("pread64")));
PUBLIC ssize_t pwrite(int fd, const void *buf, size_t len, off_t offset)
    __attribute__((alias("pwrite64")));
PUBLIC int __open_2(const char *path, int flags);
PUBLIC int __open64_2(const char *path, int flags);
PUBLIC ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t offset,
                             size_t size);
PUBLIC ssize_t __pread_chk(int fd, void *buf, size_t len, off64_t offset,
                           size_t size)
    __attribute__((alias("__pread64_chk")));
PUBLIC ssize_t __read_chk(int fd, void *buf, size_t len, size_t size);

int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

int __open64_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

ssize_t __pread64_chk(int fd, void *buf, size_t len, off64_t offset,
                      size_t size)
{
    if (len > size) {
        abort();
    }
    return pread64(fd, buf, len, offset);
}

ssize_t __read_chk(int fd, void *buf, size_t len, size_t size)
{
    if (len > size) {
        abort();
    }
    return read(fd, buf, len);
}

__attribute__((constructor)) static void start(void)
{
    if (!control_open()) {
        return;
    }
    device_init(&the_device);
    device_init(&second_device);
    file_new(REF_IOMMUFD_FD, false, &iommufd_ops, context_new());
    for (int i = 0; i < REF_DEVICE_FDS; i++) {
        file_new(REF_DEVICE_FD + i, false, &device_ops,
                 device_file_new(i == REF_DEVICE_FDS - 1 ? &second_device :
                                                           &the_device));
    }
    active = true;
}
