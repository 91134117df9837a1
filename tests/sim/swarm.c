/* SPDX-License-Identifier: Apache-2.0 */
/* swarm.c - many seeds, each run twice: safe at every step, all jobs final after the faults, and
 * the same trace both times.
 *
 *   sim-swarm [--first N] [--seeds N] [--processes N] [--min-steps N] [--min-share PERCENT]
 *   sim-swarm --seed N [--trace]
 *
 * Seeds are dealt out to PROCESSES (0: one per core). Steps are counted in the first run of a seed
 * only; the second one is for its hash, and not judged. Exits with 0 when every seed passed, when
 * there were at least --min-steps of them and 300 per seed, and when each fault struck in at least
 * --min-share of the seeds; else with a report, the seed among it, and 1. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

enum { PROCESSES = 64, STEPS_PER_SEED_MIN = 300 };

/* Of one process, in memory that its parent sees. */
struct tally {
    uint64_t seed; /* that it is at */
    uint64_t seeds, steps, fired[FAULTS];
    int64_t lead_ms; /* the longest of an experiment over another one that waited */
};

struct options {
    uint64_t first, seeds, processes, min_steps;
    double min_share;
    bool one, trace;
};

static void print_line(void *arg, const char *line)
{
    (void)arg;
    puts(line);
}

static void fail_unfinished(struct sim *m)
{
    for (uint32_t h = 0; h < m->conf.hosts; h++)
        sim_trace(m, "host %u: worker=%u %s, agent %s, stopped until %u, link turn %u", h,
                  (unsigned)m->host[h].worker, m->host[h].alive ? "alive" : "gone",
                  agent_link_name(m->host[h].agent.link), (unsigned)m->host[h].stopped_until_ms,
                  (unsigned)m->link[h].turn);
    for (uint32_t j = 1; j <= m->conf.jobs; j++)
        if (!db_final(m->db.job[j].state))
            sim_fail(m, "job %u is not final long after the faults: state %u, why %x", j,
                     (unsigned)m->db.job[j].state,
                     m->coord.up ? sched_why(m->coord.core, j).rules : 0);
    sim_fail(m, "a transaction is never committed");
}

static void tell_again(uint64_t seed);

/* Runs SEED; TALLY may be NULL. */
static uint64_t run(uint64_t seed, void (*trace)(void *, const char *), struct tally *tally)
{
    struct sim_conf conf = faults_of_seed(seed);
    struct sim *m = sim_new(seed, &conf, NULL);

    m->trace = trace;
    m->failed = tell_again;
    if (!sim_run_until(m, conf.limit_ms))
        fail_unfinished(m);
    oracle_end(m);
    uint64_t hash = m->hash;
    if (tally) {
        tally->steps += m->core_steps;
        for (size_t f = 0; f < FAULTS; f++)
            tally->fired[f] += m->fired[f];
        tally->lead_ms = MAX(tally->lead_ms, m->oracle.lead_ms);
        tally->seeds++;
    }
    sim_free(m);
    return hash;
}

static uint64_t told;

static void on_crash(int signal)
{
    (void)signal;
    sim_recall();
    dprintf(STDERR_FILENO,
            "seed %llu: an assertion failed\nreplay: sim-swarm --seed %llu --trace\n",
            (unsigned long long)told, (unsigned long long)told);
    _exit(1);
}

/* The same seed failed without a listener. */
static void tell_again(uint64_t seed)
{
    told = seed;
    (void)signal(SIGABRT, on_crash);
    (void)signal(SIGSEGV, on_crash);
    (void)run(seed, sim_remember, NULL);
    fprintf(stderr, "seed %llu: fails, and passes when repeated\n", (unsigned long long)seed);
}

/* Seeds FIRST, FIRST + STRIDE...: in a child process. */
static void work(const struct options *o, uint64_t first, struct tally *tally)
{
    for (uint64_t seed = first; seed < o->first + o->seeds; seed += o->processes) {
        tally->seed = seed;
        uint64_t hash = run(seed, NULL, tally);
        if (run(seed, NULL, NULL) != hash) {
            fprintf(stderr, "seed %llu: two runs differ\n", (unsigned long long)seed);
            exit(1);
        }
    }
    exit(0);
}

