/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE
#include "vm.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../unit/tap.h"

/* The processor is emulated, and slow on a busy machine. */
#define ANSWER_TIMEOUT_MS 120000

#define MAX_ARGUMENTS 64

#define RAM_FILE "/dev/shm/guest-ram"

static Vm *running;

static void stop_running(void)
{
    if (running && running->pid > 0) {
        kill(running->pid, SIGKILL);
        waitpid(running->pid, NULL, 0);
        running->pid = 0;
    }
}

void vm_show_messages(void)
{
    char line[512];
    FILE *f = fopen(VM_MESSAGE_FILE, "r");

    while (f && fgets(line, sizeof(line), f)) {
        line[strcspn(line, "\n")] = '\0';
        tap_note("QEMU: %s", line);
    }
    if (f) {
        fclose(f);
    }
}

/* No channel can be trusted after a failure: QEMU is ended. */
#define fail(...)                                      \
    do {                                               \
        vm_show_messages();                            \
        stop_running();                                \
        tap_fail(__FILE__, __LINE__, __VA_ARGS__);     \
    } while (0)

/* More text behind what @c holds already. */
static void receive(Vm *vm, Channel *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };
    ssize_t n;
    int ready;

    memmove(c->text, c->text + c->start, c->end - c->start);
    c->end -= c->start;
    c->start = 0;
    if (c->end == sizeof(c->text)) {
        fail("QEMU's answer is too long");
    }
    do {
        ready = poll(&p, 1, ANSWER_TIMEOUT_MS);
    } while (ready < 0 && errno == EINTR);
    if (ready == 0) {
        fail("QEMU (%d) does not answer", (int)vm->pid);
    }
    n = read(c->fd, c->text + c->end, sizeof(c->text) - c->end);
    if (n <= 0) {
        fail("QEMU (%d) has ended", (int)vm->pid);
    }
    c->end += n;
}

/* One line without its end, valid until the next. */
static const char *read_line(Vm *vm, Channel *c)
{
    char *line_end;
    char *line;

    if (vm->pid <= 0) {
        tap_fail(__FILE__, __LINE__, "QEMU is not running");
    }
    while (!(line_end = memchr(c->text + c->start, '\n',
                               c->end - c->start))) {
        receive(vm, c);
    }
    *line_end = '\0';
    line = c->text + c->start;
    c->start = line_end + 1 - c->text;
    return line;
}

static void write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t n = write(fd, text, length);

        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            fail("cannot talk to QEMU: %s", strerror(errno));
        }
        text += n;
        length -= n;
    }
}

/* One qtest command; the value of its answer, 0 if it has none. */
__attribute__((format(printf, 2, 3))) static uint64_t
command(Vm *vm, const char *format, ...)
{
    char text[128];
    const char *answer;
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    write_all(vm->qtest.fd, text, length);
    answer = read_line(vm, &vm->qtest);
    if (strncmp(answer, "OK", 2) != 0) {
        fail("qtest refused '%.*s': %s", length - 1, text, answer);
    }
    return strtoull(answer + 2, NULL, 0);
}

void vm_out32(Vm *vm, uint16_t port, uint32_t value)
{
    command(vm, "outl 0x%x 0x%x\n", port, value);
}

uint32_t vm_in32(Vm *vm, uint16_t port)
{
    return command(vm, "inl 0x%x\n", port);
}

void vm_write32(Vm *vm, uint64_t addr, uint32_t value)
{
    command(vm, "writel 0x%" PRIx64 " 0x%x\n", addr, value);
}

void vm_write64(Vm *vm, uint64_t addr, uint64_t value)
{
    command(vm, "writeq 0x%" PRIx64 " 0x%" PRIx64 "\n", addr, value);
}

uint32_t vm_read32(Vm *vm, uint64_t addr)
{
    return command(vm, "readl 0x%" PRIx64 "\n", addr);
}

uint64_t vm_read64(Vm *vm, uint64_t addr)
{
    return command(vm, "readq 0x%" PRIx64 "\n", addr);
}

/* Skip events until the line that begins with @start. */
static const char *qmp_until(Vm *vm, const char *start)
{
    const char *line;

    do {
        line = read_line(vm, &vm->qmp);
    } while (strncmp(line, start, strlen(start)) != 0 &&
             strncmp(line, "{\"error\"", 8) != 0);
    return line;
}

const char *vm_qmp(Vm *vm, const char *text)
{
    write_all(vm->qmp.fd, text, strlen(text));
    write_all(vm->qmp.fd, "\n", 1);
    return qmp_until(vm, "{\"return\"");
}

