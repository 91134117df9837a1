/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/tokenizer/tokenizer.h"

enum { LOGITS_BYTES_MAX = 64 << 20 }; /* 130 rows of a vocabulary of 128,000 */

size_t reading_logit_rows_max(const struct model *m)
{
    return MAX((size_t)LOGITS_BYTES_MAX / (m->conf.vocab * sizeof(float)), (size_t)1);
}

int logits_fit(struct logits *l, const struct model *m, size_t rows, struct err *err)
{
    if (rows <= l->room)
        return 0;
    free(l->rows);
    l->rows = mem_try_aligned(rows * m->conf.vocab, sizeof(float));
    l->room = l->rows ? rows : 0;
    return l->rows ? 0 : err_set(err, ERR_NOMEM, "no memory for %zu rows of logits", rows);
}

void logits_release(struct logits *l)
{
    free(l->rows);
    *l = (struct logits){ 0 };
}

void reading_begin(struct reading *r)
{
    memset(r->logprob, 0, sizeof(r->logprob));
}

void reading_take(struct reading *r, const struct model *m, size_t part, const float *logits,
                  size_t from, size_t n)
{
    const struct question *q = r->question;
    size_t vocab = m->conf.vocab, all = q->part[part].rows - q->part[part].logits_from;

    for (size_t i = 0; i < n; i++) {
        const float *row = logits + i * vocab;
        double total = (double)m->kern->logsumexp(row, vocab);

        for (size_t t = 0; t < q->targets; t++)
            if (q->target[t].part == part)
                r->logprob[t] += (double)row[q->target[t].ids[from + i]] - total;
        if (q->form == QUESTION_TOKEN && from + i + 1 == all) {
            r->top = (uint32_t)m->kern->argmax(row, MIN(vocab, tokenizer_vocab(m->tok)));
            r->logprob[0] = total; /* looked at below */
        }
    }
}

int reading_check(const struct reading *r, struct err *err)
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

int reading_pieces(struct reading *r, const struct model *m, struct sweep *s, size_t part,
                   const float *state, struct logits *logits, struct progress *progress,
                   struct err *err)
{
    const struct part *p = &r->question->part[part];
    size_t most = reading_logit_rows_max(m);
    int rc = logits_fit(logits, m, MIN(most, p->rows - p->logits_from), err);

    for (size_t at = p->logits_from; rc == 0 && at < p->rows; at += most) {
        struct sweep_seq piece = { .tokens = p->tokens + at,
                                   .rows = MIN(most, p->rows - at),
                                   .routing = r->routing,
                                   .start_layer = m->conf.layers,
                                   .start = state + at * m->conf.dim,
                                   .logits = logits->rows };

        rc = sweep_run(s, &piece, 1, progress, err);
        if (rc == 0)
            reading_take(r, m, part, logits->rows, at - p->logits_from, piece.rows);
    }
    return rc;
}
