/* SPDX-License-Identifier: Apache-2.0 */
/* grid.c - which grids are kept, the thread that fills them, and what readers hold (grid.h). */
#include "store/browse/grid.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/grid_private.h"
#include "store/store.h"

enum {
    ASKED_MS = 60000,   /* grids that nobody asked for so long are not kept up to date */
    RETRY_MS = 1000,    /* after an error */
    GRID_SOON_MS = 200, /* between two looks at a small grid that is asked for */
    SHARE = 8,          /* of the time goes into looking at most: one in so many */
};

struct grids {
    char path[STORE_PATH_MAX];
    size_t bytes_max;
    pthread_mutex_t list;
    pthread_cond_t work;     /* for the thread: something was asked for, or it shall end */
    pthread_cond_t progress; /* for readers */
    struct grid *first;
    uint64_t version;
    pthread_t thread;
    bool started, stop;
};

static void cond_init(pthread_cond_t *c)
{
    pthread_condattr_t a;

    pthread_condattr_init(&a);
    pthread_condattr_setclock(&a, CLOCK_MONOTONIC);
    pthread_cond_init(c, &a);
    pthread_condattr_destroy(&a);
}

/* Wait for C until MS milliseconds from now at most; false: they have passed. */
static bool wait_ms(pthread_cond_t *c, pthread_mutex_t *m, uint64_t ms)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_sec += (time_t)(ms / 1000);
    t.tv_nsec += (long)(ms % 1000) * 1000000;
    if (t.tv_nsec >= 1000000000) {
        t.tv_nsec -= 1000000000;
        t.tv_sec++;
    }
    return pthread_cond_timedwait(c, m, &t) != ETIMEDOUT;
}

int grids_new(struct grids **ret, const char *path, size_t bytes, struct err *err)
{
    struct grids *g;

    *ret = NULL;
    if (strlen(path) >= STORE_PATH_MAX)
        return err_set(err, ERR_LIMIT, "the store's path is longer than %d bytes",
                       STORE_PATH_MAX - 1);
    g = mem_calloc(1, sizeof *g);
    snprintf(g->path, sizeof g->path, "%s", path);
    g->bytes_max = bytes;
    pthread_mutex_init(&g->list, NULL);
    cond_init(&g->work);
    cond_init(&g->progress);
    *ret = g;
    return 0;
}

void grids_free(struct grids *g)
{
    if (!g)
        return;
    pthread_mutex_lock(&g->list);
    g->stop = true;
    pthread_cond_broadcast(&g->work);
    pthread_mutex_unlock(&g->list);
    if (g->started)
        pthread_join(g->thread, NULL);
    while (g->first) {
        struct grid *next = g->first->next;

        assert(g->first->holders == 0);
        grid_free(g->first);
        g->first = next;
    }
    pthread_mutex_destroy(&g->list);
    pthread_cond_destroy(&g->work);
    pthread_cond_destroy(&g->progress);
    free(g);
}

uint64_t grids_version(struct grids *g)
{
    pthread_mutex_lock(&g->list);
    uint64_t version = g->version;
    pthread_mutex_unlock(&g->list);
    return version;
}

void grids_status(struct grids *g, struct grids_status *ret)
{
    *ret = (struct grids_status){ .bytes_max = g->bytes_max };
    pthread_mutex_lock(&g->list);
    for (const struct grid *x = g->first; x; x = x->next) {
        ret->grids++;
        ret->bytes += x->bytes;
        ret->runs += x->rows_known;
    }
    pthread_mutex_unlock(&g->list);
}

/* ---- the thread; everything with LIST held, but where it loads ---- */

static size_t all_bytes(const struct grids *g)
{
    size_t bytes = 0;

    for (const struct grid *x = g->first; x; x = x->next)
        bytes += x->bytes;
    return bytes;
}

/* Give up those asked for longest ago, but KEEP, until all fit. */
static void make_room(struct grids *g, const struct grid *keep)
{
    while (all_bytes(g) > g->bytes_max) {
        struct grid **oldest = NULL;

        for (struct grid **x = &g->first; *x; x = &(*x)->next)
            if (*x != keep && (*x)->holders == 0 && (!oldest || (*x)->used_ms < (*oldest)->used_ms))
                oldest = x;
        if (!oldest)
            return;
        struct grid *gone = *oldest;
        *oldest = gone->next;
        grid_free(gone);
    }
}

