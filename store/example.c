/* SPDX-License-Identifier: Apache-2.0 */
/* example.c - results of single examples: labels and scores, stored once and compared ever after
 * (work.h). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/attempt.h"

int routing_text(const uint8_t *routing, size_t len, struct buf *out, struct err *err)
{
    for (size_t i = 0; i < len; i++) {
        if (routing[i] > 2)
            return err_set(err, ERR_INVALID, "routing: layer %zu has %u, not 0, 1 or 2", i,
                           routing[i]);
        buf_addc(out, (char)('0' + routing[i]));
    }
    return 0;
}

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

/* Row of the example, made when it is not there. */
static int example_row(struct store *s, const struct store_example *e, uint64_t *ret,
                       struct err *err)
{
    struct stmt *st = USE(s, EXAMPLE_FIND);
    int64_t id = 0;
    int rc;

    stmt_u64(st, ":number", e->id);
    stmt_text(st, ":task", e->task);
    stmt_text(st, ":split", e->split);
    stmt_int(st, ":level", e->level);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc > 0) {
        *ret = stmt_col_u64(st, 0);
        stmt_reset(st);
        return 0;
    }
    st = USE(s, EXAMPLE_PUT);
    stmt_text(st, ":task", e->task);
    stmt_int(st, ":level", e->level);
    stmt_text(st, ":split", e->split);
    stmt_u64(st, ":number", e->id);
    stmt_text(st, ":source_id", e->source_id ? e->source_id : "");
    stmt_text(st, ":question", e->question ? e->question : "");
    stmt_text(st, ":gold", e->gold ? e->gold : "");
    stmt_text(st, ":subset", e->subset ? e->subset : "");
    rc = stmt_get(st, &id, err);
    *ret = (uint64_t)id;
    return rc;
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

    if (digest_equal(&known->digest, digest)) {
        *ret = STORE_REPEATED;
        st = r->label ? USE(s, LABEL_REPEAT) : USE(s, SCORE_REPEAT);
        stmt_u64(st, ":id", known->id);
        return stmt_run(st, err);
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

static int put_search_log(struct store *s, uint64_t label, const struct store_label *l,
                          struct err *err)
{
    CLEANUP(buf_release) struct buf routing = { 0 };
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < l->log_len; i++) {
        const struct store_entry *e = &l->log[i];
        struct stmt *st;

        buf_clear(&routing);
        rc = routing_text(e->routing, e->routing_len, &routing, err);
        if (rc < 0)
            return rc;
        st = USE(s, SEARCH_LOG_PUT);
        stmt_u64(st, ":label", label);
        stmt_u64(st, ":place", i);
        stmt_int(st, ":parent", e->parent);
        stmt_text(st, ":routing", buf_str(&routing));
        stmt_real(st, ":reward", e->reward);
        stmt_int(st, ":visits", e->visits);
        stmt_real(st, ":value", e->value);
        stmt_text(st, ":answer", e->answer ? e->answer : "");
        rc = stmt_run(st, err);
    }
    return rc;
}

static int put_label(struct store *s, const struct attempt_row *row,
                     const struct store_example_result *r, uint64_t example,
                     const struct digest *digest, struct err *err)
{
    CLEANUP(buf_release) struct buf routing = { 0 };
    const struct store_label *l = r->label;
    struct stmt *st;
    int64_t id = 0;
    int rc = l->has_label ? routing_text(l->routing, l->routing_len, &routing, err) : 0;

    if (rc < 0)
        return rc;
    st = USE(s, LABEL_PUT);
    stmt_u64(st, ":family", row->family);
    stmt_u64(st, ":example", example);
    stmt_u64(st, ":idx", r->example.index);
    stmt_u64(st, ":attempt", row->id);
    stmt_int(st, ":base_correct", l->base_correct);
    stmt_int(st, ":has_label", l->has_label);
    stmt_text(st, ":routing", l->has_label ? buf_str(&routing) : NULL);
    stmt_int(st, ":layers", l->layers);
    stmt_int(st, ":label_layers", l->label_layers);
    stmt_int(st, ":simulations", l->simulations);
    stmt_int(st, ":evaluations", l->evaluations);
    stmt_u64(st, ":layer_rows", l->layer_rows);
    stmt_u64(st, ":layer_rows_whole", l->layer_rows_whole);
    stmt_text(st, ":base_answer", l->base_answer ? l->base_answer : "");
    stmt_text(st, ":label_answer", l->label_answer ? l->label_answer : "");
    stmt_u64(st, ":wall_us", r->wall_us);
    stmt_digest(st, ":digest", digest);
    rc = stmt_get(st, &id, err);
    return rc == 0 ? put_search_log(s, (uint64_t)id, l, err) : rc;
}

