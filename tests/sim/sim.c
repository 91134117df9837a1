/* SPDX-License-Identifier: Apache-2.0 */
/* sim.c - the virtual clock: a heap of events by (time, order of posting), and the run's trace. */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/base/mem.h"

enum { LAST_LINES = 60, LINE_BYTES = 200 };

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ms != b->at_ms ? a->at_ms < b->at_ms : a->order < b->order;
}

static void swap_events(struct sim_event *a, struct sim_event *b)
{
    struct sim_event x = *a;
    *a = *b;
    *b = x;
}

void sim_post(struct sim *m, struct sim_event e, uint64_t after_ms)
{
    if (m->queue_len == m->queue_cap) {
        m->queue_cap = MAX(64, 2 * m->queue_cap);
        m->queue = mem_realloc(m->queue, m->queue_cap, sizeof *m->queue);
    }
    e.at_ms = m->now_ms + after_ms;
    e.order = ++m->orders;
    size_t i = m->queue_len++;
    m->queue[i] = e;
    for (; i > 0 && earlier(&m->queue[i], &m->queue[(i - 1) / 2]); i = (i - 1) / 2)
        swap_events(&m->queue[i], &m->queue[(i - 1) / 2]);
}

/* Take the event at place AT of the queue: 0 is the first one. */
static struct sim_event take_event(struct sim *m, size_t at)
{
    struct sim_event first = m->queue[at];
    m->queue[at] = m->queue[--m->queue_len];
    for (; at > 0 && at < m->queue_len && earlier(&m->queue[at], &m->queue[(at - 1) / 2]);
         at = (at - 1) / 2)
        swap_events(&m->queue[at], &m->queue[(at - 1) / 2]);
    for (size_t i = at;;) {
        size_t least = i, left = 2 * i + 1;
        if (left < m->queue_len && earlier(&m->queue[left], &m->queue[least]))
            least = left;
        if (left + 1 < m->queue_len && earlier(&m->queue[left + 1], &m->queue[least]))
            least = left + 1;
        if (least == i)
            return first;
        swap_events(&m->queue[i], &m->queue[least]);
        i = least;
    }
}

bool sim_chance(struct sim *m, double p)
{
    return p > 0 && rng_double(&m->rng) < p;
}

uint64_t sim_about(struct sim *m, uint64_t mean)
{
    if (m->conf.steady)
        return mean;
    return mean == 0 ? 0 : 1 + rng_below(&m->rng, (uint32_t)(2 * mean));
}

uint64_t sim_value(uint64_t job, uint64_t example)
{
    return (job * 0x9e3779b97f4a7c15u) ^ ((example + 1) * 0xbf58476d1ce4e5b9u);
}

void sim_mix(struct sim *m, uint64_t word)
{
    m->hash = (m->hash ^ word) * 0x100000001b3u;
    m->hash ^= m->hash >> 29;
}

/* Texts cost more than steps do: nobody listens, nothing is written. */
void sim_trace(struct sim *m, const char *format, ...)
{
    char line[LINE_BYTES];
    if (!m->trace)
        return;
    int n = snprintf(line, LINE_BYTES, "%6llu ", (unsigned long long)m->now_ms);
    va_list ap;
    va_start(ap, format);
    (void)vsnprintf(line + n, LINE_BYTES - (size_t)n, format, ap);
    va_end(ap);
    m->trace(m->trace_arg, line);
}

static char last_lines[LAST_LINES][LINE_BYTES];
static size_t last_lines_len;

void sim_remember(void *arg, const char *line)
{
    (void)arg;
    snprintf(last_lines[last_lines_len++ % LAST_LINES], LINE_BYTES, "%s", line);
}

void sim_recall(void)
{
    size_t first = last_lines_len > LAST_LINES ? last_lines_len - LAST_LINES : 0;
    for (size_t i = first; i < last_lines_len; i++) {
        const char *line = last_lines[i % LAST_LINES];
        if (write(STDERR_FILENO, line, strlen(line)) < 0 || write(STDERR_FILENO, "\n", 1) < 0)
            return;
    }
}

