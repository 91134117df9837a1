/* SPDX-License-Identifier: Apache-2.0 */
/* labels.c - the sums of families' labels, kept and continued (labels.h). */
#include "store/browse/labels.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "store/browse/labels_private.h"
#include "store/store_private.h"

enum {
    PIECE = 4000, /* labels of one read: some 10 ms */
    FEW = 8,      /* new labels are few when they are fewer than this part of the family */
};

struct label_cache *label_cache_new(size_t bytes_max)
{
    struct label_cache *c = mem_calloc(1, sizeof *c);

    c->bytes_max = bytes_max ? bytes_max : LABEL_CACHE_BYTES;
    pthread_mutex_init(&c->lock, NULL);
    return c;
}

uint64_t label_cache_version(struct label_cache *c)
{
    return c ? atomic_load(&c->version) : 0;
}

static void entry_free(struct label_entry *e)
{
    label_stats_release(&e->sum);
    free(e);
}

void label_cache_free(struct label_cache *c)
{
    if (!c)
        return;
    for (struct label_entry *e = c->newest, *next; e; e = next) {
        next = e->older;
        entry_free(e);
    }
    for (size_t i = 0; i < LABEL_LISTS; i++)
        label_sets_release(&c->list[i].sets);
    pthread_mutex_destroy(&c->lock);
    free(c);
}

/* ---- the entries: a hash table and a list by last use ---- */

static struct label_entry **bucket_of(struct label_cache *c, uint64_t family, uint64_t examples)
{
    const uint64_t hash = (family * 0x9E3779B97F4A7C15u) ^ (examples * 0xC2B2AE3D27D4EB4Fu);

    return &c->bucket[(hash >> 40) % LABEL_BUCKETS];
}

static void list_remove(struct label_cache *c, struct label_entry *e)
{
    *(e->newer ? &e->newer->older : &c->newest) = e->older;
    *(e->older ? &e->older->newer : &c->oldest) = e->newer;
    e->newer = e->older = NULL;
}

static void list_add(struct label_cache *c, struct label_entry *e)
{
    e->older = c->newest;
    if (c->newest)
        c->newest->newer = e;
    c->newest = e;
    if (!c->oldest)
        c->oldest = e;
}

static void forget(struct label_cache *c, struct label_entry *e)
{
    struct label_entry **at = bucket_of(c, e->family, e->examples);

    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    list_remove(c, e);
    c->bytes -= e->bytes;
    entry_free(e);
}

/* The entry, made when it is not there; it is the newest now. */
static struct label_entry *entry_of(struct label_cache *c, const struct label_set *set)
{
    struct label_entry **bucket = bucket_of(c, set->family, set->examples), *e = *bucket;

    while (e && (e->family != set->family || e->examples != set->examples))
        e = e->chain;
    if (e) {
        list_remove(c, e);
    } else {
        e = mem_calloc(1, sizeof *e);
        e->family = set->family;
        e->examples = set->examples;
        e->chain = *bucket;
        *bucket = e;
    }
    list_add(c, e);
    return e;
}

/* E has grown: older ones make room. */
static void account(struct label_cache *c, struct label_entry *e)
{
    c->bytes -= e->bytes;
    e->bytes = sizeof *e + label_stats_bytes(&e->sum);
    c->bytes += e->bytes;
    while (c->bytes > c->bytes_max && c->oldest != e)
        forget(c, c->oldest);
}

/* ---- reading ---- */

static struct store_label_row read_numbers(const struct stmt *st)
{
    struct store_label_row r = {
        .index = stmt_col_u64(st, 0),
        .base_correct = stmt_col(st, 1) != 0,
        .has_label = stmt_col(st, 2) != 0,
        .routing = stmt_col_text(st, 3),
        .layers = (uint32_t)stmt_col(st, 4),
        .label_layers = (uint32_t)stmt_col(st, 5),
        .simulations = (uint32_t)stmt_col(st, 6),
        .evaluations = (uint32_t)stmt_col(st, 7),
        .hinted = (uint32_t)stmt_col(st, 8),
        .layer_rows = stmt_col_u64(st, 9),
        .layer_rows_whole = stmt_col_u64(st, 10),
        .wall_us = stmt_col_u64(st, 11),
    };