/* Run all seeds of O; false: one of them failed, and was reported. */
static bool run_all(const struct options *o, struct tally *tallies)
{
    pid_t children[PROCESSES];
    bool good = true;

    for (uint64_t i = 0; i < o->processes; i++) {
        children[i] = fork();
        if (children[i] < 0) {
            perror("fork");
            exit(1);
        }
        if (children[i] == 0)
            work(o, o->first + i, &tallies[i]);
    }
    for (uint64_t left = o->processes; left > 0; left--) {
        int status = 0;
        pid_t child = wait(&status);
        for (uint64_t i = 0; i < o->processes; i++) {
            if (children[i] != child)
                continue;
            children[i] = 0;
            if (status != 0 && good && WIFSIGNALED(status))
                tell_again(tallies[i].seed);
        }
        good &= status == 0;
        for (uint64_t i = 0; i < o->processes && !good; i++)
            if (children[i] > 0)
                (void)kill(children[i], SIGTERM);
    }
    return good;
}

/* Prints what was done; false when it was not enough. */
static bool judge(const struct options *o, const struct tally *all, double seconds)
{
    bool good = true;

    printf("%llu seeds, %llu core steps (%llu per seed), each run twice, %.1f s; "
           "share of seeds "
           "with each fault:\n",
           (unsigned long long)all->seeds, (unsigned long long)all->steps,
           (unsigned long long)(all->steps / all->seeds), seconds);
    for (size_t f = 0; f < FAULTS; f++) {
        double share = 100.0 * (double)all->fired[f] / (double)all->seeds;
        printf("  %-22s %5.1f %%%s\n", fault_name((enum fault)f), share,
               share < o->min_share ? "  TOO RARE" : "");
        good &= share >= o->min_share;
    }
    printf("longest lead of an experiment over one that waits: %lld ms of core-time\n",
           (long long)all->lead_ms);
    if (all->steps < o->min_steps || all->steps / all->seeds < STEPS_PER_SEED_MIN) {
        printf("  TOO FEW STEPS: at least %llu, and %d per seed, are asked for\n",
               (unsigned long long)o->min_steps, STEPS_PER_SEED_MIN);
        good = false;
    }
    return good;
}

static bool parse(int argc, char **argv, struct options *o)
{
    for (int i = 1; i < argc; i++) {
        uint64_t *number = NULL;
        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
            continue;
        }
        if (i + 1 == argc)
            return false;
        if (strcmp(argv[i], "--first") == 0 || strcmp(argv[i], "--seed") == 0)
            number = &o->first;
        else if (strcmp(argv[i], "--seeds") == 0)
            number = &o->seeds;
        else if (strcmp(argv[i], "--processes") == 0)
            number = &o->processes;
        else if (strcmp(argv[i], "--min-steps") == 0)
            number = &o->min_steps;
        else if (strcmp(argv[i], "--min-share") == 0)
            o->min_share = strtod(argv[i + 1], NULL);
        else
            return false;
        o->one |= strcmp(argv[i], "--seed") == 0;
        i++;
        if (number)
            *number = strtoull(argv[i], NULL, 10);
    }
    if (o->processes == 0)
        o->processes = (uint64_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1);
    o->processes = MIN(o->processes, MIN(o->seeds, PROCESSES));
    return o->seeds > 0;
}

int main(int argc, char **argv)
{
    struct options o = { .first = 1, .seeds = 200, .processes = 1 };
    struct timespec begin, end;

    if (!parse(argc, argv, &o)) {
        fprintf(stderr, "usage: sim-swarm [--first N] [--seeds N] [--processes N] "
                        "[--min-steps N] "
                        "[--min-share PERCENT] | --seed N [--trace]\n");
        return 2;
    }
    if (o.one) {
        if (o.trace)
            return run(o.first, print_line, NULL) == 0;
        return run(o.first, NULL, NULL) != run(o.first, NULL, NULL);
    }
    struct tally *tallies = mmap(NULL, PROCESSES * sizeof *tallies, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (tallies == MAP_FAILED) {
        perror("mmap");
        return 1;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &begin);
    if (!run_all(&o, tallies))
        return 1;
    (void)clock_gettime(CLOCK_MONOTONIC, &end);
    struct tally all = { 0 };
    for (uint64_t i = 0; i < o.processes; i++) {
        all.seeds += tallies[i].seeds;
        all.steps += tallies[i].steps;
        all.lead_ms = MAX(all.lead_ms, tallies[i].lead_ms);
        for (size_t f = 0; f < FAULTS; f++)
            all.fired[f] += tallies[i].fired[f];
    }
    double seconds =
        (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
    return judge(&o, &all, seconds) ? 0 : 1;
}
