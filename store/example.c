/* SPDX-License-Identifier: Apache-2.0 */
/* example.c - results of single examples: labels and scores, stored once and compared ever after
 * (work.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "store/cache.h"
#include "store/example.h"
#include "store/tally.h"

/* IEEE bits: results may hold infinities, which digest_add_double refuses. */
static void add_bits(struct digester *d, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    digest_add_u64(d, bits);
}

static void add_text(struct digester *d, const char *s)
{
    digest_add_text(d, s ? s : "");
}

static void add_example(struct digester *d, const struct store_example *e)
{
    digest_add_u64(d, e->id);
    digest_add_u64(d, e->index);
    add_text(d, e->task);
    digest_add_i64(d, e->level);
    add_text(d, e->split);
    add_text(d, e->gold);
}

/* What must be equal when the example is searched again; costs and times may differ. */
static struct digest label_digest(const struct store_example *e, const struct store_label *l)
{
    struct digester d;

    digest_begin(&d);
    add_example(&d, e);
    digest_add_u64(&d, l->base_correct);
    digest_add_u64(&d, l->has_label);
    digest_add_bytes(&d, l->routing, l->has_label ? l->routing_len : 0);
    digest_add_u64(&d, l->layers);
    digest_add_u64(&d, l->label_layers);
    digest_add_u64(&d, l->simulations);
    digest_add_u64(&d, l->evaluations);
    add_text(&d, l->base_answer);
    add_text(&d, l->label_answer);
    for (size_t i = 0; i < l->log_len; i++) {
        digest_add_i64(&d, l->log[i].parent);
        digest_add_bytes(&d, l->log[i].routing, l->log[i].routing_len);
        add_bits(&d, l->log[i].reward);
        digest_add_u64(&d, l->log[i].visits);
        add_bits(&d, l->log[i].value);
        add_text(&d, l->log[i].answer);
    }
    return digest_end(&d);
}

static struct digest score_digest(const struct store_example *e, const struct store_score *c)
{
    struct digester d;

    digest_begin(&d);
    add_example(&d, e);
    digest_add_u64(&d, c->correct);
    digest_add_u64(&d, c->correct_norm);
    add_text(&d, c->answer);
    add_bits(&d, c->layers);
    digest_add_u64(&d, c->tokens);
    digest_add_bytes(&d, c->routing, c->routing_len);
    for (size_t i = 0; i < c->logprob_len; i++)
        add_bits(&d, c->logprob[i]);
    for (size_t i = 0; i < c->values_len; i++) {
        if (isnan(c->values[i].value))
            continue;
        add_text(&d, c->values[i].name);
        add_bits(&d, c->values[i].value);
    }
    return digest_end(&d);
}

struct known {
    uint64_t id, example, attempt; /* id 0: none */
    struct digest digest;
};

/* The stored result of this example, or of another example at its index (then the task's list is
 * not what it was). */
static int find_known(struct store *s, bool search, uint64_t family, uint64_t example,
                      uint64_t index, struct known *ret, struct err *err)
{
    struct stmt *st = search ? USE(s, LABEL_FIND) : USE(s, SCORE_FIND);
    int rc;

    *ret = (struct known){ 0 };
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":example", example);
    stmt_u64(st, ":idx", index);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    *ret = (struct known){
        .id = stmt_col_u64(st, 0),
        .digest = stmt_col_digest(st, 1),
        .example = stmt_col_u64(st, 2),
        .attempt = stmt_col_u64(st, 3),
    };
    stmt_reset(st);
    return 0;
}

static int repeated(struct store *s, const struct attempt_row *row,
                    const struct store_example_result *r, const struct known *known,
                    const struct digest *digest, enum store_verdict *ret, struct err *err)
{
    char text[320], hex[2][DIGEST_HEX];
    struct stmt *st;
    int rc;

    if (digest_equal(&known->digest, digest)) {
        *ret = STORE_REPEATED;
        st = r->label ? USE(s, LABEL_REPEAT) : USE(s, SCORE_REPEAT);
        stmt_u64(st, ":id", known->id);
        rc = stmt_run(st, err);
        return rc < 0 ? rc : tally_repeat(s, row->family, r->example.index, known->example, err);
    }
    *ret = STORE_INCIDENT;
    snprintf(text, sizeof text,
             "example %016llx (index %llu): attempt %llu committed %.16s, attempt %llu sent %.16s; "
             "the first is kept",
             (unsigned long long)r->example.id, (unsigned long long)r->example.index,
             (unsigned long long)known->attempt, digest_hex(&known->digest, hex[0]),
             (unsigned long long)row->id, digest_hex(digest, hex[1]));
    return store_event(s, "incident", row->job, row->id, text, err);
}

/* Bytes 0, 1, 2 only. */
static int check_routing(const uint8_t *routing, size_t len, struct err *err)
{
    size_t bad = routing_bad(routing, len);

    if (bad < len)
        return err_set(err, ERR_INVALID, "routing: layer %zu has %u, not 0, 1 or 2", bad,
                       routing[bad]);
    return 0;
}

static int check_score(const struct store_score *c, struct err *err)
{
    if (c->pick < -1 || c->pick >= STORE_CLASSES_MAX || c->gold < -1 ||
        c->gold >= STORE_CLASSES_MAX)
        return err_set(err, ERR_INVALID, "classes %d and %d; allowed are -1 to %d", c->pick,
                       c->gold, STORE_CLASSES_MAX - 1);
    if (c->values_len > STORE_VALUES_MAX)
        return err_set(err, ERR_INVALID, "%zu metrics of an example; at most %d are allowed",
                       c->values_len, STORE_VALUES_MAX);
    for (size_t i = 0; i < c->values_len; i++) {
        if (!c->values[i].name || !c->values[i].name[0] || isinf(c->values[i].value))
            return err_set(err, ERR_INVALID, "metric %zu (\"%s\"): no name, or infinite", i,
                           c->values[i].name ? c->values[i].name : "");
    }
    return check_routing(c->routing, c->routing_len, err);
}

