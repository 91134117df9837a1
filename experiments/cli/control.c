/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/control.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "experiments/cli/client.h"
#include "store/control.h"
#include "store/store.h"

enum { ANSWER_MS = 30000, KEY_DIGITS_MIN = 8 };

bool control_names_job(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    size_t hex = strspn(text, "0123456789abcdefABCDEF");

    if (text[0] == 'j' && text[1])
        return text[1 + strspn(text + 1, "0123456789")] == '\0';
    return (digits > 0 && !text[digits]) || (hex >= KEY_DIGITS_MIN && !text[hex]);
}

int control_find_writer(const struct options *o, char endpoint[STORE_ENDPOINT_MAX], struct err *err)
{
    const char *path = options_store(o);
    struct err none = { 0 };
    int pid = 0;

    endpoint[0] = '\0';
    if (o->coordinator) {
        if (strlen(o->coordinator) >= STORE_ENDPOINT_MAX)
            return err_set(err, ERR_INVALID, "--coordinator is too long");
        memcpy(endpoint, o->coordinator, strlen(o->coordinator) + 1);
        return 0;
    }
    if (access(path, F_OK) < 0)
        return err_set(err, ERR_NOT_FOUND,
                       "no store at %s; name it with --store, or a coordinator with --coordinator",
                       path);
    int rc = store_lock_holder(path, &pid, endpoint, &none);
    if (rc == ERR_NOT_FOUND)
        return 0;
    if (rc)
        return err_set(err, none.code, "%s", none.text);
    if (!endpoint[0])
        return err_set(err, ERR_CONFLICT,
                       "process %d writes to %s and is no coordinator; try again when it has ended",
                       pid, path);
    return 0;
}

static int ask(const char *endpoint, const Drover__Control *m, uint32_t *ret_jobs,
               struct buf *ret_text, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    int rc = client_call(endpoint, DROVER__ENVELOPE__BODY_CONTROL, (void *)(uintptr_t)m,
                         DROVER__ENVELOPE__BODY_CONTROLLED, ANSWER_MS, &answer, err);

    if (rc)
        return rc;
    *ret_jobs = answer->controlled->jobs;
    buf_adds(ret_text, answer->controlled->text);
    return 0;
}

/* As far as the store knows, which needs no writer. */
static int why(const char *path, const Drover__Control *m, struct buf *ret_text, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store_why w CLEANUP(store_why_release) = { 0 };
    uint64_t id;
    int rc = store_open_read(&s, path, err);

    if (!rc && m->job[0])
        rc = store_find_job_text(s, m->job, &id, err);
    else if (!rc)
        rc = store_find_experiment(s, m->experiment, &id, err);
    if (!rc)
        rc = m->job[0] ? store_why_job(s, id, &w, err) : store_why_experiment(s, id, &w, err);
    if (rc)
        return rc;
    if (strcmp(w.state, "READY") == 0 || strcmp(w.state, "WAITING") == 0 ||
        strcmp(w.state, "OPEN") == 0)
        store_why_add(&w, "no_coordinator",
                      "no coordinator runs on this store: drover run its recipe again, or start "
                      "drover coordinator");
    store_why_json(&w, ret_text);
    return 0;
}

static int act(const char *path, const Drover__Control *m, uint32_t *ret_jobs, struct buf *ret_text,
               struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    const struct store_control c = { .verb = (enum store_verb)m->verb,
                                     .experiment = m->experiment,
                                     .step = m->step,
                                     .job = m->job,
                                     .priority = m->priority };
    int rc = store_open(&s, path, "", err);

    if (!rc)
        rc = store_begin(s, err);
    if (!rc)
        rc = store_control(s, &c, NULL, ret_jobs, ret_text, err);
    return rc ? rc : store_commit(s, err);
}

int control_do(const struct options *o, const Drover__Control *m, uint32_t *ret_jobs,
               struct buf *ret_text, struct err *err)
{
    char endpoint[STORE_ENDPOINT_MAX];
    int rc = control_find_writer(o, endpoint, err);

    *ret_jobs = 0;
    if (rc)
        return rc;
    if (endpoint[0])
        return ask(endpoint, m, ret_jobs, ret_text, err);
    if (m->verb == DROVER__CONTROL__VERB__WHY)
        return why(options_store(o), m, ret_text, err);
    return act(options_store(o), m, ret_jobs, ret_text, err);
}

static int cancel_direct(const char *path, const char *experiment, uint32_t *ret_jobs,
                         struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store_ids withdrawn CLEANUP(store_ids_release) = { 0 };
    int rc = store_open(&s, path, "", err);

    if (!rc)
        rc = store_begin(s, err);
    if (!rc)
        rc = store_cancel(s, experiment, &withdrawn, err);
    *ret_jobs = (uint32_t)withdrawn.len;
    return rc ? rc : store_commit(s, err);
}

int control_cancel(const struct options *o, const char *experiment, uint32_t *ret_jobs,
                   struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__CancelRequest request = DROVER__CANCEL_REQUEST__INIT;
    char endpoint[STORE_ENDPOINT_MAX];
    int rc = control_find_writer(o, endpoint, err);

    if (rc)
        return rc;
    if (!endpoint[0])
        return cancel_direct(options_store(o), experiment, ret_jobs, err);
    request.experiment = (char *)(uintptr_t)experiment;
    rc = client_call(endpoint, DROVER__ENVELOPE__BODY_CANCEL_REQUEST, &request,
                     DROVER__ENVELOPE__BODY_CANCELLED, ANSWER_MS, &answer, err);
    if (rc == 0)
        *ret_jobs = answer->cancelled->jobs;
    return rc;
}