void sim_fail(struct sim *m, const char *format, ...)
{
    if (!m->trace && m->failed)
        m->failed(m->seed); /* tells the story once more, with a listener, and ends there */
    sim_recall();
    fprintf(stderr, "seed %llu at %llu ms: ", (unsigned long long)m->seed,
            (unsigned long long)m->now_ms);
    va_list ap;
    va_start(ap, format);
    (void)vfprintf(stderr, format, ap);
    va_end(ap);
    fprintf(stderr, "\nreplay: sim-swarm --seed %llu --trace\n", (unsigned long long)m->seed);
    exit(1);
}

struct sim *sim_new(uint64_t seed, const struct sim_conf *conf, const struct job_spec *specs)
{
    /* Large and mostly never touched: fresh pages cost less than to clear old ones. */
    struct sim *m =
        mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (m == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    m->seed = seed;
    m->conf = *conf;
    m->rng = rng_stream("sim", seed, 1);
    m->hash = 0xcbf29ce484222325u;
    for (uint32_t h = 0; h < conf->hosts; h++)
        m->machine[h] = (struct machine){ .cores = conf->slots };
    if (specs)
        memcpy(m->spec, specs, sizeof m->spec);
    else
        faults_specs(m);
    if (!specs)
        controls_of_seed(m);
    db_init(m);
    for (uint32_t h = 0; h < conf->hosts; h++)
        sim_post(m, (struct sim_event){ .kind = SE_HOST_START, .host = h }, 1 + h);
    sim_post(m, (struct sim_event){ .kind = SE_COORD_START }, 0);
    sim_post(m, (struct sim_event){ .kind = SE_FAULTS }, 0);
    m->faults_on = true;
    return m;
}

void sim_free(struct sim *m)
{
    for (size_t i = 0; i < m->queue_len; i++)
        free(m->queue[i].msg);
    free(m->queue);
    free(m->coord.core);
    free(m->coord.outbox.v);
    free(m->coord.sending.v);
    (void)munmap(m, sizeof *m);
}

bool sim_all_final(struct sim *m)
{
    for (uint32_t i = 0; i < m->conf.jobs; i++) {
        uint32_t j = 1 + (m->maybe_open + i) % m->conf.jobs;
        if (!db_final(m->db.job[j].state)) {
            m->maybe_open = j - 1; /* most of the time it still is when we ask again */
            return false;
        }
    }
    return m->db.undo_len == 0 && m->coord.up;
}

static void serve(struct sim *m, struct sim_event *e)
{
    switch (e->kind) {
    case SE_DELIVER:
        net_deliver(m, e);
        break;
    case SE_HOST_WAKE:
    case SE_HOST_START:
    case SE_HOST_LEAVES:
    case SE_CONNECTED:
    case SE_DISCONNECTED:
    case SE_POSTED:
    case SE_COMPUTED:
    case SE_SAVE:
    case SE_FINISH:
        host_event(m, e);
        break;
    case SE_COORD_WAKE:
        coord_wake(m);
        break;
    case SE_COORD_START:
        coord_start(m);
        break;
    case SE_COMMIT:
        coord_commit(m);
        break;
    case SE_FAULTS:
        faults_tick(m);
        break;
    case SE_CANCEL:
        coord_cancel(m, e->slot);
        break;
    case SE_CONTROL:
        coord_control(m);
        break;
    case SE_AGAIN:
        net_again(m, e);
        break;
    case SE_CALL:
        break; /* a scenario's mark in time */
    }
}

bool sim_run_until(struct sim *m, uint64_t end_ms)
{
    while (m->queue_len > 0 && m->queue[0].at_ms <= end_ms) {
        struct sim_event e = take_event(m, m->pick ? m->pick(m) : 0);
        m->now_ms = MAX(m->now_ms, e.at_ms);
        serve(m, &e);
        if (sim_all_final(m))
            return true;
    }
    m->now_ms = end_ms;
    return sim_all_final(m);
}
