/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_layer.c - a block of sequences through one layer.
 *
 * In the last layer of a sequence's path only the rows that get logits go on behind the attention;
 * the others have given their keys and values and end there. Nothing is gathered by copying: the
 * norms read the rows of the sequences that take part from x and write them next to each other, and
 * the residual additions scatter. So every gemm has one contiguous input, whoever skips. */
#include <string.h>

#include "common/base/clock.h"
#include "worker/model/sweep_state.h"

enum {
    /* Waking a blocked thread costs some 20 us; a core does about 10^5 of these units in that time.
     */
    SPLIT_FLOP_MIN = 8 << 20,   /* multiply-adds of a gemm, times two */
    SPLIT_FLOATS_MIN = 1 << 18, /* floats touched by another step */
};

struct run {
    struct sweep *s;
    const struct block *b;
    size_t layer;
    struct scratch *c;
    struct pool *inner; /* threads that share this block's steps; NULL: none */
};

/* The part of the block's rows [begin, end) that belongs to one sequence, piece by piece. A walk
 * over live rows counts only those, here and in begin and end. */
struct walk {
    const struct run *r;
    size_t i, at, begin, end; /* private */
    bool live;                /* private */
    const struct sweep_seq *seq;
    const struct place *place;
    size_t from, rows; /* rows [from, from + rows) of the sequence ... */
    size_t row;        /* ... are (live) rows row.. of the block */
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

    while (w->i < w->r->b->last && w->at < w->end) {
        uint32_t q = s->active[w->i++];
        size_t skipped = w->live ? s->place[q].live : 0, first = w->at, low, high;

        w->at += s->seq[q].rows - skipped;
        low = MAX(first, w->begin);
        high = MIN(w->at, w->end);
        if (low >= high)
            continue;
        w->seq = &s->seq[q];
        w->place = &s->place[q];
        w->from = skipped + low - first;
        w->rows = high - low;
        w->row = low;
        return true;
    }
    return false;
}

/* The rows of x of a piece. */
static float *state_rows(const struct walk *w)
{
    const struct sweep *s = w->r->s;

    return s->x + (w->place->row + w->from) * s->wide.dim;
}

/* One step of the layer on rows [begin, end) of the block; SCORE is the thread's. */
typedef void (*step_fn)(struct run *r, size_t begin, size_t end, float *score);

struct split {
    struct run *r;
    step_fn step;
    size_t rows, parts;
};

static void run_part(void *arg, size_t i, size_t thread)
{
    struct split *p = arg;

    p->step(p->r, p->rows * i / p->parts, p->rows * (i + 1) / p->parts,
            p->r->s->scratch[thread].score);
}

/* STEP on ROWS rows, in parallel when FLOATS (the work per row) are worth it. */
static void each_row(struct run *r, step_fn step, size_t rows, size_t floats)
{
    struct split p = { r, step, rows, MIN(r->s->threads, rows) };

    if (r->inner && rows * floats >= SPLIT_FLOATS_MIN)
        pool_run(r->inner, run_part, &p, p.parts);
    else
        step(r, 0, rows, r->c->score);
}

struct columns {
    const struct kernels *kern;
    float *y;
    const float *x;
    const struct packed *w;
    size_t rows, each; /* columns per part, a multiple of the panel */
};

static void multiply_columns(void *arg, size_t i, size_t thread)
{
    struct columns *c = arg;
    size_t n0 = i * c->each, n1 = MIN(c->w->n, n0 + c->each);

    (void)thread;
    c->kern->gemm(c->y, c->w->n, c->x, c->w->k, c->w, c->rows, n0, n1);
}

void sweep_gemm(const struct sweep *s, struct scratch *c, struct pool *pool, float *y,
                const float *x, const struct packed *w, size_t rows)
{
    uint64_t flop = 2 * (uint64_t)rows * w->k * w->n, start = s->measure ? clock_ns() : 0;
    size_t panels = (w->n + KERNELS_PANEL - 1) / KERNELS_PANEL, parts = MIN(s->threads, panels);

    if (pool && parts > 1 && flop >= SPLIT_FLOP_MIN) {
        struct columns split = { s->m->kern, y,    x,
                                 w,          rows, (panels + parts - 1) / parts * KERNELS_PANEL };

        pool_run(pool, multiply_columns, &split, (w->n + split.each - 1) / split.each);
    } else {
        s->m->kern->gemm(y, w->n, x, w->k, w, rows, 0, w->n);
    }
    if (s->measure) {
        c->gemm_ns += clock_ns() - start;
        c->gemm_flop += flop;
    }
}

static void norm_rows(const struct run *r, struct walk w, const float *weight)
{
    const struct sweep *s = r->s;

    while (walk_next(&w))
        s->m->kern->rmsnorm(r->c->norm + w.row * s->wide.dim, NULL, state_rows(&w), weight,
                            s->m->conf.rms_eps, w.rows, s->wide.dim);
}

static void enter(struct run *r, size_t begin, size_t end, float *score)
{
    (void)score;
    norm_rows(r, walk_all(r, begin, end), r->s->m->w.norm1[r->layer]);
}

/* Rotate queries and keys, which are neighbours in a row, and keep keys and values of cached
 * sequences. */
