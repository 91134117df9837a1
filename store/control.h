/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - what people do to work that is queued: pause, resume, priorities, another try; and
 * why a job does not run.
 *
 *   experiment.paused, .priority     what people set
 *   job.paused, .priority            what follows for its jobs that are not over: a job is paused
 *                                    when every live claim on it is of a paused experiment; its
 *                                    priority is the highest of its live claims' experiments (of
 *                                    those not paused, if any)
 *   job.owner                        the experiment with that priority, the oldest of several
 *
 * store_list_ready() gives no paused jobs. Writing functions need an open transaction. Jobs that
 * the scheduler may know and that changed are added to CHANGED (may be NULL). */
#ifndef STORE_CONTROL_H
#define STORE_CONTROL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/err.h"
#include "common/base/macros.h"

struct store;
struct store_ids;

enum { STORE_PRIORITY_MAX = 1000000 }; /* and its negative */

struct store_change {
    uint64_t job;
    int32_t priority;
    bool paused;
    uint64_t experiment; /* on whose account it runs (ready.h) */
};
struct store_changes {
    struct store_change *v;
    size_t len, cap;
};
void store_changes_add(struct store_changes *c, struct store_change change);
void store_changes_release(struct store_changes *c);

/* The numbers are those of the wire's Control.Verb. */
enum store_verb { STORE_PAUSE, STORE_RESUME, STORE_RETRY, STORE_PRIORITY, STORE_VERBS };

struct store_control {
    enum store_verb verb;
    const char *experiment; /* NULL or "": the one submitted last */
    const char *step, *job; /* RETRY only; NULL or "": all. JOB as for store_find_job_text() */
    int32_t priority;
};
/* PAUSE    Its jobs that nobody else wants are no longer listed; those that run finish.
 * RESUME   They are listed again. *RET_JOBS of both: jobs that wait or are ready or run.
 * PRIORITY *RET_JOBS: jobs that moved. ERR_INVALID: out of range.
 * RETRY    Another try for what FAILED, was CANCELLED, or was SKIPPED because of either: of an
 *          experiment, one of its steps, or one job (EXPERIMENT is then not looked at). What they
 *          need is tried again too, and what was skipped behind them waits again. Jobs that
 *          halving sorted out, DONE ones and those behind a diverged one stay. *RET_JOBS: how many
 *          go back.
 * RET_TEXT (may be NULL) gets a sentence that says so. ERR_NOT_FOUND with the nearest names. */
int store_control(struct store *s, const struct store_control *c, struct store_changes *changed,
                  uint32_t *ret_jobs, struct buf *ret_text, struct err *err) MUST_CHECK;
/* What the claims of EXPERIMENT (an id) say of their jobs, after claims were made or withdrawn. */
int store_refresh_jobs(struct store *s, uint64_t experiment, struct store_changes *changed,
                       struct err *err) MUST_CHECK;

/* A job named by its number ("42", "j42") or by the first digits (4 or more) of its key.
 * ERR_NOT_FOUND; ERR_INVALID: several jobs have such a key (the text names some), or no such name.
 */
int store_find_job_text(struct store *s, const char *text, uint64_t *ret,
                        struct err *err) MUST_CHECK;
/* What the store says of JOB now. ERR_NOT_FOUND. For attempts taken up at start. */
int store_job_change(struct store *s, uint64_t job, struct store_change *ret,
                     struct err *err) MUST_CHECK;

/* Every rule that keeps a job, or an experiment's jobs, from running. */
struct store_rule {
    const char *rule; /* a fixed word */
    char *text;       /* for people */
};
struct store_why {
    uint64_t job, experiment; /* one of them is 0 */
    char key[17];             /* of a job: first digits */
    char name[128];           /* step of a job; name of an experiment */
    char state[16];
    struct store_rule *rules;
    size_t len;
};
void store_why_add(struct store_why *w, const char *rule, const char *format, ...)
    PRINTF_LIKE(3, 4);
void store_why_release(struct store_why *w);
/* {"version": 1, "job": N, "key": "..", "step": "..", "state": "READY", "rules": (list of
 * {"rule", "text"})}; of an experiment "experiment" instead of job, key and step. Appended. */
void store_why_json(const struct store_why *w, struct buf *ret);
/* What the store knows; a coordinator adds the rest. RET is overwritten. ERR_NOT_FOUND. */
int store_why_job(struct store *s, uint64_t job, struct store_why *ret, struct err *err) MUST_CHECK;
int store_why_experiment(struct store *s, uint64_t experiment, struct store_why *ret,
                         struct err *err) MUST_CHECK;

/* The experiments that want JOB, each with a step under which it does, and in words which of its
 * runs: "run 3", "run 3, stage 2", "4 runs". FN returns 0 to go on. */
typedef int (*store_claim_fn)(uint64_t experiment, const char *step, const char *what, void *arg);
int store_list_claims(struct store *s, uint64_t job, store_claim_fn fn, void *arg,
                      struct err *err) MUST_CHECK;

/* At most MAX jobs of EXPERIMENT that are READY and not paused, oldest first. */
int store_list_ready_jobs(struct store *s, uint64_t experiment, size_t max, struct store_ids *ret,
                          struct err *err) MUST_CHECK;

/* What people set for EXPERIMENT. */
int store_experiment_control(struct store *s, uint64_t experiment, bool *ret_paused,
                             int32_t *ret_priority, struct err *err) MUST_CHECK;

/* From any thread, while S is open: what S runs now ends with ERR_TIMEOUT or an error soon. */
void store_interrupt(struct store *s);

#endif
