/* SPDX-License-Identifier: Apache-2.0 */
/* api_label.c - one label: the question, the answers, the search tree, who reads it, and its
 * neighbours in the list it was found in: GET labels/:id. */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "dashboards/api_labels.h"
#include "store/browse/tree.h"

enum { READERS = 20 };

struct showing {
    struct api_call *c;
    struct jsonw w;
    struct err *err;
    uint64_t family, idx, attempt;
    char *routing;
    uint64_t simulations, evaluations;
    uint32_t layers;
    bool cut; /* time was up before a neighbour was found */
};

static int put_label(const struct label_item *item, const struct label_set *set, void *arg)
{
    const struct store_label_row *r = &item->row;
    struct showing *s = arg;
    struct jsonw *w = &s->w;

    (void)set;
    s->family = r->family;
    s->idx = r->index;
    s->attempt = item->attempt;
    s->routing = r->has_label && r->routing ? mem_strdup(r->routing) : NULL;
    s->simulations = r->simulations;
    s->evaluations = r->evaluations;
    s->layers = r->layers;
    jsonw_int(w, "id", (int64_t)r->id);
    jsonw_text(w, "example", item->example);
    jsonw_int(w, "idx", (int64_t)r->index);
    jsonw_int(w, "family", (int64_t)r->family);
    jsonw_text(w, "task", r->task);
    jsonw_int(w, "level", r->level);
    jsonw_text(w, "split", r->split);
    jsonw_text(w, "subset", item->subset);
    jsonw_text(w, "source_id", r->source_id);
    jsonw_text(w, "question", r->question);
    jsonw_text(w, "gold", r->gold);
    jsonw_text(w, "base_answer", r->base_answer);
    jsonw_text(w, "label_answer", r->label_answer);
    jsonw_bool(w, "base_correct", r->base_correct);
    jsonw_bool(w, "has_label", r->has_label);
    jsonw_text(w, "verdict", label_verdict(r));
    jsonw_text(w, "routing", r->routing);
    jsonw_int(w, "layers", r->layers);
    jsonw_int(w, "label_layers", r->label_layers);
    jsonw_int(w, "simulations", r->simulations);
    jsonw_int(w, "evaluations", r->evaluations);
    jsonw_int(w, "hinted", r->hinted);
    jsonw_int(w, "layer_rows", (int64_t)r->layer_rows);
    jsonw_int(w, "layer_rows_whole", (int64_t)r->layer_rows_whole);
    jsonw_int(w, "wall_us", (int64_t)r->wall_us);
    return 0;
}

/* ---- the job that made it ---- */

/* The lines "name = value" of TEXT as an object of texts. */
static void put_params(struct jsonw *w, const char *text)
{
    jsonw_open_at(w, "params", '{');
    while (*text) {
        const size_t len = strcspn(text, "\n");
        const char *is = memmem(text, len, " = ", 3);

        if (is && is > text) {
            struct buf name CLEANUP(buf_release) = { 0 };

            buf_add(&name, text, (size_t)(is - text));
            jsonw_text_len(w, buf_str(&name), is + 3, len - (size_t)(is + 3 - text));
        }
        text += len + (text[len] != '\0');
    }
    jsonw_close(w, '}');
}

static int put_job(const struct label_job *j, void *arg)
{
    struct jsonw *w = arg;

    jsonw_open_at(w, "job", '{');
    jsonw_int(w, "id", (int64_t)j->id);
    jsonw_text(w, "step", j->step);
    jsonw_text(w, "worker", j->worker);
    jsonw_text(w, "host", j->host);
    if (j->ended_ms)
        jsonw_int(w, "ended_ms", j->ended_ms);
    else
        jsonw_null(w, "ended_ms");
    put_params(w, j->params);
    jsonw_close(w, '}');
    return 0;
}

struct reading {
    struct jsonw *w;
    int n;
};

static int put_reader(const struct label_reader *r, void *arg)
{
    struct reading *l = arg;

    if (l->n++ == READERS)
        return 0;
    jsonw_open(l->w, '{');
    jsonw_int(l->w, "experiment", (int64_t)r->experiment);
    jsonw_text(l->w, "name", r->name);
    jsonw_text(l->w, "step", r->step);
    jsonw_int(l->w, "run", (int64_t)r->run);
    jsonw_int(l->w, "seed", (int64_t)r->seed);
    jsonw_close(l->w, '}');
    return 0;
}

static int put_origin(struct showing *s)
{
    struct reading l = { .w = &s->w };
    int rc = label_job(s->c->store, s->attempt, put_job, &s->w, s->err);

    if (rc)
        return rc;
    jsonw_open_at(&s->w, "readers", '[');
    rc = label_readers(s->c->store, s->family, s->idx, READERS + 1, put_reader, &l, s->err);
    jsonw_close(&s->w, ']');
    jsonw_bool(&s->w, "readers_more", l.n > READERS);
    return rc;
}

/* ---- the tree ---- */

