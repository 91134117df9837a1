/* SPDX-License-Identifier: Apache-2.0 */
/* report_labels.c - routing labels as a list: {"labels": [{...}...], "more": were there others?}.
 * And how arguments choose labels, for report_label_stats.c too. */
#include <stdio.h>
#include <string.h>

#include "store/label_stats.h"
#include "store/reports/report_labels.h"

static const struct report_arg args[] = { REPORT_LABEL_ARGS,
                                          { "limit", ARG_INTEGER, false }, /* 0: all */
                                          { 0 } };

static int parse_id(const char *text, uint64_t *ret, struct err *err)
{
    size_t len = strlen(text);
    uint64_t id = 0;

    *ret = 0;
    if (len == 0)
        return 0;
    if (len > 16 || strspn(text, "0123456789abcdef") != len)
        return err_set(err, ERR_INVALID, "\"%.40s\" is no example id (16 hex digits)", text);
    for (; *text; text++)
        id = id << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    *ret = id;
    return 0;
}

/* "skip@3", "execute@0", "repeat@7" */
static int parse_at(const char *text, struct store_label_filter *f, struct err *err)
{
    static const char *const words[] = { "skip", "execute", "repeat" };
    const char *at = strchr(text, '@');
    uint32_t layer = 0;

    if (f->at_len == STORE_AT_MAX)
        return err_set(err, ERR_LIMIT, "more than %d conditions on layers", STORE_AT_MAX);
    if (at && at[1] && strlen(at + 1) <= 3 && strspn(at + 1, "0123456789") == strlen(at + 1))
        for (size_t i = 0; i < ARRAY_LEN(words); i++) {
            if (strlen(words[i]) != (size_t)(at - text) ||
                strncmp(words[i], text, (size_t)(at - text)) != 0)
                continue;
            for (const char *c = at + 1; *c; c++)
                layer = 10 * layer + (uint32_t)(*c - '0');
            f->at[f->at_len].layer = layer;
            f->at[f->at_len++].choice = (char)('0' + i);
            return 0;
        }
    return err_set(err, ERR_INVALID,
                   "\"%.40s\" is no condition on a layer: skip@3, execute@0 or repeat@7, layers "
                   "count from 0",
                   text);
}

int report_label_filter(struct report_call *c, struct store_label_filter *ret, struct err *err)
{
    const char *text = arg_text(c, "experiment", "");
    const struct json *at = json_get(c->args, "at");
    int rc = 0;

    *ret = (struct store_label_filter){
        .run = (uint64_t)arg_integer(c, "run", 0),
        .step = arg_text(c, "step", NULL),
        .task = arg_text(c, "task", NULL),
        .split = arg_text(c, "split", NULL),
        .level = (int)arg_integer(c, "level", -1),
        .improved = arg_bool(c, "improved", false),
        .preserved = arg_bool(c, "preserved", false),
        .unsolved = arg_bool(c, "unsolved", false),
        .shorter = arg_bool(c, "shorter", false),
        .min_layers = (uint32_t)arg_integer(c, "min_layers", 0),
        .max_layers = (uint32_t)arg_integer(c, "max_layers", 0),
    };
    if (arg_bool(c, "solved", false))
        ret->improved = ret->preserved = true;
    if (*text)
        rc = store_find_experiment(c->s, text, &ret->experiment, err);
    rc = rc ? rc : parse_id(arg_text(c, "id", ""), &ret->example, err);
    for (size_t i = 0; rc == 0 && i < json_len(at); i++)
        rc = parse_at(json_text(json_at(at, i)), ret, err);
    return rc;
}

struct listing {
    struct report_call *c;
    struct err *err;
    uint64_t shown, most;
    bool more;
};

static int put_label(const struct store_label_row *r, void *arg)
{
    struct listing *l = arg;
    struct jsonw *w = &l->c->w;
    char id[17];

    if (l->shown == l->most) {
        l->more = true;
        return 1;
    }
    l->shown++;
    snprintf(id, sizeof id, "%016llx", (unsigned long long)r->example);
    jsonw_open(w, '{');
    jsonw_text(w, "id", id);
    jsonw_text(w, "experiment", r->experiment);
    jsonw_text(w, "step", r->step);
    jsonw_int(w, "run", (int64_t)r->run);
    jsonw_int(w, "seed", (int64_t)r->seed);
    jsonw_text(w, "task", r->task);
    jsonw_int(w, "level", r->level);
    jsonw_text(w, "split", r->split);
    jsonw_int(w, "index", (int64_t)r->index);
    jsonw_bool(w, "base_correct", r->base_correct);
    jsonw_text(w, "routing", r->routing);
    jsonw_text(w, "verdict", label_verdict(r));
    jsonw_int(w, "layers", r->layers);
    jsonw_int(w, "label_layers", r->label_layers);
    jsonw_int(w, "simulations", r->simulations);
    jsonw_int(w, "evaluations", r->evaluations);
    jsonw_int(w, "hinted", r->hinted);
    jsonw_int(w, "layer_rows", (int64_t)r->layer_rows);
    jsonw_int(w, "layer_rows_whole", (int64_t)r->layer_rows_whole);
    jsonw_text(w, "question", r->question);
    jsonw_text(w, "gold", r->gold);
    jsonw_text(w, "base_answer", r->base_answer);
    jsonw_text(w, "label_answer", r->label_answer);
    jsonw_close(w, '}');
    return report_fits(l->c, l->err);
}

static int make(struct report_call *c, struct err *err)
{
    int64_t limit = arg_integer(c, "limit", 0);
    struct listing l = { .c = c, .err = err, .most = c->limits.rows_max };
    struct store_label_filter f;
    int rc = report_label_filter(c, &f, err);

    if (rc)
        return rc;
    if (limit < 0)
        return err_set(err, ERR_INVALID, "report labels: limit is not negative");
    if (limit)
        l.most = MIN(l.most, (uint64_t)limit);
    jsonw_open_at(&c->w, "labels", '[');
    rc = store_list_labels(c->s, &f, put_label, &l, err);
    jsonw_close(&c->w, ']');
    jsonw_bool(&c->w, "more", l.more);
    return MIN(rc, 0);
}

const struct report report_labels = { "labels", "Routing labels that searches found.", args, make };
