/* SPDX-License-Identifier: Apache-2.0 */
/* ledger_read.c - the store's rows into the ledger: everything at first, then what changed. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/browse/ledger_private.h"

enum {
    EXPERIMENTS_MAX = 10000,
    GAPS_LOOKED_AT = 256, /* in one round: the newest half, and others in turn */
    TOUCHED_MAX = 200000, /* beyond, all jobs are read again */
    RESCAN_MS = 30000,    /* at the earliest */
    RESCAN_TIMES = 50,    /* and after this many times its cost: 2 % */
};

uint8_t ledger_state_byte(const struct stmt *st, int column)
{
    static const struct {
        const char *word;
        uint8_t state;
    } words[] = { { "DONE", LEDGER_DONE },           { "READY", LEDGER_READY },
                  { "WAITING", LEDGER_WAITING },     { "FAILED", LEDGER_FAILED },
                  { "CANCELLED", LEDGER_CANCELLED }, { "SKIPPED", LEDGER_SKIPPED } };
    const char *text = stmt_col_text(st, column);

    for (size_t i = 0; text && i < ARRAY_LEN(words); i++)
        if (strcmp(text, words[i].word) == 0)
            return words[i].state;
    return LEDGER_NONE;
}

/* ---- experiments ---- */

/* Experiment ID's place; new ones come last, for they have the highest numbers. */
static size_t place_of(struct ledger *l, uint64_t id)
{
    const struct ledger_experiment *known = ledger_experiment(&l->v, id);

    if (known)
        return (size_t)(known - l->experiment);
    if (l->v.experiments == l->experiment_cap) {
        l->experiment_cap = MAX(16, 2 * l->experiment_cap);
        l->experiment = mem_realloc(l->experiment, l->experiment_cap, sizeof(*l->experiment));
        l->range = mem_realloc(l->range, l->experiment_cap, sizeof(*l->range));
        l->v.experiment = l->experiment;
    }
    l->experiment[l->v.experiments] = (struct ledger_experiment){ .id = id };
    l->range[l->v.experiments] = (struct ledger_range){ 0, 0 };
    return l->v.experiments++;
}

/* Its row; *RET_NEW: it was submitted (again). */
static void take_experiment(struct ledger *l, const struct stmt *st, bool *ret_new)
{
    struct ledger_experiment *e;
    const size_t i = place_of(l, stmt_col_u64(st, 0));

    e = &l->experiment[i];
    *ret_new = e->revision != stmt_col_u64(st, 1) || e->submitted_ms != stmt_col(st, 7);
    l->changed = l->changed || *ret_new || e->cancelled != (stmt_col(st, 4) != 0) ||
                 e->paused != (stmt_col(st, 5) != 0) || e->priority != (int)stmt_col(st, 6);
    l->rescan = l->rescan || (e->name && (*ret_new || e->cancelled != (stmt_col(st, 4) != 0)));
    e->revision = stmt_col_u64(st, 1);
    e->number = stmt_col_u64(st, 2);
    if (!e->name)
        e->name = mem_strdup(stmt_col_text(st, 3));
    e->cancelled = stmt_col(st, 4) != 0;
    e->paused = stmt_col(st, 5) != 0;
    e->priority = (int)stmt_col(st, 6);
    e->submitted_ms = stmt_col(st, 7);
}

/* Those that were submitted since come into NEWS by their places. */
static int read_experiments(struct ledger *l, struct store_ids *news, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_EXPERIMENTS);
    bool fresh;
    int rc;

    stmt_int(st, ":max", EXPERIMENTS_MAX);
    ledger_write(l);
    while ((rc = stmt_step(st, err)) > 0) {
        take_experiment(l, st, &fresh);
        if (fresh)
            store_ids_add(news, place_of(l, stmt_col_u64(st, 0)));
    }
    ledger_wrote(l);
    return rc;
}

/* ---- jobs ---- */

/* Jobs behind AFTER, at most up to UPTO, a chunk; *RET_LAST: the last one that was read, 0: none.
 */