uint64_t vm_property(Vm *vm, const char *path, const char *name)
{
    char text[256];
    const char *answer;

    snprintf(text, sizeof(text),
             "{\"execute\": \"qom-get\", \"arguments\": "
             "{\"path\": \"%s\", \"property\": \"%s\"}}",
             path, name);
    answer = vm_qmp(vm, text);
    if (strncmp(answer, "{\"return\": ", 11) != 0) {
        fail("no property %s of %s: %s", name, path, answer);
    }
    return strtoull(answer + 11, NULL, 10);
}

/* The event may come before the reply. */
void vm_reset(Vm *vm)
{
    static const char reset[] = "{\"execute\": \"system_reset\"}\n";
    bool answered = false;
    bool done = false;

    write_all(vm->qmp.fd, reset, strlen(reset));
    while (!answered || !done) {
        const char *line = read_line(vm, &vm->qmp);

        if (strncmp(line, "{\"error\"", 8) == 0) {
            tap_fail(__FILE__, __LINE__, "system_reset: %s", line);
        }
        answered = answered || strncmp(line, "{\"return\"", 9) == 0;
        done = done || strstr(line, "\"RESET\"");
    }
}

uint64_t vm_traced(const char *name)
{
    size_t length = strlen(name);
    uint64_t count = 0;
    char line[512];
    FILE *f = fopen(VM_TRACE_FILE, "r");

    if (!f) {
        tap_fail(__FILE__, __LINE__, "%s: %s", VM_TRACE_FILE,
                 strerror(errno));
    }
    while (fgets(line, sizeof(line), f)) {
        count += strncmp(line, name, length) == 0 && line[length] == ' ';
    }
    fclose(f);
    return count;
}

static void map_ram(Vm *vm)
{
    int fd = open(RAM_FILE, O_RDWR | O_CREAT | O_TRUNC, 0600);

    if (fd < 0 || ftruncate(fd, VM_RAM_SIZE) < 0) {
        fail("%s: %s", RAM_FILE, strerror(errno));
    }
    vm->ram = mmap(NULL, VM_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
                   0);
    if (vm->ram == MAP_FAILED) {
        fail("%s: %s", RAM_FILE, strerror(errno));
    }
    close(fd);
}

__attribute__((noreturn)) static void
become_qemu(const char *const *arguments, int qtest, int qmp)
{
    char qtest_option[64];
    char qmp_option[64];
    const char *argv[MAX_ARGUMENTS] = {
        "qemu", "-L", "/usr/share/qemu", "-nodefaults", "-display", "none",
        "-accel", "qtest",
        "-object",
        "memory-backend-file,id=ram,share=on,mem-path=" RAM_FILE ",size=64M",
        "-machine", "q35,memory-backend=ram", "-m", "64M",
        "-chardev", qtest_option, "-object", "qtest,id=qtest,chardev=qtest,log=none",
        "-chardev", qmp_option, "-mon", "chardev=qmp,mode=control",
    };
    unsigned n = 0;
    int log;

    snprintf(qtest_option, sizeof(qtest_option), "socket,id=qtest,fd=%d",
             qtest);
    snprintf(qmp_option, sizeof(qmp_option), "socket,id=qmp,fd=%d", qmp);
    while (argv[n]) {
        n++;
    }
    for (; *arguments && n < MAX_ARGUMENTS - 1; arguments++) {
        argv[n++] = *arguments;
    }
    log = open(VM_MESSAGE_FILE, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    execv("/usr/bin/qemu", (char *const *)argv);
    _exit(127);
}

void vm_start(Vm *vm, const char *const *arguments)
{
    int qtest[2];
    int qmp[2];

    signal(SIGPIPE, SIG_IGN);
    map_ram(vm);
    unlink(VM_TRACE_FILE);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, qtest) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM, 0, qmp) < 0) {
        fail("socketpair: %s", strerror(errno));
    }
    vm->pid = fork();
    if (vm->pid == 0) {
        close(qtest[0]);
        close(qmp[0]);
        become_qemu(arguments, qtest[1], qmp[1]);
    }
    if (vm->pid < 0) {
        fail("fork: %s", strerror(errno));
    }
    close(qtest[1]);
    close(qmp[1]);
    vm->qtest.fd = qtest[0];
    vm->qmp.fd = qmp[0];
    running = vm;
    atexit(stop_running);
    read_line(vm, &vm->qmp); /* the greeting */
    vm_qmp(vm, "{\"execute\": \"qmp_capabilities\"}");
}

bool vm_alive(const Vm *vm)
{
    siginfo_t info = { 0 };

    return waitid(P_PID, vm->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           info.si_pid == 0;
}

int vm_stop(Vm *vm)
{
    int status = -1;

    if (vm_alive(vm)) {
        vm_qmp(vm, "{\"execute\": \"quit\"}");
    }
    waitpid(vm->pid, &status, 0);
    vm->pid = 0;
    close(vm->qtest.fd);
    close(vm->qmp.fd);
    munmap(vm->ram, VM_RAM_SIZE);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}
