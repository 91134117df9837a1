/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_layer.c - a block of rows through one layer.
 *
 * In the last layer of a sequence's path only the rows that get logits go on behind the attention;
 * the others have given their keys and values and end there. Nothing is gathered by copying: the
 * norms read the rows of the sequences that take part from x and write them next to each other, and
 * the residual additions scatter. So every gemm has one contiguous input, whoever skips. */
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "worker/model/sweep_state.h"

enum {
    /* A shared step has more parts than threads, because a core may be slow or taken; a part lasts
     * 10 us at least, ten times what it costs to hand it out. */
    SPLIT_NS_MIN = 20 * 1000,
    PART_NS_MIN = 10 * 1000,
    PARTS_PER_THREAD = 4,
    FLOP_PER_NS = 100, /* of one core, about; and bytes of weights that it reads */
    BYTES_PER_NS = 10,
    SPLIT_FLOATS_MIN = 1 << 16, /* floats touched by another step: some 10 us */
};

/* The part of the block's rows [begin, end) that belongs to one piece, piece by piece. A walk over
 * live rows counts only those, here and in begin and end. */
struct walk {
    const struct run *r;
    size_t i, begin, end; /* private */
    bool live;            /* private */
    size_t rows;
    size_t row;        /* (live) row of the block */
    float *x;          /* the same row of x, */
    const float *from; /* and where it is in front of this pass */
    size_t position;
};

static struct walk walk_all(const struct run *r, size_t begin, size_t end)
{
    return (struct walk){ .r = r, .i = r->b->first, .begin = begin, .end = end };
}

static struct walk walk_live(const struct run *r, size_t begin, size_t end)
{
    return (struct walk){ .r = r, .i = r->b->first, .begin = begin, .end = end, .live = true };
}

static bool walk_next(struct walk *w)
{
    const struct sweep *s = w->r->s;

    while (w->i < w->r->b->last) {
        const struct piece *p = &s->piece[w->i++];
        size_t dead = w->live ? p->dead : 0, first = w->live ? p->live_row : p->row;
        size_t low = MAX(first, w->begin), high = MIN(first + p->rows - dead, w->end);
        size_t from;

        if (low >= high)
            continue;
        from = p->from + dead + low - first;
        w->rows = high - low;
        w->row = low;
        w->x = s->place[p->seq].x + from * s->wide.dim;
        w->from = sweep_stream(s, p->seq, w->r->layer, s->times) + from * s->wide.dim;
        w->position = s->place[p->seq].base + from;
        return true;
    }
    return false;
}

/* One step of the layer on rows [begin, end) of the block. */
typedef void (*step_fn)(struct run *r, size_t begin, size_t end);

struct split {
    struct run *r;
    step_fn step;
    size_t rows, parts;
};

static void run_part(void *arg, size_t i, size_t thread)
{
    struct split *p = arg;

    (void)thread;
    p->step(p->r, p->rows * i / p->parts, p->rows * (i + 1) / p->parts);
}

/* STEP on ROWS rows, in parallel when FLOATS (the work per row) are worth it. */
static void each_row(struct run *r, step_fn step, size_t rows, size_t floats)
{
    struct split p = { r, step, rows, MIN(2 * r->s->threads, rows) };

    if (r->inner && rows * floats >= SPLIT_FLOATS_MIN)
        pool_run(r->inner, run_part, &p, p.parts);
    else
        step(r, 0, rows);
}

struct columns {
    const struct kernels *kern;
    float *y;
    const float *x;
    const struct packed *w;
    size_t rows, parts;
};

static void multiply_columns(void *arg, size_t i, size_t thread)
{
    struct columns *c = arg;
    size_t panels = (c->w->n + KERNELS_PANEL - 1) / KERNELS_PANEL;
    size_t n0 = panels * i / c->parts * KERNELS_PANEL;
    size_t n1 = MIN(c->w->n, panels * (i + 1) / c->parts * KERNELS_PANEL);

    (void)thread;
    c->kern->gemm(c->y, c->w->n, c->x, c->w->k, c->w, c->rows, n0, n1);
}

/* Of this thread on the CPU, so that what else runs on the machine does not count; of SHARED work
 * what the clock says. */
