/* SPDX-License-Identifier: Apache-2.0 */
/* lm_eval.h - results of EleutherAI's lm-evaluation-harness: its per-sample files in, its results
 * JSON out (`drover lm-eval`).
 *
 * A file samples_TASK_DATE.jsonl has a line per document and filter: doc_id, doc, target,
 * arguments, resps, filtered_resps, filter, metrics, hashes, and each metric's value under its
 * name. Beside it lies results_DATE.json with the model's name, the task's configuration and the
 * version. */
#ifndef EXPERIMENTS_CLI_LM_EVAL_H
#define EXPERIMENTS_CLI_LM_EVAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

enum {
    LM_METRICS_MAX = 24,
    LM_NAME_MAX = 64,
    LM_MODEL_MAX = 256,
    LM_CHOICES_MAX = 64,           /* classes of a choice task: the store's limit */
    LM_LINE_MAX = 64 << 20,        /* bytes of a line */
    LM_DOCS_MAX = 4 * 1000 * 1000, /* the largest benchmark has some 10^5 */
};

struct lm_doc {
    bool seen;
    uint64_t filters; /* bit per filter that had a line for it */
    char *question, *gold, *answer;
    struct digest content; /* of the document itself */
    double *logprob;       /* per choice; NULL: it generates */
    size_t logprob_len;
    int pick, gold_class; /* -1: none */
    double value[LM_METRICS_MAX];
};

struct lm_samples {
    char path[1024], task[LM_NAME_MAX], model[LM_MODEL_MAX], split[16], numeric_class[64];
    char task_version[32];
    int shots;                                /* -1: not told */
    char metric[LM_METRICS_MAX][LM_NAME_MAX]; /* "acc"; of filters but "none": "acc,FILTER" */
    size_t metrics_len;
    char filter[64][LM_NAME_MAX];
    size_t filters_len;
    struct lm_doc *doc; /* by doc_id: 0 .. docs_len - 1, each there once */
    size_t docs_len, docs_cap;
    size_t left_out;       /* metrics that are no number per document */
    struct digest content; /* of everything above but PATH: the same results, the same digest */
};

/* Read the samples file PATH and, if it is there, the results file beside it. MODEL, TASK: replace
 * what they say; NULL: as they say. ERR_INVALID with "PATH:LINE: why": a line that is cut off or no
 * JSON, a doc_id twice (for one filter) or missing, a metric that is no finite number. */
int lm_eval_read(const char *path, const char *model, const char *task, struct lm_samples *ret,
                 struct err *err) MUST_CHECK;
void lm_eval_release(struct lm_samples *s);

struct lm_imported {
    uint32_t added, known; /* runs */
    uint64_t scores;       /* written */
};
/* Put LEN files as runs into EXPERIMENT of the store at STORE (made when absent), in one
 * transaction: a failure changes nothing. Runs that are there with the same results are known.
 * ERR_CONFLICT: another process is the store's writer (its pid is named); the experiment comes from
 * a recipe; or it has a run of that model and task with other results. */
int lm_eval_import(const char *store, const char *experiment, const struct lm_samples *samples,
                   size_t len, struct lm_imported *ret, struct err *err) MUST_CHECK;

/* The harness's results JSON of EXPERIMENT's live runs (RUN: of this one; 0: of all, which must be
 * of distinct tasks), appended to OUT. ERR_NOT_FOUND: no such experiment, or nothing complete. */
int lm_eval_export(const char *store, const char *experiment, uint64_t run, struct buf *out,
                   struct err *err) MUST_CHECK;

#endif