/* What is to be done next: what is not there yet before what may be old. *RET_MS: how long there is
 * nothing to do. */
static struct grid *next_due(struct grids *g, uint64_t now, uint64_t *ret_ms)
{
    struct grid *best = NULL;

    *ret_ms = ASKED_MS;
    for (struct grid *x = g->first; x; x = x->next) {
        if (x->used_ms + ASKED_MS < now)
            continue;
        if (x->due_ms > now)
            *ret_ms = MIN(*ret_ms, x->due_ms - now);
        else if (!best || x->done < best->done ||
                 (x->done == best->done &&
                  (x->done ? x->due_ms < best->due_ms : x->used_ms > best->used_ms)))
            best = x;
    }
    return best;
}

/* One step for X, whose holder we are. */
static void step(struct grids *g, struct grid *x, struct store *s, size_t others)
{
    struct err err = { 0 };
    bool more = false;
    uint64_t before = x->version;
    size_t room = g->bytes_max > others ? g->bytes_max - others : 0;
    uint64_t start = clock_ms();
    int rc = grid_load(x, s, room, &more, &err);
    size_t bytes = grid_bytes(x);

    pthread_mutex_lock(&g->list);
    if (x->version != before)
        g->version++;
    x->err = rc < 0 ? err : (struct err){ 0 };
    x->known = true;
    x->total_known = x->total;
    x->rows_known = x->rows;
    x->bytes = bytes;
    x->done = !more;
    x->looked_ms = clock_ms();
    x->took_ms = x->looked_ms - start;
    x->due_ms = rc < 0 ? x->looked_ms + RETRY_MS
                : more ? 0
                       : x->looked_ms + MAX(GRID_REFRESH_MS, SHARE * x->took_ms);
    x->holders--;
    make_room(g, x);
    pthread_cond_broadcast(&g->progress);
    pthread_mutex_unlock(&g->list);
}

/* Bytes that grids other than X must have: those that somebody holds. */
static size_t held_bytes(const struct grids *g, const struct grid *x)
{
    size_t bytes = 0;

    for (const struct grid *o = g->first; o; o = o->next)
        if (o != x && o->holders)
            bytes += o->bytes;
    return bytes;
}

static void fail_all(struct grids *g, const struct err *err)
{
    pthread_mutex_lock(&g->list);
    for (struct grid *x = g->first; x; x = x->next) {
        x->err = *err;
        x->due_ms = clock_ms() + RETRY_MS;
    }
    pthread_cond_broadcast(&g->progress);
    pthread_mutex_unlock(&g->list);
}

static void *run(void *arg)
{
    struct grids *g = arg;
    struct store *s = NULL;

    pthread_mutex_lock(&g->list);
    while (!g->stop) {
        struct err err = { 0 };
        uint64_t ms;
        struct grid *x = next_due(g, clock_ms(), &ms);

        if (!x) {
            wait_ms(&g->work, &g->list, ms);
            continue;
        }
        x->holders++;
        size_t others = held_bytes(g, x);
        pthread_mutex_unlock(&g->list);
        if (!s && store_open_read(&s, g->path, &err) < 0)
            fail_all(g, &err);
        if (s)
            step(g, x, s, others);
        pthread_mutex_lock(&g->list);
        if (!s)
            x->holders--;
    }
    pthread_mutex_unlock(&g->list);
    store_close(s);
    return NULL;
}

/* ---- readers ---- */

static struct grid *find(struct grids *g, uint64_t experiment)
{
    struct grid *x = g->first;

    while (x && x->experiment != experiment)
        x = x->next;
    if (x)
        return x;
    x = grid_new(experiment);
    x->next = g->first;
    g->first = x;
    return x;
}

/* Strangers may ask for any number: nothing is kept of what is not there. */
static void forget(struct grids *g, struct grid *gone)
{
    struct grid **x = &g->first;

    if (gone->holders > 0)
        return;
    while (*x != gone)
        x = &(*x)->next;
    *x = gone->next;
    grid_free(gone);
}

static int start(struct grids *g, struct err *err)
{
    int rc;

    if (g->started)
        return 0;
    rc = pthread_create(&g->thread, NULL, run, g);
    if (rc != 0)
        return err_errno(err, rc, "cannot start the thread that reads runs");
    g->started = true;
    return 0;
}

