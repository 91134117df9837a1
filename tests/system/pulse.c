/* SPDX-License-Identifier: Apache-2.0 */
/* pulse ENDPOINT PERIOD-MS: a normal client. Submits a plan of one small job every PERIOD-MS over
 * one connection and measures the time until it is answered, which is when it is durable. Each line
 * of standard input ends a phase: answered by
 *
 *   LINE n=SAMPLES p50_ms=... p99_ms=... max_ms=...
 *
 * of what was measured since the line before. Ends with its standard input; exit code 1: a
 * submission was refused or took longer than ANSWER_MS. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/digest.h"
#include "common/net/identity.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"

enum { SAMPLES_MAX = 100000, ANSWER_MS = 60000 };

static struct {
    struct transport *t;
    uint64_t number, sent_ns; /* of the plan under way; 0: none */
    double ms[SAMPLES_MAX];
    size_t len;
} p;

static struct digest named(const char *what)
{
    char text[96];

    (void)snprintf(text, sizeof(text), "pulse %d %s %llu", (int)getpid(), what,
                   (unsigned long long)p.number);
    return digest_of(text, strlen(text));
}

static int submit(struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct digest revision, point, key;
    Drover__Submit submit = DROVER__SUBMIT__INIT;
    Drover__Plan plan = DROVER__PLAN__INIT;
    Drover__PlanRun run = DROVER__PLAN_RUN__INIT, *runs = &run;
    Drover__PlanJob job = DROVER__PLAN_JOB__INIT, *jobs = &job;
    Drover__Param makes = DROVER__PARAM__INIT, *params = &makes;
    uint32_t claim = 0;
    char name[64];

    p.number++;
    revision = named("revision");
    point = named("point");
    key = named("key");
    (void)snprintf(name, sizeof(name), "pulse-%d-%llu", (int)getpid(),
                   (unsigned long long)p.number);
    submit.plan = &plan;
    plan.name = name;
    plan.revision = wire_bytes(&revision);
    plan.recipe = (char *)"# made by pulse";
    plan.n_runs = plan.n_jobs = 1;
    plan.runs = &runs;
    plan.jobs = &jobs;
    run.digest = wire_bytes(&point);
    job.key = wire_bytes(&key);
    job.kind = (char *)"noop";
    job.kind_version = 1;
    job.numeric_class = (char *)"packed-1";
    job.step = (char *)"a";
    job.n_params = 1;
    job.params = &params;
    makes.name = (char *)"makes";
    makes.value_case = DROVER__PARAM__VALUE_S;
    makes.s = (char *)"nothing";
    job.n_runs = 1;
    job.runs = &claim;
    job.seed = p.number;
    int rc = wire_encode(&bytes, DROVER__ENVELOPE__BODY_SUBMIT, &submit, p.number, err);
    p.sent_ns = clock_ns();
    return rc ? rc : transport_send(p.t, 0, bytes.data, bytes.len, err);
}

static int on_message(const struct transport_event *e, struct err *err)
{
    Drover__Envelope *m = NULL;
    int rc = wire_decode(e->bytes, e->len, &m, NULL, err);

    if (rc)
        return rc;
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE)
        rc = err_set(err, ERR_PROTO, "refused: %s", m->refuse->text);
    else if (m->body_case == DROVER__ENVELOPE__BODY_SUBMITTED && m->request == p.number &&
             p.len < SAMPLES_MAX) {
        p.ms[p.len++] = (double)(clock_ns() - p.sent_ns) / 1e6;
        p.sent_ns = 0;
    }
    wire_free(m);
    return rc;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* False: nobody asks any more. */
static bool on_line(void)
{
    char line[64];
    ssize_t n = read(STDIN_FILENO, line, sizeof(line) - 1);

    if (n <= 0)
        return false;
    line[n] = '\0';
    line[strcspn(line, "\n")] = '\0';
    qsort(p.ms, p.len, sizeof(*p.ms), by_size);
    printf("%s n=%zu p50_ms=%.2f p99_ms=%.2f max_ms=%.2f\n", line, p.len,
           p.len ? p.ms[p.len / 2] : 0, p.len ? p.ms[p.len * 99 / 100] : 0,
           p.len ? p.ms[p.len - 1] : 0);
    (void)fflush(stdout);
    p.len = 0;
    return true;
}

static int beat(uint64_t period_ms, struct err *err)
{
    uint64_t next_ms = clock_ms();
    bool connected = false;

    for (;;) {
        struct pollfd f[1 + TRANSPORT_FDS_MAX] = { { .fd = STDIN_FILENO, .events = POLLIN } };
        int fds[TRANSPORT_FDS_MAX], rc = 0;
        size_t n = transport_fds(p.t, fds);
        for (size_t i = 0; i < n; i++)
            f[1 + i] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
        if (!transport_pending(p.t))
            (void)poll(f, 1 + n, 1);
        if (f[0].revents && !on_line())
            return 0;
        struct transport_event e;
        while (!rc && transport_next(p.t, &e)) {
            connected = connected || e.type == TRANSPORT_CONNECTED;
            if (e.type == TRANSPORT_DISCONNECTED)
                p.sent_ns = 0; /* what was under way is lost */
            if (e.type == TRANSPORT_MESSAGE)
                rc = on_message(&e, err);
        }
        if (!rc && p.sent_ns && clock_ns() - p.sent_ns > (uint64_t)ANSWER_MS * 1000000)
            rc = err_set(err, ERR_TIMEOUT, "no answer within %d ms", ANSWER_MS);
        if (!rc && connected && !p.sent_ns && clock_ms() >= next_ms) {
            next_ms = clock_ms() + period_ms;
            rc = submit(err);
        }
        if (rc)
            return rc;
    }
}

int main(int argc, char **argv)
{
    const struct identity_choice choice = { .key = NULL }; /* what the environment says */
    struct transport_keys keys;
    struct err err = { 0 };

    if (argc != 3 || identity_find(&choice, argv[1], &keys, &err) ||
        transport_connect(&p.t, argv[1], &keys, &err)) {
        fprintf(stderr, "usage: pulse ENDPOINT PERIOD-MS %s\n", err.text);
        return 2;
    }
    int rc = beat(strtoull(argv[2], NULL, 10), &err);
    if (rc)
        fprintf(stderr, "pulse: %s\n", err.text);
    transport_close(p.t);
    return rc ? 1 : 0;
}
