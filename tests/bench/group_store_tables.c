/* SPDX-License-Identifier: Apache-2.0 */
/* group_store_tables.c - a table of 200 cells over all scores (mean, sd, t interval over five
 * seeds), by a connection that has made it before and by a process that starts with nothing (the
 * kernel is asked to drop the file's pages too); the same with each cell paired against the
 * baseline, example by example. */
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "store/tables/tables.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

#define COLUMNS(HOW)                                                                               \
    "columns = ({ head = \"s0\"; step = \"s0\"; " HOW " }, { head = \"s1\"; step = \"s1\"; " HOW   \
    " }, { head = \"s2\"; step = \"s2\"; " HOW " }, { head = \"s3\"; step = \"s3\"; " HOW          \
    " }, { head = \"s4\"; step = \"s4\"; " HOW " });"
#define MEANS                                                                                      \
    "experiment = \"bench\"; tables = ({ rows = [\"a\"]; total = false; " COLUMNS(                 \
        "measure = \"accuracy\"; interval = \"t\"; show = \"mean \xc2\xb1 sd [lo, hi]\";") " });"
#define PAIRED                                                                                     \
    "experiment = \"bench\"; tables = ({ rows = [\"a\"]; total = false; baseline = \"s0\"; marks " \
    "= [\"significance\"]; " COLUMNS(                                                              \
        "measure = \"accuracy\"; show = \"mean, difference\";") " });"

enum { TIMES = 7, TIMES_COLD = 5 };

static double make_table(struct store *s, const char *spec)
{
    struct table_options options = { .no_footer = true };
    CLEANUP(buf_release) struct buf out = { 0 };
    struct err err = { 0 };
    double start = store_seconds();

    bench_must(tables_text(s, spec, "bench", NULL, &options, TABLE_MARKDOWN, &out, &err), &err,
               "table");
    return store_seconds() - start;
}

static void drop_pages(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    (void)fdatasync(fd);
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* In a process of its own, from opening the store to the text. */
static double make_cold(const char *path, const char *spec)
{
    double seconds = NAN;
    int ends[2];
    pid_t child;

    drop_pages(path);
    if (pipe(ends) < 0)
        return NAN;
    child = fork();
    if (child == 0) {
        double start = store_seconds();
        struct store *s;
        struct err err = { 0 };

        bench_must(store_open_read(&s, path, &err), &err, path);
        (void)make_table(s, spec);
        seconds = store_seconds() - start;
        _exit(write(ends[1], &seconds, sizeof seconds) != sizeof seconds);
    }
    close(ends[1]);
    if (child < 0 || read(ends[0], &seconds, sizeof seconds) != sizeof seconds)
        seconds = NAN;
    close(ends[0]);
    if (child > 0)
        (void)waitpid(child, NULL, 0);
    return seconds;
}

void store_bench_tables(struct bench *b, struct rows *r)
{
    double warm[TIMES], cold[TIMES_COLD], paired[TIMES_COLD];
    struct store *s;
    struct err err = { 0 };

    rows_close_store(r);
    for (size_t i = 0; i < TIMES_COLD; i++) {
        cold[i] = make_cold(r->path, MEANS);
        paired[i] = make_cold(r->path, PAIRED);
    }
    bench_must(store_open_read(&s, r->path, &err), &err, r->path);
    (void)make_table(s, MEANS);
    for (size_t i = 0; i < TIMES; i++)
        warm[i] = make_table(s, MEANS);
    store_close(s);
    bench_report(b, "store.table.warm_ms", "ms", bench_scale(bench_figure(warm, TIMES), 1e3),
                 BETTER_LOWER, 300);
    bench_report(b, "store.table.cold_ms", "ms", bench_scale(bench_figure(cold, TIMES_COLD), 1e3),
                 BETTER_LOWER, 5000);
    bench_report(b, "store.paired.s", "s", bench_figure(paired, TIMES_COLD), BETTER_LOWER, 10);
}
