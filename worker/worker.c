/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/worker.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/notify.h"
#include "common/base/parent.h"
#include "worker/cache.h"
#include "worker/host.h"
#include "worker/office.h"
#include "worker/stamps.h"

enum {
    ALONE_MS = 15000, /* without a coordinator, once left alone */
    LIGHT_MS = 10000, /* between counts of jobs that are not logged one by one */
};

struct worker {
    struct office office;
    struct parent *parent;
    bool parent_over; /* LEFT or GONE was acted on */
    int alone_timer, leave_timer;
    struct pin *pin;
    struct buf environment;
};

static void step(struct office *o, const struct agent_event *e)
{
    enum agent_link before = o->agent.link;

    agent_step(&o->agent, clock_ms(), e, &o->actions);
    if (o->agent.link != before)
        log_debug("link", "from=%s to=%s event=%s", agent_link_name(before),
                  agent_link_name(o->agent.link), agent_event_name(e->kind));
    for (size_t i = 0; i < o->actions.len; i++)
        office_carry(o, &o->actions.v[i]);
}

/* One event through the agent, and what comes of it at once. */
void office_step(struct office *o, const struct agent_event *e)
{
    step(o, e);
    while (o->withdrawn_len > 0)
        step(o, &(struct agent_event){ .kind = AGENT_EV_WITHDRAWN,
                                       .held = o->withdrawn[--o->withdrawn_len] });
    loop_timer_set(o->loop, o->timer, agent_deadline_ms(&o->agent));
}

static void take_post(struct office *o, const struct job_post *p)
{
    struct agent_event e = { .held = p->held, .slot = p->slot, .code = p->code };

    switch (p->kind) {
    case JOB_STARTED:
        e.kind = AGENT_EV_STARTED;
        break;
    case JOB_EXAMPLE:
        e.kind = AGENT_EV_EXAMPLE;
        break;
    case JOB_FINISHED:
        e.kind = AGENT_EV_FINISHED;
        o->held[p->held].result = p->result;
        o->light += p->result->log[0] == '\0';
        break;
    }
    office_step(o, &e);
}

/* All that slots posted, in order. */
static void take_posts(void *arg)
{
    struct worker *w = arg;
    struct office *o = &w->office;
    size_t len;
    bool again;

    const struct job_post *post = job_queue_posts(o->queue, &len, &again);
    for (size_t i = 0; i < len; i++)
        take_post(o, &post[i]);
    if (again)
        loop_timer_set(o->loop, o->look_timer, clock_ms() + JOB_QUEUE_LOOK_MS);
}

/* At the end of each round. */
static void end_round(void *arg)
{
    struct worker *w = arg;

    take_posts(w);
    office_flush(&w->office);
}

/* Jobs that are too short to be logged one by one are counted. */
static void log_light(struct office *o)
{
    const uint64_t now = clock_ms();

    if (now - o->light_since_ms < LIGHT_MS)
        return;
    if (o->light > 0)
        log_info("jobs_done", "jobs=%" PRIu64 " seconds=%.1f", o->light,
                 (double)(now - o->light_since_ms) / 1000.0);
    o->light = 0;
    o->light_since_ms = now;
}

static void on_timer(void *arg)
{
    struct worker *w = arg;
    struct office *o = &w->office;
    struct agent_progress progress[AGENT_SLOTS_MAX];

    take_posts(w); /* so that what a slot tells is its job's */
    for (size_t i = 0; i < o->conf->slots; i++) {
        struct progress *p = slot_progress(o->slot[i]);
        progress[i] = (struct agent_progress){ .counter = atomic_load(&p->counter),
                                               .done = atomic_load(&p->done),
                                               .total = atomic_load(&p->total) };
    }
    const bool leaving = o->agent.draining;
    office_step(o, &(struct agent_event){ .kind = AGENT_EV_TICK, .progress = progress });
    if (!leaving && o->agent.draining)
        log_info("drain", "why=idle after_ms=%" PRIu64, o->conf->times.idle_ms);
    log_light(o);
}

void office_drain(struct office *o, const char *why)
{
    log_info("drain", "why=%s again=%d", why, o->agent.draining);
    office_step(o, &(struct agent_event){ .kind = AGENT_EV_DRAIN });
}

static void on_signal(void *arg, int signal)
{
    struct worker *w = arg;
    office_drain(&w->office, signal == SIGTERM   ? "sigterm"
                             : signal == SIGINT  ? "sigint"
                             : signal == SIGUSR1 ? "sigusr1"
                                                 : "sigusr2");
}

