/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/dispatch_others.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "experiments/plan/plan.h"
#include "tests/bench/dispatch_plan.h"
#include "tests/bench/embedded.h"
#include "tests/bench/group_store.h"

enum { HEARTBEAT_MS = 1000, WAIT_S = 60, SHORT_US = 1000, SLOTS = 32 };

struct others {
    struct transport *client, *worker;
    bool client_here, welcomed;
    uint64_t beat_ms;
    size_t jobs; /* submitted so far, for their names */
    /* Of this run: jobs FIRST.. have their seeds and results' numbers from there on. */
    struct others_times *times;
    size_t first, sent, done;
    double *due;
};

static void post(struct transport *t, Drover__Envelope__BodyCase body, void *message)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    bench_must(wire_encode(&b, body, message, 1, &err), &err, "encode");
    bench_must(transport_send(t, 0, b.data, b.len, &err), &err, "send");
}

static void hello(struct others *o)
{
    Drover__Hello m = DROVER__HELLO__INIT;
    char *class = (char *)PLAN_NUMERIC_CLASS, *label = (char *)"others";
    uint8_t id[WIRE_WORKER_BYTES] = { 7 };

    m.worker = (ProtobufCBinaryData){ sizeof id, id };
    m.name = label;
    m.host = (char *)"bench";
    m.pid = 1;
    m.slots = m.cores = SLOTS; /* a job never waits for a slot */
    m.threads = 1;
    m.version = (char *)DROVER_VERSION;
    m.n_classes = m.n_labels = 1;
    m.classes = &class;
    m.labels = &label;
    post(o->worker, DROVER__ENVELOPE__BODY_HELLO, &m);
}

/* The job takes no time. */
static void finish(struct others *o, const Drover__Lease *lease)
{
    Drover__JobResult m = DROVER__JOB_RESULT__INIT;
    const size_t i = (size_t)lease->seed - o->first;

    if (i < o->sent)
        o->times->start[i] = store_seconds() - o->due[i];
    m.attempt = lease->attempt;
    m.epoch = lease->epoch;
    m.job = lease->job;
    m.seq = lease->seed << 12;
    m.outcome = DROVER__OUTCOME__OUTCOME_DONE;
    m.wall_us = 10;
    post(o->worker, DROVER__ENVELOPE__BODY_JOB_RESULT, &m);
}

static void acked(struct others *o, const Drover__Ack *m)
{
    for (size_t k = 0; k < m->n_seq; k++) {
        const size_t i = (size_t)(m->seq[k] >> 12) - o->first;

        if (i >= o->sent)
            continue;
        o->times->durable[i] = store_seconds() - o->due[i];
        o->done++;
    }
}

static void take(struct others *o, const Drover__Envelope *m)
{
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE) {
        fprintf(stderr, "drover-bench: refused: %s\n", m->refuse->text);
        exit(1);
    }
    o->welcomed |= m->body_case == DROVER__ENVELOPE__BODY_WELCOME;
    if (m->body_case == DROVER__ENVELOPE__BODY_LEASE)
        finish(o, m->lease);
    for (size_t i = 0; m->body_case == DROVER__ENVELOPE__BODY_LEASES && i < m->leases->n_v; i++)
        finish(o, m->leases->v[i]);
    if (m->body_case == DROVER__ENVELOPE__BODY_ACK)
        acked(o, m->ack);
}

static void serve_one(struct others *o, struct transport *t)
{
    struct transport_event e;

    while (transport_next(t, &e)) {
        Drover__Envelope *m = NULL;
        struct err err = { 0 };

        if (e.type == TRANSPORT_CONNECTED && t == o->worker)
            hello(o);
        o->client_here |= e.type == TRANSPORT_CONNECTED && t == o->client;
        if (e.type != TRANSPORT_MESSAGE)
            continue;
        bench_must(wire_decode(e.bytes, e.len, &m, NULL, &err), &err, "message");
        take(o, m);
        wire_free(m);
    }
}

/* Whatever comes in the next WAIT_US, at most. */
static void serve(struct others *o, unsigned wait_us)
{
    struct pollfd fds[2 * TRANSPORT_FDS_MAX];
    struct timespec wait = { .tv_nsec = (long)wait_us * 1000 };
    struct transport *both[] = { o->worker, o->client };
    bool pending = false;
    nfds_t n = 0;

    for (size_t i = 0; i < ARRAY_LEN(both); i++) {
        int fd[TRANSPORT_FDS_MAX];
        const size_t len = transport_fds(both[i], fd);

        pending |= transport_pending(both[i]);
        for (size_t k = 0; k < len; k++)
            fds[n++] = (struct pollfd){ .fd = fd[k], .events = POLLIN };
    }
    if (!pending)
        (void)ppoll(fds, n, &wait, NULL);
    for (size_t i = 0; i < ARRAY_LEN(both); i++)
        serve_one(o, both[i]);
    if (o->welcomed && clock_ms() >= o->beat_ms) {
        Drover__Heartbeat m = DROVER__HEARTBEAT__INIT;

        o->beat_ms = clock_ms() + HEARTBEAT_MS;
        post(o->worker, DROVER__ENVELOPE__BODY_HEARTBEAT, &m);
    }
}

struct others *others_open(const struct cluster *c)
{
    struct others *o = mem_calloc(1, sizeof *o);
    const double until = store_seconds() + WAIT_S;
    struct err err = { 0 };

    bench_must(cluster_connect(c, &o->client, &err), &err, "connect");
    bench_must(cluster_connect(c, &o->worker, &err), &err, "connect");
    while (!(o->client_here && o->welcomed)) {
        serve(o, SHORT_US);
        bench_must(store_seconds() < until ? 0 : err_set(&err, ERR_TIMEOUT, "no welcome"), &err,
                   "others");
    }
    return o;
}

void others_close(struct others *o)
{
    transport_close(o->client);
    transport_close(o->worker);
    free(o);
}

/* One job, when it is due. */
static void submit(struct others *o, double due)
{
    char name[64];
    struct plan_conf plan = { name, 1, 1, 0 };
    struct planned *p;

    snprintf(name, sizeof name, "others-%zu", ++o->jobs);
    p = planned_new(&plan);
    planned_require(p, "others");
    planned_message(p)->plan->jobs[0]->seed = o->jobs;
    while (store_seconds() < due)
        serve(o, (unsigned)MIN((due - store_seconds()) * 1e6 + 1, (double)SHORT_US));
    o->due[o->sent++] = due;
    post(o->client, DROVER__ENVELOPE__BODY_SUBMIT, planned_message(p));
    planned_free(p);
}

void others_run(struct others *o, double min_s, bool (*over)(void *arg), void *arg,
                struct others_times *times)
{
    const double begin = store_seconds() + OTHERS_PACE_US * 1e-6;
    double until = begin;
    struct err err = { 0 };

    o->times = times;
    o->first = o->jobs + 1;
    o->sent = o->done = 0;
    o->due = mem_calloc(times->cap, sizeof *o->due);
    while (o->sent < times->cap && !(until >= begin + min_s && over(arg))) {
        submit(o, begin + (double)o->sent * OTHERS_PACE_US * 1e-6);
        until = store_seconds();
    }
    while (o->done < o->sent) {
        serve(o, SHORT_US);
        bench_must(store_seconds() < until + WAIT_S
                       ? 0
                       : err_set(&err, ERR_TIMEOUT, "jobs are not done after %d s", WAIT_S),
                   &err, "others");
    }
    times->len = o->sent;
    free(o->due);
    o->sent = 0;
}
