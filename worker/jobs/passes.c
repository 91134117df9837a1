/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/passes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer.h"

enum {
    /* Token rows of one group: a state of 8192 rows of a model of width 2048 is 64 MiB. States that
     * a group computes are there for the next group. */
    ROWS_MAX = 8192,
    /* Bytes of logits of one sweep: 130 rows of a vocabulary of 128,000. A sequence with more gets
     * its logits piece by piece from its last state. */
    LOGITS_BYTES_MAX = 64 << 20,
};

/* Where a sequence of a group comes from. */
struct source {
    size_t reading, part;
};

struct group {
    const struct model *m;
    struct sweep *sweep;
    struct prefix *prefix;
    struct reading *r;
    size_t n;
    struct sweep_seq *seq; /* [len] */
    struct source *source; /* [len] */
    size_t len;
    uint8_t *rest; /* [n][layers] */
    float **save;  /* [len][layers + 1] */
    float *logits; /* [logit_rows][vocab] */
    size_t logit_rows;
};

static void group_release(struct group *g)
{
    free(g->seq);
    free(g->source);
    free(g->rest);
    free(g->save);
    free(g->logits);
}

static const struct part *part_of(const struct group *g, size_t s)
{
    return &g->r[g->source[s].reading].question->part[g->source[s].part];
}

/* Logit rows that one sweep may have. */
static size_t logit_rows_max(const struct group *g)
{
    return MAX((size_t)LOGITS_BYTES_MAX / (g->m->conf.vocab * sizeof(float)), (size_t)1);
}

static int reserve_logits(struct group *g, size_t rows, struct err *err)
{
    if (rows <= g->logit_rows)
        return 0;
    free(g->logits);
    g->logits = mem_try_aligned(rows * g->m->conf.vocab, sizeof(float));
    g->logit_rows = g->logits ? rows : 0;
    return g->logits ? 0 : err_set(err, ERR_NOMEM, "no memory for %zu rows of logits", rows);
}

/* ------------------------------------------------------------------------------------------- */

/* Keep the states of reading I, whose sequences start at SEQ, that are not there yet. */
static void add_saves(struct group *g, size_t i, size_t seq)
{
    const struct question *q = g->r[i].question;
    const uint8_t *routing = g->r[i].routing;
    size_t layers = g->m->conf.layers, dim = g->m->conf.dim;

    for (size_t len = g->seq[seq].start_layer + 1; len <= layers; len++) {
        float *state;

        if (routing[len - 1] == ROUTING_SKIP)
            continue;
        state = prefix_add(g->prefix, routing, len, q->rows * dim);
        for (size_t k = 0; state && k < q->parts; k++) {
            g->seq[seq + k].save = g->save + (seq + k) * (layers + 1);
            g->seq[seq + k].save[len] = state + q->part[k].before * dim;
        }
    }
}

static void add_sequences(struct group *g, size_t i)
{
    const struct question *q = g->r[i].question;
    size_t layers = g->m->conf.layers, dim = g->m->conf.dim, layer = 0;
    uint8_t *rest = g->rest + i * layers;
    const float *start = NULL;

    memcpy(rest, g->r[i].routing, layers);
    if (g->prefix)
        start = prefix_start(g->prefix, g->r[i].routing, layers, &layer, rest);
    for (size_t k = 0; k < q->parts; k++) {
        const struct part *part = &q->part[k];

        g->source[g->len] = (struct source){ .reading = i, .part = k };
        g->seq[g->len++] = (struct sweep_seq){
            .tokens = part->tokens,
            .rows = part->rows,
            .routing = rest,
            .start_layer = layer,
            .start = start ? start + part->before * dim : NULL,
            .logits_from = part->logits_from,
        };
    }
}

static void group_fill(struct group *g)
{
    size_t layers = g->m->conf.layers, len = 0;

    for (size_t i = 0; i < g->n; i++)
        len += g->r[i].question->parts;
    g->seq = mem_calloc(len, sizeof(*g->seq));
    g->source = mem_calloc(len, sizeof(*g->source));
    g->rest = mem_calloc(g->n, layers);
    g->save = mem_calloc(len * (layers + 1), sizeof(*g->save));
    for (size_t i = 0; i < g->n; i++)
        add_sequences(g, i);
    /* Only now: a state added above would have been found by the next reading before it is
     * computed. */
    for (size_t i = 0, seq = 0; g->prefix && i < g->n; seq += g->r[i++].question->parts)
        add_saves(g, i, seq);
}

/* ------------------------------------------------------------------------------------------- */

/* Take what is asked from logit rows FROM..FROM+N-1 (counted from the part's logits_from) of
 * sequence S. */
