/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c - everything a worker needs for one attempt, read from the store when the lease is given.
 */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "coordinator/shell.h"
#include "store/checkpoint.h"
#include "store/hint.h"

/* Parameters are stored as a Lease that holds nothing else. */
void lease_pack_params(Drover__Param **params, size_t len, struct buf *ret)
{
    Drover__Lease m = DROVER__LEASE__INIT;
    size_t size;

    m.params = params;
    m.n_params = len;
    size = drover__lease__get_packed_size(&m);
    size = drover__lease__pack(&m, (uint8_t *)buf_reserve(ret, size));
    ret->len += size;
}

static void free_lease(Drover__Lease **m)
{
    if (*m)
        drover__lease__free_unpacked(*m, NULL);
}

enum { HINT_BYTES_MAX = 64 << 20 }; /* a million paths of 40 layers with their answers */

/* The rows that a collect job reads, as a blob. */
static int collect(struct server *s, uint64_t job, struct digest *ret, uint64_t *ret_size,
                   struct err *err)
{
    struct buf rows CLEANUP(buf_release) = { 0 };
    int rc = store_collect(s->store, job, &rows, err);

    if (rc == 0)
        rc = blobs_put(store_blobs(s->store), buf_str(&rows), rows.len, ret, err);
    *ret_size = rows.len;
    return rc;
}

static int fill_inputs(struct server *s, struct store_job *job, Drover__Input *ret,
                       Drover__Input **ret_list, struct err *err)
{
    if (job->inputs_len > WIRE_INPUTS_MAX)
        return err_set(err, ERR_LIMIT, "%zu inputs; at most %d", job->inputs_len, WIRE_INPUTS_MAX);
    for (size_t i = 0; i < job->inputs_len; i++) {
        struct store_input *in = &job->inputs[i];
        int rc = 0;

        if (in->source == STORE_RESULTS)
            rc = collect(s, job->id, &in->digest, &in->size_bytes, err);
        if (rc < 0)
            return err_wrap(err, rc, "input %s", in->name);
        drover__input__init(&ret[i]);
        ret[i].name = in->name;
        ret[i].source = (Drover__Input__Source)in->source;
        ret[i].digest = wire_bytes(&in->digest);
        ret[i].size = in->size_bytes;
        ret[i].path = in->path;
        ret[i].folder = in->folder;
        ret_list[i] = &ret[i];
    }
    return 0;
}

/* What other searches know about a search's examples becomes one more input, if there is anything.
 */
static int add_hint(struct server *s, const struct store_job *job, struct digest *digest,
                    Drover__Input *ret, Drover__Input **ret_list, size_t *len, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc;

    if (strcmp(job->kind, "search") != 0 || *len == WIRE_INPUTS_MAX)
        return 0;
    rc = store_hint(s->store, job, HINT_BYTES_MAX, &text, err);
    if (rc == 0 && text.len > 0)
        rc = blobs_put(store_blobs(s->store), buf_str(&text), text.len, digest, err);
    if (rc < 0 || text.len == 0)
        return rc < 0 ? err_wrap(err, rc, "hint of job %llu", (unsigned long long)job->id) : 0;
    drover__input__init(&ret[*len]);
    ret[*len].name = (char *)(uintptr_t) "hint";
    ret[*len].source = DROVER__INPUT__SOURCE__HINT;
    ret[*len].digest = wire_bytes(digest);
    ret[*len].size = text.len;
    ret_list[*len] = &ret[*len];
    ++*len;
    return 0;
}

/* What an earlier attempt saved becomes one more input. */
static int add_checkpoint(struct server *s, const struct store_job *job, struct store_checkpoint *c,
                          Drover__Input *ret, Drover__Input **ret_list, size_t *len,
                          struct err *err)
{
    struct err why = { 0 };
    int rc;

    if (*len == WIRE_INPUTS_MAX)
        return 0;
    rc = store_checkpoint_find(s->store, job->id, c, &why);
    if (rc == ERR_NOT_FOUND) {
        *c = (struct store_checkpoint){ 0 };
        return 0;
    }
    if (rc < 0)
        return err_set(err, (enum err_code)rc, "%s", why.text);
    drover__input__init(&ret[*len]);
    ret[*len].name = (char *)(uintptr_t) "checkpoint";
    ret[*len].source = DROVER__INPUT__SOURCE__CHECKPOINT;
    ret[*len].digest = wire_bytes(&c->digest);
    ret[*len].size = c->size_bytes;
    ret_list[*len] = &ret[*len];
    ++*len;
    return 0;
}

/* Of a job that has inputs, families or a checkpoint, or whose card is gone. */
static int send_loaded(struct server *s, uint64_t peer, struct attempt *t, struct err *err)
{
    struct store_job job CLEANUP(store_job_release) = { 0 };
    Drover__Lease *params CLEANUP(free_lease) = NULL;
    Drover__Lease m = DROVER__LEASE__INIT;
    Drover__Input inputs[WIRE_INPUTS_MAX], *input_list[WIRE_INPUTS_MAX];
    struct store_checkpoint checkpoint = { 0 };
    struct digest hint;
    size_t inputs_len;
    int rc = store_job_load(s->store, t->job, &job, err);

    if (rc == 0)
        rc = fill_inputs(s, &job, inputs, input_list, err);
    inputs_len = job.inputs_len;
    if (rc == 0)
        rc = add_hint(s, &job, &hint, inputs, input_list, &inputs_len, err);
    if (rc == 0)
        rc = add_checkpoint(s, &job, &checkpoint, inputs, input_list, &inputs_len, err);
    if (rc < 0)
        return rc;
    params = drover__lease__unpack(NULL, job.params_len, job.params);
    if (!params)
        return err_set(err, ERR_INVALID, "job %llu: its parameters are damaged in the store",
                       (unsigned long long)job.id);
    m.job = job.id;
    m.attempt = t->id;
    m.epoch = t->epoch;
    m.kind = job.kind;
    m.kind_version = job.kind_version;
    m.numeric_class = job.numeric_class;
    m.params = params->params;
    m.n_params = params->n_params;
    m.inputs = input_list;
    m.n_inputs = inputs_len;
    m.begin = job.begin;
    m.end = job.end;
    m.finished = job.finished;
    m.n_finished = job.finished_len;
    m.seed = job.seed;
    m.key = wire_bytes(&job.key);
    m.checkpoint_step = checkpoint.step;
    shell_send(s, peer, DROVER__ENVELOPE__BODY_LEASE, &m, 0);
    return 0;
}

int shell_send_lease(struct server *s, uint64_t peer, struct attempt *t, struct err *err)
{
    size_t len;
    const void *card = cards_get(s->cards, t->job, &len);

    s->metrics.leases++;
    if (!card)
        return send_loaded(s, peer, t, err);
    s->metrics.leases_simple++;
    outbox_lease(s->outbox, peer, card, len, t->id, t->epoch);
    return 0;
}
