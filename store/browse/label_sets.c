/* SPDX-License-Identifier: Apache-2.0 */
/* label_sets.c - which families of labels an experiment has (labels.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "store/browse/labels_private.h"
#include "store/store_private.h"

enum {
    WORTH_KEEPING_MS = 5,
    MANY_RUNS = 20000,
    SOME_RUNS = 200,
    KEEP_FACTOR = 20, /* a list is kept so many times as long as it took to make */
};

static void set_release(struct label_set *s)
{
    free(s->step);
    free(s->task);
    free(s->split);
}

void label_sets_release(struct label_sets *s)
{
    for (size_t i = 0; i < s->len; i++)
        set_release(&s->set[i]);
    free(s->set);
    *s = (struct label_sets){ 0 };
}

void label_sets_copy(const struct label_sets *from, struct label_sets *to)
{
    *to = (struct label_sets){ mem_calloc(MAX(from->len, 1), sizeof *to->set), from->len };
    for (size_t i = 0; i < from->len; i++) {
        to->set[i] = from->set[i];
        to->set[i].step = mem_strdup(from->set[i].step);
        to->set[i].task = mem_strdup(from->set[i].task);
        to->set[i].split = mem_strdup(from->set[i].split);
    }
}

/* ST's row joins RET, sets since FROM being of the same family; growing CAP. */
static void take_set(const struct stmt *st, size_t from, struct label_sets *ret, size_t *cap)
{
    const uint64_t family = stmt_col_u64(st, 4), examples = stmt_col_u64(st, 5);
    const char *step = stmt_col_text(st, 0);

    for (size_t i = from; i < ret->len; i++) {
        struct label_set *s = &ret->set[i];

        if (s->family == family && strcmp(s->step, step) == 0) {
            s->examples = MAX(s->examples, examples);
            return;
        }
    }
    if (ret->len == *cap) {
        *cap = MAX((size_t)16, 2 * *cap);
        ret->set = mem_realloc(ret->set, *cap, sizeof *ret->set);
    }
    ret->set[ret->len++] = (struct label_set){ .step = mem_strdup(step),
                                               .task = mem_strdup(stmt_col_text(st, 1)),
                                               .level = (int)stmt_col(st, 2),
                                               .split = mem_strdup(stmt_col_text(st, 3)),
                                               .family = family,
                                               .examples = examples };
}

/* By way of the runs: each set comes once. */
static int read_by_runs(struct store *s, uint64_t experiment, uint64_t run, struct label_sets *ret,
                        struct err *err)
{
    struct stmt *st = run ? USE(s, BROWSE_LABELS_RUN_FAMILIES) : USE(s, BROWSE_LABELS_FAMILIES);
    size_t cap = 0;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    if (run)
        stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0)
        take_set(st, ret->len, ret, &cap);
    return rc;
}

/* By way of the families that have labels. */
static int read_by_labels(struct store *s, uint64_t experiment, uint64_t first,
                          struct label_sets *ret, struct err *err)
{
    size_t cap = 0, from;
    uint64_t family = 0;
    int rc = 0;

    while (!rc) {
        struct stmt *st = USE(s, BROWSE_LABELS_NEXT_FAMILY);

        stmt_u64(st, ":family", family);
        rc = stmt_step(st, err);
        if (rc < 0)
            return rc;
        family = stmt_is_null(st, 0) ? 0 : stmt_col_u64(st, 0);
        stmt_reset(st);
        if (family == 0)
            return 0;
        st = USE(s, BROWSE_LABELS_SOME);
        stmt_u64(st, ":experiment", experiment);
        stmt_u64(st, ":family", family);
        stmt_u64(st, ":first", first);
        stmt_int(st, ":limit", SOME_RUNS);
        from = ret->len;
        while ((rc = stmt_step(st, err)) > 0)
            take_set(st, from, ret, &cap);
    }
    return rc;
}

static int by_order(const void *x, const void *y)
{
    const struct label_set *a = x, *b = y;
    int c = strcmp(a->step, b->step);

    c = c ? c : strcmp(a->task, b->task);
    c = c ? c : (a->level > b->level) - (a->level < b->level);
    c = c ? c : strcmp(a->split, b->split);
    return c ? c : (a->family > b->family) - (a->family < b->family);
}

static int read_sets(struct store *s, uint64_t experiment, uint64_t run, struct label_sets *ret,
                     struct err *err)
{
    struct stmt *st = USE(s, BROWSE_LABELS_SPAN);
    uint64_t first, last;
    int rc;

    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    first = stmt_col_u64(st, 0);
    last = stmt_col_u64(st, 1);
    stmt_reset(st);
    if (run || last - first < MANY_RUNS)
        rc = read_by_runs(s, experiment, run, ret, err);
    else
        rc = read_by_labels(s, experiment, first, ret, err);
    if (!rc && ret->len > 1)
        qsort(ret->set, ret->len, sizeof *ret->set, by_order);
    return rc;
}

