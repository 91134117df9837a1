/* SPDX-License-Identifier: Apache-2.0 */
/* work.h - the coordinator's daily calls: ready jobs, leases, results. Those that write need an
 * open transaction.
 *   WAITING --needs met--> READY --store_job_done--> DONE
 *      |                     |---store_attempt_end(final)--> FAILED
 *      |-- a need failed, or halving --> SKIPPED   (both) -- no live claim --> CANCELLED
 *
 * That a job runs is the coordinator's memory: here it stays READY. An attempt is one execution; it
 * is open until it has an outcome. Readiness counters fall in the transaction of the result that
 * lets them fall. */
#ifndef STORE_WORK_H
#define STORE_WORK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "store/metric.h"
#include "store/ready.h"
#include "store/submit.h"

struct store;
struct store_ids;

/* Numbers 0..7 are those of the wire's Outcome. */
#define STORE_OUTCOMES(X)                                                                          \
    X(DONE, 0)                                                                                     \
    X(FAILED, 1) X(OOM, 2) X(TIMEOUT, 3) X(PREEMPTED, 4) X(CANCELLED, 5) X(LOST, 6) X(DIVERGED, 7)
enum store_outcome {
#define X(NAME, NUMBER) STORE_##NAME = NUMBER,
    STORE_OUTCOMES(X)
#undef X
        STORE_OUTCOMES_LEN,
    STORE_RUNNING = -1,
};
const char *store_outcome_name(enum store_outcome o); /* "DONE", "OOM"... "RUNNING" */

/* Everything a lease says. Release with store_job_release(). */
struct store_job {
    uint64_t id;
    struct digest key;
    char kind[32], numeric_class[64], step[64], state[16];
    uint32_t kind_version, tries, losses, retries, epoch;
    uint64_t begin, end, seed;
    void *params;
    size_t params_len;
    struct store_input
        *inputs; /* OUTPUT: digest, size, folder of the producer's result filled in */
    size_t inputs_len;
    struct store_family *families; /* with .examples as the job's limit */
    size_t families_len;
    uint64_t *finished; /* shard: ids of the family's examples in [begin, end) that are durable */
    size_t finished_len;
};
/* ERR_NOT_FOUND: no such job, or an input's producer is not DONE or lost its blob (the text says
 * which). */
int store_job_load(struct store *s, uint64_t job, struct store_job *ret,
                   struct err *err) MUST_CHECK;
void store_job_release(struct store_job *j);
/* Id of the job with KEY, 0 when there is none. */
int store_job_find(struct store *s, const struct digest *key, uint64_t *ret,
                   struct err *err) MUST_CHECK;

/* Attempts have dense numbers that the scheduler gives out, never twice, also after a crash: it
 * reserves a block in a transaction that is durable before the first of them is given out.
 * store_attempts_next(): the first number that is neither used nor reserved. Writing, needs a
 * transaction: store_attempts_reserve(): all up to UPTO are taken (fewer than before: nothing). */
int store_attempts_next(struct store *s, uint64_t *ret, struct err *err) MUST_CHECK;
int store_attempts_reserve(struct store *s, uint64_t upto, struct err *err) MUST_CHECK;

/* An attempt as the scheduler started it. It is written when something of it has to be durable: by
 * store_attempt_begin() with outcome RUNNING, or whole with its result. */
struct store_begun {
    uint64_t attempt, job, worker; /* WORKER 0: unknown */
    uint32_t epoch;                /* larger than every earlier one of the job */
    int64_t started_ms;            /* wall time; 0: now */
};
/* ERR_NOT_FOUND: no such job. ERR_CONFLICT: the attempt's number, or the epoch, has another row. An
 * attempt that is there already: nothing happens. */
int store_attempt_begin(struct store *s, const struct store_begun *b, struct err *err) MUST_CHECK;

/* For those without a scheduler: the next number and epoch, begun. */
int store_attempt_start(struct store *s, uint64_t job, uint64_t worker, uint64_t *ret_attempt,
                        uint32_t *ret_epoch, struct err *err) MUST_CHECK;