static int read_jobs(struct ledger *l, uint64_t after, uint64_t upto, uint64_t *ret_last,
                     struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_JOBS);
    int rc;

    *ret_last = 0;
    stmt_u64(st, ":after", after);
    stmt_u64(st, ":upto", upto);
    stmt_int(st, ":max", LEDGER_CHUNK);
    ledger_write(l);
    while ((rc = stmt_step(st, err)) > 0) {
        uint8_t state = ledger_state_byte(st, 1);

        if (stmt_col(st, 2))
            state |= LEDGER_DIVERGED;
        *ret_last = stmt_col_u64(st, 0);
        ledger_put_state(l, *ret_last, state);
    }
    ledger_wrote(l);
    return rc;
}

static int read_jobs_from(struct ledger *l, uint64_t after, struct err *err)
{
    int rc;

    for (;;) {
        uint64_t last;

        if (ledger_stopped(l))
            return err_set(err, ERR_CANCELLED, "stopped");
        rc = read_jobs(l, after, LEDGER_JOBS_MAX, &last, err);
        if (rc < 0 || last == 0)
            return rc;
        after = last;
    }
}

static int rescan(struct ledger *l, struct err *err)
{
    const uint64_t begin = clock_ms();
    int rc;

    l->rescan = l->dirty = false;
    rc = read_jobs_from(l, 0, err);
    l->rescanned_ms = clock_ms();
    l->rescan_cost_ms = l->rescanned_ms - begin;
    return rc;
}

static int touch_behind(struct ledger *l, uint64_t job, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_BEHIND);
    int rc;

    stmt_u64(st, ":job", job);
    while ((rc = stmt_step(st, err)) > 0 && l->touched.len < TOUCHED_MAX)
        store_ids_add(&l->touched, stmt_col_u64(st, 0));
    stmt_reset(st);
    return MIN(rc, 0);
}

/* Look at the touched jobs again, and at those behind them: what ended lets others begin, or takes
 * them along. */
static int read_touched(struct ledger *l, struct err *err)
{
    const size_t direct = l->touched.len;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < l->touched.len && l->touched.len < TOUCHED_MAX; i++) {
        const uint64_t job = l->touched.v[i];
        const uint8_t before = job < l->v.jobs ? l->state[job] : LEDGER_NONE;
        uint64_t last;

        rc = job ? read_jobs(l, job - 1, job, &last, err) : 0;
        const uint8_t now = job < l->v.jobs ? l->state[job] : LEDGER_NONE;
        const bool open = now == LEDGER_READY || now == LEDGER_WAITING;
        if (rc == 0 && !open && (i < direct || now != before))
            rc = touch_behind(l, job, err);
    }
    if (l->touched.len >= TOUCHED_MAX)
        l->rescan = true;
    l->touched.len = 0;
    return rc;
}

/* ---- attempts ---- */

static struct ledger_row row_of(const struct stmt *st)
{
    const char *word = stmt_col_text(st, 3);
    const unsigned outcome = ledger_outcome_of(word ? word : "");

    return (struct ledger_row){
        .id = stmt_col_u64(st, 0),
        .job = stmt_col_u64(st, 1),
        .worker = stmt_col_u64(st, 2),
        .outcome = outcome < LEDGER_OUTCOMES ? outcome : LEDGER_RUNNING,
        .started_ms = stmt_col(st, 4),
        .ended_ms = stmt_col(st, 5),
        .wall_ms = stmt_is_null(st, 6) ? -1 : stmt_col(st, 6),
    };
}

static void take_row(struct ledger *l, const struct ledger_row *row)
{
    l->dirty = true;
    if (row->outcome == LEDGER_RUNNING) {
        ledger_put_open(l, row);
        return;
    }
    ledger_put_attempt(l, row);
    store_ids_add(&l->touched, row->job);
}

static void add_gap(struct ledger *l, uint64_t from, uint64_t to)
{
    if (from > to)
        return;
    if (l->gaps == LEDGER_GAPS_MAX)
        memmove(l->gap, l->gap + 1, --l->gaps * sizeof(l->gap[0]));
    l->gap[l->gaps++] = (struct ledger_gap){ from, to };
}

