/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * usage: qmp SOCKET COMMAND...
 *
 * Send QMP commands (JSON objects) to a QEMU and print the reply to each on a
 * line of its own; events are left out.  Status 1 if a command was refused.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

static FILE *stream;
static char line[65536];

/* The next line that is no event, or NULL at the end. */
static const char *next_line(void)
{
    while (fgets(line, sizeof(line), stream)) {
        if (!strstr(line, "\"event\":")) {
            return line;
        }
    }
    return NULL;
}

static bool ask(const char *command)
{
    if (fprintf(stream, "%s\n", command) < 0 || fflush(stream)) {
        return false;
    }
    return next_line() && strstr(line, "\"return\":");
}

static FILE *connect_to(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);

    if (fd < 0 || strlen(path) >= sizeof(address.sun_path)) {
        return NULL;
    }
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address))) {
        return NULL;
    }
    return fdopen(fd, "r+");
}

int main(int argc, char **argv)
{
    bool good = argc > 2;

    if (!good) {
        fprintf(stderr, "usage: qmp SOCKET COMMAND...\n");
        return 2;
    }
    stream = connect_to(argv[1]);
    if (!stream || !next_line() ||
        !ask("{\"execute\": \"qmp_capabilities\"}")) {
        fprintf(stderr, "qmp: no answer from %s\n", argv[1]);
        return 1;
    }
    for (int i = 2; i < argc; i++) {
        good = ask(argv[i]) && good;
        fputs(line, stdout);
    }
    return good ? 0 : 1;
}
