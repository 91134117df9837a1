/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { LIST_BYTES_MAX = 16 << 20 };

void fleet_release(struct fleet *f)
{
    free(f->v);
    *f = (struct fleet){ 0 };
}

static struct fleet_row *add_row(struct fleet *f)
{
    if (f->len == f->cap) {
        f->cap = f->cap ? 2 * f->cap : 16;
        f->v = mem_realloc(f->v, f->cap, sizeof(*f->v));
    }
    return &f->v[f->len++];
}

int fleet_folder(const char *folder, struct err *err)
{
    struct stat st;

    if (mkdir(folder, 0700) < 0 && errno != EEXIST)
        return err_errno(err, errno, "make the folder %s", folder);
    if (stat(folder, &st) < 0)
        return err_errno(err, errno, "stat %s", folder);
    if (!S_ISDIR(st.st_mode))
        return err_set(err, ERR_CONFLICT, "%s is no folder; name another one with --folder",
                       folder);
    if (st.st_mode & 022)
        return err_set(err, ERR_DENIED,
                       "others may write to %s, and so start programs as you: chmod 700 %s", folder,
                       folder);
    return 0;
}

static const char *list_path(const char *folder, struct buf *out)
{
    buf_printf(out, "%s/fleet", folder);
    return buf_str(out);
}

/* ---- lines ---- */

static void print_row(const struct fleet_row *r, struct buf *out)
{
    switch (r->kind) {
    case FLEET_SLURM:
        buf_printf(out, "slurm %" PRIu64 " %" PRIu64 " %" PRId64 "\n", r->id, r->born, r->at_ms);
        break;
    case FLEET_LOCAL:
        buf_printf(out, "local %" PRIu64 " %" PRIu64 " %" PRId64 "\n", r->id, r->born, r->at_ms);
        break;
    case FLEET_SSH:
        buf_printf(out, "ssh %s %" PRIu64 " %" PRIu64 " %s %" PRId64 "\n", r->host, r->id, r->born,
                   r->file, r->at_ms);
        break;
    }
}

static bool parse_row(const char *line, struct fleet_row *r)
{
    char end;

    *r = (struct fleet_row){ .kind = FLEET_SLURM };
    if (sscanf(line, "slurm %" SCNu64 " %" SCNu64 " %" SCNd64 " %c", &r->id, &r->born, &r->at_ms,
               &end) == 3)
        return r->id > 0;
    r->kind = FLEET_LOCAL;
    if (sscanf(line, "local %" SCNu64 " %" SCNu64 " %" SCNd64 " %c", &r->id, &r->born, &r->at_ms,
               &end) == 3)
        return r->id > 1;
    r->kind = FLEET_SSH;
    return sscanf(line, "ssh %255s %" SCNu64 " %" SCNu64 " %1023s %" SCNd64 " %c", r->host, &r->id,
                  &r->born, r->file, &r->at_ms, &end) == 5 &&
           r->id > 1 && r->host[0] != '-';
}

int fleet_load(const char *folder, struct fleet *ret, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc, number = 1;

    *ret = (struct fleet){ 0 };
    if (access(list_path(folder, &path), F_OK) < 0 && errno == ENOENT)
        return 0;
    rc = buf_read_file(&text, buf_str(&path), LIST_BYTES_MAX, err);
    if (rc < 0)
        return rc;
    for (char *line = text.data, *next; line && *line; line = next, number++) {
        struct fleet_row row;

        next = strchr(line, '\n');
        if (!next) /* torn by a crash: that start was not told, and nothing came of it */
            break;
        *next++ = '\0';
        if (!*line || *line == '#')
            continue;
        if (!parse_row(line, &row) || ret->len == FLEET_ROWS_MAX) {
            fleet_release(ret);
            return err_set(err, ERR_INVALID, "%s:%d: \"%.60s\" is no line of a fleet",
                           buf_str(&path), number, line);
        }
        *add_row(ret) = row;
    }
    return 0;
}

int fleet_add(const char *folder, const struct fleet_row *row, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf line CLEANUP(buf_release) = { 0 };
    int fd = open(list_path(folder, &path), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600),
        rc = 0;

    if (fd < 0)
        return err_errno(err, errno, "open %s", buf_str(&path));
    print_row(row, &line);
    if (write(fd, line.data, line.len) != (ssize_t)line.len || fsync(fd) < 0)
        rc = err_errno(err, errno, "write %s", buf_str(&path));
    (void)close(fd);
    return rc;
}

int fleet_save(const char *folder, const struct fleet *f, struct err *err)
{
    struct buf path CLEANUP(buf_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < f->len; i++)
        print_row(&f->v[i], &text);
    return buf_write_file(list_path(folder, &path), buf_str(&text), text.len, err);
}

/* ---- processes ---- */

uint64_t fleet_born(uint64_t pid)
{
    char path[64], text[1024], *at, state = 'X';
    unsigned long long born = 0;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%" PRIu64 "/stat", pid);
    f = fopen(path, "re");
    if (!f)
        return 0;
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    (void)fclose(f);
    text[n] = '\0';
    at = strrchr(text, ')'); /* the name may have anything in it */
    if (!at ||
        sscanf(at,
               ") %c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
               &state, &born) != 2)
        return 0;
    return state == 'Z' || state == 'X' ? 0 : born;
}