/* Those behind the last one, a chunk. */
static int read_new_attempts(struct ledger *l, bool *ret_more, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_ATTEMPTS);
    size_t rows = 0;
    int rc;

    stmt_u64(st, ":after", l->attempt_last);
    stmt_u64(st, ":upto", INT64_MAX);
    stmt_int(st, ":max", LEDGER_CHUNK);
    ledger_write(l);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct ledger_row row = row_of(st);

        rows++;
        add_gap(l, l->attempt_last + 1, row.id - 1);
        l->attempt_last = row.id;
        take_row(l, &row);
    }
    ledger_wrote(l);
    *ret_more = rows == LEDGER_CHUNK;
    return rc;
}

/* What has come into gap I: it falls into pieces, which are put in its place or, too many, at the
 * end. */
static int read_gap(struct ledger *l, size_t i, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_ATTEMPTS);
    struct ledger_gap g = l->gap[i];
    bool any = false;
    int rc;

    stmt_u64(st, ":after", g.from - 1);
    stmt_u64(st, ":upto", g.to);
    stmt_int(st, ":max", LEDGER_CHUNK);
    ledger_write(l);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct ledger_row row = row_of(st);

        if (any || row.id > g.from) {
            if (!any)
                l->gap[i] = (struct ledger_gap){ g.from, row.id - 1 };
            else
                add_gap(l, g.from, row.id - 1);
        } else {
            l->gap[i] = (struct ledger_gap){ 1, 0 }; /* empty: swept later */
        }
        any = true;
        g.from = row.id + 1;
        take_row(l, &row);
    }
    if (any)
        add_gap(l, g.from, g.to);
    ledger_wrote(l);
    return rc;
}

static int by_from(const void *a, const void *b)
{
    const struct ledger_gap *x = a, *y = b;

    return (x->from > y->from) - (x->from < y->from);
}

static int read_gaps(struct ledger *l, struct err *err)
{
    const size_t n = l->gaps, half = GAPS_LOOKED_AT / 2;
    int rc = 0;
    size_t kept = 0;

    for (size_t k = 0; rc == 0 && k < MIN(n, half); k++)
        rc = read_gap(l, n - 1 - k, err);
    for (size_t k = 0; rc == 0 && n > half && k < MIN(n - half, half); k++)
        rc = read_gap(l, (l->rounds * half + k) % (n - half), err);
    for (size_t i = 0; i < l->gaps; i++)
        if (l->gap[i].from <= l->gap[i].to)
            l->gap[kept++] = l->gap[i];
    l->gaps = kept;
    qsort(l->gap, l->gaps, sizeof(l->gap[0]), by_from);
    return rc;
}

static int read_open(struct ledger *l, struct err *err)
{
    int rc = 0;

    for (size_t i = l->v.opens; rc == 0 && i-- > 0;) {
        struct stmt *st = USE(l->s, LEDGER_ATTEMPTS);
        const uint64_t id = l->open[i].id;

        stmt_u64(st, ":after", id - 1);
        stmt_u64(st, ":upto", id);
        stmt_int(st, ":max", 1);
        rc = stmt_step(st, err);
        if (rc < 0)
            return rc;
        const struct ledger_row row = rc > 0 ? row_of(st) : (struct ledger_row){ 0 };
        stmt_reset(st);
        rc = 0;
        if (row.id && row.outcome == LEDGER_RUNNING)
            continue;
        ledger_write(l);
        ledger_drop_open(l, id);
        if (row.id)
            take_row(l, &row);
        ledger_wrote(l);
    }
    return rc;
}

static int read_attempts(struct ledger *l, struct err *err)
{
    bool more = true;
    int rc = 0;

    while (rc == 0 && more)
        rc = ledger_stopped(l) ? err_set(err, ERR_CANCELLED, "stopped")
                               : read_new_attempts(l, &more, err);
    return rc;
}

/* ---- events ---- */

/* Words after which many jobs may have moved. */
static bool moves_many(const char *kind)
{
    static const char *const words[] = { "submitted", "cancelled", "retried", "blob_gone",
                                         "damaged" };

    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcmp(kind, words[i]) == 0)
            return true;
    return false;
}

