/* SPDX-License-Identifier: Apache-2.0 */
/* read.h - what the command line and the coordinator show: lists, status, labels, guarded SQL.
 * Works on both kinds of connection. Rows go to callbacks; text in them is valid during the call. A
 * callback returns 0 to go on, else the listing stops and returns that value. */
#ifndef STORE_READ_H
#define STORE_READ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

struct store;

/* From now on statements of S fail with ERR_TIMEOUT once TIME_MS have passed; 0: no limit any more.
 */
void store_time_limit(struct store *s, uint32_t time_ms);
/* ERR_TIMEOUT once they have: for work between statements. */
int store_check_time(const struct store *s, struct err *err) MUST_CHECK;

struct store_experiment {
    uint64_t id, revision; /* revision: id of the latest */
    const char *name;
    uint32_t revision_number; /* 1, 2, 3... in the order of first submission */
    bool cancelled;
    int64_t submitted_wall_ms;
};
typedef int (*store_experiment_fn)(const struct store_experiment *e, void *arg);
int store_list_experiments(struct store *s, store_experiment_fn fn, void *arg,
                           struct err *err) MUST_CHECK;

/* Id of experiment NAME; NAME "" or NULL: the one submitted last. ERR_NOT_FOUND lists the names
 * there are. */
int store_find_experiment(struct store *s, const char *name, uint64_t *ret,
                          struct err *err) MUST_CHECK;
/* Recipe text of EXPERIMENT's latest revision, appended to RET. */
int store_recipe(struct store *s, uint64_t experiment, struct buf *ret, struct err *err) MUST_CHECK;

struct store_run {
    uint64_t id, seed;
    bool superseded;
    const char *params; /* "router.windows = 4, seed = 1", sorted by name */
};
typedef int (*store_run_fn)(const struct store_run *r, void *arg);
int store_list_runs(struct store *s, uint64_t experiment, bool superseded_too, store_run_fn fn,
                    void *arg, struct err *err) MUST_CHECK;

/* A step of the latest revision, over the distinct jobs that its live runs claim. RUNNING is the
 * coordinator's knowledge: running jobs are among ready. */
struct store_step_status {
    const char *step, *kind;
    uint32_t jobs, done, failed, cancelled, skipped, waiting, ready, diverged;
    uint64_t units_done, units_total; /* examples of shards; other jobs count 1 */
    double seconds_spent;             /* wall time of ended attempts */
    uint32_t unchosen;                /* of skipped: halving did not choose their runs */
};
typedef int (*store_step_fn)(const struct store_step_status *st, void *arg);
/* Steps in the order of the recipe (of first claim). */
int store_status(struct store *s, uint64_t experiment, store_step_fn fn, void *arg,
                 struct err *err) MUST_CHECK;
/* Every job of the latest revision is DONE, FAILED, CANCELLED or SKIPPED. */
int store_finished(struct store *s, uint64_t experiment, bool *ret, struct err *err) MUST_CHECK;
/* Failed jobs: "labels: OOM: text of the last attempt". */
typedef int (*store_text_fn)(const char *text, void *arg);
int store_failures(struct store *s, uint64_t experiment, store_text_fn fn, void *arg,
                   struct err *err) MUST_CHECK;

/* State of the job with KEY ("DONE"...), "" when there is none. For `drover plan`. */
int store_job_state(struct store *s, const struct digest *key, char ret_state[16],
                    struct err *err) MUST_CHECK;

enum { STORE_AT_MAX = 32 };
struct store_label_filter {
    uint64_t experiment; /* 0: all */
    uint64_t run;        /* 0: all */
    const char *step;    /* NULL: all */
    const char *task;    /* NULL: all */
    const char *split;   /* NULL: all */
    int level;           /* -1: all */
    uint64_t example;    /* 0: all; else its id */
    uint64_t limit;      /* 0: none */
    /* Of these none or several: only labels of one of them. */
    bool improved, preserved, unsolved;
    bool shorter;        /* only labels of fewer layers than the model */
    uint32_t min_layers; /* layer applications of the label; both 0: all */
    uint32_t max_layers; /* 0: no limit; with either unsolved ones are left out */
    struct {             /* the label has CHOICE at LAYER */
        uint32_t layer;  /* from 0 */
        char choice;     /* '0', '1', '2' */
    } at[STORE_AT_MAX];
    size_t at_len;
};
struct store_label_row {
    const char *experiment, *step, *task, *split, *source_id, *question, *gold;
    int level;
    uint64_t run, seed, example, index;
    bool base_correct, has_label;
    const char *routing; /* "11021..."; NULL without label */
    uint32_t layers, label_layers, simulations, evaluations, hinted;
    const char *base_answer, *label_answer;
    uint64_t layer_rows, layer_rows_whole, wall_us;
    uint64_t id, family; /* rows of the store, for store_label_paths() and store_family_model() */
};
typedef int (*store_label_fn)(const struct store_label_row *row, void *arg);
/* Labels of live runs, each family once per experiment and step, sorted by (experiment, step, task,
 * level, index). */
int store_list_labels(struct store *s, const struct store_label_filter *f, store_label_fn fn,
                      void *arg, struct err *err) MUST_CHECK;
/* Does R pass F's conditions on the label itself: verdict, layers, choices? */
bool store_label_passes(const struct store_label_filter *f, const struct store_label_row *r);