    if (r.routing && strlen(r.routing) != r.layers) /* as store_list_labels */
        r.routing = NULL;
    return r;
}

/* The next piece of E's pass. What was added before a failure stays: BEGIN is behind it. */
static int read_piece(struct store *s, struct label_entry *e, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LABELS_SUMS);
    uint64_t rows = 0;
    int rc;

    stmt_u64(st, ":family", e->family);
    stmt_int(st, ":begin", e->begin);
    stmt_u64(st, ":examples", e->examples);
    stmt_u64(st, ":above", e->done);
    stmt_u64(st, ":last", e->last);
    stmt_int(st, ":limit", PIECE);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct store_label_row r = read_numbers(st);

        label_stats_add(&e->sum, &r);
        e->begin = stmt_col(st, 0) + 1;
        rows++;
    }
    if (rc == 0 && rows < PIECE) {
        e->done = e->last;
        e->passing = false;
    }
    return rc;
}

/* The labels that are new since DONE; what was added before a failure stays. */
static int read_new(struct store *s, struct label_entry *e, uint64_t last, struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LABELS_NEW);
    int rc;

    stmt_u64(st, ":family", e->family);
    stmt_u64(st, ":examples", e->examples);
    stmt_u64(st, ":above", e->done);
    stmt_u64(st, ":last", last);
    while ((rc = stmt_step(st, err)) > 0) {
        const struct store_label_row r = read_numbers(st);

        label_stats_add(&e->sum, &r);
        e->done = stmt_col_u64(st, 12);
    }
    if (rc == 0)
        e->done = last;
    return rc;
}

/* Has E everything up to the newest label of all? */
static int look(struct store *s, const struct label_entry *e, uint64_t *ret_last, bool *ret_ready,
                struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LABELS_LAST);
    int64_t last = 0;
    int rc = stmt_get(st, &last, err);

    *ret_last = (uint64_t)last;
    *ret_ready = rc == 0 && *ret_last <= e->done;
    return rc;
}

/* One piece, if there is anything to read. *RET_READY: E has all that is stored. */
static int go_on(struct store *s, struct label_entry *e, bool *ret_ready, struct err *err)
{
    uint64_t last = 0;
    int rc = 0;

    *ret_ready = !e->passing && e->sum.n > 0 && e->sum.n >= e->examples;
    if (*ret_ready)
        return 0;
    if (!e->passing) {
        rc = look(s, e, &last, ret_ready, err);
        if (rc || *ret_ready)
            return rc;
        if (last - e->done < e->sum.n / FEW) {
            rc = read_new(s, e, last, err);
            *ret_ready = rc == 0;
            return rc;
        }
        e->passing = true;
        e->last = last;
        e->begin = INT64_MIN;
    }
    rc = read_piece(s, e, err);
    /* Others may have come behind the pass. */
    return rc || e->passing ? rc : look(s, e, &last, ret_ready, err);
}

static void tell(const struct label_entry *e, bool ready, struct label_stats *to,
                 struct label_progress *progress)
{
    label_stats_merge(to, &e->sum);
    progress->promised += e->examples;
    progress->read += e->sum.n;
    if (!ready)
        progress->left += e->examples > e->sum.n ? e->examples - e->sum.n : 0;
    progress->ready = progress->ready && ready;
}

int label_sums(struct label_cache *c, struct store *s, const struct label_set *set,
               uint64_t deadline_ms, struct label_stats *to, struct label_progress *progress,
               struct err *err)
{
    struct label_entry own = { .family = set->family, .examples = set->examples };
    bool ready = false, over = false;
    int rc = 0;

    while (!rc && !over) {
        struct label_entry *e = &own;

        if (c) {
            pthread_mutex_lock(&c->lock);
            e = entry_of(c, set);
        }
        rc = go_on(s, e, &ready, err);
        over = ready || rc == ERR_TIMEOUT || clock_ms() >= deadline_ms;
        if (rc == ERR_TIMEOUT) /* of store_time_limit(): what was read so far stays */
            rc = 0;
        if (!rc && over)
            tell(e, ready, to, progress);
        if (c) {
            account(c, e);
            if (!rc && over && !ready)
                atomic_fetch_add(&c->version, 1);
            pthread_mutex_unlock(&c->lock);
        }
    }
    label_stats_release(&own.sum);
    return rc;
}
