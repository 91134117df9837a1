/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/complete.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/prompts.h"

enum {
    BATCH = 16,               /* examples together */
    CACHE_BYTES = 16 << 20,   /* prefix states of each */
    FILE_BYTES_MAX = 1 << 30, /* examples * paths */
};

struct completion {
    struct job *job;
    const struct model *m;
    const uint8_t *path;
    size_t paths, n;
    int8_t *outcome;
    const struct task_spec *task; /* of the evaluator */
    struct evaluator *evaluator;
    struct example example[BATCH]; /* gathered, with their places */
    size_t place[BATCH], len;
};

static void forget(struct completion *c)
{
    for (size_t i = 0; i < c->len; i++)
        example_release(&c->example[i]);
    c->len = 0;
}

/* The missing outcomes of what is gathered. */
static int flush(struct completion *c, struct err *err)
{
    size_t layers = c->m->conf.layers, n = 0;
    const struct example *at[BATCH];
    int rc;

    if (c->len == 0)
        return 0;
    struct evaluation *v CLEANUP(mem_cleanup) = mem_calloc(BATCH * c->paths, sizeof(*v));
    struct outcome *out CLEANUP(mem_cleanup) = NULL;
    int8_t **to CLEANUP(mem_cleanup) = mem_calloc(BATCH * c->paths, sizeof(*to));

    for (size_t i = 0; i < c->len; i++) {
        at[i] = &c->example[i];
        for (size_t p = 0; p < c->paths; p++) {
            int8_t *one = c->outcome + c->place[i] * c->paths + p;

            if (*one >= 0)
                continue;
            v[n] = (struct evaluation){ .example = i, .routing = c->path + p * layers };
            to[n++] = one;
        }
    }
    out = mem_calloc(n + 1, sizeof(*out));
    rc = evaluator_begin(c->evaluator, at, c->len, err);
    rc = rc ? rc : evaluator_run(c->evaluator, v, n, true, out, c->job->progress, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        *to[i] = out[i].correct;
    forget(c);
    return rc;
}

static int turn_to_task(struct completion *c, const struct task_spec *task, struct err *err)
{
    const struct evaluator_conf conf = { .model = c->m,
                                         .model_name = job_input_name(c->job, "model"),
                                         .task = task,
                                         .pool = c->job->pool,
                                         .cache_bytes = CACHE_BYTES,
                                         .sampling = { .top_p = 1 } };
    int rc = flush(c, err);

    if (rc)
        return rc;
    evaluator_free(c->evaluator);
    c->evaluator = NULL;
    c->task = task;
    return evaluator_new(&c->evaluator, &conf, err);
}

static int gather(void *arg, size_t i, struct example *e, const struct task_spec *task,
                  struct err *err)
{
    struct completion *c = arg;
    int rc = task == c->task ? 0 : turn_to_task(c, task, err);

    atomic_fetch_add(&c->job->progress->done, 1);
    if (rc || !memchr(c->outcome + i * c->paths, -1, c->paths))
        return rc;
    c->place[c->len] = i;
    c->example[c->len++] = *e;
    *e = (struct example){ 0 };
    return c->len == BATCH ? flush(c, err) : 0;
}

static int evaluate_missing(struct completion *c, const struct label_set *s, const size_t *at,
                            struct err *err)
{
    int rc;

    atomic_store(&c->job->progress->total, c->n);
    atomic_store(&c->job->progress->done, 0);
    rc = prompts_each(c->job, s, at, c->n, gather, c, err);
    rc = rc ? rc : flush(c, err);
    forget(c);
    evaluator_free(c->evaluator);
    return rc;
}

/* ---- kept in the cache ---------------------------------------------------------------------- */

/* All that the outcomes depend on: what is known already, too. */
static struct digest key_of(const struct completion *c, const struct label_set *s, const size_t *at)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "router-outcomes-1");
    digest_add_bytes(&d, s->model.b, DIGEST_BYTES);
    digest_add_u64(&d, c->paths);
    digest_add_bytes(&d, c->path, c->paths * c->m->conf.layers);
    for (size_t i = 0; i < c->n; i++) {
        const struct label_family *f = &s->family[s->row[at[i]].family];

        digest_add_text(&d, f->task);
        digest_add_text(&d, f->prompts);
        digest_add_i64(&d, f->fewshot);
        digest_add_u64(&d, s->row[at[i]].id);
    }
    digest_add_bytes(&d, c->outcome, c->n * c->paths);
    return digest_end(&d);
}

static int read_kept(struct completion *c, const char *file, struct err *err)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&bytes, file, FILE_BYTES_MAX, err);

    if (rc == 0 && bytes.len != c->n * c->paths)
        rc = err_set(err, ERR_CORRUPT, "%s does not have %zu bytes; remove it", file,
                     c->n * c->paths);
    if (rc == 0)
        memcpy(c->outcome, bytes.data, bytes.len);
    return rc;
}

int complete_outcomes(struct job *j, const struct model *m, const struct label_set *s,
                      const size_t *at, size_t n, const uint8_t *path, size_t paths,
                      int8_t *outcome, struct err *err)
{
    struct completion c = {
        .job = j, .m = m, .path = path, .paths = paths, .n = n, .outcome = outcome
    };
    const struct job_services *services = j->services;
    struct buf file CLEANUP(buf_release) = { 0 };
    const struct digest key = key_of(&c, s, at);
    const char *folder = NULL;
    bool whole = false;
    int rc;

    if (!memchr(outcome, -1, n * paths))
        return 0;
    rc = services->made(services->arg, &key, n * paths, &folder, &whole, err);
    if (rc)
        return rc;
    buf_printf(&file, "%s/outcomes", folder);
    if (whole)
        return read_kept(&c, buf_str(&file), err);
    rc = evaluate_missing(&c, s, at, err);
    rc = rc ? rc : buf_write_file(buf_str(&file), outcome, n * paths, err);
    return rc ? rc : services->made_whole(services->arg, err);
}