/* The paths that the search of label ID (store_label_row) evaluated, in order of discovery. Not
 * from within store_list_labels' callback of the same kind of listing. */
struct store_path_row {
    const char *routing, *answer;
    bool right;
    uint32_t visits;
};
typedef int (*store_path_fn)(const struct store_path_row *row, void *arg);
int store_label_paths(struct store *s, uint64_t id, store_path_fn fn, void *arg,
                      struct err *err) MUST_CHECK;
/* How the examples of FAMILY (a row of the store) are evaluated. ERR_NOT_FOUND: no job of it is
 * known any more. */
struct store_family_model {
    struct digest model, task_file; /* task_file: zero for a synthetic task */
    bool model_folder, task_folder; /* the blob is a manifest */
    char prompts[32];
    int fewshot;
};
int store_family_model(struct store *s, uint64_t family, struct store_family_model *ret,
                       struct err *err) MUST_CHECK;

/* Sums over the results of one family in one run's step: what tables are made of. */
struct store_sums {
    const char *step, *task, *split;
    int level;
    uint64_t run, seed;
    struct digest family;
    uint64_t family_id;   /* its row, for store_vector() */
    bool search;          /* labels; else scores */
    uint64_t promised, n; /* examples asked for, stored */
    uint64_t correct;     /* default path (search), or as evaluated */
    uint64_t norm;        /* evaluate: correct by log-likelihood per character */
    uint64_t labelled;    /* search: some path is right */
    uint64_t preserved, improved;
    double layers_label; /* search: layer applications of the label paths, labelled examples only;
                            evaluate: per token */
    double layers_all;   /* search: the same over all examples; evaluate: as layers_label */
    double layers_base;  /* search: layers of the model, over all examples */
    uint64_t repeats;
    uint64_t truncated;         /* evaluate: examples whose prompt was cut on the left */
    uint64_t tokens, generated; /* evaluate: token rows, tokens generated */
    const char *subset;         /* of store_list_subset_sums; else "" */
};
typedef int (*store_sums_fn)(const struct store_sums *sums, void *arg);
/* Of the live runs of EXPERIMENT, first searches, then evaluations, each by (run, step, task,
 * level, split, family); families without results too (n = 0). */
int store_list_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                    struct err *err) MUST_CHECK;

/* The same by subset of the benchmark (MMLU's subject...), by (run, step, task, level, split,
 * family, subset). Only what is stored: families without results have no row, and promised is n. */
int store_list_subset_sums(struct store *s, uint64_t experiment, store_sums_fn fn, void *arg,
                           struct err *err) MUST_CHECK;

/* A metric over the first N examples of a family, as a run's step reads them. */
struct store_summary {
    const char *step, *metric;
    uint64_t run;
    struct digest family;
    double value;
    double stderr_;       /* as lm-evaluation-harness computes it; NaN: none */
    double stderr_pooled; /* the same pooled over the benchmark's subsets; NaN: none */
    uint64_t n, truncated;
};
typedef int (*store_summary_fn)(const struct store_summary *summary, void *arg);
/* Of the live runs of EXPERIMENT, by (run, step, family, metric's place); only complete families
 * have rows. */
int store_list_summaries(struct store *s, uint64_t experiment, store_summary_fn fn, void *arg,
                         struct err *err) MUST_CHECK;

/* Does STEP follow labels? Then its outcomes are an oracle's: who made the labels knew the answers.
 */
int store_step_reads_labels(struct store *s, uint64_t experiment, const char *step, bool *ret,
                            struct err *err) MUST_CHECK;

typedef int (*store_param_fn)(uint64_t run, const char *name, const char *value, void *arg);
/* Parameters of the live runs, by (name, run). */
int store_list_params(struct store *s, uint64_t experiment, store_param_fn fn, void *arg,
                      struct err *err) MUST_CHECK;
/* Live runs of EXPERIMENT, and how many of them have a job that diverged. */
int store_count_diverged(struct store *s, uint64_t experiment, uint64_t *ret_diverged,
                         uint64_t *ret_runs, struct err *err) MUST_CHECK;

/* Guarded SQL for people: one SELECT (or WITH, EXPLAIN, VALUES) that reads tables and views;
 * anything else is refused by SQLite's authorizer before it runs. */
enum store_type { STORE_NULL, STORE_INTEGER, STORE_REAL, STORE_TEXT, STORE_BYTES };
struct store_value {
    enum store_type type;
    int64_t i;
    double r;
    const char *text; /* TEXT as is; other types as text too ("NULL" is "", blobs are hex) */
    size_t text_len;
};
struct store_query {
    uint32_t time_ms;    /* 0: 10,000 */
    uint64_t rows_max;   /* 0: 1,000,000 */
    uint64_t memory_max; /* bytes that SQLite may take for it; 0: 1 GiB */
};
/* Column names first (once, VALUES NULL), then each row. */
typedef int (*store_row_fn)(const char *const *names, const struct store_value *values,
                            size_t columns, void *arg);
/* Only on a reading connection (asserted). ERR_INVALID: SQLite's message, or why it is refused;
 * ERR_TIMEOUT; ERR_LIMIT: more than rows_max rows (those up to there were given), more than
 * memory_max, or a text, blob or statement that is too long. */
int store_query(struct store *s, const char *sql, const struct store_query *limits, store_row_fn fn,
                void *arg, struct err *err) MUST_CHECK;

#endif