static void put_node(struct jsonw *w, const struct label_node *n)
{
    jsonw_open(w, '{');
    jsonw_int(w, "place", n->place);
    if (n->parent < 0)
        jsonw_null(w, "parent");
    else
        jsonw_int(w, "parent", n->parent);
    jsonw_text(w, "routing", n->routing);
    jsonw_text(w, "edit", n->edit);
    jsonw_int(w, "depth", n->depth);
    jsonw_int(w, "layers", n->layers);
    jsonw_real(w, "reward", n->reward);
    jsonw_bool(w, "right", n->reward > 0.5);
    jsonw_int(w, "visits", (int64_t)n->visits);
    if (n->visits)
        jsonw_real(w, "value", n->value / (double)n->visits);
    else
        jsonw_null(w, "value");
    jsonw_text(w, "answer", n->answer);
    jsonw_bool(w, "best", n->best);
    jsonw_close(w, '}');
}

static int put_tree(struct showing *s, uint64_t id)
{
    struct label_tree t CLEANUP(label_tree_release) = { 0 };
    struct jsonw *w = &s->w;
    int rc = label_tree_read(s->c->store, id, s->routing, LABEL_TREE_NODES_MAX, &t, s->err);

    if (rc)
        return rc;
    jsonw_open_at(w, "tree", '{');
    jsonw_open_at(w, "nodes", '[');
    for (size_t i = 0; i < t.len; i++)
        put_node(w, &t.node[i]);
    jsonw_close(w, ']');
    jsonw_int(w, "of", (int64_t)t.of);
    jsonw_bool(w, "truncated", t.len < t.of);
    jsonw_int(w, "right", (int64_t)t.right);
    jsonw_int(w, "layers", s->layers);
    jsonw_int(w, "simulations", (int64_t)s->simulations);
    jsonw_int(w, "evaluations", (int64_t)s->evaluations);
    if (t.best < 0)
        jsonw_null(w, "best");
    else
        jsonw_int(w, "best", t.best);
    jsonw_open_at(w, "best_path", '[');
    for (size_t i = 0; i < t.len; i++)
        if (t.node[i].best)
            jsonw_int(w, NULL, t.node[i].place);
    jsonw_close(w, ']');
    jsonw_close(w, '}');
    return 0;
}

/* ---- its neighbours ---- */

static int take_id(const struct label_item *item, const struct label_set *set, void *arg)
{
    (void)set;
    *(uint64_t *)arg = item->row.id;
    return 0;
}

static int put_neighbour(struct showing *s, const struct label_question *q,
                         const struct label_sets *sets, const struct label_place *from, bool back)
{
    const struct label_walk how = { .sets = sets,
                                    .filter = &q->filter,
                                    .text = q->text,
                                    .from = from,
                                    .back = back,
                                    .limit = 1,
                                    .deadline_ms = clock_ms() + s->c->time_ms / 8 };
    struct label_walked walked;
    uint64_t id = 0;
    int rc = label_walk(s->c->store, &how, take_id, &id, &walked, s->err);

    if (id)
        jsonw_int(&s->w, back ? "previous" : "next", (int64_t)id);
    else
        jsonw_null(&s->w, back ? "previous" : "next");
    s->cut = s->cut || (id == 0 && walked.more);
    return rc;
}

/* In the list of EXPERIMENT that the question means; without one, in the label's family. */
static int put_neighbours(struct showing *s, uint64_t experiment, const struct label_question *q)
{
    struct label_set family = { .step = (char[]){ "" },
                                .family = s->family,
                                .examples = INT64_MAX };
    struct label_sets own = { &family, 1 }, listed CLEANUP(label_sets_release) = { 0 },
                      *sets = &own;
    struct label_place from = { .step = NULL, .family = s->family, .idx = s->idx };
    int rc = 0;

    if (experiment) {
        rc = label_question_sets(s->c, experiment, q, &listed, s->err);
        sets = &listed;
    }
    for (size_t i = 0; !rc && i < sets->len && !from.step; i++)
        if (sets->set[i].family == s->family)
            from.step = sets->set[i].step;
    jsonw_open_at(&s->w, "neighbours", '{');
    if (!rc && from.step) {
        rc = put_neighbour(s, q, sets, &from, true);
        rc = rc ? rc : put_neighbour(s, q, sets, &from, false);
    } else {
        jsonw_null(&s->w, "previous");
        jsonw_null(&s->w, "next");
    }
    jsonw_bool(&s->w, "cut", s->cut);
    jsonw_close(&s->w, '}');
    return rc;
}

int api_label(struct api_call *c, struct err *err)
{
    static const char *const names[] = { "experiment", LABEL_ARGS, NULL };
    struct showing s = { .c = c, .w = { .to = c->out }, .err = err };
    struct label_question q;
    int64_t experiment = 0;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : request_id(c->request, 1, &id, err);
    rc = rc ? rc : request_integer(c->request, "experiment", 0, 0, INT64_MAX, &experiment, err);
    rc = rc ? rc : label_question_read(c->request, &q, err);
    if (rc)
        return rc;
    jsonw_open(&s.w, '{');
    jsonw_int(&s.w, "version", 1);
    jsonw_open_at(&s.w, "label", '{');
    rc = label_find(c->store, id, put_label, &s, err);
    rc = rc ? rc : put_origin(&s);
    jsonw_close(&s.w, '}');
    rc = rc ? rc : put_tree(&s, id);
    rc = rc ? rc : put_neighbours(&s, (uint64_t)experiment, &q);
    jsonw_close(&s.w, '}');
    free(s.routing);
    return rc;
}