/* X is small, or nothing of it is there yet: worth waiting for. */
static bool worth_waiting(const struct grid *x)
{
    return !x->done && x->err.code == ERR_OK &&
           (!x->known || x->rows_known == 0 || x->total_known <= GRID_AT_ONCE);
}

int grid_open(struct grids *g, uint64_t experiment, struct grid_view *ret, struct err *err)
{
    uint64_t until = clock_ms() + GRID_WAIT_MS;
    struct grid *x;

    *ret = (struct grid_view){ 0 };
    pthread_mutex_lock(&g->list);
    int rc = start(g, err);
    if (rc < 0) {
        pthread_mutex_unlock(&g->list);
        return rc;
    }
    x = find(g, experiment);
    x->used_ms = clock_ms();
    x->holders++;
    if (x->done && x->total_known <= GRID_AT_ONCE) /* a look costs little: it comes soon */
        x->due_ms = MIN(x->due_ms, x->looked_ms + MAX(GRID_SOON_MS, SHARE * x->took_ms));
    pthread_cond_signal(&g->work);
    while (worth_waiting(x) && clock_ms() < until)
        wait_ms(&g->progress, &g->list, until - MIN(until, clock_ms()) + 1);
    if (x->err.code != ERR_OK && !x->done)
        rc = err_set(err, x->err.code, "%s", x->err.text);
    if (rc < 0)
        x->holders--;
    if (rc == ERR_NOT_FOUND)
        forget(g, x);
    pthread_mutex_unlock(&g->list);
    if (rc < 0)
        return rc;
    pthread_rwlock_rdlock(&x->lock);
    *ret = (struct grid_view){ .grids = g,
                               .grid = x,
                               .column = x->column,
                               .columns = x->columns,
                               .run = x->run,
                               .flags = x->flags,
                               .rows = x->rows,
                               .total = x->total,
                               .ready = x->ready,
                               .fits = x->fits,
                               .version = x->version };
    return 0;
}

void grid_done(struct grid_view *v)
{
    if (!v->grid)
        return;
    pthread_rwlock_unlock(&v->grid->lock);
    pthread_mutex_lock(&v->grids->list);
    v->grid->holders--;
    pthread_mutex_unlock(&v->grids->list);
    *v = (struct grid_view){ 0 };
}

int grid_column(const struct grid_view *v, const char *name, const struct column **ret,
                struct err *err)
{
    const char *names[GRID_COLUMNS_MAX + 1] = { NULL };
    const struct column *by_part = NULL;
    bool several = false;

    for (size_t i = 0; i < v->columns; i++) {
        const char *dot = strrchr(v->column[i].name, '.');

        if (strcmp(v->column[i].name, name) == 0) {
            *ret = &v->column[i];
            return 0;
        }
        names[i] = v->column[i].name;
        if (dot && strcmp(dot + 1, name) == 0) {
            several = by_part != NULL;
            by_part = &v->column[i];
        }
    }
    if (by_part && !several) {
        *ret = by_part;
        return 0;
    }
    if (!v->ready && v->fits)
        return err_set(err, ERR_AGAIN,
                       "the runs are still being loaded, and none so far has \"%.60s\"", name);
    const char *near = nearest_find(name, names);
    if (near)
        return err_set(err, ERR_NOT_FOUND, "runs have no column \"%.60s\"; did you mean \"%s\"?",
                       name, near);
    return err_set(err, ERR_NOT_FOUND,
                   several ? "several parameters end in \"%.60s\": say which in full"
                           : "runs have no column \"%.60s\"; /experiments/:id lists them",
                   name);
}

int grid_invalid(int rc, struct err *err)
{
    if (rc != ERR_NOT_FOUND)
        return rc;
    if (err)
        err->code = ERR_INVALID;
    return ERR_INVALID;
}

size_t grid_find(const struct grid_view *v, uint64_t run)
{
    size_t low = 0, high = v->rows;

    while (low < high) {
        size_t mid = (low + high) / 2;

        if (v->run[mid] < run)
            low = mid + 1;
        else
            high = mid;
    }
    return low < v->rows && v->run[low] == run ? low : SIZE_MAX;
}

void grid_rank(const struct grid_view *v, const struct column *c)
{
    struct column *own = &v->grid->column[c - v->column];

    pthread_mutex_lock(&v->grid->ranking);
    if (!column_ranked(own))
        column_rank(own);
    pthread_mutex_unlock(&v->grid->ranking);
}
