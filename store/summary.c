/* SPDX-License-Identifier: Apache-2.0 */
#include "store/summary.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/metrics/metrics.h"
#include "store/store_private.h"
#include "store/summary_private.h"
#include "store/tally.h"

/* Of the bootstrap: fixed, so that the same scores give the same error. */
enum { SEED = 1234 };

/* SQuAD 2.0: no metric, but what the best over thresholds is taken from. */
#define NO_ANSWER "no_answer_probability"

struct writing {
    struct store *s;
    uint64_t family, examples;
    const struct summary_rows *rows;
};

static int put(const struct writing *w, const char *metric, struct metric_value v, double pooled,
               struct err *err)
{
    struct stmt *st = USE(w->s, SUMMARY_PUT);

    stmt_u64(st, ":family", w->family);
    stmt_u64(st, ":examples", w->examples);
    stmt_text(st, ":metric", metric);
    stmt_real(st, ":value", v.n > 0 ? v.value : NAN);
    stmt_real(st, ":stderr", v.n > 0 ? v.stderr_ : NAN);
    stmt_real(st, ":stderr_pooled", pooled);
    stmt_u64(st, ":n", v.n);
    stmt_u64(st, ":truncated", w->rows->truncated);
    return stmt_run(st, err);
}

/* Standard error of X pooled over the subsets; NaN without several. */
static double pooled_error(const struct summary_rows *r, const double *x)
{
    struct metric_value *group;
    double *part, error = NAN;
    size_t used = 0;

    if (r->subsets < 2 || r->subsets > SUMMARY_SUBSETS_MAX)
        return NAN;
    group = mem_calloc(r->subsets, sizeof *group);
    part = mem_calloc(r->n, sizeof *part);
    for (uint32_t g = 0; g < r->subsets; g++) {
        size_t n = 0;

        for (size_t i = 0; i < r->n; i++) {
            if (r->subset[i] == g && !isnan(x[i]))
                part[n++] = x[i];
        }
        if (n == 0)
            continue;
        group[used] = metric_mean(part, n);
        if (n < 2)
            group[used].stderr_ = 0.0; /* its weight, n - 1, is zero anyway */
        used++;
    }
    if (used > 1)
        error = metric_pooled(group, used).stderr_;
    free(part);
    free(group);
    return error;
}

/* The mean of X over the scores to which it applies. */
static int put_mean(const struct writing *w, const char *metric, const double *x, struct err *err)
{
    const struct summary_rows *r = w->rows;
    double *applies = mem_calloc(MAX(r->n, 1), sizeof *applies);
    struct metric_value v = { .stderr_ = NAN };
    size_t n = 0;

    for (size_t i = 0; i < r->n; i++) {
        if (!isnan(x[i]))
            applies[n++] = x[i];
    }
    if (n > 0)
        v = metric_mean(applies, n);
    free(applies);
    return put(w, metric, v, pooled_error(r, x), err);
}

/* A metric of what was chosen against what is right. */
static int put_classes(const struct writing *w, int which, const char *metric, struct err *err)
{
    const struct summary_rows *r = w->rows;
    struct metric_value v = { .stderr_ = NAN };
    uint8_t *chosen, *gold;
    size_t n = 0;

    if (!(r->whole_set & (uint32_t)which) || summary_rows_column(r, metric))
        return 0;
    chosen = mem_calloc(MAX(r->n, 1), 1);
    gold = mem_calloc(MAX(r->n, 1), 1);
    for (size_t i = 0; i < r->n; i++) {
        if (r->pick[i] < 0 || r->gold[i] < 0)
            continue;
        chosen[n] = (uint8_t)r->pick[i];
        gold[n++] = (uint8_t)r->gold[i];
    }
    if (n > 0)
        v = metric_classes(which, chosen, gold, n, SEED);
    free(chosen);
    free(gold);
    return put(w, metric, v, NAN, err);
}

