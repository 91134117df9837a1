/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_attend.c - from the projections of a block's rows to their attention.
 *
 * A piece and a range of key/value heads is work of its own: biases, rotation, keys and values into
 * the cache, attention. So all of it is one parallel step, also when one sequence is decoded token
 * by token. Only where there are fewer of these than threads (long texts of models with one or two
 * key/value heads) the attention is a second step, cut by rows. */
#include <string.h>

#include "worker/model/sweep_state.h"

enum {
    SPLIT_FLOATS_MIN = 1 << 15, /* multiply-adds of attention: about 5 us */
    ROWS_MIN = 16,              /* per part of a step that is cut by rows */
    FETCH_BYTES = 128 << 10,    /* of a cache: a share of the second-level cache */
    FETCH_ROWS = 4,             /* with more rows per key, computing takes longer than reading */
    LINE_FLOATS = 16,           /* of a cache line */
};

/* Heads [g0, g1) of piece P: to be rotated its rows [from, to), to attend its live rows [row0,
 * row1). */
struct item {
    const struct piece *p;
    size_t g0, g1, from, to, row0, row1;
};

struct cut {
    struct run *r;
    size_t groups, chunks; /* parts of each piece: by heads, by live rows */
    bool rotate, attend;   /* what to do */
};

static struct item item_at(const struct cut *c, size_t i)
{
    const struct sweep *s = c->r->s;
    const struct piece *p = &s->piece[c->r->b->first + i / (c->groups * c->chunks)];
    size_t group = i / c->chunks % c->groups, chunk = i % c->chunks;
    size_t heads = s->m->conf.kv_heads, live = p->rows - p->dead;

    return (struct item){ .p = p,
                          .g0 = heads * group / c->groups,
                          .g1 = heads * (group + 1) / c->groups,
                          .to = p->rows,
                          .row0 = live * chunk / c->chunks,
                          .row1 = live * (chunk + 1) / c->chunks };
}

static float *qkv_row(const struct run *r, const struct piece *p, size_t row)
{
    return r->qkv + (p->row + row) * r->s->wide.qkv;
}

static void add_biases(const struct run *r, const struct item *t)
{
    const struct sweep *s = r->s;
    const struct kernels *k = s->m->kern;
    const float *bias = s->m->layer[r->layer].bqkv;
    size_t e = s->m->conf.head_dim, share = s->m->conf.heads / s->m->conf.kv_heads;
    size_t q = t->g0 * share * e, key = s->wide.q + t->g0 * e, value = key + s->wide.kv;
    size_t heads = t->g1 - t->g0;

    for (size_t i = t->from; i < t->to && bias; i++) {
        float *row = qkv_row(r, t->p, i);

        k->add_bias(row + q, bias + q, 1, heads * share * e);
        k->add_bias(row + key, bias + key, 1, heads * e);
        k->add_bias(row + value, bias + value, 1, heads * e);
    }
}

/* The key and value of T's row I to where they are kept: in a cache, or beside a long text; else
 * they stay in r->qkv alone. */
static void keep(const struct run *r, const struct item *t, size_t i)
{
    const struct sweep *s = r->s;
    const struct place *place = &s->place[t->p->seq];
    const struct sweep_seq *q = &s->seq[t->p->seq];
    size_t e = s->m->conf.head_dim, from = t->g0 * e, n = (t->g1 - t->g0) * e;
    const float *key = qkv_row(r, t->p, i) + s->wide.q + from, *value = key + s->wide.kv;
    size_t row = t->p->from + i;

    if (q->kv) {
        kv_keep(q->kv, place->slot + r->slots_ahead, place->base + row, from, n, key, value);
    } else if (place->keys) {
        memcpy(place->keys + row * s->wide.kv + from, key, n * sizeof(float));
        memcpy(place->keys + (q->rows + row) * s->wide.kv + from, value, n * sizeof(float));
    }
}

