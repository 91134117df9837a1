/* SPDX-License-Identifier: Apache-2.0 */
/* rig.h - a whole worker in a thread, and a coordinator that the test plays message by message over
 * a socket in the test's folder. Included by the tests of this folder. */
#ifndef TESTS_UNIT_WORKER_RIG_H
#define TESTS_UNIT_WORKER_RIG_H

#include "tests/unit/worker/fake.h"

#include <pthread.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/kinds/kinds.h"
#include "worker/joblog.h"
#include "worker/worker.h"

struct rig {
    struct fake fake;
    char endpoint[300], cache[300];
    struct worker_conf conf;
    int parent; /* writing end of the worker's parent pipe, -1: closed */
    int pipe_read;
    pthread_t thread;
    int rc; /* of worker_run, after the join */
    struct worker_end end;
    struct err err;
};

static struct rig r;

static __attribute__((unused)) void *work(void *arg)
{
    (void)arg;
    r.rc = worker_run(&r.conf, &r.end, &r.err);
    return NULL;
}

static __attribute__((unused)) int setup_slots(void **state, size_t slots, size_t queue)
{
    static const char *const labels[] = { "big", "gpu" };
    int fds[2];

    memset(&r, 0, sizeof(r));
    int failed = folder_setup(state);
    log_init("worker", LOG_INFO);
    joblog_init();
    (void)snprintf(r.endpoint, sizeof(r.endpoint), "ipc://%s/coordinator", folder);
    (void)snprintf(r.cache, sizeof(r.cache), "%s/cache", folder);
    assert_int_equal(pipe(fds), 0);
    r.pipe_read = fds[0];
    r.parent = fds[1];
    r.conf = (struct worker_conf){ .coordinator = r.endpoint,
                                   .keys = &transport_insecure,
                                   .cache = r.cache,
                                   .cache_bytes = 1 << 26,
                                   .slots = slots,
                                   .leave_ms = UINT64_MAX,
                                   .queue = queue,
                                   .memory_mib = 2048,
                                   .label = labels,
                                   .labels_len = 2,
                                   .threads = 1,
                                   .cpus = 2,
                                   .parent_fd = fds[0],
                                   .times = agent_times_default() };
    r.conf.times.drain_short_ms = FAKE_WAIT_MS; /* a slow machine is no failure */
    r.conf.times.hello_ms = 5000;               /* nor worth a second Hello */
    fake_open(&r.fake, r.endpoint);
    assert_int_equal(pthread_create(&r.thread, NULL, work, NULL), 0);
    return failed;
}

static __attribute__((unused)) int setup(void **state)
{
    return setup_slots(state, 1, 0);
}

static __attribute__((unused)) int setup_two(void **state)
{
    return setup_slots(state, 2, 0);
}

static __attribute__((unused)) void close_parent(void)
{
    if (r.parent >= 0)
        close(r.parent);
    r.parent = -1;
}

static __attribute__((unused)) int teardown(void **state)
{
    close_parent();
    fake_close(&r.fake);
    close(r.pipe_read);
    return folder_teardown(state);
}

static __attribute__((unused)) void welcome(uint64_t incarnation, Drover__Held *keep)
{
    Drover__Welcome m = DROVER__WELCOME__INIT;
    m.incarnation = incarnation;
    m.lease_ms = 30000;
    m.renew_ms = 100;
    m.heartbeat_ms = 100;
    m.blob_endpoint = r.endpoint;
    m.keep = &keep;
    m.n_keep = keep != NULL;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_WELCOME, &m, 0);
}

static __attribute__((unused)) void greet(void)
{
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_HELLO));
    welcome(1, NULL);
}

static __attribute__((unused)) void ack(uint64_t seq, int code)
{
    Drover__Ack m = DROVER__ACK__INIT;
    m.seq = &seq;
    m.n_seq = 1;
    m.code = code;
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_ACK, &m, 0);
}

/* Until worker_run returns; the goodbye is answered. */
static __attribute__((unused)) void leave(void)
{
    close_parent();
    wire_free(fake_expect(&r.fake, DROVER__ENVELOPE__BODY_GOODBYE));
    ack(0, 0);
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    assert_int_equal(r.rc, 0);
    assert_false(r.end.busy);
}

/* A lease under construction. */
struct leasing {
    Drover__Lease m;
    Drover__Param param[12], *params[12];
    Drover__Input input, *inputs;
    Drover__TextList texts;
    char *text;
};

static __attribute__((unused)) Drover__Param *add_param(struct leasing *l, const char *name)
{
    Drover__Param *p = &l->param[l->m.n_params];
    l->params[l->m.n_params++] = p;
    drover__param__init(p);
    p->name = (char *)(uintptr_t)name;
    return p;
}

static __attribute__((unused)) void add_int(struct leasing *l, const char *name, int64_t v)
{
    Drover__Param *p = add_param(l, name);
    p->value_case = DROVER__PARAM__VALUE_I;
    p->i = v;
}

static __attribute__((unused)) void begin_lease(struct leasing *l, uint64_t attempt,
                                                const char *kind, const char *class)
{
    *l = (struct leasing){ 0 };
    drover__lease__init(&l->m);
    l->m.job = 1;
    l->m.attempt = attempt;
    l->m.epoch = 1;
    l->m.kind = (char *)(uintptr_t)kind;
    l->m.kind_version = kind_find(kind) ? kind_find(kind)->version : 1;
    l->m.numeric_class = (char *)(uintptr_t) class;
    l->m.params = l->params;
}

static __attribute__((unused)) void send_lease(struct leasing *l)
{
    static uint8_t key[DIGEST_BYTES];
    l->m.key = (ProtobufCBinaryData){ .len = sizeof(key), .data = key };
    fake_send(&r.fake, r.fake.peer, DROVER__ENVELOPE__BODY_LEASE, &l->m, 0);
}

static __attribute__((unused)) Drover__Envelope *expect_result(uint64_t attempt,
                                                               Drover__Outcome outcome)
{
    Drover__Envelope *e = fake_expect(&r.fake, DROVER__ENVELOPE__BODY_JOB_RESULT);
    if (e->job_result->outcome != outcome)
        fail_msg("outcome %d: %s", (int)e->job_result->outcome, e->job_result->text);
    assert_int_equal(e->job_result->attempt, attempt);
    return e;
}

static __attribute__((unused)) void finish(Drover__Envelope *e)
{
    ack(e->job_result->seq, 0);
    wire_free(e);
}

#endif