struct store_attempt {
    uint64_t attempt, job, worker, incarnation;
    uint32_t epoch;
    enum store_outcome outcome; /* STORE_RUNNING while open */
    bool job_open;              /* the job is READY: its result is still wanted */
    bool latest;                /* no newer attempt of the job was started */
};
/* ERR_NOT_FOUND. For re-attaching workers and late results. */
int store_attempt_find(struct store *s, uint64_t attempt, struct store_attempt *ret,
                       struct err *err) MUST_CHECK;
/* Open attempts (of earlier incarnations, at start), oldest first; *RET is to be freed. */
int store_list_open(struct store *s, struct store_attempt **ret, size_t *ret_len,
                    struct err *err) MUST_CHECK;

struct store_entry { /* of a search, in order of discovery */
    int32_t parent;
    const uint8_t *routing; /* one byte per layer, 0..2 */
    size_t routing_len;
    double reward, value;
    uint32_t visits;
    const char *answer;
};
struct store_label {
    bool base_correct, has_label;
    const uint8_t *routing; /* routing_len = layers; ignored without label */
    size_t routing_len;
    uint32_t layers, label_layers, simulations, evaluations;
    /* Costs: not part of the comparison of repeats. */
    uint32_t hinted; /* of evaluations, those that a hint answered */
    uint64_t layer_rows, layer_rows_whole;
    const char *base_answer, *label_answer;
    const struct store_entry *log;
    size_t log_len;
};
struct store_value_of { /* a metric of one example */
    const char *name;
    double value; /* NaN: does not apply to this example; as if it were not there */
};
/* Classes are 0..STORE_CLASSES_MAX - 1. */
enum { STORE_CLASSES_MAX = 64, STORE_VALUES_MAX = 32 };
struct store_score {
    bool correct, correct_norm;
    const char *answer;
    uint64_t layer_rows; /* cost: not compared */
    double layers;
    uint64_t tokens;
    const uint8_t *routing;
    size_t routing_len;
    const double *logprob;
    size_t logprob_len;
    /* What follows enters the comparison of repeats only by its values: they say it all, and a
     * score without any compares with one of an older version. */
    const struct store_value_of *values; /* metrics but acc and acc_norm */
    size_t values_len;
    int pick, gold;     /* class chosen, right class; -1: none */
    uint32_t whole_set; /* METRIC_MCC... of common/metrics: metrics of the whole set */
    uint64_t truncated; /* prompt tokens cut off on the left */
    uint64_t generated; /* tokens */
};
struct store_example {
    uint64_t id, index;
    const char *task, *split, *source_id, *question, *gold;
    const char *subset; /* part of the benchmark; NULL or "": none */
    int level;
};
struct store_example_result {
    uint64_t attempt;
    uint32_t epoch;
    struct store_example example;
    const struct store_label *label; /* exactly one of label, score */
    const struct store_score *score;
    uint64_t wall_us;
};
enum store_verdict {
    STORE_STORED,   /* new and written */
    STORE_REPEATED, /* known and bit-equal: counted */
    STORE_INCIDENT, /* known and different: the committed one stays, an event names both */
};
/* One example's result, of an open or a past attempt of the job's family. Ack it after the commit,
 * whatever the verdict. ERR_STALE    no such attempt, or another epoch (nothing written)
 *   ERR_INVALID  the index is outside the job's shard, the job is no shard, a routing is not 0..2,
 * or a class, metric or number of values is out of range */
int store_example_result(struct store *s, const struct store_example_result *r,
                         enum store_verdict *ret, struct err *err) MUST_CHECK;

/* The same for N results at once, cheaper. RET[i]: the verdict; RET_RC[i]: 0, or why R[i] was
 * refused (ERR_STALE, ERR_INVALID: nothing of it is written, *ERR tells of the first). It fails
 * (ERR_FULL, ERR_IO, ERR_CORRUPT, ERR_NOMEM) only where the caller has to roll back. */
int store_example_results(struct store *s, const struct store_example_result *r, size_t n,
                          enum store_verdict *ret, int *ret_rc, struct err *err) MUST_CHECK;

