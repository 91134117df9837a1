/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/routed.h"

#include <assert.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"
#include "worker/jobs/implement.h"
#include "worker/jobs/routed_private.h"
#include "worker/model/router.h"
#include "worker/search/routing.h"

enum way { WAY_ALL, WAY_LABELS, WAY_SHUFFLED, WAY_RANDOM, WAY_ROUTER };

struct routed {
    const struct job *job;
    const struct model *model;
    size_t layers;
    enum way way;
    uint8_t *path; /* [layers]: of all, or of those without label */
    struct label_set labels;
    struct circle circle;
    /* Of a router. */
    struct router *router;
    struct router_options options;
    struct router_work work;
    struct router_prompt *prompt; /* [room] */
    size_t room;
    struct sweep_decider decider;
};

static bool has_input(const struct job *j, const char *name)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, name) == 0)
            return true;
    return false;
}

static int input_path(const struct job *j, const char *name, char path[PATH_MAX], struct err *err)
{
    return j->services->input(j->services->arg, name, path, PATH_MAX, err);
}

static struct digest model_digest(const struct job *j)
{
    for (size_t i = 0; i < j->lease->n_inputs; i++)
        if (strcmp(j->lease->inputs[i]->name, "model") == 0)
            return wire_digest(j->lease->inputs[i]->digest);
    return (struct digest){ 0 };
}

/* Layers that are known once LAYER is: up to where the router wants to look again. */
static size_t next_look(const struct router *r, size_t layer, size_t layers)
{
    size_t to = layer + 1;

    while (to < layers && !router_asks(r, to))
        to++;
    return to;
}

static int decide(void *arg, size_t layer, const struct sweep_decision *d, size_t n,
                  size_t *ret_layers, struct err *err)
{
    struct routed *r = arg;

    if (n > r->room) {
        r->prompt = mem_realloc(r->prompt, n, sizeof(*r->prompt));
        r->room = n;
    }
    for (size_t i = 0; i < n; i++) {
        if (layer == 0)
            memset(d[i].routing, ROUTING_EXECUTE, r->layers);
        r->prompt[i] = (struct router_prompt){
            .state = d[i].x, .rows = d[i].rows, .ld = r->model->conf.dim, .routing = d[i].routing
        };
    }
    *ret_layers = next_look(r->router, layer, r->layers);
    return router_asks(r->router, layer)
               ? router_decide(r->router, layer, &r->options, r->prompt, n, &r->work, err)
               : 0;
}

/* ---- making --------------------------------------------------------------------------------- */

static int make_router(struct routed *r, struct err *err)
{
    const struct job *j = r->job;
    const struct digest model = model_digest(j);
    char path[PATH_MAX] = "";
    int rc = input_path(j, "router", path, err);

    r->options = (struct router_options){ .knob = kind_real(j->kind, &j->params, "knob"),
                                          .epsilon = kind_real(j->kind, &j->params, "epsilon"),
                                          .price = kind_real(j->kind, &j->params, "price"),
                                          .guard = kind_bool(j->kind, &j->params, "guard") };
    if (strcmp(kind_text(j->kind, &j->params, "reference"), "best") == 0)
        r->options.reference = ROUTER_FROM_BEST;
    if (r->options.reference == ROUTER_FROM_BEST && r->options.epsilon < 0)
        return err_set(
            err, ERR_INVALID,
            "epsilon = %g with reference = \"best\": no path promises more than the best "
            "one; take epsilon from 0 on, or reference = \"default\"",
            r->options.epsilon);
    r->decider = (struct sweep_decider){ .decide = decide, .arg = r };
    rc = rc == 0 ? router_open(&r->router, path, r->model->kern, err) : rc;
    return rc == 0 ? router_check_model(r->router, job_input_name(j, "router"), &r->model->conf,
                                        &model, job_input_name(j, "model"), err)
                   : rc;
}

static int make_path(struct routed *r, struct err *err)
{
    const struct job *j = r->job;
    const struct param_value *list = kind_list(j->kind, &j->params, "path");
    size_t len = list ? list->len : 0;
    int rc;

    if (len != r->layers)
        return err_set(err, ERR_INVALID, "path has %zu entries; the model has %zu layers", len,
                       r->layers);
    for (size_t i = 0; i < len; i++) {
        if (list->ints[i] < ROUTING_SKIP || list->ints[i] > ROUTING_REPEAT)
            return err_set(err, ERR_INVALID,
                           "path: entry %zu is %lld; 0 (skip), 1 (execute) or 2 (repeat) is needed",
                           i, (long long)list->ints[i]);
        r->path[i] = (uint8_t)list->ints[i];
    }
    rc = routing_check(r->path, r->layers, err);
    return rc < 0 ? err_wrap(err, rc, "path") : 0;
}

