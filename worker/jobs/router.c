/* SPDX-License-Identifier: Apache-2.0 */
/* Job kind "router": a router trained on a label set. */
#include <assert.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/complete.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/label_set.h"
#include "worker/jobs/means.h"
#include "worker/jobs/prompts.h"
#include "worker/train/router_family.h"
#include "worker/train/router_guard.h"
#include "worker/train/router_train.h"

struct router_job {
    struct job *job;
    const struct model *model;
    struct label_set set;
    struct router_conf conf;
    struct router_train_conf train;
    size_t *row; /* [n]: of the set, the examples to learn from */
    size_t n;
    uint64_t *id;            /* [n] */
    struct means_example *e; /* [n] */
    uint8_t *label;          /* labels: [n][layers] */
    uint8_t *once;           /* [layers]: every layer once */
    uint8_t *path;           /* success: [paths][layers] */
    uint32_t *family;        /* success: [paths], numbers of the set's paths */
    int8_t *outcome;         /* success: [n][paths] */
    struct means means;
    struct router *router;
};

/* ---- parameters ----------------------------------------------------------------------------- */

/* The number of TEXT among WORDS, which the kind's table has checked. */
static int word(const char *text, const char *const *words)
{
    int i = 0;

    while (strcmp(text, words[i]) != 0)
        i++;
    return i;
}

static void read_router(struct router_job *r)
{
    static const char *const features[] = { "windows", "last", "joined", "tail", "both" };
    static const char *const input[] = { "layer", "embedding" };
    const struct kind *k = r->job->kind;
    const struct params *p = &r->job->params;
    bool success = strcmp(kind_text(k, p, "kind"), "success") == 0;

    r->conf = (struct router_conf){
        .kind = success ? ROUTER_SUCCESS : ROUTER_LABELS,
        .features = (enum router_features)word(kind_text(k, p, "features"), features),
        .input = (enum router_input)word(kind_text(k, p, "input"), input),
        .layers = r->model->conf.layers,
        .dim = r->model->conf.dim,
        .windows = (size_t)kind_int(k, p, "windows"),
        .bottleneck = (size_t)kind_int(k, p, "bottleneck"),
        .depth = (size_t)kind_int(k, p, "depth"),
        .decide_layer = success ? (size_t)kind_int(k, p, "decide_layer") : 0,
        .paths = success ? (size_t)kind_int(k, p, "paths") : 0,
        .members = success ? (size_t)kind_int(k, p, "members") : 0,
    };
    if (r->conf.features == ROUTER_LAST)
        r->conf.windows = 1;
}

static void read_training(struct router_job *r)
{
    static const char *const loss[] = { "focal", "ce", "weighted_ce" };
    static const char *const balance[] = { "effective", "inverse", "none" };
    const struct kind *k = r->job->kind;
    const struct params *p = &r->job->params;
    const char *scale = kind_text(k, p, "scale");

    r->train = (struct router_train_conf){
        .loss = (enum router_loss)word(kind_text(k, p, "loss"), loss),
        .balance = (enum router_balance)word(kind_text(k, p, "balance"), balance),
        .gamma = kind_real(k, p, "focal_gamma"),
        .beta = kind_real(k, p, "beta"),
        .standardize = strcmp(scale, "auto") == 0 ? r->conf.kind == ROUTER_SUCCESS
                                                  : strcmp(scale, "standard") == 0,
        .epochs = (size_t)kind_int(k, p, "epochs"),
        .batch = (size_t)kind_int(k, p, "batch"),
        .learning_rate = kind_real(k, p, "learning_rate"),
        .weight_decay = kind_real(k, p, "weight_decay"),
        .dropout = kind_real(k, p, "dropout"),
        .noise = kind_real(k, p, "noise"),
        .warmup = (uint64_t)kind_int(k, p, "warmup"),
        .validation = kind_real(k, p, "validation"),
        .patience = (size_t)kind_int(k, p, "patience"),
        .seed = r->job->lease->seed,
    };
}

static int read_params(struct router_job *r, struct err *err)
{
    const Drover__Lease *lease = r->job->lease;

    read_router(r);
    read_training(r);
    for (size_t i = 0; i < lease->n_inputs; i++)
        if (strcmp(lease->inputs[i]->name, "model") == 0) {
            assert(lease->inputs[i]->digest.len == DIGEST_BYTES); /* job_model_open() has checked */
            memcpy(r->conf.model.b, lease->inputs[i]->digest.data, DIGEST_BYTES);
        }
    if (r->conf.kind == ROUTER_SUCCESS && r->conf.decide_layer >= r->conf.layers)
        return err_set(err, ERR_INVALID,
                       "decide_layer = %zu: the model has %zu layers, so 0 to %zu are possible",
                       r->conf.decide_layer, r->conf.layers, r->conf.layers - 1);
    return router_conf_check(&r->conf, err);
}

