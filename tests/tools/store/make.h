/* SPDX-License-Identifier: Apache-2.0 */
/* make.h - a store as a large sweep leaves it, made row by row without running a job.
 *
 * One experiment, "generated/sweep", of N runs with eight parameters: text (schedule, model), whole
 * numbers (router.windows, train.batch, seed), real ones on a grid (search.exploration) and with
 * thousands of values (train.lr), yes or no (prompts.think). Each run claims three jobs: "train",
 * "score" (an evaluation of its own) and one of few shared ones, "labels" (a search). Of each
 * hundred runs about 72 are finished, the others failed, cancelled, superseded, ready, waiting or
 * diverged: make_fate(). Which schedule is better, which learning rate diverges and which layers
 * labels skip is built in, so that looking at it tells something.
 *
 * Everything is a function of the seed and of the sizes. Rows go in with the triggers taken off and
 * put back as they were; what they would have kept is written here. */
#ifndef TESTS_TOOLS_STORE_MAKE_H
#define TESTS_TOOLS_STORE_MAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/stmt.h"

enum {
    MAKE_STEPS = 3,    /* of a run: jobs that it claims */
    MAKE_LAYERS = 28,  /* of the model */
    MAKE_TREE = 24,    /* paths in a search log */
    MAKE_FAMILY = 500, /* labels of one search job */
    MAKE_LONG = 25000, /* points of a long run's series */
    MAKE_WORKERS = 48,
    MAKE_SLOTS = 4,
    MAKE_LONG_RUNS = 40 /* of one model, whose series have a million points together */
};

enum make_fate {
    FATE_FINISHED,
    FATE_SUPERSEDED,   /* finished, no longer in the experiment */
    FATE_DIVERGED,     /* finished, training met NaN */
    FATE_TRAIN_FAILED, /* the evaluation is skipped */
    FATE_SCORE_FAILED,
    FATE_CANCELLED,
    FATE_TRAIN_READY, /* the evaluation waits */
    FATE_SCORE_READY,
};

struct make {
    const char *path, *name;
    uint64_t runs, scores, points, labels, seed;
    int64_t begin_ms, end_ms; /* when the first attempt began and the last one ended, about */
    bool ended;               /* nothing is left to be done */
    bool hostile;             /* texts hold HTML */
    bool quiet;
    struct sqlite3 *db;
    uint64_t families; /* of labels */
    uint64_t pool;     /* examples of the task that runs are scored on */
    uint64_t *attempt; /* of run i: the one that gave its training's result; 0: none */
    uint64_t next_attempt, next_job, next_family, next_score, next_event;
    int64_t free_ms[MAKE_WORKERS * MAKE_SLOTS]; /* when a slot is free again */
    uint64_t lane;                              /* the slot that was taken last */
};

/* What run I (from 0) is. */
struct make_run {
    uint64_t seed;
    unsigned schedule, windows, batch, exploration;
    bool think, long_series;
    double lr, quality; /* chance that an answer is right */
    char model[32];
    enum make_fate fate;
    uint64_t examples;
};
void make_run(const struct make *m, uint64_t i, struct make_run *ret);
extern const char *const make_schedules[5];

/* A well mixed number of (seed, purpose, a, b); a uniform and a normal one of it. */
uint64_t make_mix(const struct make *m, const char *purpose, uint64_t a, uint64_t b);
double make_uniform(uint64_t *state); /* [0, 1), moves the state on */
double make_normal(uint64_t *state);

/* One execution: takes the next slot. */
struct make_attempt {
    uint64_t id, job, worker;
    uint32_t epoch;
    const char *outcome, *text; /* TEXT may be NULL */
    int64_t started_ms, ended_ms;
    uint64_t wall_ms;
};
/* Parts, in their order. Errors end the program. */
void make_base(struct make *m);    /* experiment, workers, examples */
void make_labels(struct make *m);  /* shared searches */
void make_runs(struct make *m);    /* runs with their jobs, attempts and scores */
void make_metrics(struct make *m); /* opens the store as its writer */
void make_check(struct make *m);   /* run_summary against the rows */

/* The wide row of a run, as the triggers keep it. */
struct make_sums {
    uint64_t jobs, waiting, ready, done, failed, skipped, cancelled, diverged, wall_ms;
    int64_t first_ms, last_ms; /* 0: none */
};
void make_attempt(struct make *m, struct make_attempt *a, double seconds);
void make_log(struct make *m, const struct make_attempt *a, const char *text);
void make_event(struct make *m, const char *kind, const struct make_attempt *a, const char *text);
/* Count what an ended attempt and a job in STATE mean for the run. */
void make_count_attempt(struct make_sums *x, const struct make_attempt *a, bool effective);
void make_count_job(struct make_sums *x, const char *state, bool diverged);

struct make_job {
    uint64_t id;
    const char *kind, *step, *state, *text;
    uint64_t seed, end;
    uint32_t waiting, tries, losses, epoch;
    uint64_t attempt;
    bool diverged, parts, needed;
};
void make_job(struct make *m, const struct make_job *j);
/* What runs that read a search's labels must know of it. */
struct make_family {
    uint64_t id, job, examples, correct, labelled;
    bool complete;
    struct make_sums sums;
};
const struct make_family *make_family(uint64_t k);
void make_forget_families(void);

/* A statement of this program's, prepared once and kept until make_release_stmts(). */
struct stmt *make_stmt(struct make *m, const char *sql);
void make_release_stmts(void);
void make_run_stmt(struct stmt *st);
void make_must(int rc, const struct err *err, const char *what);
void make_say(const struct make *m, const char *format, ...) PRINTF_LIKE(2, 3);
void make_digest(const struct make *m, const char *purpose, uint64_t a, struct digest *ret);

#endif
