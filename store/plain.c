/* SPDX-License-Identifier: Apache-2.0 */
/* plain.c - results and claims that are kept until the commit (plain.h). */
#include "store/plain.h"

#include <assert.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/attempt.h"
#include "store/later.h"
#include "store/plain_table.h"
#include "store/shape.h"
#include "store/words.h"

/* PLAIN_MAX results of 96 bytes; LISTED is the largest window of ready jobs, 24 bytes each. */
enum { SLOTS = 4 * PLAIN_MAX, LISTED = 1 << 15 };

/* What a listing said of a job. It is still so, as long as nobody but this file has changed a row:
 * then GENERATION is the present one. */
struct listed {
    uint64_t job, shape;
    uint32_t epoch, generation; /* generation 0: it is not plain */
};

struct plains {
    struct plain v[PLAIN_MAX];
    size_t len, claims_len;
    struct plain_claim claim[PLAIN_MAX];
    struct buf text;      /* of those that have one */
    uint16_t slot[SLOTS]; /* place in V plus 1, by job */
    bool writing;
    struct err err; /* why the writing failed; told by the commit */
    int rc;
    struct listed listed[LISTED];
    uint32_t generation; /* of what listings said: raised when others have changed rows */
    int64_t others;      /* rows changed by others, as far as GENERATION has seen */
    int64_t own;         /* rows that were changed here, or that no listing looks at */
};

static struct plains *plains_of(struct store *s)
{
    if (!s->plains)
        s->plains = mem_calloc(1, sizeof(*s->plains));
    return s->plains;
}

/* What was listed before others changed a row is not to be relied on any more. */
static void look_for_changes(struct store *s, struct plains *p)
{
    const int64_t others = sqlite3_total_changes64(s->db) - p->own;

    if (p->generation > 0 && others == p->others)
        return;
    p->others = others;
    if (++p->generation > 0)
        return;
    memset(p->listed, 0, sizeof(p->listed)); /* numbers of before come again */
    p->generation = 1;
}

void plain_listed(struct store *s, uint64_t job, uint64_t shape, uint32_t epoch, bool plain)
{
    struct plains *p = plains_of(s);

    look_for_changes(s, p);
    p->listed[job % LISTED] = (struct listed){
        .job = job, .shape = shape, .epoch = epoch, .generation = plain ? p->generation : 0
    };
}

int64_t plain_changes(const struct store *s)
{
    return sqlite3_total_changes64(s->db);
}

void plain_own_changes(struct store *s, int64_t since)
{
    if (s->plains)
        s->plains->own += sqlite3_total_changes64(s->db) - since;
}

/* Where JOB is or would be. */
static uint16_t *slot_of(struct plains *p, uint64_t job)
{
    size_t at = (job * 0x9E3779B97F4A7C15u) >> 40;

    for (;; at++) {
        uint16_t *slot = &p->slot[at % SLOTS];

        if (*slot == 0 || p->v[*slot - 1].job == job)
            return slot;
    }
}

static bool is_plain_result(const struct store_result *r)
{
    return r->begun && !r->late && r->outputs_len == 0 && r->metrics_len == 0 &&
           !(r->log && r->log[0]);
}

/* Asking the database about each job took a tenth of all that a result costs. */
static bool is_known_plain(struct store *s, const struct store_begun *b)
{
    struct plains *p = s->plains;
    const struct listed *x = &p->listed[b->job % LISTED];

    look_for_changes(s, p);
    return x->job == b->job && x->generation == p->generation && x->epoch < b->epoch;
}

static int is_plain_job(struct store *s, const struct store_begun *b, bool *ret, struct err *err)
{
    struct stmt *st;
    int rc;

    *ret = is_known_plain(s, b);
    if (*ret)
        return 0;
    st = USE(s, PLAIN_JOB);
    stmt_u64(st, ":id", b->job);
    stmt_int(st, ":epoch", b->epoch);
    rc = stmt_step(st, err);
    *ret = rc > 0;
    stmt_reset(st);
    return rc < 0 ? rc : 0;
}

