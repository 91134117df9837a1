/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/sweep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "worker/model/sweep_state.h"

enum {
    COPY_FLOATS_MIN = 1 << 16, /* copied by all threads: some 20 us */
    COPY_PARTS_PER_THREAD = 4,
};

struct sweep *sweep_new(const struct model *m, struct pool *pool)
{
    struct sweep *s = mem_calloc(1, sizeof(*s));
    const struct model_conf *c = &m->conf;

    s->m = m;
    s->pool = pool;
    s->threads = pool_threads(pool);
    s->wide = (struct widths){ .dim = c->dim,
                               .q = c->heads * c->head_dim,
                               .kv = c->kv_heads * c->head_dim,
                               .qkv = (c->heads + 2 * c->kv_heads) * c->head_dim,
                               .hidden = c->hidden };
    s->scratch = mem_calloc(s->threads, sizeof(*s->scratch));
    return s;
}

void sweep_free(struct sweep *s)
{
    if (!s)
        return;
    for (size_t t = 0; t < s->threads; t++) {
        free(s->scratch[t].mem);
        free(s->scratch[t].page);
    }
    free(s->scratch);
    free(s->place);
    free(s->active);
    free(s->piece);
    free(s->block);
    free(s->x);
    free(s->keys);
    free(s->qkv);
    free(s->logits);
    free(s->decision);
    free(s);
}

struct each {
    struct sweep *s;
    void (*step)(const struct sweep *s, size_t i, size_t layer);
    size_t layer, parts;
};

static void some_sequences(void *arg, size_t part, size_t thread)
{
    const struct each *e = arg;

    (void)thread;
    for (size_t i = e->s->n * part / e->parts; i < e->s->n * (part + 1) / e->parts; i++)
        e->step(e->s, i, e->layer);
}

/* STEP, which copies, for all sequences. */
static void each_sequence(struct sweep *s, void (*step)(const struct sweep *, size_t, size_t),
                          size_t layer)
{
    struct each e = { s, step, layer, MIN(COPY_PARTS_PER_THREAD * s->threads, s->n) };

    if (s->rows * s->wide.dim < COPY_FLOATS_MIN)
        e.parts = 1;
    pool_run(e.parts > 1 ? s->pool : NULL, some_sequences, &e, e.parts);
}

/* Of the others the first layer copies the start, block by block, when it is in the cache. */
static void enter(const struct sweep *s, size_t i, size_t layer)
{
    const struct tensor_view *embed = &s->m->embed;
    size_t dim = s->wide.dim, bytes = dim * weight_type_bytes(embed->type);
    const struct sweep_seq *q = &s->seq[i];

    (void)layer;
    for (size_t r = 0; r < q->rows && !q->start; r++)
        weight_widen(s->place[i].x + r * dim, (const char *)embed->data + q->tokens[r] * bytes,
                     embed->type, dim);
}

/* Copy the state in front of LAYER where it is asked for. */
static void save_state(const struct sweep *s, size_t i, size_t layer)
{
    const struct sweep_seq *q = &s->seq[i];

    const float *x = sweep_stream(s, i, layer, 1);

    if (q->save && layer >= q->start_layer && q->save[layer] && q->save[layer] != x)
        memcpy(q->save[layer], x, q->rows * s->wide.dim * sizeof(float));
}

static void save_states(struct sweep *s, size_t layer)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->seq[i].save && s->seq[i].save[layer] &&
            s->seq[i].save[layer] != sweep_stream(s, i, layer, 1)) {
            each_sequence(s, save_state, layer);
            return;
        }
}

/* The sequences that pass LAYER at least TIMES times, for pass TIMES. */
static int activate(struct sweep *s, size_t layer, unsigned times, struct err *err)
{
    s->active_len = 0;
    s->times = times;
    for (size_t i = 0; i < s->n; i++)
        if (layer >= s->seq[i].start_layer && s->seq[i].routing[layer] >= times)
            s->active[s->active_len++] = (uint32_t)i;
    return s->active_len ? sweep_cut(s, layer, times, err) : 0;
}

static int run_layers(struct sweep *s, struct err *err)
{
    for (size_t layer = 0; layer < s->m->conf.layers; layer++) {
        int rc = sweep_decide(s, layer, err);

        if (rc)
            return rc;
        save_states(s, layer);
        for (unsigned times = 1; times <= ROUTING_REPEAT; times++) {
            if (progress_stopped(s->progress))
                return err_set(err, ERR_CANCELLED, "stopped in layer %zu", layer);
            rc = activate(s, layer, times, err);
            if (rc)
                return rc;
            if (s->active_len)
                sweep_layer(s, layer);
        }
    }
    return 0;
}

static int run(struct sweep *s, struct err *err)
{
    int rc;

    sweep_decide_begin(s);
    s->entered = NULL;
    rc = sweep_prepare(s, err);
    if (!rc) {
        each_sequence(s, enter, 0);
        rc = run_layers(s, err);
    }
    if (!rc) {
        save_states(s, s->m->conf.layers);
        rc = sweep_head(s, err);
    }
    sweep_decide_end(s, rc == 0);
    for (size_t i = 0; i < s->n && !rc; i++)
        if (s->seq[i].kv)
            s->seq[i].kv->len += s->seq[i].rows;
    return rc;
}

int sweep_run(struct sweep *s, struct sweep_seq *seq, size_t n, struct progress *progress,
              struct err *err)
{
    uint64_t start = s->measure ? clock_ns() : 0;
    int rc;

    assert(n < UINT32_MAX);
    if (!n)
        return 0;
    s->seq = seq;
    s->n = n;
    s->progress = progress;
    rc = run(s, err);
    for (size_t t = 0; t < s->threads && s->measure; t++) {
        s->stats.gemm_ns += s->scratch[t].gemm_ns;
        s->stats.gemm_flop += s->scratch[t].gemm_flop;
        s->scratch[t].gemm_ns = s->scratch[t].gemm_flop = 0;
    }
    if (s->measure)
        s->stats.total_ns += clock_ns() - start;
    return rc;
}

uint64_t sweep_layer_rows(const struct sweep *s)
{
    return s->layer_rows;
}

void sweep_measure(struct sweep *s, bool on)
{
    s->measure = on;
    if (on)
        s->stats = (struct sweep_stats){ 0 };
}

struct sweep_stats sweep_stats(const struct sweep *s)
{
    return s->stats;
}
