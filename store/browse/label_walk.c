/* SPDX-License-Identifier: Apache-2.0 */
/* label_walk.c - single labels: a page of a list, the next and the previous one, one by its number
 * (labels.h). */
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "store/browse/labels.h"
#include "store/store_private.h"

enum { LOOK_AT_CLOCK = 256 }; /* labels between two looks */

/* Columns of browse_label, _up and _down. */
static struct label_item read_item(const struct stmt *st)
{
    struct label_item item = {
        .attempt = stmt_col_u64(st, 16),
        .row = { .id = stmt_col_u64(st, 0),
                 .index = stmt_col_u64(st, 1),
                 .base_correct = stmt_col(st, 2) != 0,
                 .has_label = stmt_col(st, 3) != 0,
                 .routing = stmt_col_text(st, 4),
                 .layers = (uint32_t)stmt_col(st, 5),
                 .label_layers = (uint32_t)stmt_col(st, 6),
                 .simulations = (uint32_t)stmt_col(st, 7),
                 .evaluations = (uint32_t)stmt_col(st, 8),
                 .hinted = (uint32_t)stmt_col(st, 9),
                 .layer_rows = stmt_col_u64(st, 10),
                 .layer_rows_whole = stmt_col_u64(st, 11),
                 .wall_us = stmt_col_u64(st, 12),
                 .base_answer = stmt_col_text(st, 13),
                 .label_answer = stmt_col_text(st, 14),
                 .family = stmt_col_u64(st, 15) },
    };

    if (item.row.routing && strlen(item.row.routing) != item.row.layers)
        item.row.routing = NULL;
    return item;
}

/* The example of ST's row joins ITEM; its texts live until *RET_EXAMPLE is reset. */
static int read_example(struct store *s, const struct stmt *st, struct label_item *item,
                        struct stmt **ret_example, struct err *err)
{
    struct stmt *ex = USE(s, BROWSE_LABEL_EXAMPLE);

    *ret_example = ex;
    stmt_u64(ex, ":example", stmt_col_u64(st, 17));
    int rc = stmt_step(ex, err);
    if (rc == 0)
        return err_set(err, ERR_CORRUPT, "label %llu: its example is not in the store",
                       (unsigned long long)item->row.id);
    if (rc < 0)
        return rc;
    item->example = stmt_col_text(ex, 0);
    item->row.source_id = stmt_col_text(ex, 1);
    item->row.question = stmt_col_text(ex, 2);
    item->row.gold = stmt_col_text(ex, 3);
    item->subset = stmt_col_text(ex, 4);
    item->row.example = stmt_col_u64(ex, 5);
    return 0;
}

struct walking {
    struct store *s;
    const struct label_walk *how;
    label_item_fn fn;
    void *arg;
    struct label_walked *ret;
    uint64_t given;
    bool over;
};

static bool has_text(const struct label_item *item, const char *text)
{
    return strcasestr(item->row.question, text) || strcasestr(item->row.source_id, text);
}

/* Is ITEM, ST's row, one of them? *RET_EXAMPLE: its texts, when they were needed. */
static int is_meant(struct walking *w, const struct stmt *st, struct label_item *item, bool full,
                    struct stmt **ret_example, bool *ret, struct err *err)
{
    int rc;

    *ret = store_label_passes(w->how->filter, &item->row);
    if (!*ret || (full && !w->how->text))
        return 0;
    rc = read_example(w->s, st, item, ret_example, err);
    *ret = !rc && (!w->how->text || has_text(item, w->how->text));
    return rc;
}

/* ST's row. Behind the last one that is given only one more is looked for: is there any? */
static int look_at(struct walking *w, const struct stmt *st, const struct label_set *set,
                   struct err *err)
{
    struct label_item item = read_item(st);
    CLEANUP(stmt_done) struct stmt *ex = NULL;
    const bool full = w->given == w->how->limit;
    bool meant = false;

    item.row.step = set->step;
    item.row.task = set->task;
    item.row.split = set->split;
    item.row.level = set->level;
    int rc = is_meant(w, st, &item, full, &ex, &meant, err);
    if (rc)
        return rc;
    w->ret->looked++;
    if ((meant && full) ||
        (w->ret->looked % LOOK_AT_CLOCK == 0 && clock_ms() >= w->how->deadline_ms))
        w->over = w->ret->more = true;
    if (full)
        return 0;
    w->ret->set = set;
    w->ret->idx = item.row.index;
    if (!meant)
        return 0;
    w->given++;
    return w->fn(&item, set, w->arg);
}

static int walk_set(struct walking *w, const struct label_set *set, const uint64_t *from,
                    struct err *err)
{
    struct stmt *st = w->how->back ? USE(w->s, BROWSE_LABELS_DOWN) : USE(w->s, BROWSE_LABELS_UP);
    int rc = 0;

    stmt_u64(st, ":family", set->family);
    stmt_int(st, ":from", from && !w->how->back ? (int64_t)*from : -1);
    stmt_u64(st, ":end", from && w->how->back ? MIN(*from, set->examples) : set->examples);
    while (!w->over && (rc = stmt_step(st, err)) > 0) {
        rc = look_at(w, st, set, err);
        if (rc)
            break;
    }
    if (rc == ERR_TIMEOUT && w->ret->set) /* store_time_limit(): as at the deadline */
        w->over = w->ret->more = true;
    if (w->over)
        rc = 0;
    stmt_reset(st);
    return rc;
}

int label_walk(struct store *s, const struct label_walk *how, label_item_fn fn, void *arg,
               struct label_walked *ret, struct err *err)
{
    struct walking w = { .s = s, .how = how, .fn = fn, .arg = arg, .ret = ret };
    const size_t len = how->sets->len;
    size_t at = how->back ? len : 0;
    int rc = 0;

    *ret = (struct label_walked){ 0 };
    if (how->from) {
        for (at = 0; at < len; at++)
            if (how->sets->set[at].family == how->from->family &&
                strcmp(how->sets->set[at].step, how->from->step) == 0)
                break;
        if (at == len)
            return err_set(err, ERR_INVALID,
                           "the list has changed: the label it was to go on from is not in it any "
                           "more; start from its beginning");
        rc = walk_set(&w, &how->sets->set[at], &how->from->idx, err);
        at += !how->back;
    }
    while (!rc && !w.over && (how->back ? at > 0 : at < len)) {
        at -= how->back;
        rc = walk_set(&w, &how->sets->set[at], NULL, err);
        at += !how->back;
    }
    return rc;
}

int label_find(struct store *s, uint64_t id, label_item_fn fn, void *arg, struct err *err)
{
    CLEANUP(stmt_done) struct stmt *st = USE(s, BROWSE_LABEL);
    CLEANUP(stmt_done) struct stmt *ex = NULL;
    struct label_set set = { 0 };
    struct label_item item;

    stmt_u64(st, ":label", id);
    int rc = stmt_step(st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no label %llu in the store", (unsigned long long)id);
    if (rc < 0)
        return rc;
    item = read_item(st);
    rc = read_example(s, st, &item, &ex, err);
    if (rc)
        return rc;
    struct stmt *family CLEANUP(stmt_done) = USE(s, BROWSE_LABEL_FAMILY);
    stmt_u64(family, ":family", item.row.family);
    rc = stmt_step(family, err);
    if (rc <= 0)
        return rc ? rc : err_set(err, ERR_CORRUPT, "a label's family is not in the store");
    item.row.task = stmt_col_text(family, 0);
    item.row.level = (int)stmt_col(family, 1);
    item.row.split = stmt_col_text(family, 2);
    set.family = item.row.family;
    return fn(&item, &set, arg);
}