/* SQuAD 2.0: the best that a threshold on the probability of "unanswerable" could reach. */
static int put_squad_best(const struct writing *w, const char *metric, const char *of,
                          struct err *err)
{
    const struct summary_rows *r = w->rows;
    const double *score = summary_rows_column(r, of), *p_given = summary_rows_column(r, NO_ANSWER),
                 *has = summary_rows_column(r, "HasAns_exact");
    struct metric_value v = { .stderr_ = NAN };
    double *x, *p_none;
    uint8_t *has_answer;
    int rc;

    if (!(r->whole_set & METRIC_SQUAD_BEST) || !score || summary_rows_column(r, metric))
        return 0;
    x = mem_calloc(MAX(r->n, 1), sizeof *x);
    p_none = mem_calloc(MAX(r->n, 1), sizeof *p_none);
    has_answer = mem_calloc(MAX(r->n, 1), 1);
    for (size_t i = 0; i < r->n; i++) {
        double p = p_given ? p_given[i] : exp(r->first_logprob[i]);

        if (isnan(score[i]) || isnan(p))
            continue;
        x[v.n] = score[i];
        p_none[v.n] = p;
        has_answer[v.n++] = has && !isnan(has[i]);
    }
    if (v.n > 0)
        v.value = metric_squad_best(x, p_none, has_answer, v.n, NULL);
    rc = put(w, metric, v, NAN, err);
    free(x);
    free(p_none);
    free(has_answer);
    return rc;
}

/* An accuracy that is no 0 or 1 (TruthfulQA's mass of the true answers) comes among the metrics;
 * where it does not, it is whether the answer is right. */
static int put_own_acc(const struct writing *w, const double *x, struct err *err)
{
    const struct summary_rows *r = w->rows;
    double *all = mem_calloc(MAX(r->n, 1), sizeof *all);
    int rc;

    for (size_t i = 0; i < r->n; i++)
        all[i] = isnan(x[i]) ? r->correct[i] : x[i];
    rc = put_mean(w, "acc", all, err);
    free(all);
    return rc;
}

/* How a path agrees with a label, and how long a response is, say nothing of the task. */
static bool is_aside(const char *name)
{
    static const char *const ends[] = { "_tp", "_fp", "_fn" };
    static const char *const whole[] = { "exact_path",         "response_tokens", "think_tokens",
                                         "untruncated_tokens", "truncated",       "well_formed" };
    size_t len = strlen(name);

    for (size_t i = 0; i < ARRAY_LEN(ends); i++)
        if (len > 3 && strcmp(name + len - 3, ends[i]) == 0)
            return true;
    for (size_t i = 0; i < ARRAY_LEN(whole); i++)
        if (strcmp(name, whole[i]) == 0)
            return true;
    return false;
}

static bool has_own_metrics(const struct summary_rows *r)
{
    for (size_t i = 0; i < r->columns; i++)
        if (!is_aside(r->column[i].name))
            return true;
    return false;
}

static int write_all(const struct writing *w, struct err *err)
{
    const struct summary_rows *r = w->rows;
    int rc = 0;

    if ((r->choice || !has_own_metrics(r)) && !summary_rows_column(r, "acc"))
        rc = put_mean(w, "acc", r->correct, err);
    if (rc == 0 && r->choice && !summary_rows_column(r, "acc_norm"))
        rc = put_mean(w, "acc_norm", r->norm, err);
    for (size_t i = 0; rc == 0 && i < r->columns; i++) {
        const char *name = r->column[i].name;

        if (strcmp(name, "acc") == 0)
            rc = put_own_acc(w, r->column[i].x, err);
        else if (strcmp(name, NO_ANSWER) != 0)
            rc = put_mean(w, name, r->column[i].x, err);
    }
    if (rc == 0)
        rc = put_classes(w, METRIC_MCC, "mcc", err);
    if (rc == 0)
        rc = put_classes(w, METRIC_F1, "f1", err);
    if (rc == 0) /* CB's only F1 is the macro average */
        rc = put_classes(w, METRIC_MACRO_F1, r->whole_set & METRIC_F1 ? "macro_f1" : "f1", err);
    if (rc == 0)
        rc = put_squad_best(w, "best_exact", "exact", err);
    return rc == 0 ? put_squad_best(w, "best_f1", "f1", err) : rc;
}

