/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_crowd.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

enum { HEARTBEAT_MS = 1000, QUEUE = 16 };

struct guest {
    struct transport *t;
    uint8_t id[WIRE_WORKER_BYTES];
    char name[32];
    uint64_t seq, beat_ms;
    bool welcomed;
    double first;
    /* The job that takes its time; attempt 0: none. */
    uint64_t attempt, job, done_ms;
    uint32_t epoch;
};

struct crowd {
    struct crowd_conf conf;
    const struct cluster *cluster;
    struct guest *guest;
    size_t count, welcomed, served; /* COUNT: that have begun to connect */
    struct pollfd *fds;
};

static void post(struct guest *g, Drover__Envelope__BodyCase body, void *message)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    bench_must(wire_encode(&b, body, message, 0, &err), &err, "encode");
    bench_must(transport_send(g->t, 0, b.data, b.len, &err), &err, "send");
}

static void hello(const struct crowd *c, struct guest *g)
{
    char *label = (char *)(uintptr_t)c->conf.label;
    Drover__Hello m = DROVER__HELLO__INIT;
    char *classes[] = { (char *)"packed-1" };

    m.worker = (ProtobufCBinaryData){ sizeof g->id, g->id };
    m.name = g->name;
    m.host = (char *)"bench";
    m.pid = 1;
    m.slots = 1;
    m.threads = 1;
    m.version = (char *)DROVER_VERSION;
    m.n_classes = 1;
    m.classes = classes;
    m.queue = c->conf.job_ms ? 0 : QUEUE;
    m.cores = 1;
    m.n_labels = label != NULL;
    m.labels = &label;
    post(g, DROVER__ENVELOPE__BODY_HELLO, &m);
}

/* The results of N leases, in one message. */
static void finish(struct guest *g, Drover__Lease *const *lease, size_t n)
{
    static Drover__JobResult result[WIRE_GROUP_MAX], *v[WIRE_GROUP_MAX];
    Drover__JobResults m = DROVER__JOB_RESULTS__INIT;

    for (size_t i = 0; i < n; i++) {
        drover__job_result__init(&result[i]);
        result[i].attempt = lease[i]->attempt;
        result[i].epoch = lease[i]->epoch;
        result[i].job = lease[i]->job;
        result[i].seq = ++g->seq << 12;
        result[i].outcome = DROVER__OUTCOME__OUTCOME_DONE;
        result[i].wall_us = 10;
        v[i] = &result[i];
    }
    m.n_v = n;
    m.v = v;
    post(g, DROVER__ENVELOPE__BODY_JOB_RESULTS, &m);
}

/* A slot, so one lease at a time. */
static void begin(const struct crowd *c, struct guest *g, const Drover__Lease *lease)
{
    g->attempt = lease->attempt;
    g->epoch = lease->epoch;
    g->job = lease->job;
    g->done_ms = clock_ms() + c->conf.job_ms;
}

static void end(struct guest *g)
{
    Drover__Lease lease = DROVER__LEASE__INIT, *one = &lease;

    lease.attempt = g->attempt;
    lease.epoch = g->epoch;
    lease.job = g->job;
    g->attempt = 0;
    finish(g, &one, 1);
}

static void on_message(struct crowd *c, struct guest *g, const struct transport_event *e)
{
    Drover__Envelope *m = NULL;
    struct err err = { 0 };
    Drover__Lease *const *lease = NULL;
    size_t n = 0;

    bench_must(wire_decode(e->bytes, e->len, &m, NULL, &err), &err, "message");
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        fprintf(stderr, "drover-bench: a worker is refused: %s\n", m->refuse->text);
        exit(1);
    }
    if (m->body_case == DROVER__ENVELOPE__BODY_WELCOME && !g->welcomed) {
        g->welcomed = true;
        c->welcomed++;
    }
    if (m->body_case == DROVER__ENVELOPE__BODY_LEASE) {
        lease = &m->lease;
        n = 1;
    }
    if (m->body_case == DROVER__ENVELOPE__BODY_LEASES) {
        lease = m->leases->v;
        n = m->leases->n_v;
    }
    if (n > 0 && g->first <= 0) {
        g->first = store_seconds();
        c->served++;
    }
    if (n > 0 && c->conf.job_ms)
        begin(c, g, lease[0]);
    else if (n > 0)
        finish(g, lease, n);
    wire_free(m);
}

