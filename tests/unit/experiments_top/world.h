/* SPDX-License-Identifier: Apache-2.0 */
/* world.h - a coordinator's answers, made by hand. */
#ifndef TESTS_UNIT_EXPERIMENTS_TOP_WORLD_H
#define TESTS_UNIT_EXPERIMENTS_TOP_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "experiments/top/top.h"

#define TEXT(S) ((char *)(uintptr_t)(S))

enum { WORKERS = 1200, NUMBERS = 32 };

struct world {
    Drover__Status numbers, experiments;
    Drover__Number number[NUMBERS], *number_list[NUMBERS];
    Drover__WorkerStatus worker[WORKERS], *worker_list[WORKERS];
    char names[WORKERS][16];
    Drover__Failure failure, *failure_list;
    Drover__ExperimentStatus e[2], *e_list[2];
    Drover__StepStatus step[2], *step_list[2];
};

static inline void world_number(struct world *w, const char *name, const char *label, double v)
{
    for (size_t i = 0; i < w->numbers.n_numbers; i++)
        if (strcmp(w->number[i].name, name) == 0 && strcmp(w->number[i].label, label) == 0) {
            w->number[i].value = v;
            return;
        }
    const size_t i = w->numbers.n_numbers++;

    assert_true(i < NUMBERS);
    drover__number__init(&w->number[i]);
    w->number[i].name = TEXT(name);
    w->number[i].label = TEXT(label);
    w->number[i].value = v;
    w->number_list[i] = &w->number[i];
}

/* Counters after RESULTS results, of LEASES leases, LOST of which were lost. */
static inline void world_go(struct world *w, double results, double leases, double lost)
{
    world_number(w, "drover_results_done_total", "", results);
    world_number(w, "drover_leases_total", "", leases);
    world_number(w, "drover_attempts_ended_total", "lost", lost);
    for (size_t i = 0; i < w->numbers.n_workers; i++)
        w->worker[i].jobs_done = (uint64_t)(results / (double)w->numbers.n_workers);
}

static inline void world_workers(struct world *w, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        Drover__WorkerStatus *m = &w->worker[i];

        drover__worker_status__init(m);
        (void)snprintf(w->names[i], sizeof(w->names[i]), "w%04u", (unsigned)i);
        m->name = w->names[i];
        m->host = TEXT(i % 2 ? "node-b" : "node-a");
        m->pid = (uint32_t)(100 + i);
        m->version = TEXT("0.1.0");
        m->slots = 2;
        m->running = (uint32_t)(i % 3);
        m->waiting = (uint32_t)i;
        m->last_seen_ms = 300;
        m->doing = TEXT(i % 3 ? "labels run 3" : "");
        m->doing_ms = 12000;
        w->worker_list[i] = m;
    }
    w->numbers.workers = w->worker_list;
    w->numbers.n_workers = n;
    world_number(w, "drover_workers", "working", (double)n);
}

static inline void world_make(struct world *w, size_t workers)
{
    memset(w, 0, sizeof(*w));
    drover__status__init(&w->numbers);
    drover__status__init(&w->experiments);
    w->numbers.version = TEXT("1.2.3");
    w->numbers.incarnation = 1;
    w->numbers.up_ms = 3723000;
    w->numbers.numbers = w->number_list;
    world_number(w, "drover_jobs", "ready", 123456);
    world_number(w, "drover_jobs", "leased", 40);
    world_number(w, "drover_wal_bytes", "", 3 << 20);
    world_number(w, "drover_store_bytes", "", 5.5 * (1 << 30));
    world_number(w, "drover_slots", "", 2 * (double)workers);
    world_number(w, "drover_slots_busy", "", (double)workers);
    world_workers(w, workers);
    world_go(w, 0, 0, 0);
    for (int i = 0; i < 2; i++) {
        drover__experiment_status__init(&w->e[i]);
        drover__step_status__init(&w->step[i]);
        w->e[i].name = TEXT(i ? "windows" : "idle");
        w->step_list[i] = &w->step[i];
        w->e[i].steps = &w->step_list[i];
        w->e[i].n_steps = 1;
        w->e_list[i] = &w->e[i];
        w->step[i].jobs = w->step[i].waiting = 100;
    }
    w->step[1].waiting = 0;
    w->step[1].running = 3;
    w->experiments.experiments = w->e_list;
    w->experiments.n_experiments = 2;
}

/* A failure 5 s ago. */
static inline void world_fail(struct world *w, const char *text)
{
    drover__failure__init(&w->failure);
    w->failure.outcome = TEXT("lost");
    w->failure.worker = TEXT("w0001");
    w->failure.text = TEXT(text);
    w->failure.job = 77;
    w->failure.ago_ms = 5000;
    w->failure_list = &w->failure;
    w->numbers.failures = &w->failure_list;
    w->numbers.n_failures = 1;
}

/* Watched for 10 s, a look each second: 50 results/s and one loss/s. */
static inline struct top *world_watched(struct world *w)
{
    struct top *t = top_new();

    for (unsigned i = 0; i <= 10; i++) {
        world_go(w, 1000 + 50 * i, 1100 + 51 * i, i);
        w->step[1].done = 10 + i;
        top_take(t, &w->numbers, 1000 + 1000 * i);
        top_take_experiments(t, &w->experiments, 1000 + 1000 * i);
    }
    return t;
}

#endif
