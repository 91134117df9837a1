/* SPDX-License-Identifier: Apache-2.0 */
/* sweep_plan.c - memory of a pass, and how its sequences are cut into blocks.
 *
 * A block of rows passes a layer step by step. With enough rows each thread takes blocks of its own
 * and nobody waits inside a layer; else the threads share a block, by its rows where weights are
 * small, or else each step of it. A sequence longer
 * than WHOLE_ROWS passes in pieces, one after the other, so that work memory is bounded whatever
 * the length of a prompt. */
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
    WHOLE_ROWS = 512,
    /* Fewer rows per thread than these are shared: tiles of the gemm are eight rows high; weights
     * that do not fit the cache are better read once for all threads. */
    OWN_ROWS_MIN = 16,
    OWN_ROWS_BIG = 128,
    /* Work memory of all threads: 80 MiB, which is 512 rows and more up to dim 4096, hidden 11008
     * for one thread. */
    SCRATCH_FLOATS = 20 << 20,
    PIECE_ROWS_MIN = 16,
};

static size_t work_floats(const struct sweep *s)
{
    return s->wide.dim + s->wide.qkv + s->wide.q + 3 * s->wide.hidden;
}

static bool big_weights(const struct sweep *s)
{
    return s->wide.dim * (s->wide.qkv + s->wide.q + 3 * s->wide.hidden) > BIG_WEIGHTS_FLOATS;
}

static size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

static size_t ceil_div(size_t a, size_t b)
{
    return (a + b - 1) / b;
}

int scratch_fit(struct scratch *c, const struct widths *w, size_t rows, size_t keys,
                struct err *err)
{
    size_t score = attention_scratch_floats(keys);
    size_t norm, qkv, att, up, act, floats, pages;

    if (rows <= c->rows_room && score <= c->score_room)
        return 0;
    rows = MAX(rows, c->rows_room);
    /* A text that grows by a token asks for a little more each time. */
    score = score <= c->score_room ? c->score_room : score + score / 2;
    norm = round16(rows * w->dim), qkv = round16(rows * w->qkv), att = round16(rows * w->q);
    up = round16(rows * 2 * w->hidden), act = round16(rows * w->hidden);
    floats = norm + qkv + att + up + act + score + round16(rows);
    free(c->mem);
    c->rows_room = c->score_room = 0;
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
    c->position = (uint32_t *)(void *)(c->score + score);
    c->rows_room = rows;
    c->score_room = score;
    pages = ceil_div(score, KERNELS_ATTENTION_ROWS * KV_PAGE);
    c->page = mem_realloc(c->page, MAX(2 * pages, 1), sizeof(*c->page));
    return 0;
}

/* Rows of a block that stays in the cache. */
static size_t cache_rows(const struct sweep *s)
{
    size_t rows = MAX(BLOCK_FLOATS / work_floats(s), (size_t)BLOCK_ROWS_MIN);

    return big_weights(s) ? MAX(rows, (size_t)BLOCK_ROWS_BIG) : rows;
}

/* Number of blocks when each thread takes blocks of its own, 0 when they had better share: TOTAL
 * rows, the longest sequence has LONGEST. */
static size_t own_blocks(const struct sweep *s, size_t total, size_t longest)
{
    size_t least = big_weights(s) ? OWN_ROWS_BIG : OWN_ROWS_MIN;
    size_t blocks = ceil_div(ceil_div(total, cache_rows(s)), s->threads) * s->threads;

    if (longest > s->whole_rows || (s->threads > 1 && total < s->threads * least))
        return 0;
    if ((total / blocks + longest) * s->threads > SCRATCH_FLOATS / work_floats(s))
        return 0;
    return blocks;
}

bool sweep_cuts_rows(const struct sweep *s, size_t rows)
{
    return s->threads > 1 && !big_weights(s) && rows >= s->threads * OWN_ROWS_MIN;
}

static struct block *next_block(struct sweep *s)
{
    if (s->blocks_len == s->block_room) {
        s->block_room = 2 * s->block_room + 16;
        s->block = mem_realloc(s->block, s->block_room, sizeof(*s->block));
    }
    s->block[s->blocks_len] = (struct block){ .first = s->pieces_len, .last = s->pieces_len };
    return &s->block[s->blocks_len++];
}

/* Rows [from, from + rows) of sequence SEQ, of which those in front of LIVE end here, into B. */
static void add_piece(struct sweep *s, struct block *b, uint32_t seq, size_t from, size_t rows,
                      size_t live)
{
    size_t dead = MIN(MAX(live, from) - from, rows);

    if (s->pieces_len == s->piece_room) {
        s->piece_room = 2 * s->piece_room + 16;
        s->piece = mem_realloc(s->piece, s->piece_room, sizeof(*s->piece));
    }
    s->piece[s->pieces_len++] = (struct piece){ .seq = seq,
                                                .from = from,
                                                .rows = rows,
                                                .row = b->rows,
                                                .live_row = b->live_rows,
                                                .dead = dead };
    b->last = s->pieces_len;
    b->rows += rows;
    b->live_rows += rows - dead;
}

/* ROOM floats at *P at least. ERR_NOMEM. */
static int fit(float **p, size_t *room, size_t floats, size_t rows, struct err *err)
{
    if (floats <= *room)
        return 0;
    free(*p);
    *room = 0;
    *p = mem_try_aligned(floats, sizeof(float));
    if (!*p)
        return err_set(err, ERR_NOMEM, "%zu bytes for a pass of %zu rows", floats * sizeof(float),
                       rows);
    *room = floats;
    return 0;
}