static void serve(struct crowd *c, struct guest *g, uint64_t now_ms)
{
    struct transport_event e;

    while (transport_next(g->t, &e)) {
        if (e.type == TRANSPORT_CONNECTED)
            hello(c, g);
        if (e.type == TRANSPORT_MESSAGE)
            on_message(c, g, &e);
    }
    if (g->attempt && now_ms >= g->done_ms)
        end(g);
    if (g->welcomed && now_ms >= g->beat_ms) {
        Drover__Heartbeat m = DROVER__HEARTBEAT__INIT;

        g->beat_ms = now_ms + HEARTBEAT_MS;
        post(g, DROVER__ENVELOPE__BODY_HEARTBEAT, &m);
    }
}

void crowd_serve(struct crowd *c, uint64_t ms)
{
    const uint64_t until = clock_ms() + ms;
    uint64_t now;

    while ((now = clock_ms()) < until) {
        bool pending = false;
        nfds_t n = 0;

        for (size_t i = 0; i < c->count; i++) {
            int fds[TRANSPORT_FDS_MAX];
            size_t len = transport_fds(c->guest[i].t, fds);

            pending |= transport_pending(c->guest[i].t);
            for (size_t k = 0; k < len; k++)
                c->fds[n++] = (struct pollfd){ .fd = fds[k], .events = POLLIN };
        }
        if (!pending)
            (void)poll(c->fds, n, 5);
        for (size_t i = 0; i < c->count; i++)
            serve(c, &c->guest[i], now);
    }
}

struct crowd *crowd_prepare(const struct cluster *cluster, const struct crowd_conf *conf)
{
    struct crowd *c = mem_calloc(1, sizeof *c);

    c->conf = *conf;
    c->cluster = cluster;
    c->guest = mem_calloc(conf->count, sizeof *c->guest);
    c->fds = mem_calloc(conf->count, TRANSPORT_FDS_MAX * sizeof *c->fds);
    return c;
}

bool crowd_join(struct crowd *c)
{
    struct guest *g = &c->guest[c->count];
    struct err err = { 0 };
    struct digest id;

    if (c->count == c->conf.count)
        return false;
    snprintf(g->name, sizeof g->name, "%.20s-%zu", c->conf.name, ++c->count);
    id = digest_of(g->name, strlen(g->name));
    memcpy(g->id, id.b, sizeof g->id);
    g->beat_ms = clock_ms() + c->count % HEARTBEAT_MS;
    bench_must(cluster_connect(c->cluster, &g->t, &err), &err, "connect");
    return true;
}

struct crowd *crowd_open(const struct cluster *cluster, size_t count)
{
    const struct crowd_conf conf = { .count = count, .name = "guest" };
    struct crowd *c = crowd_prepare(cluster, &conf);

    while (crowd_join(c))
        continue;
    return c;
}

void crowd_goodbye(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++) {
        Drover__Goodbye m = DROVER__GOODBYE__INIT;
        struct guest *g = &c->guest[i];

        if (g->welcomed)
            post(g, DROVER__ENVELOPE__BODY_GOODBYE, &m);
        g->attempt = 0; /* nothing more is said */
        g->welcomed = false;
    }
}

void crowd_close(struct crowd *c)
{
    for (size_t i = 0; i < c->count; i++)
        transport_close(c->guest[i].t);
    free(c->guest);
    free(c->fds);
    free(c);
}

size_t crowd_welcomed(const struct crowd *c)
{
    return c->welcomed;
}

size_t crowd_served(const struct crowd *c)
{
    return c->served;
}

void crowd_expect(struct crowd *c)
{
    c->served = 0;
    for (size_t i = 0; i < c->count; i++)
        c->guest[i].first = 0;
}

double crowd_first(const struct crowd *c, size_t i)
{
    return c->guest[i].first;
}
