/* SPDX-License-Identifier: Apache-2.0 */
/* router_report.c - how good an epoch was. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/train/router_loss.h"
#include "worker/train/router_state.h"

/* Epsilon that success routers are judged by while they are trained. */
static const double judged_epsilon = 0.01;

struct report {
    const struct router_training *t;
    router_metric_fn metric;
    void *arg;
};

static void tell(const struct report *r, const char *name, double value)
{
    if (r->metric)
        r->metric(r->arg, name, r->t->epoch + 1, value);
}

/* ---- labels --------------------------------------------------------------------------------- */

/* Mean F1 of the classes that occur as label or decision; F1 of the others is 0. */
static double macro_f1(uint64_t confusion[3][3], double f1[3])
{
    double sum = 0.0;
    size_t present = 0;

    for (size_t c = 0; c < 3; c++) {
        uint64_t of_label = 0, of_decision = 0;

        for (size_t i = 0; i < 3; i++) {
            of_label += confusion[c][i];
            of_decision += confusion[i][c];
        }
        f1[c] = 0.0;
        if (of_label + of_decision == 0)
            continue;
        f1[c] = 2.0 * (double)confusion[c][c] / (double)(of_label + of_decision);
        sum += f1[c];
        present++;
    }
    return present ? sum / (double)present : 0.0;
}

static void add_confusion(uint64_t to[3][3], uint64_t from[3][3])
{
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++)
            to[i][k] += from[i][k];
}

static double report_labels(const struct report *r)
{
    static const char *const names[] = { "f1_skip", "f1_execute", "f1_repeat" };
    const struct router_training *t = r->t;
    uint64_t all[3][3] = { { 0 } }, total = 0, right = 0;
    double f1[3], score;

    for (size_t h = 0; h < t->heads; h++) {
        char name[48];

        add_confusion(all, t->tally[h].confusion);
        (void)snprintf(name, sizeof(name), "layer_%02zu.macro_f1", h);
        tell(r, name, macro_f1(t->tally[h].confusion, f1));
    }
    score = macro_f1(all, f1);
    for (size_t i = 0; i < 9; i++)
        total += all[i / 3][i % 3];
    for (size_t c = 0; c < 3; c++) {
        right += all[c][c];
        tell(r, names[c], f1[c]);
    }
    tell(r, "macro_f1", score);
    tell(r, "accuracy", (double)right / (double)total);
    return score;
}

/* ---- success -------------------------------------------------------------------------------- */

struct guess {
    float probability;
    int right;
};

static int by_probability(const void *a, const void *b)
{
    float x = ((const struct guess *)a)->probability, y = ((const struct guess *)b)->probability;

    return (x > y) - (x < y);
}

/* Chance that a right outcome has a larger probability than a wrong one; equal ones count half. */
static double area_under_curve(struct guess *g, size_t n)
{
    double ranks = 0.0, right = 0.0, wrong;

    qsort(g, n, sizeof(*g), by_probability);
    for (size_t i = 0, end; i < n; i = end) {
        double among = 0.0;

        for (end = i; end < n && g[end].probability <= g[i].probability; end++)
            among += g[end].right;
        ranks += among * ((double)(i + end + 1) / 2.0); /* ranks from 1, equal ones share theirs */
        right += among;
    }
    wrong = (double)n - right;
    return right > 0 && wrong > 0 ? (ranks - right * (right + 1.0) / 2.0) / (right * wrong) : 0.5;
}

/* The members' mean chances take the place of the first's. */
static void average(const struct router_training *t)
{
    size_t judged, len;

    (void)router_judged(t, &judged);
    len = judged * t->router->conf.paths;
    for (size_t i = 0; i < len; i++) {
        float sum = 0.0f;

        for (size_t m = 0; m < t->heads; m++)
            sum += t->probability[m * len + i];
        t->probability[i] = sum / (float)t->heads;
    }
}

/* Log-loss of the mean chances of what is known; Brier score and area under the curve. */
static double report_guesses(const struct report *r)
{
    const struct router_training *t = r->t;
    size_t judged, paths = t->router->conf.paths, n = 0;
    const uint32_t *at = router_judged(t, &judged);
    struct guess *g CLEANUP(mem_cleanup) = mem_calloc(judged * paths, sizeof(*g));
    double brier = 0.0, loss = 0.0;

    for (size_t i = 0; i < judged * paths; i++) {
        int outcome = t->data->outcome[at[i / paths] * paths + i % paths];
        double chance = (double)t->probability[i], off = chance - outcome;

        if (outcome < 0)
            continue;
        g[n++] = (struct guess){ t->probability[i], outcome };
        brier += off * off;
        loss -= router_log(MAX(outcome ? chance : 1.0 - chance, 1e-12));
    }
    loss /= (double)MAX(n, (size_t)1);
    if (t->valid_len)
        tell(r, "validation_loss", loss);
    tell(r, "brier", n ? brier / (double)n : 0.0);
    tell(r, "auc", r->metric ? area_under_curve(g, n) : 0.0);
    return loss;
}

static void report_choices(const struct report *r)
{
    const struct router_training *t = r->t;
    const struct router_conf *c = &t->router->conf;
    size_t judged, known = 0, right = 0, base_known = 0, base_right = 0, layers = 0;
    const uint32_t *at = router_judged(t, &judged);

    for (size_t i = 0; i < judged; i++) {
        const int8_t *outcome = t->data->outcome + (size_t)at[i] * c->paths;
        size_t p = router_cheapest(t->router, t->probability + i * c->paths, judged_epsilon,
                                   ROUTER_FROM_DEFAULT);

        for (size_t l = 0; l < c->layers; l++)
            layers += t->router->path[p * c->layers + l];
        known += outcome[p] >= 0;
        right += outcome[p] == 1;
        base_known += outcome[0] >= 0;
        base_right += outcome[0] == 1;
    }
    tell(r, "layers_at_0.01", (double)layers / (double)judged);
    if (known)
        tell(r, "accuracy_at_0.01", (double)right / (double)known);
    if (base_known)
        tell(r, "base_accuracy", (double)base_right / (double)base_known);
}

double router_report(const struct router_training *t, router_metric_fn metric, void *arg)
{
    struct report r = { .t = t, .metric = metric, .arg = arg };
    double train = 0.0, valid = 0.0, loss;
    uint64_t steps = 0, terms = 0;

    for (size_t h = 0; h < t->heads; h++) {
        train += t->tally[h].train_loss;
        valid += t->tally[h].valid_loss;
        steps += t->tally[h].steps;
        terms += t->tally[h].valid;
    }
    tell(&r, "loss", train / (double)steps);
    if (t->router->conf.kind == ROUTER_LABELS) {
        if (terms)
            tell(&r, "validation_loss", valid / (double)terms);
        return report_labels(&r);
    }
    average(t);
    loss = report_guesses(&r);
    report_choices(&r);
    return -loss;
}