/* ---- examples ------------------------------------------------------------------------------- */

/* Labels: rows with a label; success: rows with at least two evaluated paths. */
static int choose_rows(struct router_job *r, struct err *err)
{
    bool success = r->conf.kind == ROUTER_SUCCESS;
    int rc;

    r->row = mem_calloc(r->set.len + 1, sizeof(*r->row));
    for (size_t i = 0; i < r->set.len; i++) {
        const struct label_row *row = &r->set.row[i];

        if (success ? row->seen_len >= 2 : label_routing(&r->set, row) != NULL)
            r->row[r->n++] = i;
    }
    if (r->n == 0)
        return err_set(
            err, ERR_INVALID,
            "none of the %zu examples of the label set has %s: there is nothing to learn "
            "from",
            r->set.len, success ? "two evaluated paths" : "a label");
    r->id = mem_calloc(r->n, sizeof(*r->id));
    r->e = mem_calloc(r->n, sizeof(*r->e));
    r->once = mem_calloc(r->conf.layers, 1);
    memset(r->once, ROUTING_EXECUTE, r->conf.layers);
    rc = prompts_read(r->job, r->model, &r->set, r->row, r->n, r->e, err);
    for (size_t i = 0; i < r->n; i++) {
        r->id[i] = r->set.row[r->row[i]].id;
        r->e[i].routing = r->once;
    }
    return rc;
}

static void take_labels(struct router_job *r)
{
    size_t layers = r->conf.layers;

    r->label = mem_calloc(r->n, layers);
    for (size_t i = 0; i < r->n; i++) {
        memcpy(r->label + i * layers, label_routing(&r->set, &r->set.row[r->row[i]]), layers);
        r->e[i].routing = r->label + i * layers;
    }
}

/* The candidates, by the examples that are not held out. */
static int choose_family(struct router_job *r, struct err *err)
{
    struct router_outcomes o = { .layers = r->set.layers,
                                 .paths_len = r->set.paths_len,
                                 .path = r->set.path };
    size_t len = 0;
    size_t *start CLEANUP(mem_cleanup) = mem_calloc(r->n + 1, sizeof(*start));
    uint32_t *group CLEANUP(mem_cleanup) = mem_calloc(r->n + 1, sizeof(*group));
    uint32_t *of CLEANUP(mem_cleanup) = NULL;
    bool *right CLEANUP(mem_cleanup) = NULL;
    const struct kind *k = r->job->kind;
    bool cover;
    int rc;

    for (size_t i = 0; i < r->n; i++)
        len += r->set.row[r->row[i]].seen_len;
    of = mem_calloc(len + 1, sizeof(*of));
    right = mem_calloc(len + 1, sizeof(*right));
    for (size_t i = 0; i < r->n; i++) {
        const struct label_row *row = &r->set.row[r->row[i]];
        size_t at = start[o.examples];

        if (router_held_out(row->id, r->train.seed, r->train.validation))
            continue;
        for (size_t n = 0; n < row->seen_len; n++, at++) {
            of[at] = label_seen(&r->set, row)[n];
            right[at] = n < row->right_len;
        }
        group[o.examples] = row->family;
        start[++o.examples] = at;
    }
    o.start = start;
    o.group = group;
    o.groups = r->set.families_len;
    o.of = of;
    o.right = right;
    r->family = mem_calloc(r->conf.paths, sizeof(*r->family));
    cover = strcmp(kind_text(k, &r->job->params, "choose"), "cover") == 0;
    rc = router_family(&o, r->conf.decide_layer, kind_real(k, &r->job->params, "path_examples"),
                       cover ? ROUTER_COVER : ROUTER_BEST, r->conf.paths, r->family, &r->conf.paths,
                       err);
    return rc;
}

