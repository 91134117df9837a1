/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_rows.c - a block of rows through a layer, cut by rows between the threads. They need each
 * other's keys and values before the first attends, so there is one barrier in a layer; where the
 * same block goes on to the next layer, a thread's rows go on there up to the next barrier. */
#include "worker/model/sweep_state.h"

enum { TILE_ROWS = 8 /* of the gemm */ };

/* Rows [*ret_begin, *ret_end) of ROWS for part I of PARTS, cut at the gemm's tiles. */
static void row_part(size_t rows, size_t i, size_t parts, size_t *ret_begin, size_t *ret_end)
{
    *ret_begin = MIN((rows * i / parts + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS, rows);
    *ret_end = MIN((rows * (i + 1) / parts + TILE_ROWS - 1) / TILE_ROWS * TILE_ROWS, rows);
}

static void first_half(void *arg, size_t i, size_t thread)
{
    struct run *r = arg;
    const struct sweep *s = r->s;
    size_t begin, end;

    row_part(r->b->rows, i, s->threads, &begin, &end);
    if (begin == end)
        return;
    sweep_enter_rows(r, begin, end);
    sweep_gemm(s, &r->s->scratch[thread], NULL, r->qkv + begin * s->wide.qkv,
               r->c->norm + begin * s->wide.dim, &s->m->layer[r->layer].wqkv, end - begin);
    sweep_rotate_rows(r, begin, end);
}

static void second_half(void *arg, size_t i, size_t thread)
{
    struct run *r = arg;
    struct scratch *own = &r->s->scratch[thread];
    size_t begin, end;

    row_part(r->b->live_rows, i, r->s->threads, &begin, &end);
    if (begin == end)
        return;
    sweep_attend_rows(r, begin, end, own);
    sweep_finish_rows(r, begin, end, own);
}

struct step {
    struct run now, next;
};

/* From barrier to barrier; all rows of the block are live. */
static void both_halves(void *arg, size_t i, size_t thread)
{
    struct step *p = arg;

    second_half(&p->now, i, thread);
    first_half(&p->next, i, thread);
}

static bool passes(const struct sweep_seq *q, size_t layer)
{
    return layer >= q->start_layer && q->routing[layer] != ROUTING_SKIP;
}

/* Does the block, all of this pass, with all its rows go from LAYER to the next as it is? */
static bool goes_on(const struct run *r)
{
    const struct sweep *s = r->s;
    size_t layer = r->layer;

    if (layer + 1 >= s->known || s->blocks_len > 1 || r->b->live_rows < r->b->rows)
        return false;
    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_seq *q = &s->seq[i];

        if (passes(q, layer) != passes(q, layer + 1))
            return false;
        if (passes(q, layer) && MAX(q->routing[layer], q->routing[layer + 1]) != ROUTING_EXECUTE)
            return false;
    }
    return true;
}

void sweep_by_rows(struct run *r)
{
    struct sweep *s = r->s;
    struct step step;

    if (s->entered)
        r->qkv = s->entered;
    else
        pool_run(r->inner, first_half, r, s->threads);
    s->entered = NULL;
    if (goes_on(r)) {
        step.now = step.next = *r;
        step.next.layer++;
        step.next.slots_ahead = 1;
        /* the others still read keys of this layer */
        s->entered = step.next.qkv = r->qkv == s->qkv ? r->c->qkv : s->qkv;
        pool_run(r->inner, both_halves, &step, s->threads);
    } else if (r->b->live_rows > TILE_ROWS) {
        pool_run(r->inner, second_half, r, s->threads);
    } else if (r->b->live_rows) { /* one tile: cut by columns, so that weights are read once */
        sweep_attend_rows(r, 0, r->b->live_rows, r->c);
        sweep_finish(r);
    }
}
