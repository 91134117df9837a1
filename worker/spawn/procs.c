/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/spawn/procs.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/mem.h"

struct entry {
    pid_t pid, parent;
    bool zombie, below;
    uint64_t resident_pages;
};

/* The first bytes of a small file as a string; false when there are none. */
static bool read_start(const char *path, char *out, size_t size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t len = 0;
    for (ssize_t n = 1; n > 0 && len < size - 1;) {
        n = read(fd, out + len, size - 1 - len);
        len += n > 0 ? (size_t)n : 0;
    }
    (void)close(fd);
    out[len] = '\0';
    return len > 0;
}

/* "PID (NAME) STATE PPID ..."; the name may hold anything, so the last ')' counts. Field 24 is the
 * resident size. */
static bool read_entry(const char *name, struct entry *ret)
{
    char path[64], text[1024];
    char state = '\0';
    long parent = 0;
    uint64_t resident = 0;

    (void)snprintf(path, sizeof(path), "/proc/%.20s/stat", name);
    if (!read_start(path, text, sizeof(text)))
        return false;
    const char *at = strrchr(text, ')');
    if (at == NULL ||
        sscanf(at + 1,
               " %c %ld %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s "
               "%*s %" SCNu64,
               &state, &parent, &resident) < 3)
        return false;
    *ret = (struct entry){ .pid = (pid_t)strtol(name, NULL, 10),
                           .parent = (pid_t)parent,
                           .zombie = state == 'Z' || state == 'X',
                           .resident_pages = resident };
    return true;
}

static struct entry *read_all(size_t *ret_len)
{
    struct entry *all = NULL;
    size_t len = 0, cap = 0;
    DIR *proc = opendir("/proc");

    *ret_len = 0;
    if (proc == NULL)
        return NULL;
    for (const struct dirent *d = readdir(proc); d != NULL; d = readdir(proc)) {
        if (!isdigit((unsigned char)d->d_name[0]))
            continue;
        if (len == cap) {
            cap = cap ? 2 * cap : 256;
            all = mem_realloc(all, cap, sizeof(*all));
        }
        len += read_entry(d->d_name, &all[len]);
    }
    (void)closedir(proc);
    *ret_len = len;
    return all;
}

static bool among(pid_t pid, const pid_t *list, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (list[i] == pid)
            return true;
    return false;
}

static bool parent_below(const struct entry *all, size_t len, pid_t parent, pid_t root)
{
    if (parent == root)
        return true;
    for (size_t i = 0; i < len; i++)
        if (all[i].pid == parent)
            return all[i].below;
    return false;
}

bool procs_read(struct procs *t, pid_t root, const pid_t *skip, size_t skip_len)
{
    size_t len;
    struct entry *all = read_all(&len);
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    t->len = 0;
    t->resident_bytes = 0;
    if (all == NULL)
        return false;
    /* A chain of N generations takes at most N passes; numbers mostly rise from parent to child. */
    for (bool more = true; more;) {
        more = false;
        for (size_t i = 0; i < len; i++) {
            struct entry *e = &all[i];
            if (e->below || among(e->pid, skip, skip_len) ||
                !parent_below(all, len, e->parent, root))
                continue;
            e->below = more = true;
        }
    }
    for (size_t i = 0; i < len; i++) {
        if (!all[i].below || all[i].zombie)
            continue;
        if (t->len == t->cap) {
            t->cap = t->cap ? 2 * t->cap : 16;
            t->pid = mem_realloc(t->pid, t->cap, sizeof(*t->pid));
        }
        t->pid[t->len++] = all[i].pid;
        t->resident_bytes += all[i].resident_pages * page_bytes;
    }
    free(all);
    return true;
}

void procs_release(struct procs *t)
{
    free(t->pid);
    *t = (struct procs){ 0 };
}

uint64_t procs_resident(const struct procs *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < t->len; i++) {
        char path[64], text[512];
        uint64_t kib = 0;
        (void)snprintf(path, sizeof(path), "/proc/%ld/smaps_rollup", (long)t->pid[i]);
        if (access(path, R_OK) != 0)
            continue; /* it has just ended */
        const char *at = read_start(path, text, sizeof(text)) ? strstr(text, "\nPss:") : NULL;
        if (at == NULL || sscanf(at + 5, "%" SCNu64, &kib) != 1)
            return t->resident_bytes;
        sum += kib * 1024;
    }
    return sum;
}

void procs_signal(const struct procs *t, int signal)
{
    for (size_t i = 0; i < t->len; i++)
        (void)kill(t->pid[i], signal);
}

uint64_t procs_kernel_kills(void)
{
    static char text[32768];
    uint64_t kills = 0;
    const char *at =
        read_start("/proc/vmstat", text, sizeof(text)) ? strstr(text, "\noom_kill ") : NULL;

    return at != NULL && sscanf(at + 10, "%" SCNu64, &kills) == 1 ? kills : 0;
}