static int make_static(struct routed *r, struct err *err)
{
    const struct job *j = r->job;
    size_t most = (size_t)kind_int(j->kind, &j->params, "path_layers");
    char path[PATH_MAX] = "";
    int rc = input_path(j, "paths", path, err);

    rc = rc == 0 ? static_path_read(path, r->layers, most, r->path, err) : rc;
    return rc;
}

static int make_labels(struct routed *r, struct err *err)
{
    int rc = label_set_open(&r->labels, r->job, r->layers, err);

    if (rc == 0 && (r->way == WAY_SHUFFLED || r->way == WAY_RANDOM))
        rc = circle_make(&r->circle, &r->labels, r->job, err);
    return rc;
}

static int make(struct routed *r, const char *routing, struct err *err)
{
    int rc = 0;

    r->way = strcmp(routing, "labels") == 0     ? WAY_LABELS
             : strcmp(routing, "shuffled") == 0 ? WAY_SHUFFLED
             : strcmp(routing, "random") == 0   ? WAY_RANDOM
             : strcmp(routing, "router") == 0   ? WAY_ROUTER
                                                : WAY_ALL;
    if (r->way == WAY_ROUTER)
        rc = make_router(r, err);
    else if (strcmp(routing, "path") == 0)
        rc = make_path(r, err);
    else if (strcmp(routing, "static") == 0)
        rc = make_static(r, err);
    /* Beside another routing labels are what paths are compared with. */
    if (rc == 0 && (r->way == WAY_LABELS || r->way == WAY_SHUFFLED || r->way == WAY_RANDOM ||
                    has_input(r->job, "labels")))
        rc = make_labels(r, err);
    return rc;
}

int routed_new(struct routed **ret, const struct job *j, const struct model *model, struct err *err)
{
    struct routed *r = mem_calloc(1, sizeof(*r));
    int rc;

    r->job = j;
    r->model = model;
    r->layers = model->conf.layers;
    r->path = mem_calloc(r->layers, 1);
    memset(r->path, ROUTING_EXECUTE, r->layers);
    rc = make(r, kind_text(j->kind, &j->params, "routing"), err);
    if (rc < 0) {
        routed_free(r);
        r = NULL;
    }
    *ret = r;
    return rc;
}

void routed_free(struct routed *r)
{
    if (!r)
        return;
    router_free(r->router);
    router_work_release(&r->work);
    circle_release(&r->circle);
    label_set_release(&r->labels);
    free(r->prompt);
    free(r->path);
    free(r);
}

/* ---- choosing ------------------------------------------------------------------------------- */

/* What ROW (NULL: none) runs by its label. */
static const uint8_t *label_or_path(const struct routed *r, const struct label_row *row)
{
    const uint8_t *label = row ? label_routing(&r->labels, row) : NULL;

    return label ? label : r->path;
}

int routed_choose(struct routed *r, const struct example *e, uint8_t *routing, struct evaluation *v,
                  struct err *err)
{
    const struct label_row *row = NULL;
    int rc = 0;

    v->routing = routing;
    v->decider = NULL;
    v->decided = NULL;
    switch (r->way) {
    case WAY_ALL:
        memcpy(routing, r->path, r->layers);
        break;
    case WAY_LABELS:
        row = label_set_find(&r->labels, e->id);
        memcpy(routing, label_or_path(r, row), r->layers);
        break;
    case WAY_SHUFFLED:
        rc = circle_next(&r->circle, e->id, &row, err);
        memcpy(routing, label_or_path(r, row), r->layers);
        break;
    case WAY_RANDOM:
        rc = circle_random(&r->circle, circle_find(&r->circle, e->id), e->id, routing, err);
        break;
    case WAY_ROUTER:
        v->routing = NULL;
        v->decider = &r->decider;
        v->decided = routing;
        break;
    }
    return rc;
}

const uint8_t *routed_label(const struct routed *r, uint64_t id)
{
    const struct label_row *row = r->way == WAY_LABELS ? NULL : label_set_find(&r->labels, id);

    return row ? label_routing(&r->labels, row) : NULL;
}
