/* SPDX-License-Identifier: Apache-2.0 */
/* pivot.h - the facts behind a table: sums per (run, step, family) and numbers per run, with the
 * runs' parameters. Loaded once per table. */
#ifndef STORE_TABLES_PIVOT_H
#define STORE_TABLES_PIVOT_H

#include "common/conf/cond.h"
#include "common/metrics/metrics.h"
#include "store/tables/tables.h"

/* Each text once: equal texts are equal pointers. */
struct names;
const char *names_intern(struct names **n, const char *text);
void names_free(struct names *n);

/* One row of store_list_sums, or a number of a whole run (NUMBER; no family). */
struct sums {
    const char *step, *task, *split, *subset; /* interned; NUMBER: only step */
    const char *number;                       /* interned "loss"... or "seconds"; NULL: sums */
    int level;
    bool search;
    size_t run; /* index in runs */
    uint64_t family_id, promised, n, correct, norm, labelled, preserved, improved, repeats,
        truncated, tokens, generated;
    uint64_t reads; /* the first so many results of the family; PROMISED may be of a subset */
    double layers_label, layers_all, layers_base;
    double last, least, most, average; /* NUMBER; n = 0: has not been reported (yet) */
    bool censored;                     /* of COST: LAST is all of it, no target was met */
    struct digest family;              /* NUMBER: what it is of, for telling shared ones */
};

struct pivot_run {
    uint64_t id, seed;
    size_t experiment;    /* index */
    bool diverged, ended; /* none of its jobs is still to run */
    double seconds;
    const char **value; /* [params]: interned, NULL: not set */
};

struct pivot_experiment {
    uint64_t id;
    const char *name;
};

/* One store_summary. */
struct summary {
    const char *step, *metric;
    uint64_t run;
    struct digest family;
    struct metric_value value;
    double pooled; /* standard error over subsets; NaN: none */
};

struct pivot {
    struct store *s;
    struct names *names;
    struct pivot_experiment *experiment;
    size_t experiments;
    struct pivot_run *run; /* by id */
    size_t runs, runs_cap;
    const char **param; /* names of parameters, the seed apart */
    size_t params;
    struct sums *sums; /* by (experiment, search first, run, step...) */
    size_t sums_len, sums_cap;
    struct summary *summary; /* by (run, step, family) */
    size_t summaries_len, summaries_cap;
    const char **training; /* names of what training steps reported, of all steps */
    size_t trainings;
    int64_t *last_ms; /* [experiments] */
    bool subsets;     /* sums are per subset */
    bool loads_seconds;
};

/* SUBSETS: sums per subset. SECONDS: runs' times are facts. METRICS: NULL-terminated names of
 * training metrics that are facts. COST: NULL-terminated columns of cost, or NULL. */
struct pivot_wants {
    bool subsets, seconds;
    const char **metrics;
    const struct table_column **cost;
};
int pivot_load(struct pivot *p, struct store *s, const uint64_t *experiments, size_t len,
               const struct pivot_wants *w, struct err *err) MUST_CHECK;
void pivot_release(struct pivot *p);
size_t pivot_run_index(const struct pivot *p, uint64_t id); /* SIZE_MAX: there is none */
struct sums *pivot_new_sums(struct pivot *p);               /* behind the others, empty */

/* The facts of columns COST of an experiment (cost.c); their waiting ones come later. */
int cost_load(struct pivot *p, uint64_t experiment, const struct table_column *const *cost,
              struct err *err) MUST_CHECK;
/* What a run's stages that are still to come might reach is not known: from fact FROM on. */
void cost_wait(struct pivot *p, size_t from);
/* The number of such facts: columns of one cost share them. */
const char *cost_name(struct pivot *p, const struct table_column *c);

/* Keys: parameters by their index, and these. */
enum {
    KEY_TASK = -1,
    KEY_LEVEL = -2,
    KEY_SPLIT = -3,
    KEY_SUBSET = -4,
    KEY_STEP = -5,
    KEY_EXPERIMENT = -6,
    KEY_SEED = -7
};
/* The key NAME: one of the words above, a parameter, or the end of one parameter's name behind a
 * dot. ERR_INVALID with V's place and the nearest names. */
int pivot_find_key(const struct pivot *p, const char *name, const struct conf_value *v, int *ret,
                   struct err *err) MUST_CHECK;
/* Names that a key may have, for messages; free() the array. */
const char **pivot_key_names(const struct pivot *p);
/* Interned text of KEY for X; "" when the run has no such parameter, or X is a number and KEY is of
 * examples. */
const char *pivot_key(struct pivot *p, const struct sums *x, int key);
bool key_is_of_examples(int key);

/* A key's text as a condition sees it: a number, true or false, else a text; "": not set. */
struct cond_value key_value(const char *text);
/* Does C hold for X? V: C's place. */
int pivot_holds(struct pivot *p, const struct cond *c, const struct sums *x,
                const struct conf_value *v, bool *ret, struct err *err) MUST_CHECK;

/* Example by example values of METRIC of X's family, X->promised of them, or NULL when there are
 * none; the cache owns them. See vectors.c. */
struct vectors;
const double *vectors_get(struct vectors **cache, struct store *s, const struct sums *x,
                          const char *metric);
void vectors_free(struct vectors *cache);

#endif