static void read_logits(struct group *g, size_t s, const float *logits, size_t from, size_t n)
{
    struct reading *r = &g->r[g->source[s].reading];
    const struct question *q = r->question;
    const struct part *part = part_of(g, s);
    const struct kernels *kern = g->m->kern;
    size_t vocab = g->m->conf.vocab, all = part->rows - part->logits_from;

    for (size_t i = 0; i < n; i++) {
        const float *row = logits + i * vocab;
        double total = (double)kern->logsumexp(row, vocab);

        for (size_t t = 0; t < q->targets; t++)
            if (q->target[t].part == g->source[s].part)
                r->logprob[t] += (double)row[q->target[t].ids[from + i]] - total;
        if (q->form == QUESTION_TOKEN && from + i + 1 == all) {
            r->top = (uint32_t)kern->argmax(row, MIN(vocab, tokenizer_vocab(g->m->tok)));
            r->logprob[0] = total; /* looked at below */
        }
    }
}

/* Sequence S, which has more logit rows than one sweep may have: its last state first, then the
 * head over pieces of it. */
static int run_pieces(struct group *g, size_t s, struct progress *progress, struct err *err)
{
    size_t layers = g->m->conf.layers, dim = g->m->conf.dim, most = logit_rows_max(g);
    struct sweep_seq *seq = &g->seq[s];
    size_t from = seq->logits_from;
    bool ours = !seq->save || !seq->save[layers];
    float *state = ours ? mem_try_aligned(seq->rows * dim, sizeof(float)) : seq->save[layers];
    int rc;

    if (!state)
        return err_set(err, ERR_NOMEM, "no memory for the state of %zu rows", seq->rows);
    seq->save = g->save + s * (layers + 1);
    seq->save[layers] = state;
    seq->logits_from = seq->rows;
    rc = sweep_run(g->sweep, seq, 1, progress, err);
    rc = rc == 0 ? reserve_logits(g, most, err) : rc;
    for (size_t at = from; rc == 0 && at < seq->rows; at += most) {
        struct sweep_seq piece = { .tokens = seq->tokens + at,
                                   .rows = MIN(most, seq->rows - at),
                                   .routing = seq->routing,
                                   .start_layer = layers,
                                   .start = state + at * dim,
                                   .logits = g->logits };

        rc = sweep_run(g->sweep, &piece, 1, progress, err);
        if (rc == 0)
            read_logits(g, s, g->logits, at - from, piece.rows);
    }
    if (ours)
        free(state);
    return rc;
}

/* Sequences FROM..*RET_TO-1: as many as one sweep may have, at least one. */
static int run_some(struct group *g, size_t from, size_t *ret_to, struct progress *progress,
                    struct err *err)
{
    size_t rows = 0, logit_rows = 0, most = logit_rows_max(g), to = from;
    int rc;

    for (; to < g->len; to++) {
        size_t more = g->seq[to].rows - g->seq[to].logits_from;

        if (to > from && (rows + g->seq[to].rows > ROWS_MAX || logit_rows + more > most))
            break;
        rows += g->seq[to].rows;
        logit_rows += more;
    }
    *ret_to = to;
    if (logit_rows > most)
        return run_pieces(g, from, progress, err);
    rc = reserve_logits(g, logit_rows, err);
    if (rc < 0)
        return rc;
    for (size_t s = from, row = 0; s < to; s++) {
        g->seq[s].logits = g->logits + row * g->m->conf.vocab;
        row += g->seq[s].rows - g->seq[s].logits_from;
    }
    rc = sweep_run(g->sweep, g->seq + from, to - from, progress, err);
    for (size_t s = from; rc == 0 && s < to; s++)
        read_logits(g, s, g->seq[s].logits, 0, g->seq[s].rows - g->seq[s].logits_from);
    return rc;
}

static int check_finite(const struct reading *r, struct err *err)
{
    const struct question *q = r->question;

    if (q->form == QUESTION_TOKEN && !isfinite(r->logprob[0]))
        return err_set(err, ERR_DIVERGED, "example %s: the logits are not finite",
                       q->example->source_id);
    for (size_t t = 0; t < q->targets; t++)
        if (!isfinite(r->logprob[t]))
            return err_set(err, ERR_DIVERGED, "example %s: choice %zu has log-likelihood %g",
                           q->example->source_id, t, r->logprob[t]);
    return 0;
}

static int run_group(struct group *g, struct progress *progress, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < g->n; i++)
        memset(g->r[i].logprob, 0, sizeof(g->r[i].logprob));
    group_fill(g);
    for (size_t s = 0; rc == 0 && s < g->len;)
        rc = run_some(g, s, &s, progress, err);
    if (rc < 0 && g->prefix)
        prefix_clear(g->prefix); /* states promised but not computed */
    for (size_t i = 0; rc == 0 && i < g->n; i++)
        rc = check_finite(&g->r[i], err);
    return rc;
}

int passes_run(const struct model *m, struct sweep *s, struct prefix *prefix, struct reading *r,
               size_t n, struct progress *progress, struct err *err)
{
    int rc = 0;

    for (size_t from = 0, to; rc == 0 && from < n; from = to) {
        size_t rows = r[from].question->rows;

        for (to = from + 1; to < n && rows + r[to].question->rows <= ROWS_MAX; to++)
            rows += r[to].question->rows;
        struct group g CLEANUP(group_release) = {
            .m = m, .sweep = s, .prefix = prefix, .r = r + from, .n = to - from
        };
        rc = run_group(&g, progress, err);
    }
    return rc;
}
