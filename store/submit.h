/* SPDX-License-Identifier: Apache-2.0 */
/* submit.h - a plan becomes rows, in pieces but in one transaction; and cancelling.
 *
 *   store_submit_begin                     opens the transaction
 *     store_submit_file*                   outside files, before the jobs that read them
 *     store_submit_run* store_submit_family*
 *     store_submit_run_family*             what run's step reads: the first N examples of a family
 *                                          (all there already: their summary is written)
 *     store_submit_job*                    producers before consumers (an id must be known)
 *   store_submit_end                       commits; store_submit_abort (or store_rollback) undoes
 * all
 *
 * A revision is a set of points. Submitting the set that is there already is the same revision (its
 * recipe text is refreshed, claims are set anew). Points of the experiment that are no longer in it
 * are marked superseded and lose their claims; a waiting or ready job whose last live claim went
 * becomes CANCELLED.
 *
 * A job's key that is known is that job: DONE ones are cached; WAITING and READY ones are shared;
 * FAILED, CANCELLED and SKIPPED ones are put back (restarted) with fresh tries. A DONE job one of
 * whose output blobs is gone is restarted. A new shard all of whose examples are stored already (by
 * other shards) is DONE at once and counts as cached.
 *
 * Halving: a select job names its candidates, and the jobs of later rungs their gates, one per
 * claim and select job. Such a claim holds once the select job chose its run, and is dead once it
 * did not; a job that no claim holds waits for decisions, or is SKIPPED (store/gate.h). The
 * decision of a DONE select job holds for everybody who submits it again. */
#ifndef STORE_SUBMIT_H
#define STORE_SUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/digest.h"
#include "common/base/err.h"

struct store;
struct store_changes;
struct store_ids;

struct store_submission {
    uint64_t experiment, revision; /* set by begin */
    uint32_t jobs, cached, added, restarted, shared,
        skipped; /* jobs = cached + added + restarted + shared + skipped (by halving) */
    bool first;  /* of its experiment: set by begin */
    bool joined; /* some job was there before, or a decision has a say in it */
    /* May be set after begin: gets the jobs of before whose pausing or priority it changed
     * (control.h). */
    struct store_changes *changed;
};

/* NAME: the recipe's name. REVISION: digest of the set of points. RECIPE: its text with includes
 * resolved. */
int store_submit_begin(struct store *s, const char *name, const struct digest *revision,
                       const char *recipe, const char *recipe_path, struct store_submission *ret,
                       struct err *err) MUST_CHECK;

/* The state of the recipe's folder in git; "" when it is in no repository. */
int store_submit_git(struct store *s, const struct store_submission *sub, const char *git,
                     struct err *err) MUST_CHECK;

/* An outside blob: a file (or, with FOLDER, a manifest blob) of the user at PATH, used when a
 * worker cannot find DIGEST elsewhere. PATH "" when it is stored under blobs.h. */
int store_submit_file(struct store *s, const struct digest *digest, uint64_t size_bytes,
                      const char *path, bool folder, struct err *err) MUST_CHECK;

struct store_param {
    const char *name, *value; /* value as recipe text */
};
int store_submit_run(struct store *s, const struct store_submission *sub,
                     const struct digest *point, uint64_t seed, const struct store_param *params,
                     size_t params_len, uint64_t *ret_run, struct err *err) MUST_CHECK;

struct store_family {
    uint64_t id; /* filled in by reading functions */
    struct digest key;
    char kind[32], task[64], split[16];
    int level;
    uint64_t
        examples; /* of a job's or step's family: reads the first N examples; 0 = not limited */
    /* Searches with the same one may use each other's outcomes (work.h, store_hint); zero: none. */
    struct digest evaluation;
};
int store_submit_family(struct store *s, const struct store_family *f, uint64_t *ret_family,
                        struct err *err) MUST_CHECK;
int store_submit_run_family(struct store *s, uint64_t run, const char *step, uint64_t family,
                            uint64_t examples, struct err *err) MUST_CHECK;

/* HINT is no part of a plan: the coordinator adds it to a lease. */
enum store_source { STORE_BLOB, STORE_OUTPUT, STORE_RESULTS, STORE_HINT, STORE_SOURCES };

struct store_input {
    char name[32];
    enum store_source source;
    struct digest
        digest; /* BLOB: given. OUTPUT: filled in when reading, once the producer is DONE */
    uint64_t size_bytes;
    char path[1024];   /* hint: the user's path, or "" */
    uint64_t producer; /* OUTPUT: id of the producing job */
    char output[32];   /* OUTPUT: name of its output */
    bool folder;       /* the blob is a manifest */
};

struct store_job_family {
    uint64_t family;   /* id */
    uint64_t examples; /* collect: reads the first N; search, evaluate: 0 */
};

/* The claim of RUN holds only if the select job BY (an id) chooses the run, its candidate. */
struct store_gate {
    uint64_t run, by;
};

/* RUN is one of those that a select job chooses among; runs of one candidate differ by their seed
 * alone. */
struct store_candidate {
    uint64_t run;
    struct digest candidate;
};

struct store_job_spec {
    struct digest key;
    const char *kind, *numeric_class, *step;
    uint32_t kind_version;
    const void *params; /* opaque bytes, handed back at lease time */
    size_t params_len;
    const char *params_text; /* the same for people: lines "name = value"; may be "" */
    uint64_t begin, end;     /* shard: examples begin..end-1; otherwise 0, 0 */
    uint64_t seed;
    uint32_t retries;    /* further tries after a failure of its own */
    int32_t priority;    /* higher first */
    uint32_t cores;      /* 0: one slot */
    uint64_t memory_mib; /* what it asks of its worker; no part of its key. 0: not said */
    const char *labels;  /* sorted, one space between; NULL: none */
    const struct store_input *inputs;
    size_t inputs_len;
    const uint64_t *needs; /* ids of jobs that must be DONE first (producers of inputs included) */
    size_t needs_len;
    const uint64_t *runs; /* claims */
    size_t runs_len;
    const struct store_job_family *families; /* in the order that collect keeps */
    size_t families_len;
    const struct store_gate *gates; /* of claims; their select jobs may stand among the needs */
    size_t gates_len;
    const struct store_candidate *candidates; /* of a select job */
    size_t candidates_len;
};
/* ERR_INVALID: begin > end, a shard without exactly one family, or a gate of a run that is no
 * candidate of its select job. *RET_JOB is its id, new or old. */
int store_submit_job(struct store *s, struct store_submission *sub,
                     const struct store_job_spec *spec, uint64_t *ret_job,
                     struct err *err) MUST_CHECK;

/* Supersede, withdraw, commit. WITHDRAWN (may be NULL) gets the jobs that became CANCELLED or wait
 * for a decision now: queued ones are to be dropped, running ones may finish (their result is
 * kept). */
int store_submit_end(struct store *s, struct store_submission *sub, struct store_ids *withdrawn,
                     struct err *err) MUST_CHECK;
void store_submit_abort(struct store *s);

/* Withdraw all claims of experiment NAME; jobs left without a live claim become CANCELLED and are
 * added to WITHDRAWN. Needs a transaction. ERR_NOT_FOUND with the nearest existing names. */
int store_cancel(struct store *s, const char *name, struct store_ids *withdrawn,
                 struct err *err) MUST_CHECK;

#endif
