/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/passes.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Where a sequence of a group comes from. */
struct source {
    size_t reading, part;
};

struct group {
    const struct model *m;
    struct sweep *sweep;
    struct reading *r;
    size_t n;
    struct sweep_seq *seq; /* [len] */
    struct source *source; /* [len] */
    size_t len;
    struct logits logits;
};

static void group_release(struct group *g)
{
    free(g->seq);
    free(g->source);
    logits_release(&g->logits);
}

static void add_sequences(struct group *g, size_t i)
{
    const struct reading *r = &g->r[i];
    const struct question *q = r->question;

    for (size_t k = 0; k < q->parts; k++) {
        const struct part *part = &q->part[k];

        g->source[g->len] = (struct source){ .reading = i, .part = k };
        g->seq[g->len++] = (struct sweep_seq){
            .tokens = part->tokens,
            .rows = part->rows,
            .routing = r->routing,
            .logits_from = part->logits_from,
            .decider = r->decider,
            .decided = r->decided,
            .decide_rows = k == 0 && r->decider ? part->logits_from + 1 : 0,
        };
    }
}

static void group_fill(struct group *g)
{
    size_t len = 0;

    for (size_t i = 0; i < g->n; i++)
        len += g->r[i].question->parts;
    g->seq = mem_calloc(len, sizeof(*g->seq));
    g->source = mem_calloc(len, sizeof(*g->source));
    for (size_t i = 0; i < g->n; i++)
        add_sequences(g, i);
}

/* ------------------------------------------------------------------------------------------- */

/* Sequence S, which has more logit rows than one sweep may have: its last state first, then the
 * head over pieces of it. */
static int run_pieces(struct group *g, size_t s, struct progress *progress, struct err *err)
{
    size_t layers = g->m->conf.layers;
    struct sweep_seq *seq = &g->seq[s];
    float **save CLEANUP(mem_cleanup) = mem_calloc(layers + 1, sizeof(*save));
    float *state CLEANUP(mem_cleanup) = mem_try_aligned(seq->rows * g->m->conf.dim, sizeof(float));
    int rc;

    if (!state)
        return err_set(err, ERR_NOMEM, "no memory for the state of %zu rows", seq->rows);
    seq->save = save;
    seq->save[layers] = state;
    seq->logits_from = seq->rows;
    rc = sweep_run(g->sweep, seq, 1, progress, err);
    seq->save = NULL;
    return rc < 0 ? rc
                  : reading_pieces(&g->r[g->source[s].reading], g->m, g->sweep, g->source[s].part,
                                   state, &g->logits, progress, err);
}

/* Sequences FROM..*RET_TO-1: as many as one sweep may have, at least one. */
static int run_some(struct group *g, size_t from, size_t *ret_to, struct progress *progress,
                    struct err *err)
{
    size_t rows = 0, logit_rows = 0, most = reading_logit_rows_max(g->m), to = from;
    int rc;

    for (; to < g->len; to++) {
        size_t more = g->seq[to].rows - g->seq[to].logits_from;

        if (to > from && (rows + g->seq[to].rows > READING_ROWS_MAX || logit_rows + more > most))
            break;
        rows += g->seq[to].rows;
        logit_rows += more;
    }
    *ret_to = to;
    /* Parts of a question whose first one was in an earlier sweep go by what that decided. */
    for (size_t s = from; s < to && g->source[s].part > s - from; s++)
        g->seq[s].decider = NULL;
    if (logit_rows > most)
        return run_pieces(g, from, progress, err);
    rc = logits_fit(&g->logits, g->m, logit_rows, err);
    if (rc < 0)
        return rc;
    for (size_t s = from, row = 0; s < to; s++) {
        g->seq[s].logits = g->logits.rows + row * g->m->conf.vocab;
        row += g->seq[s].rows - g->seq[s].logits_from;
    }
    rc = sweep_run(g->sweep, g->seq + from, to - from, progress, err);
    for (size_t s = from; rc == 0 && s < to; s++)
        reading_take(&g->r[g->source[s].reading], g->m, g->source[s].part, g->seq[s].logits, 0,
                     g->seq[s].rows - g->seq[s].logits_from);
    return rc;
}

static int run_group(struct group *g, struct progress *progress, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < g->n; i++)
        reading_begin(&g->r[i]);
    group_fill(g);
    for (size_t s = 0; rc == 0 && s < g->len;)
        rc = run_some(g, s, &s, progress, err);
    for (size_t i = 0; rc == 0 && i < g->n; i++)
        rc = reading_check(&g->r[i], err);
    return rc;
}

int passes_run(const struct model *m, struct sweep *s, struct reading *r, size_t n,
               struct progress *progress, struct err *err)
{
    int rc = 0;

    for (size_t from = 0, to; rc == 0 && from < n; from = to) {
        size_t rows = r[from].question->rows;

        for (to = from + 1; to < n && rows + r[to].question->rows <= READING_ROWS_MAX; to++)
            rows += r[to].question->rows;
        struct group g CLEANUP(
            group_release) = { .m = m, .sweep = s, .r = r + from, .n = to - from };
        rc = run_group(&g, progress, err);
    }
    return rc;
}
