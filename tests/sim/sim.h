/* SPDX-License-Identifier: Apache-2.0 */
/* sim.h - a cluster in one thread: the real scheduler core and the real worker agents over a
 * virtual clock, network and store, with faults drawn from a seed.
 *
 *   host: slots.c -> agent (host.c) --link (net.c)--> coordinator: core (coord.c) --> store (db.c)
 *                 ^                                       ^                          ^
 *   faults.c: kill, stop, cut, partition, crash at action boundaries    oracle*.c: judges
 *
 * Everything follows from (seed, struct sim_conf): a run is repeated by its seed.
 * docs/simulation.md says what is modelled and what is judged. */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "tests/sim/model.h"

/* sim.c */
/* SPECS: JOBS_MAX of them, or NULL to draw them from the seed. */
struct sim *sim_new(uint64_t seed, const struct sim_conf *conf, const struct job_spec *specs);
void sim_free(struct sim *m);
/* Serve events until END_MS or until all jobs are final; returns true in the latter case. */
bool sim_run_until(struct sim *m, uint64_t end_ms);
bool sim_all_final(struct sim *m);
/* The seed is wrong somewhere: prints why and how to replay it, behind what sim_remember() keeps;
 * exits with 1. */
void sim_fail(struct sim *m, const char *format, ...) PRINTF_LIKE(2, 3) __attribute__((noreturn));
void sim_trace(struct sim *m, const char *format, ...) PRINTF_LIKE(2, 3);
/* A listener (sim.trace) that keeps the last lines for sim_recall(), which writes them to stderr
 * and may be called by a signal handler. */
void sim_remember(void *arg, const char *line);
void sim_recall(void);
void sim_mix(struct sim *m, uint64_t word);
void sim_post(struct sim *m, struct sim_event e, uint64_t after_ms);
/* True with probability P. */
bool sim_chance(struct sim *m, double p);
/* About MEAN, at least 1: uniform in 1..2 MEAN. */
uint64_t sim_about(struct sim *m, uint64_t mean);
uint64_t sim_value(uint64_t job, uint64_t example); /* what work on them yields */
/* The checkpoint of STEP as an example of sim_value; 1000 is the result. */
enum { SIM_STEP = 5000 };

/* net.c */
void net_connect(struct sim *m, uint32_t host, bool new_peer);
void net_cut(struct sim *m, uint32_t host);
void net_send(struct sim *m, uint32_t host, uint32_t dir, const struct msg *msg);
void net_deliver(struct sim *m, struct sim_event *e);
/* The host that is reached as PEER, HOSTS_MAX when none is. */
uint32_t net_host_of(const struct sim *m, uint64_t peer);
void net_again(struct sim *m, struct sim_event *e);

/* host.c */
void host_start(struct sim *m, uint32_t host);
void host_kill(struct sim *m, uint32_t host);
void host_message(struct sim *m, uint32_t host, const struct msg *msg);
void host_event(struct sim *m, struct sim_event *e);
void host_agent(struct sim *m, uint32_t host, enum agent_event_kind kind);
void host_end(struct sim *m, uint32_t host); /* the process is gone; another one comes */

/* slots.c */
void slots_queue(struct sim *m, uint32_t host, size_t held);    /* the lease waits for a slot */
bool slots_withdraw(struct sim *m, uint32_t host, size_t held); /* false: a slot has it */
void slots_take(struct sim *m, uint32_t host);
void slots_stop(struct sim *m, uint32_t host, size_t slot, size_t held, bool drain);
void slots_end_example(struct sim *m, uint32_t host, size_t slot, int code);
void slots_event(struct sim *m, const struct sim_event *e);

/* coord.c */
void coord_start(struct sim *m);
void coord_crash(struct sim *m);
void coord_message(struct sim *m, const struct msg *msg);
void coord_wake(struct sim *m);
void coord_commit(struct sim *m);
void coord_cancel(struct sim *m, uint32_t job);
void coord_drain(struct sim *m, uint32_t host); /* by name */
void coord_control(struct sim *m);              /* the client's next request */
uint64_t coord_clock(const struct sim *m);      /* as the core sees the time */

/* story.c */
void story_message(struct sim *m, const struct msg *msg);
void story_action(struct sim *m, const struct sched_action *a);

/* db.c */
void db_init(struct sim *m);
void db_apply(struct sim *m, const struct sched_action *a, const struct msg *msg);
void db_cancel(struct sim *m, uint32_t job); /* of a job that the core does not know */
void db_commit(struct db *d);
uint64_t db_points_of(uint32_t step); /* mask of the steps 1..STEP */
void db_sweep(struct sim *m);         /* the files of checkpoints that are no more */
void db_rollback(struct sim *m);
void db_owners(struct sim *m); /* after a change of what clients asked for */
void db_set(struct db *d, uint64_t *at, uint64_t value);
bool db_final(uint64_t state);
int32_t db_priority(const struct sim *m, uint32_t job);
uint32_t db_owner(const struct sim *m, uint32_t job); /* the experiment that it runs for */
void db_ready(struct sim *m, uint32_t job);           /* to be told after the commit */
struct sched_job db_row(const struct sim *m, uint32_t job);
bool db_paused(const struct sim *m, uint32_t job);

/* control.c: carry out the client's request; the jobs that changed, at most JOBS_MAX. */
size_t control_apply(struct sim *m, const struct control *c, struct sched_change *ret);
void control_acked(struct sim *m);
void control_lost(struct sim *m);
void controls_of_seed(struct sim *m);

/* oracle.c: each call judges one thing, and fails the seed. */
void oracle_message(struct sim *m, const struct msg *msg); /* the coordinator read it: sim.out */
void oracle_store(struct sim *m, const struct sched_action *a, const struct msg *msg);
void oracle_slack(struct sim *m, uint64_t until_ms); /* it was away, until then */
/* The step is over; MSG: what it was for, or NULL. */
void oracle_step(struct sim *m, const struct msg *msg);
/* In the next step the core is given JOB by EV_JOB, or EV_OPEN; is told to drain WORKER. */
void oracle_given(struct sim *m, uint32_t job, bool open);
void oracle_drain(struct sim *m, uint64_t worker);
void oracle_lease(struct sim *m, const struct sched_action *a);
void oracle_ack(struct sim *m, const struct sched_action *a, const struct msg *cause);
void oracle_welcome(struct sim *m, const struct msg *msg, const struct msg *hello);
void oracle_send(struct sim *m, const struct msg *msg); /* after the commit */
void oracle_restart(struct sim *m);
void oracle_begun(struct sim *m, uint32_t job); /* a slot began it */
void oracle_unreachable(struct sim *m, uint64_t peer);
void oracle_lease_arrived(struct sim *m, const struct msg *msg);
void oracle_end(struct sim *m);

/* faults.c */
struct sim_conf faults_of_seed(uint64_t seed);
void faults_specs(struct sim *m);
void faults_tick(struct sim *m);
const char *fault_name(enum fault f);

#endif
