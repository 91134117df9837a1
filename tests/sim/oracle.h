/* SPDX-License-Identifier: Apache-2.0 */
/* oracle.h - the oracle inside: its book of attempts. Only oracle*.c include this. */
#ifndef TESTS_SIM_ORACLE_H
#define TESTS_SIM_ORACLE_H

#include "tests/sim/sim.h"

/* A few ms for timers that fire in the same moment as messages. */
enum { TOLERANCE_MS = 2 };

/* How far an experiment may be ahead of one that waits, in core-time. */
enum { LEAD_MAX_MS = 30000 };

/* The attempt ID, as this coordinator or the store knows it; NULL. */
struct book_attempt *book_find(struct sim *m, uint64_t id);
struct book_attempt *book_add(struct sim *m, const struct book_attempt *t);
/* The attempt that the newest lease of JOB is, NULL when it has ended. */
struct book_attempt *book_current(struct sim *m, uint64_t job);

/* oracle_lease.c: may this lease be given? STORED: it has its row, since this step. */
void check_lease(struct sim *m, const struct sched_action *a, bool stored);
void shares_step(struct sim *m); /* who got how much, and who waits */

/* oracle_time.c: WORKER surely has the time for JOB. */
bool time_suffices(const struct sim *m, uint32_t job, uint64_t worker);
/* Where workers have ends: JOB may be too long to be in one queue with short ones. */
bool time_apart(const struct sim *m, uint32_t job);
void check_time(struct sim *m, const struct sched_action *a);
void time_learn(struct book_shape *s, uint64_t us); /* one of it took so long */
void time_step(struct sim *m);
/* JOB's attempt T ended by CAUSE: what follows for its next lease, and for its experiment. */
void lease_ended(struct sim *m, const struct book_attempt *t, enum sched_cause cause, bool counted);

#endif