/* Rows [from, to) of T's piece: their keys and, where they are LIVE, their queries. */
static void rotate_some(const struct run *r, const struct item *t, size_t from, size_t to,
                        bool live)
{
    const struct sweep *s = r->s;
    const struct model_conf *c = &s->m->conf;
    size_t e = c->head_dim, share = c->heads / c->kv_heads, heads = t->g1 - t->g0;
    const uint32_t *position = r->c->position + t->p->row + from;
    float *q = qkv_row(r, t->p, from) + t->g0 * share * e;
    float *k = qkv_row(r, t->p, from) + s->wide.q + t->g0 * e;
    bool both = live && heads == c->kv_heads; /* queries and keys are neighbours */

    if (from >= to)
        return;
    if (live)
        s->m->kern->rope(q, s->wide.qkv, position, s->rope.cos, s->rope.sin, 1, c->rope_interleaved,
                         to - from, both ? c->heads + c->kv_heads : heads * share, e);
    if (!both)
        s->m->kern->rope(k, s->wide.qkv, position, s->rope.cos, s->rope.sin, 1, c->rope_interleaved,
                         to - from, heads, e);
}

static void rotate(const struct run *r, const struct item *t)
{
    size_t live = MIN(MAX(t->p->dead, t->from), t->to);

    add_biases(r, t);
    rotate_some(r, t, t->from, live, false);
    rotate_some(r, t, live, t->to, true);
    for (size_t i = t->from; i < t->to; i++)
        keep(r, t, i);
}

/* Keys and values that a piece sees, from head G0 on, in *RET; page pointers are in C, the first
 * ones in ONE. */
static void view_keys(const struct run *r, const struct item *t, size_t seen, struct scratch *c,
                      const float *one[2], struct kv_view *ret)
{
    const struct sweep *s = r->s;
    const struct place *place = &s->place[t->p->seq];
    const struct kv *kv = s->seq[t->p->seq].kv;
    size_t head = t->g0 * s->m->conf.head_dim, pages = (seen + KV_PAGE - 1) / KV_PAGE;

    *ret = (struct kv_view){
        .k = &one[0], .v = &one[1], .page = (seen + 15) / 16 * 16, .ld = s->wide.kv
    };
    if (kv) {
        const float **k = c->page, **v = c->page + pages;

        for (size_t p = 0; p < pages; p++) {
            k[p] = kv->k[place->slot * kv->room + p] + head * KV_PAGE;
            v[p] = kv->v[place->slot * kv->room + p] + head;
        }
        *ret =
            (struct kv_view){ .k = k, .v = v, .page = KV_PAGE, .ld = s->wide.kv, .turned = true };
    } else if (place->keys) {
        one[0] = place->keys + head;
        one[1] = place->keys + s->seq[t->p->seq].rows * s->wide.kv + head;
    } else {
        one[0] = qkv_row(r, t->p, 0) + s->wide.q + head;
        one[1] = one[0] + s->wide.kv;
        ret->ld = s->wide.qkv;
    }
}

static void attend(const struct run *r, const struct item *t, struct scratch *c)
{
    const struct sweep *s = r->s;
    const struct model_conf *m = &s->m->conf;
    size_t share = m->heads / m->kv_heads, first = t->g0 * share * m->head_dim;
    size_t rows = t->row1 - t->row0;
    size_t seen = s->place[t->p->seq].base + t->p->from + t->p->dead + t->row1;
    const float *one[2];
    struct kv_view view;

    if (!rows)
        return;
    view_keys(r, t, seen, c, one, &view);
    s->m->kern->attention(r->c->att + (t->p->live_row + t->row0) * s->wide.q + first, s->wide.q,
                          NULL, qkv_row(r, t->p, t->p->dead + t->row0) + first, s->wide.qkv, &view,
                          c->score, rows, seen, (t->g1 - t->g0) * share, t->g1 - t->g0,
                          m->head_dim);
}

/* Of FLOATS the first cache line of each STEP floats. */
static void fetch_floats(const float *from, size_t floats, size_t step)
{
    for (size_t i = 0; i < floats; i += step)
        __builtin_prefetch(from + i, 0, 2);
}

/* Have the cached keys and values of piece I of all, which comes next, brought near: with many
 * short texts each is new to the CPU's caches and too short for the CPU to foresee what it reads.
 */
