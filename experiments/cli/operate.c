/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/operate.h"

#include "experiments/cli/client.h"
#include "experiments/cli/control.h"

enum { ANSWER_MS = 10000 };

int operate_endpoint(const struct options *o, char endpoint[STORE_ENDPOINT_MAX], struct err *err)
{
    int rc = control_find_writer(o, endpoint, err);

    if (!rc && !endpoint[0])
        return err_set(err, ERR_NOT_FOUND,
                       "no coordinator runs on %s; start one: drover coordinator --store %s",
                       options_store(o), options_store(o));
    return rc;
}

int operate_workers(const char *endpoint, Drover__Envelope **ret, struct err *err)
{
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;

    request.workers = request.only_workers = true;
    return client_call(endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                       DROVER__ENVELOPE__BODY_STATUS, ANSWER_MS, ret, err);
}

static void set(struct json *o, const char *key, uint64_t v)
{
    json_set(o, key, json_new_integer((int64_t)v));
}

static struct json *texts(char **v, size_t len)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < len; i++)
        json_push(list, json_new_text(v[i]));
    return list;
}

struct json *operate_worker_json(const Drover__WorkerStatus *w)
{
    struct json *o = json_new_object();

    json_set(o, "worker", json_new_text(w->name));
    json_set(o, "host", json_new_text(w->host));
    set(o, "pid", w->pid);
    json_set(o, "version", json_new_text(w->version));
    json_set(o, "state", json_new_text(wire_worker_state(w)));
    set(o, "slots", w->slots);
    set(o, "running", w->running);
    set(o, "waiting", w->waiting);
    set(o, "queue", w->queue);
    set(o, "cores", w->cores);
    set(o, "cores_used", w->cores_used);
    set(o, "memory_mib", w->memory_mib);
    set(o, "memory_used_mib", w->memory_used_mib);
    json_set(o, "labels", texts(w->labels, w->n_labels));
    json_set(o, "classes", texts(w->classes, w->n_classes));
    set(o, "jobs_done", w->jobs_done);
    set(o, "seen_ms_ago", w->last_seen_ms);
    if (w->remaining_ms)
        json_set(o, "remaining_s", json_new_number((double)w->remaining_ms / 1000));
    json_set(o, "joined_s_ago", json_new_number((double)w->joined_ms / 1000));
    return o;
}