/* Twice: nobody waits for the rest. */
static void stop_now(struct worker *w, const char *why)
{
    office_drain(&w->office, why);
    office_drain(&w->office, why);
}

static void on_wake(void *arg)
{
    struct worker *w = arg;

    /* What slots posted is taken at the end of the round. */
    if (parent_state(w->parent) == PARENT_HERE || w->parent_over)
        return;
    w->parent_over = true;
    if (parent_state(w->parent) == PARENT_GONE) {
        stop_now(w, "parent_gone");
        return;
    }
    log_info("left_alone", "until=\"the coordinator is gone\"");
    loop_timer_set(w->office.loop, w->alone_timer, clock_ms() + ALONE_MS);
}

/* Left alone by the command that started us: its coordinator ends when the work is done, and nobody
 * starts another. */
static void on_alone(void *arg)
{
    struct worker *w = arg;
    const uint64_t now = clock_ms();

    if (w->office.disconnected_ms != 0 && now - w->office.disconnected_ms > ALONE_MS)
        stop_now(w, "left_alone");
    else
        loop_timer_set(w->office.loop, w->alone_timer, now + 1000);
}

/* The allocation ends soon. */
static void on_time_limit(void *arg)
{
    struct worker *w = arg;

    if (!w->office.agent.draining)
        office_drain(&w->office, "time_limit");
}

static void wake_loop(void *arg)
{
    loop_wake(arg);
}

static int name_worker(struct office *o, struct err *err)
{
    if (getrandom(o->id, sizeof(o->id), 0) != (ssize_t)sizeof(o->id))
        return err_set(err, ERR_IO, "getrandom: %s", strerror(errno));
    host_name(o->host);
    if (o->conf->name != NULL)
        (void)snprintf(o->name, sizeof(o->name), "%s", o->conf->name);
    else
        (void)snprintf(o->name, sizeof(o->name), "%s:%ld", o->host, (long)getpid());
    return 0;
}

static pthread_t network_thread;

/* OpenBLAS starts threads when it is loaded, before main; they do not block the loop's signals, so
 * one may get them: pass them on to the thread whose loop waits for them. */
static void forward_signal(int signal)
{
    if (!pthread_equal(pthread_self(), network_thread))
        (void)pthread_kill(network_thread, signal);
}

static int start_loop(struct worker *w, struct err *err)
{
    static const int signals[] = { SIGTERM, SIGINT, SIGUSR1, SIGUSR2 };
    const struct sigaction action = { .sa_handler = forward_signal, .sa_flags = SA_RESTART };
    struct office *o = &w->office;

    network_thread = pthread_self();
    for (size_t i = 0; i < ARRAY_LEN(signals); i++)
        (void)!sigaction(signals[i], &action, NULL); /* cannot fail for these */
    int rc = loop_new(&o->loop, err);
    if (rc == 0)
        rc = loop_add_signals(o->loop, signals, ARRAY_LEN(signals), on_signal, w, err);
    if (rc == 0)
        rc = transport_connect(&o->transport, o->conf->coordinator, o->conf->keys, err);
    if (rc)
        return rc;
    o->timer = loop_add_timer(o->loop, on_timer, w);
    o->look_timer = loop_add_timer(o->loop, take_posts, w);
    loop_add_after(o->loop, end_round, w);
    w->alone_timer = loop_add_timer(o->loop, on_alone, w);
    w->leave_timer = loop_add_timer(o->loop, on_time_limit, w);
    o->leave_at_ms = UINT64_MAX;
    if (o->conf->leave_ms != UINT64_MAX) {
        o->leave_at_ms = clock_ms() + o->conf->leave_ms;
        loop_timer_set(o->loop, w->leave_timer, o->leave_at_ms);
    }
    loop_on_wake(o->loop, on_wake, w);
    loop_add_transport(o->loop, o->transport, office_receive, o);
    return 0;
}

/* Cores for the slots' threads, and what results say about this computer. */
static void start_pin(struct worker *w)
{
    const struct worker_conf *c = w->office.conf;
    struct buf why CLEANUP(buf_release) = { 0 };

    w->pin = pin_new(c->pin, c->slots, c->threads, NULL, &why);
    log_info("pin", "on=%d slots=%zu threads=%zu text=\"%s\"", pin_is_on(w->pin), c->slots,
             c->threads, buf_str(&why));
    host_environment(&w->environment);
    buf_printf(&w->environment, "; %s%s", pin_is_on(w->pin) ? "bound to " : "not bound to cores",
               pin_cores(w->pin));
}

