/* SPDX-License-Identifier: Apache-2.0 */
/* api_labels.c - what searches found, layer by layer: GET experiments/:id/labels. */
#include "dashboards/api_labels.h"

#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/nearest.h"
#include "store/store.h"

const struct api_route api_labels_routes[] = {
    { "experiments/:id/labels", api_labels, 0 },
    { "experiments/:id/examples", api_examples, 0 },
    { "labels/:id", api_label, 0 },
    { "experiments/:id/tables", api_tables, API_SLOW },
    { "experiments/:id/tables/cell", api_cell, API_SLOW },
    { "schema", api_schema, 0 },
    { "query", api_query, API_POST },
    { "reports/:name", api_report, API_SLOW },
    { 0 },
};

enum {
    SETS_MAX = 2000,  /* in one answer */
    LAYERS_TOLD = 10, /* skipped_most, repeated_most */
};

/* ---- which labels ---- */

const char *api_text(const struct request *r, const char *name)
{
    const char *text = request_text(r, name);

    return text && *text ? text : NULL;
}

/* "14:skip", "3:2" */
static int read_at(const char *text, struct store_label_filter *f, struct err *err)
{
    static const char *const words[] = { "skip", "execute", "repeat", "0", "1", "2" };
    const size_t digits = strspn(text, "0123456789");
    uint32_t layer = 0;

    if (f->at_len == STORE_AT_MAX)
        return err_set(err, ERR_INVALID, "at: more than %d conditions on layers", STORE_AT_MAX);
    for (size_t i = 0; i < digits && digits <= 3; i++)
        layer = 10 * layer + (uint32_t)(text[i] - '0');
    if (digits > 0 && digits <= 3 && text[digits] == ':')
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (strcmp(text + digits + 1, words[i]) != 0)
                continue;
            f->at[f->at_len].layer = layer;
            f->at[f->at_len++].choice = (char)('0' + i % 3);
            return 0;
        }
    return err_set(
        err, ERR_INVALID,
        "at: \"%.40s\" is no condition on a layer; write 14:skip, 0:execute or 7:repeat, "
        "layers count from 0",
        text);
}

