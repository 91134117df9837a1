/* SPDX-License-Identifier: Apache-2.0 */
/* plain.c - results and claims that are kept until the commit (plain.h). */
#include "store/plain.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/attempt.h"
#include "store/later.h"
#include "store/plain_table.h"
#include "store/shape.h"
#include "store/words.h"

/* PLAIN_MAX results of 96 bytes; LISTED is the largest window of ready jobs, 16 bytes each. */
enum { SLOTS = 4 * PLAIN_MAX, LISTED = 1 << 15 };

struct plains {
    struct plain v[PLAIN_MAX];
    size_t len, claims_len;
    struct plain_claim claim[PLAIN_MAX];
    struct buf text;      /* of those that have one */
    uint16_t slot[SLOTS]; /* place in V plus 1, by job */
    bool writing;
    struct err err; /* why the writing failed; told by the commit */
    int rc;
    struct {
        uint64_t job, shape;
    } listed[LISTED];
};

static struct plains *plains_of(struct store *s)
{
    if (!s->plains)
        s->plains = mem_calloc(1, sizeof(*s->plains));
    return s->plains;
}

void plain_listed(struct store *s, uint64_t job, uint64_t shape)
{
    struct plains *p = plains_of(s);

    p->listed[job % LISTED].job = job;
    p->listed[job % LISTED].shape = shape;
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

static int is_plain_job(struct store *s, const struct store_begun *b, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, PLAIN_JOB);
    int rc;

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

static int add_sums(struct store *s, struct err *err)
{
    struct stmt *st = USE(s, PLAIN_RUNS);
    int rc;

    while ((rc = stmt_step(st, err)) > 0) {
        const struct plain *x = &s->plains->v[stmt_col(st, 1)];

        later_of_run(s, stmt_col_u64(st, 0),
                     &(struct later_change){ .from = "READY",
                                             .to = "DONE",
                                             .diverged = x->diverged,
                                             .wall_ms = x->wall_ms,
                                             .started_ms = x->started_ms,
                                             .ended_ms = x->ended_ms });
    }
    return rc;
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
    int rc;

    later_begin(s);
    rc = stmt_run(USE(s, PLAIN_ATTEMPTS), err);
    if (rc == 0)
        rc = stmt_run(USE(s, PLAIN_JOBS), err);
    later_end(s);
    return rc == 0 ? add_sums(s, err) : rc;
}

void plain_write(struct store *s)
{
    struct plains *p = s->plains;
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

const char *plain_text(const struct store *s, const struct plain *x)
{
    return x->text ? s->plains->text.data + (x->text - 1) : NULL;
}