static void rotate(struct run *r, size_t begin, size_t end, float *score)
{
    const struct sweep *s = r->s;
    const struct model *m = s->m;
    size_t ld = s->wide.qkv, bytes = s->wide.kv * sizeof(float);

    (void)score;
    for (struct walk w = walk_all(r, begin, end); walk_next(&w);)
        for (size_t i = 0; i < w.rows; i++)
            r->c->position[w.row + i] = (uint32_t)(w.place->base + w.from + i);
    m->kern->rope(r->c->qkv + begin * ld, ld, r->c->position + begin, m->rope_cos, m->rope_sin, 1,
                  m->conf.rope_interleaved, end - begin, m->conf.heads + m->conf.kv_heads,
                  m->conf.head_dim);
    for (struct walk w = walk_all(r, begin, end); walk_next(&w);) {
        if (!w.seq->kv)
            continue;
        for (size_t i = 0; i < w.rows; i++) {
            const float *k = r->c->qkv + (w.row + i) * ld + s->wide.q;
            size_t at = (w.place->base + w.from + i) * s->wide.kv;

            memcpy(kv_keys(w.seq->kv, w.place->slot) + at, k, bytes);
            memcpy(kv_values(w.seq->kv, w.place->slot) + at, k + s->wide.kv, bytes);
        }
    }
}

static void attend(struct run *r, size_t begin, size_t end, float *score)
{
    const struct sweep *s = r->s;
    const struct model_conf *c = &s->m->conf;
    size_t ld = s->wide.qkv;

    for (struct walk w = walk_live(r, begin, end); walk_next(&w);) {
        const float *q = r->c->qkv + (w.place->first + w.from) * ld;
        const float *k = r->c->qkv + w.place->first * ld + s->wide.q;
        const float *v = k + s->wide.kv;
        size_t ldk = ld;

        if (w.seq->kv) {
            k = kv_keys(w.seq->kv, w.place->slot);
            v = kv_values(w.seq->kv, w.place->slot);
            ldk = s->wide.kv;
        }
        s->m->kern->attention(r->c->att + w.row * s->wide.q, s->wide.q, NULL, q, ld, k, ldk, v, ldk,
                              score, w.rows, w.place->base + w.from + w.rows, c->heads, c->kv_heads,
                              c->head_dim);
    }
}

static void add_rows(struct run *r, size_t begin, size_t end, float *score)
{
    const struct sweep *s = r->s;

    (void)score;
    for (struct walk w = walk_live(r, begin, end); walk_next(&w);)
        s->m->kern->add(state_rows(&w), r->c->norm + w.row * s->wide.dim, w.rows * s->wide.dim);
}

static void add_and_enter_mlp(struct run *r, size_t begin, size_t end, float *score)
{
    add_rows(r, begin, end, score);
    norm_rows(r, walk_live(r, begin, end), r->s->m->w.norm2[r->layer]);
}

static void gate(struct run *r, size_t begin, size_t end, float *score)
{
    size_t hidden = r->s->wide.hidden;

    (void)score;
    for (size_t i = begin; i < end; i++)
        r->s->m->kern->swiglu(r->c->act + i * hidden, r->c->up + 2 * i * hidden,
                              r->c->up + (2 * i + 1) * hidden, hidden);
}

static void run_block(struct run *r)
{
    struct sweep *s = r->s;
    const struct model *m = s->m;
    struct scratch *c = r->c;
    size_t rows = r->b->rows, live = r->b->live_rows, l = r->layer;

    each_row(r, enter, rows, 2 * s->wide.dim);
    sweep_gemm(s, c, r->inner, c->qkv, c->norm, &m->wqkv[l], rows);
    each_row(r, rotate, rows, 4 * s->wide.qkv);
    if (live) {
        each_row(r, attend, live, 16 * s->wide.qkv);
        sweep_gemm(s, c, r->inner, c->norm, c->att, &m->wo[l], live);
        each_row(r, add_and_enter_mlp, live, 4 * s->wide.dim);
        sweep_gemm(s, c, r->inner, c->up, c->norm, &m->w13[l], live);
        each_row(r, gate, live, 8 * s->wide.hidden);
        sweep_gemm(s, c, r->inner, c->norm, c->act, &m->w2[l], live);
        each_row(r, add_rows, live, 2 * s->wide.dim);
    }
    progress_tick(s->progress);
}

struct all_blocks {
    struct sweep *s;
    size_t layer;
};

static void run_one_block(void *arg, size_t i, size_t thread)
{
    struct all_blocks *a = arg;
    struct run r = { a->s, &a->s->block[i], a->layer, &a->s->scratch[thread], NULL };

    run_block(&r);
}

void sweep_layer(struct sweep *s, size_t layer)
{
    struct all_blocks all = { s, layer };

    /* Enough blocks: a thread takes whole ones, which needs no waiting inside. Else threads share
     * each step. */
    if (s->threads > 1 && s->blocks_len >= s->threads) {
        pool_run(s->pool, run_one_block, &all, s->blocks_len);
    } else {
        for (size_t i = 0; i < s->blocks_len; i++) {
            struct run r = { s, &s->block[i], layer, &s->scratch[0],
                             s->threads > 1 ? s->pool : NULL };

            run_block(&r);
        }
    }
    for (size_t i = 0; i < s->active_len; i++) {
        s->place[s->active[i]].slot++;
        s->layer_rows += s->seq[s->active[i]].rows;
    }
}
