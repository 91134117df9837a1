/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_plan.c - memory of a pass, and how its sequences are cut into blocks that fit the cache. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sweep_state.h"

enum {
    BLOCK_FLOATS =
        96 << 10,         /* of work memory in a block: 384 KB, a share of the second-level cache */
    BLOCK_ROWS_MIN = 96,  /* enough for the gemm to run at full speed on small weights */
    BLOCK_ROWS_BIG = 512, /* rows per pass over weights that do not fit the cache ... */
    BIG_WEIGHTS_FLOATS = 256 << 10, /* ... which are those above 1 MB per layer */
    BLOCK_ROWS_MAX = 1024,
    THREAD_ROWS_MIN = 32, /* a thread's block has at least these */
};

static size_t work_floats(const struct sweep *s)
{
    return s->wide.dim + s->wide.qkv + s->wide.q + 3 * s->wide.hidden;
}

static size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

/* Cut the scratch of one thread for ROWS rows and SCORE scores. */
static int scratch_fit(struct scratch *c, const struct widths *w, size_t rows, size_t score,
                       struct err *err)
{
    size_t norm = round16(rows * w->dim), qkv = round16(rows * w->qkv), att = round16(rows * w->q);
    size_t up = round16(rows * 2 * w->hidden), act = round16(rows * w->hidden);
    size_t floats = norm + qkv + att + up + act + round16(score) + round16(rows);

    free(c->mem);
    c->mem = mem_try_aligned(floats, sizeof(float));
    if (!c->mem)
        return err_set(err, ERR_NOMEM, "%zu bytes for a pass of %zu rows", floats * sizeof(float),
                       rows);
    c->norm = c->mem;
    c->qkv = c->norm + norm;
    c->att = c->qkv + qkv;
    c->up = c->att + att;
    c->act = c->up + up;
    c->score = c->act + act;
    c->position = (uint32_t *)(void *)(c->score + round16(score));
    return 0;
}

static int fit_scratch(struct sweep *s, size_t rows, size_t score, struct err *err)
{
    int rc = 0;

    if (rows <= s->rows_room && score <= s->score_room)
        return 0;
    rows = MAX(rows, s->rows_room);
    score = MAX(score, s->score_room);
    s->rows_room = s->score_room = 0;
    for (size_t t = 0; t < s->threads && !rc; t++)
        rc = scratch_fit(&s->scratch[t], &s->wide, rows, score, err);
    if (rc)
        return rc;
    s->rows_room = rows;
    s->score_room = score;
    return 0;
}

/* Rows of a block when TOTAL rows pass a layer. */
static size_t block_rows(const struct sweep *s, size_t total)
{
    size_t weights = s->wide.dim * (s->wide.qkv + s->wide.q + 3 * s->wide.hidden);
    size_t rows = MAX(BLOCK_FLOATS / work_floats(s), (size_t)BLOCK_ROWS_MIN);

    if (weights > BIG_WEIGHTS_FLOATS)
        rows = MAX(rows, (size_t)BLOCK_ROWS_BIG);
    rows = MIN(rows, (size_t)BLOCK_ROWS_MAX);
    if (s->threads > 1)
        rows = MIN(rows, MAX((total + s->threads - 1) / s->threads, (size_t)THREAD_ROWS_MIN));
    return rows;
}

/* Cut the active sequences into blocks of whole sequences; one longer than a block is a block of
 * its own. This is pass TIMES of LAYER. */
void sweep_cut(struct sweep *s, size_t layer, unsigned times)
{
    size_t total = 0, limit;

    for (size_t i = 0; i < s->active_len; i++)
        total += s->seq[s->active[i]].rows;
    limit = block_rows(s, total);
    s->blocks_len = 0;
    for (size_t i = 0; i < s->active_len; i++) {
        const struct sweep_seq *q = &s->seq[s->active[i]];
        struct place *place = &s->place[s->active[i]];
        struct block *b = s->blocks_len ? &s->block[s->blocks_len - 1] : NULL;

        if (!b || b->rows + q->rows > limit) {
            b = &s->block[s->blocks_len++];
            *b = (struct block){ .first = i };
        }
        place->first = b->rows;
        place->live = layer == place->last_layer && times == q->routing[layer] ? q->logits_from : 0;
        b->last = i + 1;
        b->rows += q->rows;
        b->live_rows += q->rows - place->live;
    }
}

/* The layer of Q's last pass, or SIZE_MAX when a state behind it is asked for. */
static size_t last_layer(const struct sweep *s, const struct sweep_seq *q)
{
    size_t l = s->m->conf.layers;

    for (; l > q->start_layer; l--) {
        if (q->save && q->save[l])
            return SIZE_MAX;
        if (q->routing[l - 1])
            return l - 1;
    }
    return SIZE_MAX;
}

static void check_seq(const struct sweep *s, const struct sweep_seq *q)
{
    size_t layers = s->m->conf.layers;

    assert(q->rows > 0 && q->logits_from <= q->rows);
    assert(q->start_layer <= layers && (q->start_layer == 0 || q->start));
    assert(q->logits || q->logits_from == q->rows);
    for (size_t l = q->start_layer; l < layers; l++)
        assert(q->routing[l] <= ROUTING_REPEAT);
    if (q->kv)
        assert(q->start_layer == 0 && q->kv->layers == layers &&
               !memcmp(q->kv->routing, q->routing, layers));
    for (size_t r = 0; r < q->rows && !q->start; r++)
        assert(q->tokens[r] < s->m->conf.vocab);
}

/* Places in x, room in the caches, scratch for the largest block. */
int sweep_prepare(struct sweep *s, struct err *err)
{
    size_t rows = 0, score = 0, longest = 0;
    int rc;

    if (s->n > s->seq_room) {
        s->place = mem_realloc(s->place, s->n, sizeof(*s->place));
        s->active = mem_realloc(s->active, s->n, sizeof(*s->active));
        s->block = mem_realloc(s->block, s->n, sizeof(*s->block));
        s->seq_room = s->n;
    }
    for (size_t i = 0; i < s->n; i++) {
        struct sweep_seq *q = &s->seq[i];
        size_t base = q->kv ? q->kv->len : 0;

        check_seq(s, q);
        if (base + q->rows > s->m->conf.positions)
            return err_set(err, ERR_LIMIT, "a text of %zu tokens; the model has %zu positions",
                           base + q->rows, s->m->conf.positions);
        rc = q->kv ? kv_reserve(q->kv, q->rows, err) : 0;
        if (rc)
            return rc;
        s->place[i] = (struct place){ .row = rows, .base = base, .last_layer = last_layer(s, q) };
        rows += q->rows;
        score = MAX(score, attention_scratch_floats(base + q->rows));
        longest = MAX(longest, q->rows);
    }
    if (rows > s->x_room) {
        free(s->x);
        s->x_room = 0;
        s->x = mem_try_aligned(rows * s->wide.dim, sizeof(float));
        if (!s->x)
            return err_set(err, ERR_NOMEM, "%zu bytes for a pass of %zu rows",
                           rows * s->wide.dim * sizeof(float), rows);
        s->x_room = rows;
    }
    return fit_scratch(s, MAX(MIN(rows, block_rows(s, rows)), longest), score, err);
}