static int learn(struct store *s, const struct store_result *r, struct err *err)
{
    const uint64_t us = r->wall_us ? r->wall_us : 1000 * MIN(r->wall_ms, UINT64_MAX / 1000);
    const uint64_t job = r->begun->job;
    struct plains *p = s->plains;
    struct attempt_row row;
    int rc;

    if (us == 0)
        return 0;
    if (p->listed[job % LISTED].job == job)
        return shape_result(s, p->listed[job % LISTED].shape, us, err);
    rc = attempt_load_job(s, r->begun, &row, err);
    return rc == 0 ? shape_result(s, row.shape, us, err) : rc;
}

static void keep(struct store *s, const struct store_result *r, uint16_t *slot)
{
    const struct store_begun *b = r->begun;
    struct plains *p = s->plains;
    struct plain *x = &p->v[p->len];
    const int64_t now = store_now();

    *x = (struct plain){
        .attempt = b->attempt,
        .job = b->job,
        .worker = b->worker,
        .epoch = b->epoch,
        .diverged = r->outcome == STORE_DIVERGED,
        .incarnation = s->incarnation,
        .started_ms = b->started_ms ? b->started_ms : now,
        .ended_ms = now,
        .wall_ms = r->wall_ms,
        .cpu_ms = r->cpu_ms,
    };
    if (r->environment)
        x->environment = words_get(&s->words, r->environment, strlen(r->environment),
                                   p->len ? x[-1].environment : NULL);
    if (r->text) {
        x->text = p->text.len + 1;
        buf_add(&p->text, r->text, strlen(r->text) + 1);
    }
    x->slot = (uint16_t)(slot - p->slot);
    *slot = (uint16_t)++p->len;
    p->listed[b->job % LISTED].generation = 0; /* it is DONE */
    s->kept = true;
}

int plain_take(struct store *s, const struct store_result *r, bool *ret_taken, struct err *err)
{
    struct plains *p = plains_of(s);
    bool plain = false;
    uint16_t *slot;
    int rc;

    *ret_taken = false;
    if (!is_plain_result(r))
        return 0;
    if (p->len == PLAIN_MAX)
        plain_write(s);
    slot = slot_of(p, r->begun->job);
    if (*slot) /* once more: what is kept is written first */
        return 0;
    rc = is_plain_job(s, r->begun, &plain, err);
    if (rc < 0 || !plain)
        return rc;
    rc = learn(s, r, err); /* may look into the database, which writes what was kept before */
    if (rc < 0)
        return rc;
    keep(s, r, slot_of(p, r->begun->job));
    *ret_taken = true;
    return 0;
}

/* ---- writing ---- */

/* The jobs that results are of. CLOSE: at least every second one of them. */
struct range {
    uint64_t first, last;
    bool close;
};

static struct range range_of(const struct plains *p)
{
    struct range r = { .first = p->v[0].job, .last = p->v[0].job };

    for (size_t i = 1; i < p->len; i++) {
        r.first = MIN(r.first, p->v[i].job);
        r.last = MAX(r.last, p->v[i].job);
    }
    r.close = r.last - r.first < 2 * p->len;
    return r;
}

static void add_sum(struct store *s, uint64_t run, const struct plain *x)
{
    later_of_run(s, run,
                 &(struct later_change){ .from = "READY",
                                         .to = "DONE",
                                         .diverged = x->diverged,
                                         .wall_ms = x->wall_ms,
                                         .started_ms = x->started_ms,
                                         .ended_ms = x->ended_ms });
}

static int add_sums(struct store *s, const struct range *of, struct err *err)
{
    struct stmt *st = of->close ? USE(s, PLAIN_RUNS_BETWEEN) : USE(s, PLAIN_RUNS);
    int rc;

    if (of->close) {
        stmt_u64(st, ":first", of->first);
        stmt_u64(st, ":last", of->last);
    }
    while ((rc = stmt_step(st, err)) > 0) {
        const uint64_t run = stmt_col_u64(st, 0), which = stmt_col_u64(st, 1);
        const struct plain *x = of->close ? plain_of_job(s, which) : &s->plains->v[which];

        if (x)
            add_sum(s, run, x);
    }
    return rc;
}

