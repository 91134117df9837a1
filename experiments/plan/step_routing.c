/* SPDX-License-Identifier: Apache-2.0 */
/* What an evaluate step runs by. */
#include <string.h>

#include "common/base/macros.h"
#include "experiments/plan/step.h"

struct given {
    const char *key;  /* of the step */
    const char *word; /* the routing that it stands for */
    bool is;
};

/* With two of them nobody knows which one counts; labels beside a router are for comparison. */
static int check_alone(const struct point *p, const struct step *st, const struct given *g,
                       size_t len, struct err *err)
{
    for (size_t i = 0; i < len; i++)
        for (size_t k = i + 1; k < len; k++) {
            if (!g[i].is || !g[k].is ||
                (strcmp(g[i].key, "router") == 0 && strcmp(g[k].key, "labels") == 0))
                continue;
            return step_error(p, st->from, err, ERR_INVALID, g[i].key,
                              "a step with %s runs by %s; leave the %s or the %s out", g[k].key,
                              strcmp(g[k].key, "labels") == 0 ? "them" : "it", g[i].key, g[k].key);
        }
    return 0;
}

/* ROUTING needs what it runs by. */
static int check_source(const struct point *p, const struct step *st, const char *routing,
                        bool labels, const struct given *g, size_t len, struct err *err)
{
    static const char *const remedies[] = {
        "router = \"<router step>\"", "static = \"<select step>\"",
        "path = [1, 0, 2...]: per layer 0 skip, 1 execute, 2 repeat",
        "labels = \"<search or collect step>\""
    };

    for (size_t i = 0; i < len; i++)
        if (strcmp(routing, g[i].word) == 0 && !g[i].is)
            return step_error(p, st->from, err, ERR_INVALID, "routing", "\"%s\" needs %s", routing,
                              remedies[i]);
    if (!labels && (strcmp(routing, "random") == 0 || strcmp(routing, "shuffled") == 0))
        return step_error(p, st->from, err, ERR_INVALID, "routing",
                          "\"%s\" needs labels = \"<search, collect or evaluate step>\": as many "
                          "layers as these",
                          routing);
    return 0;
}

/* What is given must be what ROUTING runs by. */
static int check_used(const struct point *p, const struct step *st, const char *routing,
                      const struct given *g, size_t len, struct err *err)
{
    for (size_t i = 0; i < len; i++) {
        const bool labels = strcmp(g[i].key, "labels") == 0;
        if (!g[i].is || strcmp(routing, g[i].word) == 0)
            continue;
        if (labels && (strcmp(routing, "random") == 0 || strcmp(routing, "shuffled") == 0 ||
                       strcmp(routing, "router") == 0))
            continue;
        if (strcmp(g[i].key, "path") == 0)
            return step_error(p, st->from, err, ERR_INVALID, "path",
                              "needs routing = \"path\", not \"%s\"", routing);
        return step_error(p, st->from, err, ERR_INVALID, "routing",
                          "a step with %s%s runs by %s; say routing = \"%s\" or leave the %s out",
                          strcmp(g[i].key, "router") == 0 ? "a " : "", g[i].key,
                          labels ? "them" : "it", g[i].word, g[i].key);
    }
    return 0;
}

/* What can be said of PATH before there is a model: the limits of search. */
static int check_limits(const struct point *p, const struct step *st,
                        const struct param_value *path, struct err *err)
{
    size_t skips = 0, applications = 0;

    for (size_t i = 0; path && path->type == PARAM_INTS && i < path->len; i++) {
        skips = path->ints[i] == 0 ? skips + 1 : 0;
        applications += path->ints[i] > 0;
        if (skips > 2)
            return step_error(p, st->from, err, ERR_INVALID, "path",
                              "skips layers %zu to %zu; at most 2 in a row may be skipped", i - 2,
                              i);
    }
    if (path && path->len > 0 && applications == 0)
        return step_error(p, st->from, err, ERR_INVALID, "path",
                          "skips every layer; at least one must be executed");
    return 0;
}

int step_routing(const struct point *p, struct step *st, struct err *err)
{
    const struct param_value *path = params_get(&st->params, "path"),
                             *said = params_get(&st->params, "routing");
    const struct given g[] = {
        { "router", "router", st->router_step >= 0 },
        { "static", "static", st->static_step >= 0 },
        { "path", "path", path && path->len },
        { "labels", "labels", st->labels_step >= 0 },
    };
    const char *routing = said ? said->s : "base";

    for (size_t i = ARRAY_LEN(g); !said && i-- > 0;)
        if (g[i].is)
            routing = g[i].word;
    int rc = check_alone(p, st, g, ARRAY_LEN(g), err);
    rc = rc ? rc : check_source(p, st, routing, st->labels_step >= 0, g, ARRAY_LEN(g), err);
    rc = rc ? rc : check_used(p, st, routing, g, ARRAY_LEN(g), err);
    rc = rc ? rc : check_limits(p, st, path, err);
    if (rc || said || strcmp(routing, "base") == 0)
        return rc;
    return params_set_text(&st->params, "routing", routing, err);
}
