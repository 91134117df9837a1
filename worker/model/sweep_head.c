/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_head.c - final norm and head for the rows that ask for logits, many sequences in one gemm.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/sweep_state.h"

enum {
    HEAD_ROWS_MAX = 512,   /* also bounds the segments of a batch */
    HEAD_ROWS_MIN = 64,    /* the head may be the largest matrix of all: few passes over it */
    HEAD_FLOATS = 1 << 18, /* of one batch's logits: 1 MB, for the second-level cache */
};

/* Rows that go through the head together, and where their logits belong. */
struct batch {
    size_t rows, max;
    struct {
        float *to;
        size_t rows;
    } part[HEAD_ROWS_MAX];
    size_t parts;
    bool joined; /* the destinations follow each other: no copy is needed */
};

static void flush(struct sweep *s, struct batch *b)
{
    size_t vocab = s->m->conf.vocab;
    const float *from = s->logits;

    if (!b->rows)
        return;
    sweep_gemm(s, &s->scratch[0], s->pool, b->joined ? b->part[0].to : s->logits,
               s->scratch[0].norm, &s->m->head, b->rows);
    for (size_t i = 0; i < b->parts && !b->joined; i++) {
        memcpy(b->part[i].to, from, b->part[i].rows * vocab * sizeof(float));
        from += b->part[i].rows * vocab;
    }
    b->rows = b->parts = 0;
    progress_tick(s->progress);
}

static void add_part(struct sweep *s, struct batch *b, const float *x, float *to, size_t rows)
{
    const struct model *m = s->m;

    m->kern->rmsnorm(s->scratch[0].norm + b->rows * m->conf.dim, NULL, x, m->norm, m->conf.rms_eps,
                     rows, m->conf.dim);
    if (!b->parts)
        b->joined = true;
    else
        b->joined &= b->part[b->parts - 1].to + b->part[b->parts - 1].rows * m->conf.vocab == to;
    b->part[b->parts].to = to;
    b->part[b->parts++].rows = rows;
    b->rows += rows;
}

/* Rows that want logits; *RET_JOINED: all of these follow each other in memory. */
static size_t head_rows(const struct sweep *s, bool *ret_joined)
{
    const float *to = NULL;
    size_t rows = 0;

    *ret_joined = true;
    for (size_t i = 0; i < s->n; i++) {
        size_t more = s->seq[i].rows - s->seq[i].logits_from;

        if (!more)
            continue;
        *ret_joined &= !to || s->seq[i].logits == to;
        to = s->seq[i].logits + more * s->m->conf.vocab;
        rows += more;
    }
    return rows;
}

/* Room for the logits of a batch that must be copied to where they belong. */
static int fit_logits(struct sweep *s, size_t rows, struct err *err)
{
    size_t bytes = rows * s->m->conf.vocab * sizeof(float);

    if (s->logits_room >= rows)
        return 0;
    free(s->logits);
    s->logits_room = 0;
    s->logits = mem_try_aligned(bytes, 1);
    if (!s->logits)
        return err_set(err, ERR_NOMEM, "%zu bytes for logits", bytes);
    s->logits_room = rows;
    return 0;
}

int sweep_head(struct sweep *s, struct err *err)
{
    size_t dim = s->m->conf.dim, vocab = s->m->conf.vocab;
    bool joined;
    size_t rows = head_rows(s, &joined), max = MAX(HEAD_FLOATS / vocab, (size_t)HEAD_ROWS_MIN);
    struct batch b = { .max = MIN(MIN(max, rows), (size_t)HEAD_ROWS_MAX) };
    int rc;

    if (!rows)
        return 0;
    rc = scratch_fit(&s->scratch[0], &s->wide, b.max, 0, err);
    if (!rc && !joined)
        rc = fit_logits(s, b.max, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_seq *q = &s->seq[i];

        for (size_t r = q->logits_from, n; r < q->rows; r += n) {
            n = MIN(q->rows - r, b.max - b.rows);
            add_part(s, &b, sweep_stream(s, i, s->m->conf.layers, 1) + r * dim,
                     q->logits + (r - q->logits_from) * vocab, n);
            if (b.rows == b.max)
                flush(s, &b);
        }
    }
    flush(s, &b);
    return 0;
}