static int finish_jobs(struct store *s, const struct range *of, struct err *err)
{
    struct stmt *st = of->close ? USE(s, PLAIN_JOBS_BETWEEN) : USE(s, PLAIN_JOBS);

    if (of->close) {
        stmt_u64(st, ":first", of->first);
        stmt_u64(st, ":last", of->last);
    }
    return stmt_run(st, err);
}

static void empty(struct store *s)
{
    struct plains *p = s->plains;

    for (size_t i = 0; i < p->len; i++)
        p->slot[p->v[i].slot] = 0;
    p->len = p->claims_len = 0;
    s->kept = false;
    buf_clear(&p->text);
}

static int write_claims(struct store *s, struct err *err)
{
    const struct plains *p = s->plains;
    int rc;

    later_begin(s);
    rc = stmt_run(USE(s, PLAIN_CLAIMS), err);
    later_end(s);
    for (size_t i = 0; rc == 0 && i < p->claims_len; i++)
        later_claim(s, p->claim[i].run, "READY");
    return rc;
}

static int write_results(struct store *s, struct err *err)
{
    const struct range of = range_of(s->plains);
    int rc;

    later_begin(s);
    rc = stmt_run(USE(s, PLAIN_ATTEMPTS), err);
    if (rc == 0)
        rc = finish_jobs(s, &of, err);
    later_end(s);
    return rc == 0 ? add_sums(s, &of, err) : rc;
}

void plain_write(struct store *s)
{
    struct plains *p = s->plains;
    int64_t before = plain_changes(s);
    int rc = 0;

    if (p->writing)
        return;
    p->writing = true;
    if (p->claims_len)
        rc = write_claims(s, &p->err);
    if (rc == 0 && p->len)
        rc = write_results(s, &p->err);
    if (p->rc == 0)
        p->rc = rc;
    p->writing = false;
    plain_own_changes(s, before);
    empty(s);
}

void plain_claim(struct store *s, uint64_t run, uint64_t job, const char *step)
{
    struct plains *p = plains_of(s);

    if (p->claims_len == PLAIN_MAX)
        plain_write(s);
    p->claim[p->claims_len] = (struct plain_claim){
        .run = run,
        .job = job,
        .step = words_get(&s->words, step, strlen(step),
                          p->claims_len ? p->claim[p->claims_len - 1].step : NULL),
    };
    p->claims_len++;
    s->kept = true;
}

int plain_commit(struct store *s, struct err *err)
{
    if (s->kept)
        plain_write(s);
    if (!s->plains || s->plains->rc == 0)
        return 0;
    return err_set(err, (enum err_code)s->plains->rc, "%s", s->plains->err.text);
}

void plain_forget(struct store *s)
{
    if (!s->plains)
        return;
    empty(s);
    s->plains->rc = 0;
    s->plains->others = INT64_MIN; /* what was listed may be undone */
}

void plain_free(struct store *s)
{
    if (s->plains)
        buf_release(&s->plains->text);
    free(s->plains);
    s->plains = NULL;
    s->kept = false;
}

size_t plain_claims(const struct store *s)
{
    return s->plains ? s->plains->claims_len : 0;
}

const struct plain_claim *plain_claim_at(const struct store *s, size_t i)
{
    return &s->plains->claim[i];
}

size_t plain_count(const struct store *s)
{
    return s->plains ? s->plains->len : 0;
}

const struct plain *plain_at(const struct store *s, size_t i)
{
    return &s->plains->v[i];
}

const struct plain *plain_of_job(const struct store *s, uint64_t job)
{
    const uint16_t place = s->plains ? *slot_of(s->plains, job) : 0;

    return place ? &s->plains->v[place - 1] : NULL;
}

const char *plain_text(const struct store *s, const struct plain *x)
{
    return x->text ? s->plains->text.data + (x->text - 1) : NULL;
}
