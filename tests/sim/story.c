/* SPDX-License-Identifier: Apache-2.0 */
/* story.c - what the coordinator reads and does, as lines of text for whoever listens. */
#include <stdarg.h>
#include <stdio.h>

#include "tests/sim/sim.h"

struct text {
    char v[160];
    size_t len;
};

static void add(struct text *t, const char *format, ...) PRINTF_LIKE(2, 3);
static void add(struct text *t, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(t->v + t->len, sizeof t->v - t->len, format, ap);
    va_end(ap);
    t->len = MIN(t->len + (size_t)MAX(n, 0), sizeof t->v - 1);
}

/* NAME=VALUE, unless it says nothing. */
static void field(struct text *t, const char *name, uint64_t value)
{
    if (value != 0)
        add(t, " %s=%llu", name, (unsigned long long)value);
}

/* Sequence numbers hold a place in their lower part. */
static unsigned short_seq(uint64_t seq)
{
    return (unsigned)(seq / AGENT_HELD_MAX);
}

void story_message(struct sim *m, const struct msg *msg)
{
    static const char *const names[] = { "Hello",   "Credits",    "Heartbeat", "Renew",
                                         "Example", "Checkpoint", "Result",    "Goodbye" };
    struct text t = { .len = 0 };

    if (!m->trace || msg->kind == M_HEARTBEAT)
        return;
    add(&t, "%s from worker=%u", names[msg->kind], (unsigned)msg->worker);
    if (msg->kind == M_HELLO)
        add(&t, " held=%u", msg->keep_len);
    if (msg->kind == M_HELLO || msg->kind == M_CREDITS)
        add(&t, " slots=%u queue=%u", msg->total, msg->queue);
    field(&t, "attempt", msg->attempt);
    field(&t, "seq", short_seq(msg->seq));
    if (msg->kind == M_RESULT)
        add(&t, " %s", sched_cause_name(msg->outcome));
    sim_trace(m, "%s", t.v);
}

static bool worth_telling(const struct sched_action *a)
{
    /* What is told by STORE actions, or by the lease itself, is not told twice. */
    return a->kind != ACT_TRACE || (a->trace != TRACE_LEASED && a->trace != TRACE_ENDED);
}

void story_action(struct sim *m, const struct sched_action *a)
{
    static const char *const names[SCHED_ACTION_KINDS] = {
        [ACT_STORE_RESERVE] = "store_reserve",
        [ACT_STORE_ATTEMPT_START] = "store_attempt_start",
        [ACT_STORE_EXAMPLE] = "store_example",
        [ACT_STORE_CHECKPOINT] = "store_checkpoint",
        [ACT_STORE_RESULT] = "store_result",
        [ACT_STORE_ATTEMPT_END] = "store_attempt_end",
        [ACT_STORE_JOB] = "store_job",
        [ACT_COMPARE] = "compare",
        [ACT_SEND_WELCOME] = "welcome",
        [ACT_SEND_REFUSE] = "refuse",
        [ACT_SEND_LEASE] = "lease",
        [ACT_SEND_ACK] = "ack",
        [ACT_SEND_CANCEL] = "cancel",
        [ACT_SEND_DRAIN] = "drain",
        [ACT_LOAD] = "load",
    };
    struct text t = { .len = 0 };

    if (!m->trace || !worth_telling(a))
        return;
    add(&t, "  %s", a->kind == ACT_TRACE ? sched_trace_name(a->trace) : names[a->kind]);
    field(&t, "job", a->job);
    field(&t, a->kind == ACT_STORE_RESERVE ? "up_to_attempt" : "attempt", a->attempt);
    field(&t, "epoch", a->epoch);
    field(&t, "worker", a->worker);
    field(&t, "experiment", a->experiment);
    field(&t, "want", a->want);
    if (a->kind == ACT_LOAD && a->experiment == 0)
        add(&t, " (which experiments have ready jobs?)");
    if (a->kind == ACT_STORE_JOB)
        add(&t, " %s (%s) tries=%u losses=%u", sched_job_state_name(a->state),
            sched_cause_name(a->cause), a->tries, a->losses);
    if (a->kind == ACT_SEND_WELCOME)
        add(&t, " keep=%u drop=%u", a->keep_len, a->drop_len);
    if (a->kind == ACT_STORE_ATTEMPT_END)
        add(&t, " %s%s%s", sched_cause_name(a->cause), a->counted ? " counted" : "",
            !a->whole  ? ""
            : a->began ? " whole"
                       : " (it only waited: no row)");
    if (a->kind == ACT_STORE_RESULT)
        add(&t, "%s", a->whole ? " whole" : "");
    field(&t, "seq", short_seq(a->seq));
    if (a->kind == ACT_SEND_ACK || a->kind == ACT_SEND_REFUSE)
        add(&t, " %s", a->code == 0 ? "ok" : err_name(a->code));
    sim_trace(m, "%s", t.v);
}