/* Has the first EXAMPLES of FAMILY what STATEMENT asks for? */
static int known(struct store *s, enum stmt_id statement, uint64_t family, uint64_t examples,
                 bool *ret, struct err *err)
{
    struct stmt *st = store_use(s, statement);
    int64_t found = 0;
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    rc = stmt_get(st, &found, err);
    *ret = found != 0;
    return rc;
}

/* The first EXAMPLES scores of FAMILY are there: their summary (an older store may have it), their
 * tally and vectors. */
static int summarise(struct store *s, uint64_t family, uint64_t examples, struct err *err)
{
    CLEANUP(summary_rows_release) struct summary_rows rows = { 0 };
    struct writing w = { .s = s, .family = family, .examples = examples, .rows = &rows };
    struct stmt *st = USE(s, FAMILY_SCORES);
    bool have = false;
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    while ((rc = stmt_step(st, err)) > 0) {
        rc = summary_rows_add(&rows, st, err);
        if (rc < 0) {
            stmt_reset(st);
            return rc;
        }
    }
    if (rc == 0)
        rc = known(s, STMT_SUMMARY_KNOWN, family, examples, &have, err);
    if (rc == 0 && !have)
        rc = write_all(&w, err);
    return rc == 0 ? tally_scores(s, family, examples, &rows, err) : rc;
}

/* How far the results of FAMILY are complete. */
struct mark {
    uint64_t before, now;
    bool search; /* labels */
};

/* Move the mark on. */
static int move_mark(struct store *s, uint64_t family, struct mark *ret, struct err *err)
{
    struct stmt *st = USE(s, FAMILY_COMPLETE);
    int rc;

    *ret = (struct mark){ 0 };
    stmt_u64(st, ":family", family);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    ret->before = ret->now = stmt_col_u64(st, 0);
    ret->search = kind_is_search(stmt_col_text(st, 1));
    stmt_reset(st);
    st = ret->search ? USE(s, LABELS_FROM) : USE(s, SCORES_FROM);
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":idx", ret->now);
    while ((rc = stmt_step(st, err)) > 0 && stmt_col_u64(st, 0) == ret->now)
        ret->now++;
    if (rc < 0)
        return rc;
    stmt_reset(st);
    if (ret->now == ret->before)
        return 0;
    st = USE(s, FAMILY_COMPLETE_SET);
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":complete", ret->now);
    return stmt_run(st, err);
}

int summary_advance(struct store *s, uint64_t family, struct err *err)
{
    struct store_ids due = { 0 };
    struct mark mark;
    struct stmt *st;
    int rc = move_mark(s, family, &mark, err);

    if (rc < 0 || mark.now == 0)
        return rc;
    st = USE(s, TALLIES_DUE);
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":complete", mark.now);
    while ((rc = stmt_step(st, err)) > 0)
        store_ids_add(&due, stmt_col_u64(st, 0));
    for (size_t i = 0; rc == 0 && i < due.len; i++)
        rc = mark.search ? tally_labels(s, family, due.v[i], err)
                         : summarise(s, family, due.v[i], err);
    store_ids_release(&due);
    return rc;
}

int summary_want(struct store *s, uint64_t family, uint64_t examples, struct err *err)
{
    struct mark mark;
    bool have = false;
    int rc = move_mark(s, family, &mark, err);

    if (rc == 0 && mark.now > mark.before) /* of a store that had no marks yet */
        rc = summary_advance(s, family, err);
    if (rc < 0 || mark.now < examples || examples == 0)
        return rc;
    rc = known(s, STMT_TALLY_KNOWN, family, examples, &have, err);
    if (rc < 0 || have)
        return rc;
    return mark.search ? tally_labels(s, family, examples, err)
                       : summarise(s, family, examples, err);
}