/* "[-1.25,null]": shortest decimal that reads back as the same bits is not needed for people, 17
 * digits are enough. */
static void print_logprobs(const struct store_score *c, struct buf *out)
{
    buf_addc(out, '[');
    for (size_t i = 0; i < c->logprob_len; i++) {
        buf_adds(out, i ? "," : "");
        if (isfinite(c->logprob[i]))
            buf_printf(out, "%.17g", c->logprob[i]);
        else
            buf_adds(out, "null");
    }
    buf_addc(out, ']');
}

/* {"exact":1,"f1":0.5}, those that apply; NULL when there are none. free() it. */
static char *print_values(const struct store_score *c)
{
    struct json *o = json_new_object();
    char *text = NULL;

    for (size_t i = 0; i < c->values_len; i++) {
        if (isfinite(c->values[i].value))
            json_set(o, c->values[i].name, json_new_number(c->values[i].value));
    }
    if (json_len(o) > 0)
        text = json_dump(o, 0);
    json_free(o);
    return text;
}

static int put_score(struct store *s, const struct attempt_row *row,
                     const struct store_example_result *r, uint64_t example,
                     const struct digest *digest, struct err *err)
{
    CLEANUP(buf_release) struct buf routing = { 0 };
    CLEANUP(buf_release) struct buf logprob = { 0 };
    CLEANUP(mem_cleanup) char *values = print_values(r->score);
    const struct store_score *c = r->score;
    struct stmt *st;
    int rc = routing_text(c->routing, c->routing_len, &routing, err);

    if (rc < 0)
        return rc;
    print_logprobs(c, &logprob);
    st = USE(s, SCORE_PUT);
    stmt_u64(st, ":family", row->family);
    stmt_u64(st, ":example", example);
    stmt_u64(st, ":idx", r->example.index);
    stmt_u64(st, ":attempt", row->id);
    stmt_int(st, ":correct", c->correct);
    stmt_int(st, ":correct_norm", c->correct_norm);
    stmt_text(st, ":answer", c->answer ? c->answer : "");
    stmt_u64(st, ":layer_rows", c->layer_rows);
    stmt_real(st, ":layers", isfinite(c->layers) ? c->layers : 0.0);
    stmt_u64(st, ":tokens", c->tokens);
    stmt_text(st, ":routing", c->routing_len ? buf_str(&routing) : NULL);
    stmt_text(st, ":logprob", c->logprob_len ? buf_str(&logprob) : NULL);
    stmt_u64(st, ":wall_us", r->wall_us);
    stmt_digest(st, ":digest", digest);
    stmt_text(st, ":metrics", values);
    stmt_int(st, ":pick", c->pick);
    stmt_int(st, ":gold_class", c->gold);
    stmt_int(st, ":whole_set", c->whole_set);
    stmt_u64(st, ":truncated", c->truncated);
    stmt_u64(st, ":generated", c->generated);
    return stmt_run(st, err);
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
    return 0;
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
    return r->score ? check_score(r->score, err) : 0;
}

static int store_one(struct store *s, const struct store_example_result *r, enum store_verdict *ret,
                     struct err *err)
{
    struct attempt_row row;
    struct known known = { 0 };
    struct digest digest;
    uint64_t example = 0;
    int rc = attempt_load_live(s, r->attempt, r->epoch, &row, err);

    if (rc == 0)
        rc = check(&row, r, err);
    if (rc == 0)
        rc = example_row(s, &r->example, &example, err);
    if (rc == 0)
        rc = find_known(s, r->label != NULL, row.family, example, r->example.index, &known, err);
    if (rc < 0)
        return rc;
    digest = r->label ? label_digest(&r->example, r->label) : score_digest(&r->example, r->score);
    if (known.id)
        return repeated(s, &row, r, &known, &digest, ret, err);
    *ret = STORE_STORED;
    return r->label ? put_label(s, &row, r, example, &digest, err)
                    : put_score(s, &row, r, example, &digest, err);
}

int store_example_result(struct store *s, const struct store_example_result *r,
                         enum store_verdict *ret, struct err *err)
{
    int rc = item_begin(s, err);

    return rc < 0 ? rc : item_end(s, store_one(s, r, ret, err), err);
}
