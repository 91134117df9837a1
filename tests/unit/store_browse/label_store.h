/* SPDX-License-Identifier: Apache-2.0 */
/* label_store.h - a store with labels of any kind, by hand and at random. */
#ifndef TESTS_UNIT_STORE_BROWSE_LABEL_STORE_H
#define TESTS_UNIT_STORE_BROWSE_LABEL_STORE_H

#include "tests/unit/store/small_plan.h"

#include "common/base/rng.h"
#include "store/sqlite.h"
#include "store/store_private.h"

enum { LS_FAMILIES = 6, LS_LAYERS_MAX = 6, LS_EXAMPLES = 40 };

/* Texts of users: whatever they hold must come out as it went in. */
#define LS_HTML "<b onclick=\"x\">&'\\ \xe2\x80\xa6</b>"

struct ls_family {
    uint64_t id, job;
    uint32_t layers;
    struct try t;
    bool sent[LS_EXAMPLES];
};
struct label_store {
    struct store *s;
    uint64_t experiment, run[8];
    size_t runs;
    struct ls_family family[LS_FAMILIES];
};

static inline void ls_families(struct label_store *l, const char *name, struct rng *rng)
{
    static const char *const tasks[] = { "math", "logic" LS_HTML };
    static const char *const splits[] = { "train", "test" };

    for (size_t i = 0; i < LS_FAMILIES; i++) {
        char key[128];

        snprintf(key, sizeof key, "%s family %zu", name, i);
        struct store_family f = { .key = key_of(key),
                                  .kind = "search",
                                  .level = (int)(rng_u32(rng) % 3) };
        snprintf(f.task, sizeof f.task, "%s", tasks[rng_u32(rng) % 2]);
        snprintf(f.split, sizeof f.split, "%s", splits[rng_u32(rng) % 2]);
        OK(store_submit_family(l->s, &f, &l->family[i].id, err));
        l->family[i].layers = 1 + rng_u32(rng) % LS_LAYERS_MAX;
    }
}

/* Experiment NAME: runs that read some families each, under two steps, some examples of them. */
static inline void ls_make(struct label_store *l, struct store *s, const char *name, size_t runs,
                           struct rng *rng)
{
    struct digest revision = key_of(name);
    struct store_submission sub;

    *l = (struct label_store){ .s = s, .runs = runs };
    OK(store_submit_begin(s, name, &revision, "", "", &sub, err));
    l->experiment = sub.experiment;
    ls_families(l, name, rng);
    for (size_t r = 0; r < runs; r++) {
        char point[128];

        snprintf(point, sizeof point, "%s point %zu", name, r);
        struct digest digest = key_of(point);
        OK(store_submit_run(s, &sub, &digest, r, NULL, 0, &l->run[r], err));
        for (size_t f = 0; f < LS_FAMILIES; f++)
            if (r == 0 || rng_u32(rng) % 2)
                OK(store_submit_run_family(s, l->run[r], f % 2 ? "labels" : "near", l->family[f].id,
                                           1 + rng_u32(rng) % LS_EXAMPLES, err));
    }
    for (size_t f = 0; f < LS_FAMILIES; f++) {
        struct store_job_family jf = { l->family[f].id, 0 };
        char key[128];

        snprintf(key, sizeof key, "%s job %zu", name, f);
        const struct store_job_spec spec = { .key = key_of(key),
                                             .kind = "search",
                                             .numeric_class = "packed-1",
                                             .step = "labels",
                                             .kind_version = 1,
                                             .params = "p",
                                             .params_len = 1,
                                             .params_text = "simulations = 50\ntask = \"math\"\n",
                                             .end = LS_EXAMPLES,
                                             .families = &jf,
                                             .families_len = 1,
                                             .runs = l->run,
                                             .runs_len = runs };
        OK(store_submit_job(s, &sub, &spec, &l->family[f].job, err));
    }
    OK(store_submit_end(s, &sub, NULL, err));
    begin(s);
    for (size_t f = 0; f < LS_FAMILIES; f++)
        l->family[f].t = start(s, l->family[f].job);
    commit(s);
}

