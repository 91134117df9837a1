/* SPDX-License-Identifier: Apache-2.0 */
/* dispatch_starts.h - when a job begins: a worker with --log-level debug says "event=job_begun" on
 * its standard error, and a thread here notes the time at which the line arrives. */
#ifndef TESTS_BENCH_DISPATCH_STARTS_H
#define TESTS_BENCH_DISPATCH_STARTS_H

struct starts;
struct starts *starts_new(void);
void starts_free(struct starts *s);
int starts_fd(const struct starts *s); /* for the workers' standard error */
void starts_expect(struct starts *s);  /* forget what was */
/* When a job began after starts_expect, in store_seconds(); waits for it, NAN when none does in
 * SECONDS. */
double starts_wait(struct starts *s, double seconds);

#endif
