/* SPDX-License-Identifier: Apache-2.0 */
/* labels.c - shared searches: families of up to 500 labels with the paths that were tried. Middle
 * layers are skipped most; the first and the last ones hardly ever; layer 12 is repeated. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "common/base/mem.h"
#include "tests/tools/store/make.h"

static struct make_family *families;

const struct make_family *make_family(uint64_t k)
{
    return &families[k];
}

void make_forget_families(void)
{
    free(families);
    families = NULL;
}

/* A path a few edits away from FROM. Returns its layer applications. */
static int edit(const char *from, char *to, uint64_t *state)
{
    int layers = 0;

    memcpy(to, from, MAKE_LAYERS + 1);
    for (int n = 1 + (int)(make_uniform(state) * 2.0); n > 0; n--) {
        int at = (int)(MAKE_LAYERS * (make_uniform(state) + make_uniform(state)) / 2.0);

        if (make_uniform(state) < 0.2)
            to[make_uniform(state) < 0.5 ? 12 : at] = '2';
        else if (at > 1 && at < MAKE_LAYERS - 1)
            to[at] = '0';
    }
    for (int l = 0; l < MAKE_LAYERS; l++)
        layers += to[l] - '0';
    return layers;
}

struct tree {
    char routing[MAKE_TREE][MAKE_LAYERS + 1];
    int parent[MAKE_TREE], layers[MAKE_TREE], visits[MAKE_TREE], value[MAKE_TREE];
    bool right[MAKE_TREE];
    int best; /* -1: none is right */
};

static void grow(struct tree *t, bool base, double hope, uint64_t *state)
{
    *t = (struct tree){ .best = base ? 0 : -1 };
    memset(t->routing[0], '1', MAKE_LAYERS);
    t->parent[0] = -1;
    t->layers[0] = MAKE_LAYERS;
    t->right[0] = base;
    for (int i = 1; i < MAKE_TREE; i++) {
        double u = make_uniform(state);

        t->parent[i] = (int)(u * u * i);
        t->layers[i] = edit(t->routing[t->parent[i]], t->routing[i], state);
        t->right[i] = make_uniform(state) < (t->right[t->parent[i]] ? 0.6 : hope);
        if (t->right[i] && (t->best < 0 || t->layers[i] < t->layers[t->best]))
            t->best = i;
    }
    for (int i = MAKE_TREE - 1; i >= 0; i--) {
        t->visits[i]++;
        t->value[i] += t->right[i];
        if (i > 0) {
            t->visits[t->parent[i]] += t->visits[i];
            t->value[t->parent[i]] += t->value[i];
        }
    }
}

static void put_tree(struct make *m, uint64_t label, const struct tree *t, const char *gold)
{
    static const char sql[] = "INSERT INTO search_log (label, place, parent, routing, reward, "
                              "visits, value, answer) VALUES (:label, :place, :parent, :routing, "
                              ":reward, :visits, :value, :answer)";

    for (int i = 0; i < MAKE_TREE; i++) {
        struct stmt *st = make_stmt(m, sql);

        stmt_reset(st);
        stmt_u64(st, ":label", label);
        stmt_int(st, ":place", i);
        stmt_int(st, ":parent", t->parent[i]);
        stmt_text(st, ":routing", t->routing[i]);
        stmt_real(st, ":reward", t->right[i]);
        stmt_int(st, ":visits", t->visits[i]);
        stmt_real(st, ":value", t->value[i]);
        stmt_text(st, ":answer", t->right[i] ? gold : "?");
        make_run_stmt(st);
    }
}

static void put_label(struct make *m, struct make_family *f, int level, uint64_t i,
                      uint64_t attempt)
{
    static const char sql[] =
        "INSERT INTO label (id, family, example, idx, attempt, base_correct, has_label, routing, "
        "layers, label_layers, simulations, evaluations, layer_rows, layer_rows_whole, "
        "base_answer, "
        "label_answer, wall_us, digest) VALUES (:id, :family, :example, :idx, :attempt, :base, "
        ":has, "
        ":routing, :layers, :label_layers, 50, :evaluations, :rows, :whole, :base_answer, :answer, "
        ":us, :digest)";
    struct stmt *st = make_stmt(m, sql);
    uint64_t id = (f->id - 1) * MAKE_FAMILY + i + 1, state = make_mix(m, "label", id, 0);
    bool base = make_uniform(&state) < 0.85 - 0.12 * level;
    struct tree t;
    struct digest d;
    char gold[8];

    grow(&t, base, 0.12 - 0.015 * level, &state);
    snprintf(gold, sizeof gold, "%d", (int)(make_uniform(&state) * 10.0));
    make_digest(m, "label", id, &d);
    stmt_reset(st);
    stmt_u64(st, ":id", id);
    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":example", m->pool + 1 + (uint64_t)(level - 1) * MAKE_FAMILY + i);
    stmt_u64(st, ":idx", i);
    stmt_u64(st, ":attempt", attempt);
    stmt_int(st, ":base", base);
    stmt_int(st, ":has", t.best >= 0);
    stmt_text(st, ":routing", t.best >= 0 ? t.routing[t.best] : NULL);
    stmt_int(st, ":layers", MAKE_LAYERS);
    stmt_int(st, ":label_layers", t.best >= 0 ? t.layers[t.best] : MAKE_LAYERS);
    stmt_int(st, ":evaluations", MAKE_TREE);
    stmt_int(st, ":rows", 9 * 18 * MAKE_TREE);
    stmt_int(st, ":whole", 9 * MAKE_LAYERS * MAKE_TREE);
    stmt_text(st, ":base_answer", base ? gold : "?");
    stmt_text(st, ":answer", t.best >= 0 ? gold : "?");
    stmt_int(st, ":us", 800 + (int64_t)(make_uniform(&state) * 90000.0));
    stmt_digest(st, ":digest", &d);
    make_run_stmt(st);
    put_tree(m, id, &t, gold);
    f->correct += base;
    f->labelled += t.best >= 0;
}