/* What was said last, if it took long and not much time has passed since. The lock is held. */
static struct label_list *find_list(struct label_cache *c, const struct label_list *of)
{
    for (size_t i = 0; i < LABEL_LISTS; i++) {
        struct label_list *l = &c->list[i];

        if (l->made_ms && l->experiment == of->experiment && l->run == of->run &&
            l->revision == of->revision && l->submitted_ms == of->submitted_ms &&
            clock_ms() < l->made_ms + l->cost_ms * KEEP_FACTOR)
            return l;
    }
    return NULL;
}

static bool known(struct label_cache *c, const struct label_list *of, struct label_sets *ret)
{
    pthread_mutex_lock(&c->lock);
    const struct label_list *l = find_list(c, of);
    if (l)
        label_sets_copy(&l->sets, ret);
    pthread_mutex_unlock(&c->lock);
    return l != NULL;
}

/* In place of an older one of the same, else of the oldest. */
static void keep(struct label_cache *c, const struct label_list *l)
{
    struct label_list *to = &c->list[0];

    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < LABEL_LISTS; i++) {
        if (c->list[i].experiment == l->experiment && c->list[i].run == l->run) {
            to = &c->list[i];
            break;
        }
        if (c->list[i].made_ms < to->made_ms)
            to = &c->list[i];
    }
    label_sets_release(&to->sets);
    *to = *l;
    label_sets_copy(&l->sets, &to->sets);
    pthread_mutex_unlock(&c->lock);
}

int label_sets_list(struct label_cache *c, struct store *s, uint64_t experiment, uint64_t run,
                    struct label_sets *ret, struct err *err)
{
    struct label_list l = { .experiment = experiment, .run = run };
    struct stmt *st = USE(s, BROWSE_LABELS_EXPERIMENT);
    int rc;

    *ret = (struct label_sets){ 0 };
    stmt_u64(st, ":experiment", experiment);
    rc = stmt_step(st, err);
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no experiment %llu in the store",
                       (unsigned long long)experiment);
    if (rc < 0)
        return rc;
    l.revision = stmt_col_u64(st, 0);
    l.submitted_ms = stmt_col(st, 1);
    stmt_reset(st);
    if (c && known(c, &l, ret))
        return 0;
    l.made_ms = clock_ms();
    rc = read_sets(s, experiment, run, ret, err);
    l.cost_ms = clock_ms() - l.made_ms;
    l.made_ms += l.cost_ms;
    if (rc)
        label_sets_release(ret);
    else if (c && l.cost_ms >= WORTH_KEEPING_MS) {
        l.sets = *ret;
        keep(c, &l);
    }
    return rc;
}

/* ---- choosing ---- */

enum part { PART_STEP, PART_TASK, PART_LEVEL, PART_SPLIT, PARTS };
static const char *const part_words[PARTS] = { "step", "task", "level", "split" };

static const char *part_text(const struct label_set *s, enum part part, char number[16])
{
    if (part == PART_LEVEL) {
        snprintf(number, 16, "%d", s->level);
        return number;
    }
    return part == PART_STEP ? s->step : part == PART_TASK ? s->task : s->split;
}

/* No set has WANTED as its PART: which ones are there? */
static int none_has(const struct label_sets *s, enum part part, const char *wanted, struct err *err)
{
    const char *words[65] = { NULL };
    char numbers[64][16];
    size_t len = 0;
    CLEANUP(buf_release) struct buf list = { 0 };

    for (size_t i = 0; i < s->len && len < 64; i++) {
        const char *word = part_text(&s->set[i], part, numbers[len]);
        size_t k = 0;

        while (k < len && strcmp(words[k], word) != 0)
            k++;
        if (k < len)
            continue;
        words[len++] = word;
        buf_printf(&list, "%s%s", len > 1 ? ", " : "", word);
    }
    const char *near = nearest_find(wanted, words);
    if (near)
        return err_set(err, ERR_NOT_FOUND, "no labels of %s \"%.60s\"; did you mean \"%s\"?",
                       part_words[part], wanted, near);
    return err_set(err, ERR_NOT_FOUND, "no labels of %s \"%.60s\"; there are: %.200s",
                   part_words[part], wanted, buf_str(&list));
}

static int choose_part(struct label_sets *s, enum part part, const char *wanted, struct err *err)
{
    size_t len = 0;
    char number[16];

    for (size_t i = 0; i < s->len; i++)
        len += strcmp(part_text(&s->set[i], part, number), wanted) == 0;
    if (len == 0 && s->len > 0)
        return none_has(s, part, wanted, err);
    len = 0;
    for (size_t i = 0; i < s->len; i++) {
        if (strcmp(part_text(&s->set[i], part, number), wanted) == 0)
            s->set[len++] = s->set[i];
        else
            set_release(&s->set[i]);
    }
    s->len = len;
    return 0;
}

int label_sets_choose(struct label_sets *s, const struct label_choice *choice, struct err *err)
{
    char level[16];
    int rc = 0;

    snprintf(level, sizeof level, "%d", choice->level);
    if (choice->step)
        rc = choose_part(s, PART_STEP, choice->step, err);
    if (!rc && choice->task)
        rc = choose_part(s, PART_TASK, choice->task, err);
    if (!rc && choice->level >= 0)
        rc = choose_part(s, PART_LEVEL, level, err);
    if (!rc && choice->split)
        rc = choose_part(s, PART_SPLIT, choice->split, err);
    return rc;
}
