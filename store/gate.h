/* SPDX-License-Identifier: Apache-2.0 */
/* gate.h - when a job may run, halving included; private to the store.
 *
 * A claim with gates holds once every select job of its gates has chosen the run; it is dead
 * (run_job.live = 0) once one of them has not. A job runs when its needs are met and a live claim
 * of its holds: one without gates, or one let through. While its live claims only wait for
 * decisions it is WAITING, with one more in job.waiting. When decisions, or a select job that
 * failed, took them all it is SKIPPED.
 *
 * A select job's own needs are met by any end of theirs (DONE, FAILED, SKIPPED, CANCELLED); only a
 * select job in front of it must be DONE. */
#ifndef STORE_GATE_H
#define STORE_GATE_H

#include "store/store_private.h"

/* job_settle(), telling the state. In: "READY" when the job is to stay so (gate_settle_all() looks
 * at it later, so that a scheduler that has it hears of it), else "". */
int gate_restart(struct store *s, uint64_t job, int32_t priority, uint32_t retries,
                 const char **ret_state, struct err *err) MUST_CHECK;
/* Put JOB, which is WAITING, READY or SKIPPED, where its needs and gates say; its tries stay. Jobs
 * that became READY are added to READY (may be NULL); what is behind a job that became SKIPPED is
 * SKIPPED too. STATE: what it is now. */
int gate_settle(struct store *s, uint64_t job, const char *state, struct store_ids *ready,
                struct err *err) MUST_CHECK;
/* As above for the gated jobs of EXPERIMENT after claims were withdrawn. QUEUED (may be NULL) gets
 * those that are no longer READY. */
int gate_settle_all(struct store *s, uint64_t experiment, struct store_ids *queued,
                    struct err *err) MUST_CHECK;

/* As above for the jobs with a gate of SELECTOR, which was decided or failed. */
int gate_settle_behind(struct store *s, uint64_t selector, struct store_ids *ready,
                       struct err *err) MUST_CHECK;

/* Counters of the select jobs that need JOB fall: it has come to an end. */
int gate_fall(struct store *s, uint64_t job, struct store_ids *ready, struct err *err) MUST_CHECK;

/* submit_job.c: JOB claimed by RUNS with GATES, which replaced those of before. */
int gate_put_claims(struct store *s, uint64_t job, const struct store_job_spec *spec,
                    struct err *err) MUST_CHECK;

/* select.c: the candidates of select job JOB, in STATE ("" when it is new). A decision of before
 * holds for them too; *RET_DONE: JOB is DONE and its decision is known. */
int select_put_candidates(struct store *s, uint64_t job, const char *state,
                          const struct store_job_spec *spec, bool *ret_done,
                          struct err *err) MUST_CHECK;
/* JOB is DONE, and DIGEST its output "survivors": apply it. ERR_INVALID: not such a text, or it
 * names what is no candidate. */
int select_decide(struct store *s, uint64_t job, const struct digest *survivors,
                  struct store_ids *ready, struct err *err) MUST_CHECK;

/* measure.c: store_collect() of a select job. */
int measure_candidates(struct store *s, const struct store_job *j, struct buf *ret,
                       struct err *err) MUST_CHECK;

#endif
