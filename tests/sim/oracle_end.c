/* SPDX-License-Identifier: Apache-2.0 */
/* oracle_end.c - is everything as it should be when all jobs are final? */
#include "tests/sim/oracle.h"

/* The effective attempt of training shows every step; nothing but orphans is left of checkpoints:
 * files that were uploaded and never committed, because somebody died in between. */
static void check_training(struct sim *m, uint32_t j)
{
    const struct db_job *row = &m->db.job[j];

    if (row->state != DB_FAILED && row->step != 0)
        sim_fail(m, "job %u is over and has a checkpoint", j);
    if (row->gone != 0)
        sim_fail(m, "job %u: files of checkpoints are left to nobody", j);
    m->fired[F_ORPHAN] |= (m->db.files[j] & ~(1ull | 1ull << row->step)) != 0;
    for (uint64_t i = 0; row->state == DB_DONE && i < m->db.attempts_len; i++) {
        const struct db_attempt *t = &m->db.attempt[i];
        if (t->job == j && t->ended && t->cause == CAUSE_DONE &&
            t->points != db_points_of(m->spec[j].steps))
            sim_fail(m, "job %u: its curve has holes: %llx", j, (unsigned long long)t->points);
    }
}

static void check_final(struct sim *m, uint32_t j)
{
    const struct db_job *row = &m->db.job[j];
    const struct book_job *b = &m->oracle.job[j];
    const struct job_spec *spec = &m->spec[j];
    uint32_t results = 0;

    for (uint64_t i = 0; i < m->db.attempts_len; i++) {
        const struct db_attempt *t = &m->db.attempt[i];
        results +=
            t->job == j && (t->cause == CAUSE_DONE || t->cause == CAUSE_DIVERGED) && t->ended;
    }
    if (row->open != 0)
        sim_fail(m, "job %u is final with an open attempt", j);
    if (results != (row->state == DB_DONE))
        sim_fail(m, "job %u has %u effective results", j, results);
    if (row->state == DB_DONE && row->result != sim_value(j, 1000))
        sim_fail(m, "job %u has a wrong result", j);
    if (row->state == DB_DONE && row->cause == CAUSE_DONE && spec->examples > 0 &&
        row->examples != (1ull << spec->examples) - 1)
        sim_fail(m, "job %u is done without all of its examples", j);
    if (row->state == DB_DONE &&
        (spec->poison || (spec->fails > spec->row.retries && row->retried == 0)))
        sim_fail(m, "job %u cannot be done", j);
    if (row->state == DB_CANCELLED && !b->cancel_asked)
        sim_fail(m, "job %u is cancelled and nobody asked", j);
    /* A kill, a lost lease, an old epoch: each wasted at most the example that
     * was being computed.
     */
    uint32_t wasted = b->arrived - MIN(b->arrived, row->state == DB_DONE ? 1 : 0);
    if (spec->steps > 0) {
        check_training(m, j);
        if (b->computed > spec->steps + wasted * spec->every)
            sim_fail(m,
                     "job %u: %u steps computed %u times in %u attempts, a "
                     "checkpoint each %u",
                     j, spec->steps, b->computed, b->arrived, spec->every);
        return;
    }
    if (b->computed > MAX(spec->examples, 1) + wasted)
        sim_fail(m, "job %u: %u examples computed %u times in %u attempts", j, spec->examples,
                 b->computed, b->arrived);
}

void oracle_end(struct sim *m)
{
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        check_final(m, j);
}