int sweep_cut(struct sweep *s, size_t layer, unsigned times, struct err *err)
{
    size_t total = 0, longest = 0, keys = 0, at = 0, index = 0, blocks, widest = 0;
    struct block *b = NULL;
    int rc = 0;

    for (size_t i = 0; i < s->active_len; i++) {
        const struct sweep_seq *q = &s->seq[s->active[i]];

        total += q->rows;
        longest = MAX(longest, q->rows);
        keys = MAX(keys, s->place[s->active[i]].base + q->rows);
    }
    blocks = own_blocks(s, total, longest);
    s->blocks_len = s->pieces_len = 0;
    for (size_t i = 0; i < s->active_len; i++) {
        const struct sweep_seq *q = &s->seq[s->active[i]];
        size_t last = s->place[s->active[i]].last_layer;
        size_t live = layer == last && times == q->routing[layer] ? q->logits_from : 0;

        for (size_t from = 0, rows; from < q->rows; from += rows) {
            /* By the place of its middle, so that blocks are nearly equal. */
            size_t to = blocks ? (2 * at + q->rows) * blocks / (2 * total) : 0;

            rows = MIN(q->rows - from, s->whole_rows);
            if (!b || (blocks ? to != index : b->rows + rows > s->whole_rows))
                b = next_block(s);
            index = to;
            add_piece(s, b, s->active[i], from, rows, live);
            widest = MAX(widest, b->rows);
        }
        at += q->rows;
    }
    s->own_blocks = blocks && s->blocks_len >= s->threads;
    if (s->blocks_len == 1 && sweep_cuts_rows(s, widest))
        rc = fit(&s->qkv, &s->qkv_room, widest * s->wide.qkv, widest, err);
    for (size_t t = 0; t < s->threads && !rc; t++)
        rc = scratch_fit(&s->scratch[t], &s->wide, t == 0 || s->own_blocks ? widest : 0, keys, err);
    return rc;
}

size_t sweep_last_layer(const struct sweep *s, const struct sweep_seq *q)
{
    size_t l = s->m->conf.layers;

    if (s->known < l && q->decider)
        return SIZE_MAX;
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
    for (size_t l = q->start_layer; l < layers && !q->decider; l++)
        assert(q->routing[l] <= ROUTING_REPEAT);
    if (q->kv)
        assert(q->start_layer == 0 && q->kv->layers == layers &&
               (q->decider ? q->kv->open
                           : !q->kv->open && !memcmp(q->kv->routing, q->routing, layers)));
    for (size_t r = 0; r < q->rows && !q->start; r++)
        assert(q->tokens[r] < s->m->conf.vocab);
}

/* Keys and values of one layer for the uncached sequences that pass in pieces. */
static int place_keys(struct sweep *s, struct err *err)
{
    size_t rows = 0, at = 0;
    int rc;

    for (size_t i = 0; i < s->n; i++)
        rows += s->seq[i].rows > s->whole_rows && !s->seq[i].kv ? s->seq[i].rows : 0;
    rc = fit(&s->keys, &s->keys_room, 2 * rows * s->wide.kv, rows, err);
    for (size_t i = 0; i < s->n && !rc && rows; i++) {
        if (s->seq[i].rows <= s->whole_rows || s->seq[i].kv)
            continue;
        s->place[i].keys = s->keys + 2 * at * s->wide.kv;
        at += s->seq[i].rows;
    }
    return rc;
}

/* The layer of Q's first pass when Q starts from a state. */
static size_t first_layer(const struct sweep *s, const struct sweep_seq *q)
{
    size_t l = q->start_layer, layers = s->m->conf.layers;

    while (q->start && l < layers && q->routing[l] == ROUTING_SKIP)
        l++;
    return l;
}

/* Where the state behind the last pass of Q is saved, so that it can be made there; or NULL. */
static float *last_state(const struct sweep *s, const struct sweep_seq *q)
{
    float *x = NULL;

    for (size_t l = s->m->conf.layers; q->save && !q->decider && l > q->start_layer; l--) {
        x = q->save[l] ? q->save[l] : x;
        if (q->routing[l - 1])
            break;
    }
    return x;
}

/* A residual stream for the sequences that have none. */
static int place_states(struct sweep *s, struct err *err)
{
    size_t rows = 0, at = 0;
    int rc;

    for (size_t i = 0; i < s->n; i++)
        rows += s->place[i].x ? 0 : s->seq[i].rows;
    rc = fit(&s->x, &s->x_room, rows * s->wide.dim, rows, err);
    for (size_t i = 0; i < s->n && !rc; i++) {
        if (s->place[i].x)
            continue;
        s->place[i].x = s->x + at * s->wide.dim;
        at += s->seq[i].rows;
    }
    return rc;
}

int sweep_prepare(struct sweep *s, struct err *err)
{
    size_t longest = 0;
    int rc;

    s->rows = 0;
    if (s->n > s->seq_room) {
        s->place = mem_realloc(s->place, s->n, sizeof(*s->place));
        s->active = mem_realloc(s->active, s->n, sizeof(*s->active));
        s->seq_room = s->n;
    }
    s->whole_rows =
        MIN(MAX(SCRATCH_FLOATS / work_floats(s), (size_t)PIECE_ROWS_MIN), (size_t)WHOLE_ROWS);
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
        s->place[i] = (struct place){ .x = last_state(s, q),
                                      .first = first_layer(s, q),
                                      .base = base,
                                      .last_layer = sweep_last_layer(s, q) };
        s->rows += q->rows;
        longest = MAX(longest, base + q->rows);
    }
    s->rope = rope_need(s->m->rope, longest);
    rc = place_keys(s, err);
    return rc ? rc : place_states(s, err);
}
