/* SPDX-License-Identifier: Apache-2.0 */
/* small.c - a small world, exhaustively: two workers, two jobs, and every order in which messages
 * may arrive, against each other and against the timers, with one crash of the coordinator at any
 * of these moments, up to a depth of choices; then the story goes on in its usual order, and
 * everything must be well at its end.
 *
 *   sim-small [--depth N]
 *
 * Every run begins anew with a vector of choices, and the next vector is the one that follows it in
 * the order of an odometer (TigerBeetle's exhaustigen). Random seeds meet the rare orders rarely;
 * this meets all of the first ones. Exits with 0, or with a report and the vector. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/sim.h"

enum { DEPTH_MAX = 24, LIMIT_MS = 60000 };

/* The odometer. */
static struct {
    uint32_t choice[DEPTH_MAX], of[DEPTH_MAX];
    uint32_t len, at, depth;
    bool crashed;
} dial;

/* One of N, as the dial says. */
static uint32_t choose(uint32_t n)
{
    if (n < 2 || dial.at == dial.depth)
        return 0;
    if (dial.at == dial.len) {
        dial.choice[dial.len] = 0;
        dial.len++;
    }
    dial.of[dial.at] = n;
    return dial.choice[dial.at++];
}

/* To the next vector; false: that was the last. */
static bool turn(void)
{
    dial.len = dial.at;
    while (dial.len > 0 && dial.choice[dial.len - 1] + 1 == dial.of[dial.len - 1])
        dial.len--;
    if (dial.len == 0)
        return false;
    dial.choice[dial.len - 1]++;
    return true;
}

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

/* The first message of each direction of each link may be next, or the first of all other events;
 * and in front of it the coordinator may vanish, once. */
static size_t pick(struct sim *m)
{
    size_t first[2 * HOSTS_MAX + 1], ready[2 * HOSTS_MAX + 1];
    uint32_t n = 0;

    for (size_t k = 0; k < ARRAY_LEN(first); k++)
        first[k] = SIZE_MAX;
    for (size_t i = 0; i < m->queue_len; i++) {
        const struct sim_event *e = &m->queue[i];
        size_t k = e->kind == SE_DELIVER ? 1 + 2 * e->host + e->dir : 0;
        if (first[k] == SIZE_MAX || earlier(e, &m->queue[first[k]]))
            first[k] = i;
    }
    /* In the order of time, so that choice 0 is what would happen anyway. */
    for (size_t k = 0; k < ARRAY_LEN(first); k++) {
        if (first[k] == SIZE_MAX)
            continue;
        size_t at = n++;
        for (; at > 0 && earlier(&m->queue[first[k]], &m->queue[ready[at - 1]]); at--)
            ready[at] = ready[at - 1];
        ready[at] = first[k];
    }
    bool may_crash = m->coord.up && !dial.crashed && n > 1;
    uint32_t choice = choose(n + may_crash);
    if (choice < n)
        return ready[choice];
    dial.crashed = true;
    coord_crash(m);
    return pick(m);
}

struct world {
    const char *name;
    uint32_t examples, steps, slots, queue;
    bool chain, eager;
};
static const struct world worlds[] = {
    { .name = "an example each", .examples = 1, .slots = 1 },
    { .name = "one after the other", .slots = 1, .queue = 1, .chain = true },
    { .name = "both at one worker", .slots = 1, .queue = 2 },
    { .name = "programs", .slots = 2, .eager = true },
    { .name = "training", .steps = 3, .slots = 1 },
};

static void report(uint64_t seed)
{
    (void)seed;
    fprintf(stderr, "choices:");
    for (uint32_t i = 0; i < dial.at; i++)
        fprintf(stderr, " %u/%u", dial.choice[i], dial.of[i]);
    fprintf(stderr, "\n");
}

/* Tells the story of one vector; returns its steps. */
static uint64_t tell(const struct world *w)
{
    struct sim_conf conf = { .jobs = 2,
                             .hosts = w->queue > 1 ? 1 : 2,
                             .slots = w->slots,
                             .queue = w->queue,
                             .delay_min_ms = 1,
                             .losses_max = 5,
                             .quarantine = 3,
                             .experiments = 2,
                             .limit_ms = LIMIT_MS,
                             .steady = true };
    struct job_spec specs[JOBS_MAX] = { 0 };

    for (uint32_t j = 1; j <= 2; j++) {
        specs[j] = (struct job_spec){
            .examples = w->examples, .steps = w->steps, .every = 1, .work_ms = 20, .groups = j
        };
        specs[j].row = (struct sched_job){ .id = j, .retries = 1, .eager = w->eager };
        specs[j].row.shape = w->queue ? 1 : 0;
    }
    if (w->chain)
        specs[2].needs[specs[2].needs_len++] = 1;
    dial.at = 0;
    dial.crashed = false;
    struct sim *m = sim_new(1, &conf, specs);
    m->failed = report;
    m->pick = pick;
    if (w->queue)
        m->db.shape_us[1] = 20000;
    if (!sim_run_until(m, LIMIT_MS))
        sim_fail(m, "%s: does not end", w->name);
    oracle_end(m);
    uint64_t steps = m->core_steps;
    sim_free(m);
    return steps;
}

int main(int argc, char **argv)
{
    dial.depth = 8;
    if (argc == 3 && strcmp(argv[1], "--depth") == 0) {
        dial.depth = (uint32_t)strtoul(argv[2], NULL, 10);
    } else if (argc != 1) {
        fprintf(stderr, "usage: sim-small [--depth N]\n");
        return 2;
    }
    dial.depth = MIN(dial.depth, DEPTH_MAX);
    for (size_t i = 0; i < ARRAY_LEN(worlds); i++) {
        uint64_t runs = 0, steps = 0;
        dial.len = 0;
        do {
            steps += tell(&worlds[i]);
            runs++;
        } while (turn());
        printf("%-20s %8llu orders to depth %u, %llu core steps\n", worlds[i].name,
               (unsigned long long)runs, dial.depth, (unsigned long long)steps);
    }
    return 0;
}
