/* SPDX-License-Identifier: Apache-2.0 */
/* example_put.c - results of examples as rows. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "store/example.h"
#include "store/number.h"

/* Eight bytes at once: none is above 2 when no bit but the lowest two is set, nor both of these. */
static bool is_routing(uint64_t eight)
{
    const uint64_t ones = 0x0101010101010101u;

    return ((eight & ~(3 * ones)) | (eight & eight >> 1 & ones)) == 0;
}

size_t routing_bad(const uint8_t *routing, size_t len)
{
    uint64_t eight;
    size_t i = 0;

    for (; len - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, routing + i, sizeof eight);
        if (!is_routing(eight))
            break;
    }
    while (i < len && routing[i] <= 2)
        i++;
    return i;
}

int routing_text(const uint8_t *routing, size_t len, struct buf *out, struct err *err)
{
    size_t bad = routing_bad(routing, len);
    char *text;

    if (bad < len)
        return err_set(err, ERR_INVALID, "routing: layer %zu has %u, not 0, 1 or 2", bad,
                       routing[bad]);
    if (len == 0)
        return 0;
    text = buf_reserve(out, len);
    for (size_t i = 0; i < len; i++)
        text[i] = (char)('0' + routing[i]);
    out->len += len;
    return 0;
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

int put_label(struct store *s, const struct attempt_row *row, const struct store_example_result *r,
              uint64_t example, const struct digest *digest, bool *ret_stored, struct err *err)
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
    stmt_int(st, ":hinted", l->hinted);
    rc = stmt_get(st, &id, err);
    if (rc == ERR_NOT_FOUND) /* no row came back: there is one already */
        return 0;
    *ret_stored = rc == 0;
    return rc == 0 ? put_search_log(s, (uint64_t)id, l, err) : rc;
}

/* "[-1.25,null]" */
static void print_logprobs(const struct store_score *c, struct buf *out)
{
    char *text = buf_reserve(out, 1 + c->logprob_len * (NUMBER_MAX + 1)), *at = text;

    for (size_t i = 0; i < c->logprob_len; i++) {
        *at++ = i == 0 ? '[' : ',';
        at += number_print(c->logprob[i], at);
    }
    *at++ = ']';
    out->len += (size_t)(at - text);
}

/* Its length when the name stands in JSON as it is, else SIZE_MAX. */
static size_t plain_len(const char *name)
{
    size_t len = 0;

    for (; name[len]; len++) {
        char c = name[len];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '_' || c == '-' || c == '.'))
            return SIZE_MAX;
    }
    return len;
}

static void print_any_values(const struct store_score *c, struct buf *out)
{
    struct json *o = json_new_object();
    char *text;

    for (size_t i = 0; i < c->values_len; i++) {
        if (isfinite(c->values[i].value))
            json_set(o, c->values[i].name, json_new_number(c->values[i].value));
    }
    text = json_len(o) > 0 ? json_dump(o, 0) : NULL;
    if (text)
        buf_adds(out, text);
    free(text);
    json_free(o);
}

static void print_value(const char *name, size_t len, double v, struct buf *out)
{
    char *text = buf_reserve(out, len + 4 + NUMBER_MAX), *at = text;

    *at++ = out->len ? ',' : '{';
    *at++ = '"';
    memcpy(at, name, len);
    at += len;
    *at++ = '"';
    *at++ = ':';
    at += number_print(v, at);
    out->len += (size_t)(at - text);
}

/* {"exact":1.0,"f1":0.5}, those that apply; nothing when there are none. */
static void print_values(const struct store_score *c, struct buf *out)
{
    for (size_t i = 0; i < c->values_len; i++) {
        size_t len = plain_len(c->values[i].name);
        bool twice = false;

        for (size_t k = 0; k < i; k++)
            twice = twice || strcmp(c->values[i].name, c->values[k].name) == 0;
        if (twice || len == SIZE_MAX) {
            buf_clear(out);
            print_any_values(c, out);
            return;
        }
        if (isfinite(c->values[i].value))
            print_value(c->values[i].name, len, c->values[i].value, out);
    }
    if (out->len)
        buf_addc(out, '}');
}

/* Nothing: NULL. */
static void put_buf(struct stmt *st, const char *param, const struct buf *b)
{
    stmt_text_len(st, param, b->len ? b->data : NULL, b->len);
}

/* -1, none: NULL. */
static void put_class(struct stmt *st, const char *param, int v)
{
    if (v < 0)
        stmt_text(st, param, NULL);
    else
        stmt_int(st, param, v);
}

int put_score(struct store *s, const struct attempt_row *row, const struct store_example_result *r,
              uint64_t example, const struct digest *digest, bool *ret_stored, struct err *err)
{
    struct buf *routing = &s->scratch[0], *logprob = &s->scratch[1], *values = &s->scratch[2];
    const struct store_score *c = r->score;
    struct stmt *st;
    bool known;
    int rc;

    buf_clear(routing);
    buf_clear(logprob);
    buf_clear(values);
    rc = routing_text(c->routing, c->routing_len, routing, err);
    if (rc < 0)
        return rc;
    if (c->logprob_len)
        print_logprobs(c, logprob);
    print_values(c, values);
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
    put_buf(st, ":routing", routing);
    put_buf(st, ":logprob", logprob);
    stmt_u64(st, ":wall_us", r->wall_us);
    stmt_digest(st, ":digest", digest);
    put_buf(st, ":metrics", values);
    put_class(st, ":pick", c->pick);
    put_class(st, ":gold_class", c->gold);
    stmt_int(st, ":whole_set", c->whole_set);
    stmt_u64(st, ":truncated", c->truncated);
    stmt_u64(st, ":generated", c->generated);
    rc = stmt_insert(st, &known, err);
    *ret_stored = rc == 0 && !known;
    return rc;
}