static void fetch_piece(const struct run *r, size_t i)
{
    const struct sweep *s = r->s;
    const struct piece *p = &s->piece[i];
    const struct place *place;
    const struct kv *kv;
    size_t seen;

    if (i >= r->b->last || p->rows > FETCH_ROWS || !s->seq[p->seq].kv)
        return;
    kv = s->seq[p->seq].kv;
    place = &s->place[p->seq];
    seen = MIN(place->base + p->from + p->rows, FETCH_BYTES / (2 * sizeof(float) * kv->width));
    for (size_t at = 0; at < seen; at += KV_PAGE) {
        size_t page = place->slot * kv->room + at / KV_PAGE, rows = MIN(seen - at, (size_t)KV_PAGE);

        /* turned keys: the first half of each run, or all of it */
        fetch_floats(kv->k[page], KV_PAGE * kv->width, rows > LINE_FLOATS ? LINE_FLOATS : KV_PAGE);
        fetch_floats(kv->v[page], rows * kv->width, LINE_FLOATS);
    }
}

static void do_item(void *arg, size_t i, size_t thread)
{
    const struct cut *c = arg;
    struct item t = item_at(c, i);
    /* Alone, a block is its thread's; else scores and page pointers are. */
    struct scratch *own = c->r->inner ? &c->r->s->scratch[thread] : c->r->c;

    if (c->rotate)
        rotate(c->r, &t);
    if (c->attend)
        attend(c->r, &t, own);
}

/* Multiply-adds of all scores of the block. */
static size_t work(const struct run *r)
{
    size_t sum = 0;

    for (size_t i = r->b->first; i < r->b->last; i++) {
        const struct piece *p = &r->s->piece[i];

        sum += p->rows * (r->s->place[p->seq].base + p->from + p->rows);
    }
    return sum * r->s->wide.q;
}

void sweep_attend(struct run *r)
{
    size_t pieces = r->b->last - r->b->first, threads = r->s->threads;
    size_t heads = r->s->m->conf.kv_heads;
    struct cut c = { .r = r, .groups = 1, .chunks = 1, .rotate = true, .attend = true };

    if (!r->inner || work(r) < SPLIT_FLOATS_MIN) {
        for (size_t i = 0; i < pieces; i++) {
            fetch_piece(r, r->b->first + i + 1);
            do_item(&c, i, 0);
        }
        return;
    }
    c.groups = MIN(heads, (2 * threads + pieces - 1) / pieces);
    c.attend = pieces * c.groups >= threads;
    pool_run(r->inner, do_item, &c, pieces * c.groups);
    if (c.attend)
        return;
    c.rotate = false;
    c.attend = true;
    c.chunks =
        MIN((2 * threads + pieces - 1) / pieces, (r->b->live_rows + ROWS_MIN - 1) / ROWS_MIN);
    c.chunks = MAX(c.chunks, (size_t)1);
    pool_run(r->inner, do_item, &c, pieces * c.groups * c.chunks);
}

/* What [begin, end) has of the COUNT rows from FIRST on, as [*ret_from, *ret_to) among those. */
static bool overlap(size_t first, size_t count, size_t begin, size_t end, size_t *ret_from,
                    size_t *ret_to)
{
    size_t low = MAX(first, begin), high = MIN(first + count, end);

    if (low >= high)
        return false;
    *ret_from = low - first;
    *ret_to = high - first;
    return true;
}

void sweep_rotate_rows(struct run *r, size_t begin, size_t end)
{
    for (size_t i = r->b->first; i < r->b->last; i++) {
        struct item t = { .p = &r->s->piece[i], .g1 = r->s->m->conf.kv_heads };

        if (overlap(t.p->row, t.p->rows, begin, end, &t.from, &t.to))
            rotate(r, &t);
    }
}

void sweep_attend_rows(struct run *r, size_t begin, size_t end, struct scratch *own)
{
    for (size_t i = r->b->first; i < r->b->last; i++) {
        struct item t = { .p = &r->s->piece[i], .g1 = r->s->m->conf.kv_heads };

        if (overlap(t.p->live_row, t.p->rows - t.p->dead, begin, end, &t.row0, &t.row1))
            attend(r, &t, own);
    }
}
