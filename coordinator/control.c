/* SPDX-License-Identifier: Apache-2.0 */
/* control.c - what clients want: pausing, priorities, another try, why, and questions. */
#include "common/base/log.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

/* ---- questions ---- */

void shell_ask(struct server *s, const Drover__Ask *m, uint64_t request)
{
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    shell_flush(s); /* the answer shows what this client sent before */
    if (s->failed)
        return;
    rc = asker_ask(s->asker, peer, request, m->what, m->arguments, &err);
    if (rc < 0)
        shell_refuse(s, peer, request, rc, err.text);
}

static void send_answer(struct server *s, struct asker_answer *a)
{
    Drover__Answer m = DROVER__ANSWER__INIT;

    m.text = (char *)(uintptr_t)buf_str(&a->text);
    if (s->failed)
        log_debug("answer_dropped", "peer=%llx", (unsigned long long)a->peer);
    else if (a->code < 0)
        shell_refuse(s, a->peer, a->request, a->code, m.text);
    else if (a->tag) /* a packed message */
        outbox_add_packed(s->outbox, a->peer, (Drover__Envelope__BodyCase)a->tag, m.text,
                          a->text.len, a->request);
    else
        shell_send(s, a->peer, DROVER__ENVELOPE__BODY_ANSWER, &m, a->request);
}

void shell_answers(struct server *s)
{
    struct asker *const askers[] = { s->status_asker, s->asker, s->backup_asker };
    struct asker_answer a;

    for (size_t i = 0; i < ARRAY_LEN(askers); i++)
        while (askers[i] && asker_take(askers[i], &a)) {
            if (askers[i] == s->backup_asker)
                s->backup.on = false;
            send_answer(s, &a);
            buf_release(&a.text);
        }
}

/* ---- control ---- */

void shell_changes(struct server *s, const struct store_changes *changes)
{
    struct sched_change *v CLEANUP(mem_cleanup) = mem_calloc(changes->len, sizeof(*v));
    struct sched_event e = { .kind = EV_CHANGE };

    if (changes->len == 0)
        return;
    for (size_t i = 0; i < changes->len; i++)
        v[i] = (struct sched_change){ .job = changes->v[i].job,
                                      .experiment = changes->v[i].experiment,
                                      .priority = changes->v[i].priority,
                                      .held = changes->v[i].paused };
    e.change.v = v;
    e.change.len = changes->len;
    shell_step(s, &e);
}

static void act(struct server *s, const Drover__Control *m, uint64_t request)
{
    struct store_control c = { .verb = (enum store_verb)m->verb,
                               .experiment = m->experiment,
                               .step = m->step,
                               .job = m->job,
                               .priority = m->priority };
    struct store_changes changes CLEANUP(store_changes_release) = { 0 };
    struct buf text CLEANUP(buf_release) = { 0 };
    Drover__Controlled answer = DROVER__CONTROLLED__INIT;
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    if (!shell_transaction(s))
        return;
    rc = store_control(s->store, &c, &changes, &answer.jobs, &text, &err);
    if (rc < 0) {
        if (shell_fatal(rc))
            shell_fail(s, rc, &err);
        else
            shell_refuse(s, peer, request, rc, err.text);
        return;
    }
    log_info("control", "text=\"%s\"", buf_str(&text));
    answer.text = (char *)(uintptr_t)buf_str(&text);
    shell_send(s, peer, DROVER__ENVELOPE__BODY_CONTROLLED, &answer, request);
    s->message = NULL;
    shell_changes(s, &changes);
    /* What is to run now may go before what the scheduler has. */
    shell_ready(s, 0, m->verb == DROVER__CONTROL__VERB__PRIORITY ? m->priority : 0);
    for (size_t i = 0; i < changes.len; i++)
        shell_ready(s, changes.v[i].experiment, changes.v[i].priority);
}

void shell_control(struct server *s, const Drover__Control *m, uint64_t request)
{
    switch (m->verb) {
    case DROVER__CONTROL__VERB__PAUSE:
    case DROVER__CONTROL__VERB__RESUME:
    case DROVER__CONTROL__VERB__RETRY:
    case DROVER__CONTROL__VERB__PRIORITY:
        act(s, m, request);
        break;
    case DROVER__CONTROL__VERB__WHY:
        shell_why(s, m, request);
        break;
    case DROVER__CONTROL__VERB__DRAIN:
        shell_drain(s, m, request);
        break;
    case DROVER__CONTROL__VERB__BACKUP:
        shell_backup(s, m, request);
        break;
    case _DROVER__CONTROL__VERB_IS_INT_SIZE:
        break;
    }
}