/* A label of example IDX with LOG (may be empty); everything else as RNG says. */
static inline void ls_send(struct label_store *l, size_t family, uint64_t idx,
                           const struct store_entry *log, size_t log_len, struct rng *rng)
{
    struct ls_family *f = &l->family[family];
    uint8_t routing[LS_LAYERS_MAX];
    uint32_t length = 0;
    char source[64];

    for (uint32_t i = 0; i < f->layers; i++)
        length += routing[i] = (uint8_t)(rng_u32(rng) % 3);
    const bool has = rng_u32(rng) % 4 != 0;
    snprintf(source, sizeof source, "no. %d" LS_HTML, (int)idx);
    const struct store_label label = { .base_correct = has && rng_u32(rng) % 2,
                                       .has_label = has,
                                       .routing = routing,
                                       .routing_len = f->layers,
                                       .layers = f->layers,
                                       .label_layers = has ? length : f->layers,
                                       .simulations = 50 + rng_u32(rng) % 9,
                                       .evaluations = 20 + rng_u32(rng) % 9,
                                       .hinted = rng_u32(rng) % 9,
                                       .layer_rows = rng_u32(rng) % 1000,
                                       .layer_rows_whole = 1000,
                                       .base_answer = LS_HTML,
                                       .label_answer = "8",
                                       .log = log,
                                       .log_len = log_len };
    const struct store_example_result r = { .attempt = f->t.attempt,
                                            .epoch = f->t.epoch,
                                            .label = &label,
                                            .wall_us = rng_u32(rng) % 5000,
                                            .example = { .id = f->id << 40 | idx << 8 | 7,
                                                         .index = idx,
                                                         .task = "math",
                                                         .split = "train",
                                                         .level = 1,
                                                         .source_id = source,
                                                         .question = "1+1=" LS_HTML,
                                                         .gold = "8" } };
    enum store_verdict verdict;

    OK(store_example_result(l->s, &r, &verdict, err));
    assert_int_equal(verdict, STORE_STORED);
    f->sent[idx] = true;
}

/* Some labels that are not there yet, of any families, in any order. */
static inline void ls_grow(struct label_store *l, size_t n, struct rng *rng)
{
    begin(l->s);
    for (; n > 0; n--) {
        const size_t f = rng_u32(rng) % LS_FAMILIES;
        const uint64_t idx = rng_u32(rng) % LS_EXAMPLES;

        if (!l->family[f].sent[idx])
            ls_send(l, f, idx, NULL, 0, rng);
    }
    commit(l->s);
}

/* Labels FROM..TO - 1 of a family, put there by SQL without their examples: more than one read
 * takes. */
static inline void add_many(struct fixture *f, uint64_t family, uint64_t attempt, int from, int to)
{
    struct buf sql CLEANUP(buf_release) = { 0 };

    buf_printf(&sql,
               "INSERT INTO label (family, example, idx, attempt, base_correct, has_label, "
               "routing, layers, label_layers, simulations, evaluations, layer_rows, "
               "layer_rows_whole, base_answer, label_answer, wall_us, digest) "
               "WITH RECURSIVE n (i) AS (SELECT %d UNION ALL SELECT i + 1 FROM n WHERE i + 1 < %d) "
               "SELECT %d, i + 1, i, %d, i %% 2, 1, CASE i %% 3 WHEN 0 THEN '011' WHEN 1 THEN "
               "'111' ELSE '211' END, 3, 2 + i %% 3, 50, 20, 1, 2, '', '', 3, zeroblob(32) FROM n",
               from, to, (int)family, (int)attempt);
    OK(sqlite_run(f->s->db, "PRAGMA foreign_keys = OFF", err));
    OK(sqlite_run(f->s->db, buf_str(&sql), err));
}

#endif