static int read_show(const char *word, struct store_label_filter *f, struct err *err)
{
    static const char *const words[] = { "all",    "improved", "preserved", "unsolved",
                                         "solved", "shorter",  NULL };

    f->improved = strcmp(word, "improved") == 0 || strcmp(word, "solved") == 0;
    f->preserved = strcmp(word, "preserved") == 0 || strcmp(word, "solved") == 0;
    f->unsolved = strcmp(word, "unsolved") == 0;
    f->shorter = strcmp(word, "shorter") == 0;
    if (f->improved || f->preserved || f->unsolved || f->shorter || strcmp(word, "all") == 0)
        return 0;
    const char *near = nearest_find(word, words);
    return err_set(err, ERR_INVALID,
                   "show: \"%.40s\" is none of all, improved, preserved, solved, shorter, unsolved"
                   "%s%s%s",
                   word, near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

int label_question_read(const struct request *r, struct label_question *ret, struct err *err)
{
    const char *show = api_text(r, "show"), *at;
    int64_t run = 0, level = -1, least = 0, most = 0;
    size_t place = 0;
    int rc = request_integer(r, "run", 0, 0, INT64_MAX, &run, err);

    rc = rc ? rc : request_integer(r, "level", -1, -1, INT32_MAX, &level, err);
    rc = rc ? rc : request_integer(r, "min_layers", 0, 0, 1 << 16, &least, err);
    rc = rc ? rc : request_integer(r, "max_layers", 0, 0, 1 << 16, &most, err);
    *ret = (struct label_question){
        .run = (uint64_t)run,
        .choice = { .step = api_text(r, "step"),
                    .task = api_text(r, "task"),
                    .split = api_text(r, "split"),
                    .level = (int)level },
        .filter = { .level = -1, .min_layers = (uint32_t)least, .max_layers = (uint32_t)most },
        .text = api_text(r, "text"),
    };
    if (!rc && show)
        rc = read_show(show, &ret->filter, err);
    while (!rc && (at = request_next(r, "at", &place)))
        rc = *at ? read_at(at, &ret->filter, err) : 0;
    return rc;
}

static int list_sets(struct api_call *c, uint64_t experiment, uint64_t run, struct label_sets *ret,
                     struct err *err)
{
    int rc = label_sets_list(c->labels, c->store, experiment, run, ret, err);

    if (rc == ERR_TIMEOUT)
        rc = err_set(err, ERR_TIMEOUT,
                     "to find the experiment's labels took longer than %u ms; ask for those of one "
                     "run (run=ID), or start drover dashboard with a larger --time-ms",
                     c->time_ms);
    return rc;
}

int label_question_sets(struct api_call *c, uint64_t experiment, const struct label_question *q,
                        struct label_sets *ret, struct err *err)
{
    int rc = list_sets(c, experiment, q->run, ret, err);

    return rc ? rc : label_sets_choose(ret, &q->choice, err);
}

/* ---- sums ---- */

static bool same_set(const struct label_set *a, const struct label_set *b)
{
    return a->level == b->level && strcmp(a->step, b->step) == 0 && strcmp(a->task, b->task) == 0 &&
           strcmp(a->split, b->split) == 0;
}

struct summing {
    struct api_call *c;
    struct jsonw w;
    uint64_t deadline_ms;
    struct label_stats all, group;
    struct label_progress all_progress, progress;
    uint64_t groups;
    uint32_t shallowest; /* of the groups' models */
};

static void put_progress(struct jsonw *w, const struct label_progress *p)
{
    jsonw_int(w, "promised", (int64_t)p->promised);
    jsonw_bool(w, "complete", p->read >= p->promised);
    jsonw_bool(w, "ready", p->ready);
    if (!p->ready)
        jsonw_real(w, "loaded", (double)p->read / (double)MAX(p->read + p->left, (uint64_t)1));
}

static void put_group(struct summing *m, const struct label_set *set, size_t families)
{
    struct jsonw *w = &m->w;

    if (m->groups++ >= SETS_MAX)
        return;
    jsonw_open(w, '{');
    jsonw_text(w, "step", set->step);
    jsonw_text(w, "task", set->task);
    jsonw_int(w, "level", set->level);
    jsonw_text(w, "split", set->split);
    jsonw_int(w, "families", (int64_t)families);
    put_progress(w, &m->progress);
    label_stats_put(&m->group, w);
    jsonw_close(w, '}');
}

/* The sets of one step, task, level and split: those of different seeds and parameters. */
static int sum_group(struct summing *m, const struct label_set *set, size_t len, struct err *err)
{
    int rc = 0;

    m->progress = (struct label_progress){ .ready = true };
    for (size_t i = 0; !rc && i < len; i++)
        rc = label_sums(m->c->labels, m->c->store, &set[i], m->deadline_ms, &m->group, &m->progress,
                        err);
    if (!rc) {
        put_group(m, set, len);
        label_stats_merge(&m->all, &m->group);
        m->all_progress.promised += m->progress.promised;
        m->all_progress.read += m->progress.read;
        m->all_progress.left += m->progress.left;
        m->all_progress.ready = m->all_progress.ready && m->progress.ready;
        if (m->group.depth)
            m->shallowest = m->shallowest ? MIN(m->shallowest, m->group.depth) : m->group.depth;
    }
    label_stats_release(&m->group);
    return rc;
}

/* The layers that labels skip (repeat) most. */
static void put_most(struct jsonw *w, const char *key, const struct label_stats *s, int choice)
{
    bool told[LABEL_LAYERS_MAX] = { false };

    jsonw_open_at(w, key, '[');
    for (int i = 0; i < LAYERS_TOLD; i++) {
        uint32_t most = s->depth;

        for (uint32_t l = 0; l < s->depth; l++)
            if (!told[l] && s->at[l][choice] > 0 &&
                (most == s->depth || s->at[l][choice] > s->at[most][choice]))
                most = l;
        if (most == s->depth)
            break;
        const uint64_t *at = s->at[most];
        told[most] = true;
        jsonw_open(w, '{');
        jsonw_int(w, "layer", most);
        jsonw_int(w, "n", (int64_t)at[choice]);
        jsonw_real(w, "share", (double)at[choice] / (double)(at[0] + at[1] + at[2]));
        jsonw_close(w, '}');
    }
    jsonw_close(w, ']');
}

/* What there is to choose from, before the choice. */
static void put_words(struct jsonw *w, const struct label_sets *sets)
{
    static const char *const keys[] = { "steps", "tasks", "levels", "splits" };

    for (size_t part = 0; part < ARRAY_LEN(keys); part++) {
        struct buf seen CLEANUP(buf_release) = { 0 }; /* "\1word\1word\1" */
        size_t told = 0;

        buf_addc(&seen, '\1');
        jsonw_open_at(w, keys[part], '[');
        for (size_t i = 0; i < sets->len && told < SETS_MAX; i++) {
            const struct label_set *s = &sets->set[i];
            struct buf word CLEANUP(buf_release) = { 0 };
            const char *text = part == 0 ? s->step : part == 1 ? s->task : s->split;

            if (part == 2)
                buf_printf(&word, "\1%d\1", s->level);
            else
                buf_printf(&word, "\1%s\1", text);
            if (strstr(buf_str(&seen), buf_str(&word)))
                continue;
            buf_adds(&seen, buf_str(&word) + 1);
            told++;
            if (part == 2)
                jsonw_int(w, NULL, s->level);
            else
                jsonw_text(w, NULL, text);
        }
        jsonw_close(w, ']');
    }
}

static int put_sets(struct summing *m, const struct label_sets *sets, struct err *err)
{
    struct jsonw *w = &m->w;
    int rc = 0;

    jsonw_open_at(w, "sets", '[');
    for (size_t i = 0, end; !rc && i < sets->len; i = end) {
        for (end = i + 1; end < sets->len && same_set(&sets->set[i], &sets->set[end]);)
            end++;
        rc = sum_group(m, &sets->set[i], end - i, err);
    }
    jsonw_close(w, ']');
    return rc;
}

int api_labels(struct api_call *c, struct err *err)
{
    static const char *const names[] = { LABEL_SET_ARGS, NULL };
    struct summing m = { .c = c, .w = { .to = c->out }, .all_progress = { .ready = true } };
    struct label_sets sets CLEANUP(label_sets_release) = { 0 };
    struct label_question q;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : request_id(c->request, 1, &id, err);
    rc = rc ? rc : label_question_read(c->request, &q, err);
    rc = rc ? rc : list_sets(c, id, q.run, &sets, err);
    if (rc)
        return rc;
    m.deadline_ms = clock_ms() + c->time_ms / 2;
    jsonw_open(&m.w, '{');
    jsonw_int(&m.w, "version", 1);
    put_words(&m.w, &sets);
    rc = label_sets_choose(&sets, &q.choice, err);
    rc = rc ? rc : put_sets(&m, &sets, err);
    jsonw_int(&m.w, "sets_total", (int64_t)m.groups);
    jsonw_open_at(&m.w, "all", '{');
    put_progress(&m.w, &m.all_progress);
    label_stats_put(&m.all, &m.w);
    jsonw_close(&m.w, '}');
    jsonw_bool(&m.w, "depths_differ", m.shallowest != m.all.depth);
    put_most(&m.w, "skipped_most", &m.all, 0);
    put_most(&m.w, "repeated_most", &m.all, 2);
    jsonw_bool(&m.w, "ready", m.all_progress.ready);
    jsonw_close(&m.w, '}');
    label_stats_release(&m.all);
    return rc;
}
