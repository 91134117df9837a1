/* SPDX-License-Identifier: Apache-2.0 */
/* swarm.c - many seeds, each run twice: safe at every step, all jobs final after the faults, and
 * the same trace both times.
 *
 *   sim-swarm [--first N] [--seeds N] [--seed N] [--trace]
 *
 * Exits with 0 when every seed passed; else a report with the seed and 1 (or an abort by an
 * assert). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

static void print_line(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

struct totals {
    uint64_t seeds, steps, fired[FAULTS];
};

static uint64_t run(uint64_t seed, bool trace, struct totals *totals)
{
    struct sim_conf conf = faults_of_seed(seed);
    struct sim *m = sim_new(seed, &conf, NULL);

    if (trace)
        m->trace = print_line;
    if (!sim_run_until(m, conf.limit_ms)) {
        for (uint32_t h = 0; h < conf.hosts; h++)
            sim_trace(m, "host %u: worker=%u %s, agent %s, stopped until %u, link turn %u", h,
                      (unsigned)m->host[h].worker, m->host[h].alive ? "alive" : "gone",
                      agent_link_name(m->host[h].agent.link), (unsigned)m->host[h].stopped_until_ms,
                      (unsigned)m->link[h].turn);
        for (uint32_t j = 1; j <= conf.jobs; j++)
            if (!db_final(m->db.job[j].state))
                sim_fail(m, "job %u is not final long after the faults: state %u, why %x", j,
                         (unsigned)m->db.job[j].state,
                         m->coord.up ? sched_why(m->coord.core, j).rules : 0);
        sim_fail(m, "a transaction is never committed");
    }
    oracle_end(m);
    uint64_t hash = m->hash;
    totals->steps += m->core_steps;
    for (size_t f = 0; f < FAULTS; f++)
        totals->fired[f] += m->fired[f];
    sim_free(m);
    return hash;
}

int main(int argc, char **argv)
{
    uint64_t first = 1, seeds = 200;
    bool trace = false;
    struct totals totals = { 0 };

    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--trace") == 0) {
            trace = true;
        } else if (strcmp(argv[i], "--first") == 0 && more) {
            first = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seeds") == 0 && more) {
            seeds = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && more) {
            first = strtoull(argv[++i], NULL, 10);
            seeds = 1;
        } else {
            fprintf(stderr, "usage: sim-swarm [--first N] [--seeds N] [--seed N] [--trace]\n");
            return 2;
        }
    }
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        uint64_t hash = run(seed, trace, &totals);
        if (!trace && run(seed, false, &totals) != hash) {
            fprintf(stderr, "seed %llu: two runs differ\n", (unsigned long long)seed);
            return 1;
        }
    }
    printf("%llu seeds, %llu core steps; share of seeds with each fault:\n",
           (unsigned long long)seeds, (unsigned long long)totals.steps);
    for (size_t f = 0; f < FAULTS; f++)
        printf("  %-18s %5.1f %%\n", fault_name((enum fault)f),
               100.0 * (double)totals.fired[f] / (double)(trace ? seeds : 2 * seeds));
    return 0;
}