/* Threads come last, so that they inherit the blocked signals. */
static int start_threads(struct worker *w, struct err *err)
{
    struct office *o = &w->office;
    int rc = 0;

    start_pin(w);
    o->environment = buf_str(&w->environment);
    o->queue = job_queue_new(wake_loop, o->loop);
    o->stamps = stamps_new();
    o->place = blob_place_new(o->conf->keys);
    o->env = (struct slot_env){ .cache = o->cache,
                                .stamps = o->stamps,
                                .place = o->place,
                                .models = o->conf->models,
                                .slots = o->conf->slots,
                                .threads = o->conf->threads,
                                .cpus = o->conf->cpus,
                                .pin = w->pin,
                                .queue = o->queue };
    for (size_t i = 0; rc == 0 && i < o->conf->slots; i++)
        rc = slot_new(&o->slot[i], &o->env, i, err);
    if (rc == 0 && o->conf->parent_fd >= 0)
        rc = parent_watch(&w->parent, o->conf->parent_fd, wake_loop, o->loop, err);
    return rc;
}

static void worker_free(struct worker *w)
{
    struct office *o = &w->office;

    parent_free(w->parent);
    for (size_t i = 0; i < AGENT_SLOTS_MAX; i++)
        slot_free(o->slot[i]);
    job_queue_free(o->queue);
    for (size_t i = 0; i < AGENT_HELD_MAX; i++)
        if (o->held[i].result != NULL)
            drover__job_result__free_unpacked(o->held[i].result, NULL);
    if (o->loop != NULL && o->transport != NULL)
        loop_remove_transport(o->loop, o->transport);
    transport_close(o->transport);
    loop_free(o->loop);
    blob_place_free(o->place);
    stamps_free(o->stamps);
    cache_close(o->cache);
    pin_free(w->pin);
    buf_release(&w->environment);
    free(w);
}

static int start(struct worker *w, struct err *err)
{
    struct office *o = &w->office;

    int rc = name_worker(o, err);
    if (rc == 0)
        rc = cache_open(o->conf->cache, o->conf->cache_bytes, &o->cache, err);
    if (rc == 0)
        rc = start_loop(w, err);
    if (rc == 0)
        rc = start_threads(w, err);
    if (rc == 0 && o->conf->allocation != NULL && o->conf->allocation[0] != '\0')
        log_info("allocation", "what=\"%s\" end_ms=%" PRId64 " grace_ms=%" PRIu64,
                 o->conf->allocation, o->conf->end_ms, o->conf->times.drain_ms);
    if (rc == 0)
        log_info("start",
                 "name=%s coordinator=%s slots=%zu threads=%zu queue=%zu memory_mib=%" PRIu64
                 " cache=%s environment=\"%s\"",
                 o->name, o->conf->coordinator, o->conf->slots, o->conf->threads, o->conf->queue,
                 o->conf->memory_mib, o->conf->cache, buf_str(&w->environment));
    return rc;
}

int worker_run(const struct worker_conf *conf, struct worker_end *ret, struct err *err)
{
    assert(conf->slots >= 1 && conf->slots <= AGENT_SLOTS_MAX && conf->threads >= 1);
    struct worker *w = mem_calloc(1, sizeof(*w));
    struct office *o = &w->office;

    *ret = (struct worker_end){ .busy = false };
    o->conf = conf;
    agent_init(&o->agent, conf->slots, conf->queue, &conf->times);
    o->light_since_ms = clock_ms();
    int rc = start(w, err);
    if (rc == 0)
        rc = loop_run(o->loop, err);
    if (rc == 0 && o->code == ERR_TIMEOUT)
        rc = err_set(err, ERR_TIMEOUT,
                     "the drain ran out of time; the attempts still held are lost");
    else if (rc == 0 && o->code != 0)
        rc = err_set(err, (enum err_code)o->code, "the coordinator at %s refuses this worker: %s",
                     conf->coordinator, o->refusal);
    (void)notify_send("STOPPING=1");
    ret->cut = o->agent.cut;
    log_info("end", "code=%d cut=%d", rc, ret->cut);
    ret->busy = o->queue != NULL && job_queue_quit(o->queue) > 0;
    if (ret->busy)
        return rc; /* its threads still use all of this */
    worker_free(w);
    return rc;
}
