/* SPDX-License-Identifier: Apache-2.0 */
/* routing.c - how often labels skip, execute and repeat each layer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/plots/plot.h"

enum { LAYERS_MAX = 256 };

struct panel {
    char name[PLOT_NAME_MAX];
    uint64_t labels, layers;
    uint64_t count[LAYERS_MAX][3];
};
struct routing {
    const struct plot_call *c;
    struct panel *panel;
    size_t len;
    bool by_task, by_level;
};

static struct panel *panel_of(struct routing *r, const char *name)
{
    for (size_t i = 0; i < r->len; i++)
        if (strcmp(r->panel[i].name, name) == 0)
            return &r->panel[i];
    r->panel = mem_realloc(r->panel, r->len + 1, sizeof(*r->panel));
    struct panel *p = &r->panel[r->len++];
    memset(p, 0, sizeof(*p));
    snprintf(p->name, sizeof(p->name), "%s", name);
    return p;
}

static int add_label(const struct store_label_row *row, void *arg)
{
    struct routing *r = arg;
    const struct plot_run *run = plot_runs_find(r->c->runs, row->run);
    char name[PLOT_NAME_MAX], level[32];

    if (!run || !row->routing)
        return 0;
    snprintf(level, sizeof(level), " level %d", row->level);
    snprintf(name, sizeof(name), "%.100s%s%.100s%s", r->by_task ? row->task : "",
             r->by_level ? level : "", r->c->runs->names_len > 1 ? "  " : "",
             r->c->runs->names_len > 1 ? r->c->runs->name[run->series] : "");
    struct panel *p = panel_of(r, *name ? name : "all labels");
    p->labels++;
    for (size_t i = 0; i < LAYERS_MAX && row->routing[i]; i++) {
        unsigned choice = (unsigned)(row->routing[i] - '0');
        if (choice < 3)
            p->count[i][choice]++;
        p->layers = MAX(p->layers, i + 1);
    }
    return 0;
}

static void put_panel(struct jsonw *w, const struct panel *p)
{
    jsonw_open(w, '{');
    jsonw_text(w, "name", p->name);
    jsonw_int(w, "labels", (int64_t)p->labels);
    jsonw_open_at(w, "layers", '[');
    for (size_t i = 0; i < p->layers; i++) {
        const double all =
            (double)(p->count[i][0] + p->count[i][1] + p->count[i][2]); /* > 0: longest label */
        jsonw_open(w, '[');
        for (size_t k = 0; k < 3; k++)
            jsonw_real(w, NULL, (double)p->count[i][k] / all);
        jsonw_close(w, ']');
    }
    jsonw_close(w, ']');
    jsonw_close(w, '}');
}

static bool named(const struct plot_spec *p, const char *key)
{
    for (size_t i = 0; i < p->by_len; i++)
        if (strcmp(p->by[i], key) == 0)
            return true;
    return !p->by_given && strcmp(key, "task") == 0;
}

int plot_routing(const struct plot_call *c, struct err *err)
{
    struct routing r = { .c = c, .by_task = named(c->p, "task"), .by_level = named(c->p, "level") };
    struct store_label_filter f = { .experiment = c->experiment,
                                    .step = c->p->step[0],
                                    .level = -1 };
    int rc = store_list_labels(c->s, &f, add_label, &r, err);

    if (rc == 0 && r.len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "step \"%s\" has no labels (yet); it must be a search",
                     c->p->step[0]);
    for (size_t i = 0; rc == 0 && i < r.len; i++)
        put_panel(c->w, &r.panel[i]);
    free(r.panel);
    return rc;
}