static uint64_t time_ns(bool shared)
{
    struct timespec t;

    if (shared)
        return clock_ns();
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void sweep_gemm(const struct sweep *s, struct scratch *c, struct pool *pool, float *y,
                const float *x, const struct packed *w, size_t rows)
{
    uint64_t flop = 2 * (uint64_t)rows * w->k * w->n;
    uint64_t ns = MAX(flop / FLOP_PER_NS, packed_bytes(w) / BYTES_PER_NS);
    size_t panels = (w->n + KERNELS_PANEL - 1) / KERNELS_PANEL;
    bool shared = pool && panels > 1 && ns >= SPLIT_NS_MIN;
    uint64_t start = s->measure ? time_ns(shared) : 0;

    if (shared) {
        struct columns split = { s->m->kern, y, x, w, rows, 0 };

        split.parts = MAX(MIN(ns / PART_NS_MIN, PARTS_PER_THREAD * s->threads), s->threads);
        split.parts = MIN(split.parts, panels);
        pool_run(pool, multiply_columns, &split, split.parts);
    } else {
        s->m->kern->gemm(y, w->n, x, w->k, w, rows, 0, w->n);
    }
    if (s->measure) {
        c->gemm_ns += time_ns(shared) - start;
        c->gemm_flop += flop;
    }
}

static void norm(const struct run *r, const struct walk *w, const float *x, const float *weight)
{
    const struct sweep *s = r->s;

    s->m->kern->rmsnorm(r->c->norm + w->row * s->wide.dim, NULL, x, weight, s->m->conf.rms_eps,
                        w->rows, s->wide.dim);
}

void sweep_enter_rows(struct run *r, size_t begin, size_t end)
{
    for (struct walk w = walk_all(r, begin, end); walk_next(&w);) {
        norm(r, &w, w.from, r->s->m->layer[r->layer].norm1);
        for (size_t i = 0; i < w.rows; i++)
            r->c->position[w.row + i] = (uint32_t)(w.position + i);
    }
}

/* The outputs of a product, with BIAS (may be NULL), to the residual stream. */
static void add_rows(struct run *r, size_t begin, size_t end, const float *bias)
{
    const struct sweep *s = r->s;
    float *y = r->c->norm + begin * s->wide.dim;

    if (bias)
        s->m->kern->add_bias(y, bias, end - begin, s->wide.dim);
    for (struct walk w = walk_live(r, begin, end); walk_next(&w);)
        s->m->kern->add(w.x, r->c->norm + w.row * s->wide.dim, w.rows * s->wide.dim);
}

static void add_and_enter_mlp(struct run *r, size_t begin, size_t end)
{
    for (struct walk w = walk_live(r, begin, end); walk_next(&w);)
        if (w.from != w.x)
            memcpy(w.x, w.from, w.rows * r->s->wide.dim * sizeof(float));
    add_rows(r, begin, end, r->s->m->layer[r->layer].bo);
    for (struct walk w = walk_live(r, begin, end); walk_next(&w);)
        norm(r, &w, w.x, r->s->m->layer[r->layer].norm2);
}

static void gate(struct run *r, size_t begin, size_t end)
{
    const struct kernels *k = r->s->m->kern;
    const float *bias = r->s->m->layer[r->layer].b13;
    size_t hidden = r->s->wide.hidden;

    if (bias)
        k->add_bias(r->c->up + 2 * begin * hidden, bias, end - begin, 2 * hidden);
    for (size_t i = begin; i < end; i++)
        k->swiglu(r->c->act + i * hidden, r->c->up + 2 * i * hidden,
                  r->c->up + (2 * i + 1) * hidden, hidden);
}

static void leave(struct run *r, size_t begin, size_t end)
{
    add_rows(r, begin, end, r->s->m->layer[r->layer].b2);
}

void sweep_finish_rows(struct run *r, size_t begin, size_t end, struct scratch *own)
{
    const struct sweep *s = r->s;
    const struct model_layer *w = &s->m->layer[r->layer];
    const struct scratch *c = r->c;
    float *norm = c->norm + begin * s->wide.dim;
    size_t rows = end - begin;

    sweep_gemm(s, own, NULL, norm, c->att + begin * s->wide.q, &w->wo, rows);
    add_and_enter_mlp(r, begin, end);
    sweep_gemm(s, own, NULL, c->up + 2 * begin * s->wide.hidden, norm, &w->w13, rows);
    gate(r, begin, end);
    sweep_gemm(s, own, NULL, norm, c->act + begin * s->wide.hidden, &w->w2, rows);
    leave(r, begin, end);
}

void sweep_finish(struct run *r)
{
    const struct sweep *s = r->s;
    const struct model_layer *w = &s->m->layer[r->layer];
    struct scratch *c = r->c;
    size_t live = r->b->live_rows;

    if (!live)
        return;
    sweep_gemm(s, c, r->inner, c->norm, c->att, &w->wo, live);
    each_row(r, add_and_enter_mlp, live, 4 * s->wide.dim);
    sweep_gemm(s, c, r->inner, c->up, c->norm, &w->w13, live);
    each_row(r, gate, live, 8 * s->wide.hidden);
    sweep_gemm(s, c, r->inner, c->norm, c->act, &w->w2, live);
    each_row(r, leave, live, 2 * s->wide.dim);
}

/* Columns [n0, n1) of the projections of ROWS rows from ROW on, by this thread. */
static void project_part(struct run *r, size_t row, size_t rows, size_t n0, size_t n1)
{
    const struct sweep *s = r->s;
    const struct packed *w = &s->m->layer[r->layer].wqkv;
    uint64_t start = s->measure ? time_ns(false) : 0;

    s->m->kern->gemm(r->qkv + row * w->n, w->n, r->c->norm + row * w->k, w->k, w, rows, n0, n1);
    if (s->measure) {
        r->c->gemm_ns += time_ns(false) - start;
        r->c->gemm_flop += 2 * (uint64_t)rows * w->k * (n1 - n0);
    }
}

/* Queries, keys and values; of a block whose rows mostly end here, queries of the others alone. */
static void project(struct run *r)
{
    struct sweep *s = r->s;
    const struct packed *w = &s->m->layer[r->layer].wqkv;
    size_t queries = s->wide.q / KERNELS_PANEL * KERNELS_PANEL;

    if (r->inner || 2 * r->b->live_rows > r->b->rows || !queries) {
        sweep_gemm(s, r->c, r->inner, r->qkv, r->c->norm, w, r->b->rows);
        return;
    }
    project_part(r, 0, r->b->rows, queries, w->n);
    for (size_t i = r->b->first; i < r->b->last; i++) {
        const struct piece *p = &s->piece[i];

        if (p->dead < p->rows)
            project_part(r, p->row + p->dead, p->rows - p->dead, 0, queries);
    }
}

static void run_block(struct run *r)
{
    struct sweep *s = r->s;

    each_row(r, sweep_enter_rows, r->b->rows, 2 * s->wide.dim);
    project(r);
    sweep_attend(r);
    sweep_finish(r);
}

struct all_blocks {
    struct sweep *s;
    size_t layer;
};

/* Block I with THREAD's memory, by the threads of INNER. */
static struct run run_of(struct sweep *s, size_t i, size_t layer, size_t thread, struct pool *inner)
{
    struct scratch *c = &s->scratch[thread];

    return (struct run){
        .s = s, .b = &s->block[i], .layer = layer, .c = c, .inner = inner, .qkv = c->qkv
    };
}

static void run_one_block(void *arg, size_t i, size_t thread)
{
    struct all_blocks *a = arg;
    struct run r = run_of(a->s, i, a->layer, thread, NULL);

    run_block(&r);
    progress_tick(a->s->progress);
}

void sweep_layer(struct sweep *s, size_t layer)
{
    struct all_blocks all = { s, layer };

    if (s->own_blocks) {
        pool_run(s->pool, run_one_block, &all, s->blocks_len);
    } else {
        /* In order: a piece sees the keys of those in front of it. */
        for (size_t i = 0; i < s->blocks_len; i++) {
            struct run r = run_of(s, i, layer, 0, s->threads > 1 ? s->pool : NULL);

            if (sweep_cuts_rows(s, r.b->rows))
                sweep_by_rows(&r);
            else
                run_block(&r);
            progress_tick(s->progress);
        }
    }
    for (size_t i = 0; i < s->active_len; i++) {
        s->place[s->active[i]].slot++;
        s->layer_rows += s->seq[s->active[i]].rows;
    }
}