static void put_family(struct make *m, struct make_family *f, int level)
{
    static const char sql[] = "INSERT INTO family (id, key, kind, task, level, split, complete, "
                              "evaluation) VALUES (:id, :key, 'search', 'logic', :level, 'train', "
                              ":complete, :key)";
    struct stmt *st = make_stmt(m, sql);
    struct digest key;

    make_digest(m, "family", f->id, &key);
    stmt_reset(st);
    stmt_u64(st, ":id", f->id);
    stmt_digest(st, ":key", &key);
    stmt_int(st, ":level", level);
    stmt_u64(st, ":complete", f->complete ? f->examples : f->examples / 2);
    make_run_stmt(st);
    st = make_stmt(m, "INSERT INTO job_family (job, place, family, examples) VALUES (:job, 0, "
                      ":family, :examples)");
    stmt_reset(st);
    stmt_u64(st, ":job", f->job);
    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":examples", f->examples);
    make_run_stmt(st);
}

/* The tallies, from the rows themselves, as store/tally.c sums them up. */
static void put_tallies(struct make *m)
{
    static const char sql[] =
        "INSERT INTO tally (family, examples, part, subset, parts, search, n, correct, "
        "correct_norm, "
        "labelled, preserved, improved, layers_label, layers_all, layers_base, tokens, generated, "
        "truncated, repeats) SELECT family, count(*), :part, '', 1 - :part, 1, count(*), "
        "sum(base_correct), 0, "
        "sum(has_label), sum(base_correct AND has_label), sum(NOT base_correct AND has_label), "
        "total(CASE WHEN has_label THEN label_layers END), total(label_layers), total(layers), 0, "
        "0, "
        "0, 0 FROM label JOIN family ON family.id = label.family WHERE family.complete = :n GROUP "
        "BY family";
    struct stmt *st = make_stmt(m, sql);

    for (int part = 0; part < 2; part++) { /* all, and the one subset "" */
        stmt_reset(st);
        stmt_int(st, ":part", part);
        stmt_u64(st, ":n", MIN(m->labels, MAKE_FAMILY));
        make_run_stmt(st);
    }
}

void make_labels(struct make *m)
{
    uint64_t each = MIN(m->labels, MAKE_FAMILY);

    if (m->labels == 0)
        return;
    m->families = m->labels / each;
    families = mem_calloc(m->families, sizeof *families);
    for (uint64_t k = 0; k < m->families; k++) {
        struct make_family *f = &families[k];
        struct make_attempt a = { .epoch = 1, .outcome = "DONE" };
        struct make_job j = { .kind = "search",
                              .step = "labels",
                              .state = "DONE",
                              .seed = 1,
                              .epoch = 1,
                              .parts = true,
                              .text = "simulations = 50\ntask = \"logic\"\n" };
        int level = (int)(k % 5) + 1;

        *f = (struct make_family){ .id = ++m->next_family, .job = ++m->next_job, .examples = each };
        f->complete = m->ended || k % 10 != 9;
        j.id = a.job = f->job;
        j.end = each;
        if (!f->complete)
            a.outcome = "LOST";
        make_attempt(m, &a, 100.0 + (double)(make_mix(m, "search", k, 0) % 200));
        if (f->complete)
            j.attempt = a.id;
        else
            j.state = "READY", j.losses = 1;
        put_family(m, f, level);
        for (uint64_t i = 0; i < (f->complete ? each : each / 2); i++)
            put_label(m, f, level, i, a.id);
        make_job(m, &j);
        make_count_job(&f->sums, j.state, false);
        make_count_attempt(&f->sums, &a, f->complete);
    }
    put_tallies(m);
}
