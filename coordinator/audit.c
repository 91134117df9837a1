/* SPDX-License-Identifier: Apache-2.0 */
/* audit.c - the guard's place in the shell: messages are admitted, deeds and refusals go into the
 * store. */
#include "common/base/clock.h"
#include "common/base/log.h"
#include "coordinator/shell.h"

enum { NOTES_PER_ROUND = 256 };

bool shell_admit(struct server *s, const struct transport_event *event, struct guard_sender *ret)
{
    struct err err = { 0 };
    int rc = guard_admit(s->guard, ROLES_MAIN, event, ret, &err);

    if (rc < 0)
        shell_refuse(s, event->peer, ret->request, rc, err.text);
    return rc == 0;
}

/* A word for the audit; NULL: looking is no deed. */
static const char *verb_name(Drover__Control__Verb verb)
{
    switch (verb) {
    case DROVER__CONTROL__VERB__PAUSE:
        return "pause";
    case DROVER__CONTROL__VERB__RESUME:
        return "resume";
    case DROVER__CONTROL__VERB__RETRY:
        return "retry";
    case DROVER__CONTROL__VERB__PRIORITY:
        return "priority";
    case DROVER__CONTROL__VERB__DRAIN:
        return "drain";
    case DROVER__CONTROL__VERB__BACKUP:
        return "backup";
    case DROVER__CONTROL__VERB__WHY:
    case _DROVER__CONTROL__VERB_IS_INT_SIZE:
        break;
    }
    return NULL;
}

static void note_control(struct server *s, const struct guard_sender *who, const Drover__Control *m)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *verb = verb_name(m->verb);

    if (!verb)
        return;
    buf_printf(&text, "%s%s%s%s%s%s%s", m->experiment, *m->step ? " step " : "", m->step,
               *m->job ? " job " : "", m->job, *m->worker ? " worker " : "", m->worker);
    if (m->verb == DROVER__CONTROL__VERB__PRIORITY)
        buf_printf(&text, " to %d", m->priority);
    if (*m->path)
        buf_printf(&text, " into %.300s", m->path);
    guard_deed(s->guard, who, verb, buf_str(&text) + (*buf_str(&text) == ' '));
}

bool shell_allow(struct server *s, const struct guard_sender *who, const Drover__Envelope *m)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    if (m->body_case == DROVER__ENVELOPE__BODY_CONTROL) {
        int rc = guard_verb(s->guard, who, m->control->verb, &err);

        if (rc < 0) {
            shell_refuse(s, s->peer, m->request, rc, err.text);
            return false;
        }
        note_control(s, who, m->control);
    } else if (m->body_case == DROVER__ENVELOPE__BODY_SUBMIT) {
        buf_printf(&text, "%s: %zu jobs", m->submit->plan->name, m->submit->plan->n_jobs);
        guard_deed(s->guard, who, "submit", buf_str(&text));
    } else if (m->body_case == DROVER__ENVELOPE__BODY_CANCEL_REQUEST) {
        guard_deed(s->guard, who, "cancel", m->cancel_request->experiment);
    } else if (m->body_case == DROVER__ENVELOPE__BODY_HELLO) {
        buf_printf(&text, "worker %s on %s", m->hello->name, m->hello->host);
        guard_deed(s->guard, who, "work", buf_str(&text));
    }
    return true;
}

/* Until when at the latest this is to be called again. */
static void set_timer(struct server *s)
{
    const uint64_t wait_ms = guard_wait_ms(s->guard);

    loop_timer_set(s->loop, s->audit_timer,
                   wait_ms == UINT64_MAX ? UINT64_MAX : clock_ms() + wait_ms);
}

void shell_audit(struct server *s)
{
    struct guard_note n;

    for (int i = 0; i < NOTES_PER_ROUND && !s->failed && guard_take(s->guard, &n); i++) {
        struct store_deed d = {
            .who = n.who, .role = n.role, .peer = n.address, .what = n.what, .text = n.text
        };
        struct err err = { 0 };
        int rc;

        if (!shell_transaction(s))
            return;
        rc = store_audit(s->store, &d, &err);
        s->metrics.audited += rc == 0;
        if (shell_fatal(rc))
            shell_fail(s, rc, &err);
        else if (rc < 0)
            log_warn("audit", "reason=\"%s\"", err.text);
    }
    set_timer(s);
}