struct store_output {
    const char *name;
    struct digest digest;
    uint64_t size_bytes;
    bool folder;
};
struct store_result {
    uint64_t attempt;
    uint32_t epoch;
    /* NULL: the attempt's row is there. Else it may not be, and is then written whole; ATTEMPT and
     * EPOCH are those of BEGUN. */
    const struct store_begun *begun;
    bool late;      /* compared with the result that the job has; ERR_STALE while it has none */
    bool blameless; /* LOST through no doing of the job: not one of its losses */
    enum store_outcome outcome;
    const char *text, *environment,
        *log; /* may be NULL (the worker's environment); log is cut to its last 64 KiB */
    uint64_t wall_ms, cpu_ms;
    uint64_t wall_us; /* the same, finer, for estimates; 0: from WALL_MS */
    const struct store_output *outputs;
    size_t outputs_len;
    const struct store_metric *metrics;
    size_t metrics_len;
    /* Are repeats of a kind compared? NULL: of all kinds. */
    bool (*compares)(const char *kind);
};
/* Outcome DONE or DIVERGED: the job's committed result; the job is DONE. READY (may be NULL) gets
 * the jobs that it made ready; behind a DIVERGED one without outputs they are SKIPPED. A shard that
 * completes the first N scores of a family, N what a run's step reads, writes their summary rows.
 * A late or repeated result of a DONE job is compared by its outputs (verdicts as above) and
 * counted, with BEGUN in a row of its own. Any other job takes it, a CANCELLED one too: whether a
 * result of another attempt than the last is wanted is the caller's to decide. ERR_STALE: no such
 * attempt, or another epoch; ERR_INVALID: a shard whose examples are not all stored;
 * ERR_NOT_FOUND: an output's blob has to be uploaded. What fails has written nothing. */
int store_job_done(struct store *s, const struct store_result *r, enum store_verdict *ret,
                   struct store_ids *ready, struct err *err) MUST_CHECK;

/* Any other outcome: closes the attempt (nothing happens when it is closed). FAILED, OOM, TIMEOUT
 * spend a try; LOST counts as a loss unless BLAMELESS; the job stays READY. FINAL: the job is
 * FAILED and every job behind it SKIPPED (*RET_SKIPPED, may be NULL, counts them), but for select
 * jobs, which may become READY by it: look for ready jobs after one that was final. */
int store_attempt_end(struct store *s, const struct store_result *r, bool final,
                      uint32_t *ret_skipped, struct err *err) MUST_CHECK;

/* The rows that collect job JOB reads, appended to RET as a label set (worker/jobs/label_set.h): a
 * header line per family with model, prompts and layers, sorted by key, then the examples with
 * index < N of the job's families, sorted by id: the same bytes whatever the order in which shards
 * came. Of an evaluate step's family each score is a row, with the routing that was used.
 * ERR_NOT_FOUND: a family has fewer rows than its N (the text counts them). ERR_INVALID: scores
 * without a routing.
 * For a select job: what the candidates that it has a claim of reached, one line each, sorted,
 *   {"candidate":"64 hex","values":[by seed],"failed":0}
 * with "out":true at the end for those that an earlier rung did not let go on, by the parameter
 * measure: of the families that the run's jobs among its needs write accuracy, oracle, layers, or
 * a metric of summary, over all examples; for jobs without families the last value of the training
 * metric. A seed without a value, or one of whose jobs failed, counts as failed. */
int store_collect(struct store *s, uint64_t job, struct buf *ret, struct err *err) MUST_CHECK;

struct store_blob {
    struct digest digest;
    uint64_t size_bytes;
    bool folder, evicted;
    char path[4096]; /* of the file: under blobs.h, or the user's */
};
/* Where are the bytes of DIGEST? In the blob folder or an outside file; ERR_NOT_FOUND. Works on a
 * reading connection too (the blob thread opens its own). */
int store_blob_find(struct store *s, const struct digest *digest, struct store_blob *ret,
                    struct err *err) MUST_CHECK;

#endif