static int read_events(struct ledger *l, struct err *err)
{
    struct stmt *st = USE(l->s, LEDGER_EVENTS);
    size_t rows = 0;
    int rc;

    stmt_u64(st, ":after", l->event_last);
    stmt_int(st, ":max", LEDGER_CHUNK);
    while ((rc = stmt_step(st, err)) > 0) {
        rows++;
        l->dirty = true;
        l->event_last = stmt_col_u64(st, 0);
        if (moves_many(stmt_col_text(st, 1)))
            l->rescan = true;
        else if (stmt_col_u64(st, 2))
            store_ids_add(&l->touched, stmt_col_u64(st, 2));
    }
    l->rescan = l->rescan || rows == LEDGER_CHUNK;
    return rc;
}

/* ---- all of it ---- */

static int last_of(struct stmt *st, uint64_t *ret, struct err *err)
{
    int64_t n = 0;
    const int rc = stmt_get(st, &n, err);

    *ret = (uint64_t)n;
    return rc;
}

static void tell_share(struct ledger *l, double share)
{
    ledger_write(l);
    l->v.share = share;
    l->changed = true;
    l->v.ready = share >= 1;
    l->v.as_of_ms = clock_wall_ms();
    ledger_wrote(l);
}

/* The one submitted last first: it is what people look for. */
static int read_news(struct ledger *l, const struct store_ids *news, double from, struct err *err)
{
    int rc = 0;

    for (size_t i = news->len; i-- > 0;) {
        if (rc == 0)
            rc = ledger_read_claims(l, news->v[i], err);
        if (rc < 0) { /* it is news again in the next round */
            ledger_write(l);
            l->experiment[news->v[i]].revision = 0;
            ledger_wrote(l);
        }
        if (rc == 0 && from > 0)
            tell_share(l, 1 - (1 - from) * (double)i / (double)news->len);
    }
    return rc;
}

/* What an attempt at filling left behind that failed half-way. */
static void forget(struct ledger *l)
{
    ledger_write(l);
    l->v.attempts = l->v.opens = l->v.workers = l->gaps = l->touched.len = 0;
    for (size_t i = 0; i < l->v.experiments; i++)
        l->experiment[i].revision = 0;
    ledger_wrote(l);
}

int ledger_fill(struct ledger *l, struct err *err)
{
    struct store_ids news CLEANUP(store_ids_release) = { 0 };
    uint64_t last = 0;
    int rc;

    forget(l);
    rc = last_of(USE(l->s, LEDGER_EVENT_LAST), &l->event_last, err);
    if (rc == 0)
        rc = last_of(USE(l->s, LEDGER_ATTEMPT_LAST), &last, err);
    l->attempt_last = last > LEDGER_ATTEMPTS_MAX ? last - LEDGER_ATTEMPTS_MAX : 0;
    ledger_write(l);
    l->v.forgotten = l->attempt_last;
    ledger_wrote(l);
    if (rc == 0)
        rc = read_experiments(l, &news, err);
    if (rc == 0)
        rc = read_attempts(l, err);
    l->touched.len = 0; /* they are read now */
    if (rc == 0) {
        tell_share(l, 0.3);
        rc = rescan(l, err);
    }
    if (rc == 0) {
        tell_share(l, 0.6);
        rc = read_news(l, &news, 0.6, err);
    }
    if (rc == 0)
        tell_share(l, 1);
    return rc;
}

int ledger_follow(struct ledger *l, struct err *err)
{
    struct store_ids news CLEANUP(store_ids_release) = { 0 };
    const int64_t now = clock_wall_ms();
    int rc = read_experiments(l, &news, err);

    if (rc == 0)
        rc = read_events(l, err);
    if (rc == 0)
        rc = read_gaps(l, err);
    if (rc == 0)
        rc = read_open(l, err);
    if (rc == 0)
        rc = read_attempts(l, err);
    if (rc == 0 && (l->rescan || (l->dirty && clock_ms() > l->rescanned_ms + RESCAN_MS +
                                                               RESCAN_TIMES * l->rescan_cost_ms)))
        rc = rescan(l, err);
    else if (rc == 0 && l->v.jobs > 0)
        rc = read_jobs_from(l, l->v.jobs - 1, err);
    if (rc == 0)
        rc = read_touched(l, err);
    if (rc == 0)
        rc = read_news(l, &news, 0, err);
    l->rounds++;
    ledger_write(l);
    if (rc == 0)
        l->v.as_of_ms = now;
    ledger_wrote(l);
    return rc;
}