static int take_outcomes(struct router_job *r, struct err *err)
{
    size_t layers = r->conf.layers, paths;
    int rc = choose_family(r, err);

    if (rc)
        return rc;
    paths = r->conf.paths;
    int32_t *place CLEANUP(mem_cleanup) = mem_calloc(r->set.paths_len, sizeof(*place));
    r->path = mem_calloc(paths, layers);
    for (size_t p = 0; p < paths; p++) {
        memcpy(r->path + p * layers, label_path(&r->set, r->family[p]), layers);
        place[r->family[p]] = (int32_t)p + 1;
    }
    r->outcome = mem_calloc(r->n, paths);
    memset(r->outcome, -1, r->n * paths);
    for (size_t i = 0; i < r->n; i++) {
        const struct label_row *row = &r->set.row[r->row[i]];

        for (size_t k = 0; k < row->seen_len; k++) {
            int32_t p = place[label_seen(&r->set, row)[k]];

            if (p > 0)
                r->outcome[i * paths + (size_t)p - 1] = k < row->right_len;
        }
    }
    if (!kind_bool(r->job->kind, &r->job->params, "complete"))
        return 0;
    return complete_outcomes(r->job, r->model, &r->set, r->row, r->n, r->path, paths, r->outcome,
                             err);
}

/* ---- training ------------------------------------------------------------------------------- */

static void send_metric(void *arg, const char *name, uint64_t epoch, double value)
{
    const struct job_services *s = arg;

    s->metric(s->arg, name, epoch, value);
}

/* A guard, if one is wanted. */
static int guard(struct router_job *r, const struct router_data *d, struct err *err)
{
    double share = kind_real(r->job->kind, &r->job->params, "guard");
    int rc;

    if (r->conf.kind != ROUTER_SUCCESS || share >= 1.0)
        return 0;
    size_t *rows CLEANUP(mem_cleanup) = mem_calloc(r->n, sizeof(*rows));
    for (size_t i = 0; i < r->n; i++)
        rows[i] = r->e[i].rows;
    rc = router_guard_train(r->router, d, rows, share, r->job->progress, err);
    return rc;
}

static int train(struct router_job *r, struct err *err)
{
    const struct router_data data = { .examples = r->n,
                                      .id = r->id,
                                      .rows = r->means.rows,
                                      .stride = r->means.stride,
                                      .features = r->means.features,
                                      .label = r->label,
                                      .outcome = r->outcome };
    void *services = (void *)(uintptr_t)r->job->services;
    struct router_trained result;
    int rc = router_new(&r->router, &r->conf, r->path, NULL, err);

    rc = rc ? rc
            : router_train(r->router, &data, &r->train, r->job->pool, send_metric, services,
                           r->job->progress, &result, err);
    rc = rc ? rc : guard(r, &data, err);
    if (rc == 0)
        send_metric(services, "best_epoch", result.epochs, (double)result.best);
    return rc;
}

static int save(struct router_job *r, struct err *err)
{
    const struct job_services *s = r->job->services;
    char dir[PATH_MAX];
    int rc;

    if ((size_t)snprintf(dir, sizeof(dir), "%s/router", s->scratch(s->arg)) >= sizeof(dir))
        return err_set(err, ERR_LIMIT, "the scratch folder's path is too long");
    rc = router_save(r->router, dir, err);
    rc = rc ? rc : s->put_folder(s->arg, "router", dir, &r->job->output[0], err);
    if (rc == 0)
        r->job->outputs_len = 1;
    return rc;
}

static void release(struct router_job *r)
{
    for (size_t i = 0; r->e && i < r->n; i++)
        free(r->e[i].tokens);
    free(r->row);
    free(r->id);
    free(r->e);
    free(r->label);
    free(r->once);
    free(r->path);
    free(r->family);
    free(r->outcome);
    means_close(&r->means);
    router_free(r->router);
    label_set_release(&r->set);
    job_model_close(r->model);
}

int router_run(struct job *j, struct err *err)
{
    struct router_job r CLEANUP(release) = { .job = j };
    int rc = job_model_open(j, "model", &r.model, err);

    rc = rc ? rc : read_params(&r, err);
    rc = rc ? rc : label_set_open(&r.set, j, r.conf.layers, err);
    rc = rc ? rc : choose_rows(&r, err);
    if (rc == 0 && r.conf.kind == ROUTER_SUCCESS)
        rc = take_outcomes(&r, err);
    else if (rc == 0)
        take_labels(&r);
    rc = rc ? rc : means_open(&r.means, j, r.model, &r.conf, r.e, r.n, err);
    rc = rc ? rc : train(&r, err);
    return rc ? rc : save(&r, err);
}