static int check_label(const struct store_label *l, struct err *err)
{
    int rc = l->has_label ? check_routing(l->routing, l->routing_len, err) : 0;

    for (size_t i = 0; rc == 0 && i < l->log_len; i++)
        rc = check_routing(l->log[i].routing, l->log[i].routing_len, err);
    return rc;
}

static int check(const struct attempt_row *row, const struct store_example_result *r,
                 struct err *err)
{
    if (row->end <= row->begin || row->family == 0)
        return err_set(err, ERR_INVALID, "job %llu (%s) takes no results of examples",
                       (unsigned long long)row->job, row->kind);
    if (!r->label == !r->score || (r->label != NULL) != kind_is_search(row->kind))
        return err_set(err, ERR_INVALID, "job %llu (%s): not this kind of example result",
                       (unsigned long long)row->job, row->kind);
    if (r->example.index < row->begin || r->example.index >= row->end)
        return err_set(err, ERR_INVALID, "example index %llu is outside the shard %llu..%llu",
                       (unsigned long long)r->example.index, (unsigned long long)row->begin,
                       (unsigned long long)row->end);
    if (r->label && r->label->has_label && r->label->routing_len != r->label->layers)
        return err_set(err, ERR_INVALID, "a routing of %zu layers for a model of %u",
                       r->label->routing_len, r->label->layers);
    return r->score ? check_score(r->score, err) : check_label(r->label, err);
}

/* Everything that can be refused is refused here, before anything is written. */
static int accept(struct store *s, const struct store_example_result *r,
                  const struct attempt_row **ret, struct err *err)
{
    int rc = cache_attempt(s, r->attempt, r->epoch, ret, err);

    return rc < 0 ? rc : check(*ret, r, err);
}

/* One INSERT for a score whose example is there: nothing is half done when it fails. RET_STORED as
 * in example.h. */
static int put_one(struct store *s, const struct store_example_result *r,
                   const struct attempt_row *row, uint64_t *ret_example, struct digest *ret_digest,
                   bool *ret_stored, struct err *err)
{
    int rc = cache_example(s, &r->example, ret_example, err);

    if (rc < 0)
        return rc;
    if (r->label) {
        *ret_digest = label_digest(&r->example, r->label);
        return put_label(s, row, r, *ret_example, ret_digest, ret_stored, err);
    }
    *ret_digest = score_digest(&r->example, r->score);
    return put_score(s, row, r, *ret_example, ret_digest, ret_stored, err);
}

/* There is a result already. */
static int compare_one(struct store *s, const struct store_example_result *r,
                       const struct attempt_row *row, uint64_t example, const struct digest *digest,
                       enum store_verdict *ret, struct err *err)
{
    struct known known = { 0 };
    int rc = find_known(s, r->label != NULL, row->family, example, r->example.index, &known, err);

    return rc < 0 ? rc : repeated(s, row, r, &known, digest, ret, err);
}

static int store_one(struct store *s, const struct store_example_result *r,
                     const struct attempt_row *row, enum store_verdict *ret, struct err *err)
{
    struct digest digest;
    uint64_t example = 0;
    bool stored = false;
    int rc = put_one(s, r, row, &example, &digest, &stored, err);

    *ret = STORE_STORED;
    return rc < 0 || stored ? rc : compare_one(s, r, row, example, &digest, ret, err);
}

/* store_one() for a result of which at most one statement writes, unless it is known: a savepoint
 * would cost a third of it. */
static int store_simple(struct store *s, const struct store_example_result *r,
                        const struct attempt_row *row, enum store_verdict *ret, struct err *err)
{
    struct digest digest;
    uint64_t example = 0;
    bool stored = false;
    int rc = put_one(s, r, row, &example, &digest, &stored, err);

    *ret = STORE_STORED;
    if (rc < 0)
        cache_forget(s->cache);
    if (rc < 0 || stored)
        return rc;
    rc = item_begin(s, err);
    if (rc < 0)
        return rc;
    return item_end(s, compare_one(s, r, row, example, &digest, ret, err), err);
}

int store_example_result(struct store *s, const struct store_example_result *r,
                         enum store_verdict *ret, struct err *err)
{
    const struct attempt_row *row;
    int rc = item_check(s, err);

    if (rc == 0)
        rc = accept(s, r, &row, err);
    if (rc < 0)
        return rc;
    if (r->score && cache_has_example(s, &r->example))
        return store_simple(s, r, row, ret, err);
    rc = item_begin(s, err);
    return rc < 0 ? rc : item_end(s, store_one(s, r, row, ret, err), err);
}

/* The result was refused, the store is well. */
static bool is_refusal(int rc)
{
    return rc == ERR_STALE || rc == ERR_INVALID;
}

int store_example_results(struct store *s, const struct store_example_result *r, size_t n,
                          enum store_verdict *ret, int *ret_rc, struct err *err)
{
    const struct attempt_row *row;
    bool told = false;
    int rc = item_check(s, err);

    for (size_t i = 0; rc == 0 && i < n; i++) {
        struct err own; /* set when it is needed */

        ret[i] = STORE_STORED;
        ret_rc[i] = accept(s, &r[i], &row, &own);
        if (ret_rc[i] == 0)
            rc = store_one(s, &r[i], row, &ret[i], err);
        else if (!is_refusal(ret_rc[i]))
            rc = err_set(err, own.code, "%s", own.text);
        else if (!told && err)
            *err = own;
        told = told || ret_rc[i] < 0;
    }
    return rc;
}
