/* SPDX-License-Identifier: Apache-2.0 */
/* plain.h - results and claims of plain jobs, written together; private to the store.
 *
 * A plain job has no examples, outputs or metrics, nothing to compare with and nobody behind it:
 * its result is one row of attempt and a few columns of job. store_job_done() looks at the job (or
 * remembers what its listing said of it) and keeps the result; the commit writes all that were kept
 * with one statement per table (a third of what a statement per result costs), and so does whatever
 * else looks into the database before: store_use() is the door to all statements. What the writing
 * meets (a full disk) the commit tells: until then nothing was promised. The claims of new jobs
 * that wait for nothing are kept the same way. */
#ifndef STORE_PLAIN_H
#define STORE_PLAIN_H

#include "store/store_private.h"
#include "store/work.h"

/* Keep R. *RET_TAKEN: false: it is no plain result of a plain job that is READY; nothing was done.
 */
int plain_take(struct store *s, const struct store_result *r, bool *ret_taken,
               struct err *err) MUST_CHECK;
/* Keep the claim of RUN on JOB, which is new and READY; once for each of the two. */
void plain_claim(struct store *s, uint64_t run, uint64_t job, const char *step);
int plain_commit(struct store *s, struct err *err) MUST_CHECK; /* before a commit */
void plain_forget(struct store *s);                            /* after a rollback */
void plain_free(struct store *s);

/* A listing gave JOB of SHAPE: its result needs no look at the texts that make a shape, nor, if it
 * is PLAIN and nobody changes a row until then, at the job. */
void plain_listed(struct store *s, uint64_t job, uint64_t shape, uint32_t epoch, bool plain);
/* The rows changed since SINCE, which plain_changes() gave, are none that say whether a job is
 * plain. */
int64_t plain_changes(const struct store *s);
void plain_own_changes(struct store *s, int64_t since);

/* The virtual tables plain_result and plain_claim of the statements in queries_plain.sql: what S
 * keeps; S NULL: nothing (other connections than the writer's). */
int plain_register(struct sqlite3 *db, struct store *s, struct err *err) MUST_CHECK;

#endif
