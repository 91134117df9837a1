/* SPDX-License-Identifier: Apache-2.0 */
/* model_pack.c - from the file's matrices to packed panels, several at once.
 *
 * The work is cut into chunks of whole panels, so that no two threads write the same one. Pages of
 * the file are given back chunk by chunk: they come in as they are read, and without that a model
 * would be in memory twice. */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/model/model_private.h"

enum {
    STACK_MAX = 3,         /* matrices one above the other: q, k, v */
    CHUNK_BYTES = 8 << 20, /* of a packed matrix: what a thread fills at a time */
};

/* Matrices to be stacked in one packed weight. */
struct stack {
    struct packed *to;
    const struct tensor_view *part[STACK_MAX];
    size_t parts;
};

static struct stack stack_of(const struct checkpoint *f, struct model *m, size_t l, size_t which)
{
    struct model_layer *y = &m->layer[l];

    switch (which) {
    case 0:
        return (struct stack){ &y->wqkv, { &f->wq[l], &f->wk[l], &f->wv[l] }, 3 };
    case 1:
        return (struct stack){ &y->wo, { &f->wo[l] }, 1 };
    case 2:
        return (struct stack){ &y->w13, { &f->w1[l], &f->w3[l] }, 2 };
    case 3:
        return (struct stack){ &y->w2, { &f->w2[l] }, 1 };
    default:
        return (struct stack){ &m->head, { &f->head[0] }, 1 };
    }
}

/* Number of stacks; the last is the head. */
static size_t stacks(const struct model *m)
{
    return 4 * m->conf.layers + 1;
}

static struct stack stack_at(const struct checkpoint *f, struct model *m, size_t i)
{
    return i < 4 * m->conf.layers ? stack_of(f, m, i / 4, i % 4) : stack_of(f, m, 0, 4);
}

/* Its type is that of its parts; F32 when they differ. */
static int alloc_stack(struct model *m, const struct stack *s, struct err *err)
{
    enum weight_type type = s->part[0]->type;
    size_t rows = 0;
    int rc;

    for (size_t p = 0; p < s->parts; p++) {
        type = s->part[p]->type == type ? type : WEIGHT_F32;
        rows += s->part[p]->rows;
    }
    rc = packed_alloc(s->to, type, s->part[0]->cols, rows, err);
    m->weight_bytes += rc ? 0 : packed_bytes(s->to);
    return rc;
}

/* Room for vector V behind *AT; NULL when the model has none. */
static const float *place(float **at, const struct tensor_view *v)
{
    float *here = *at;

    if (!v->data)
        return NULL;
    weight_widen(here, v->data, v->type, v->cols);
    *at += v->cols;
    return here;
}

static const float *place_aligned(struct model *m, float **at, const struct tensor_view *v)
{
    *at = m->vectors + ((size_t)(*at - m->vectors) + 15) / 16 * 16;
    return place(at, v);
}

/* Norms and biases as floats; q, k, v and gate, up behind each other as the weights are stacked. */
static int take_vectors(struct model *m, const struct checkpoint *f, struct err *err)
{
    const struct model_conf *c = &m->conf;
    size_t per_layer = 4 * c->dim + (c->heads + 2 * c->kv_heads) * c->head_dim + 2 * c->hidden;
    size_t floats = c->layers * (per_layer + 6 * 16) + c->dim;
    float *at = m->vectors = mem_try_aligned(floats, sizeof(float));

    if (!at)
        return err_set(err, ERR_NOMEM, "%zu bytes for norms and biases", floats * sizeof(float));
    m->weight_bytes += floats * sizeof(float);
    m->norm = place(&at, &f->norm[0]);
    for (size_t l = 0; l < c->layers; l++) {
        struct model_layer *y = &m->layer[l];

        y->norm1 = place_aligned(m, &at, &f->norm1[l]);
        y->norm2 = place_aligned(m, &at, &f->norm2[l]);
        y->bqkv = place_aligned(m, &at, &f->bq[l]);
        (void)place(&at, &f->bk[l]);
        (void)place(&at, &f->bv[l]);
        y->bo = place_aligned(m, &at, &f->bo[l]);
        y->b13 = place_aligned(m, &at, &f->b1[l]);
        (void)place(&at, &f->b3[l]);
        y->b2 = place_aligned(m, &at, &f->b2[l]);
    }
    return 0;
}

int model_alloc(struct model *m, const struct checkpoint *files, struct err *err)
{
    int rc = 0;

    m->layer = mem_calloc(m->conf.layers, sizeof(*m->layer));
    for (size_t i = 0; i < stacks(m) && !rc; i++) {
        struct stack s = stack_at(files, m, i);

        rc = alloc_stack(m, &s, err);
    }
    return rc ? rc : take_vectors(m, files, err);
}

/* Rows [from, from + rows) of V, packed from row N0 on; then their pages may go. */
static void pack_rows(const struct checkpoint *f, struct packed *to, size_t n0,
                      const struct tensor_view *v, size_t from, size_t rows)
{
    size_t bytes = weight_type_bytes(v->type);
    struct tensor_view part = { (const char *)v->data + from * v->cols * bytes, v->type, rows,
                                v->cols };

    if (v->type == to->type) {
        packed_fill_rows(to, n0, rows, part.data, v->cols);
    } else {
        CLEANUP(mem_cleanup) float *wide = mem_aligned(v->cols, sizeof(float));

        for (size_t r = 0; r < rows; r++) {
            weight_widen(wide, (const char *)part.data + r * v->cols * bytes, v->type, v->cols);
            packed_fill_rows(to, n0 + r, 1, wide, v->cols);
        }
    }
    if (f->mapping)
        checkpoint_drop(f, &part);
}

struct packing {
    const struct checkpoint *files;
    struct model *m;
    struct progress *progress;
    struct chunk {
        size_t stack, begin, end; /* rows of the stack */
    } * chunk;
    size_t len;
};

static void pack_chunk(void *arg, size_t i, size_t thread)
{
    struct packing *p = arg;
    const struct chunk *c = &p->chunk[i];
    struct stack s = stack_at(p->files, p->m, c->stack);

    (void)thread;
    if (progress_stopped(p->progress))
        return;
    for (size_t k = 0, row = 0; k < s.parts; row += s.part[k++]->rows) {
        size_t low = MAX(row, c->begin), high = MIN(row + s.part[k]->rows, c->end);

        if (low < high)
            pack_rows(p->files, s.to, low, s.part[k], low - row, high - low);
    }
    progress_tick(p->progress);
}

static void cut(struct packing *p, size_t stack, const struct packed *w)
{
    size_t rows = CHUNK_BYTES / (weight_type_bytes(w->type) * w->k);

    rows = MAX(rows / KERNELS_PANEL, (size_t)1) * KERNELS_PANEL;
    for (size_t begin = 0; begin < w->n; begin += rows) {
        p->chunk = mem_realloc(p->chunk, p->len + 1, sizeof(*p->chunk));
        p->chunk[p->len++] = (struct chunk){ stack, begin, MIN(begin + rows, w->n) };
    }
}

int model_pack(struct model *m, const struct checkpoint *files, struct pool *pool,
               struct progress *progress, struct err *err)
{
    struct packing p = { .files = files, .m = m, .progress = progress };

    for (size_t i = 0; i < stacks(m); i++) {
        struct stack s = stack_at(files, m, i);

        cut(&p, i, s.to);
    }
    pool_run(pool, pack_chunk, &p, p.len);
    free(p.chunk);
    return progress_stopped(progress) ? err_set(err, ERR_CANCELLED, "stopped while loading") : 0;
}
