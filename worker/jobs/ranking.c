/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/ranking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"

static int parse_values(const struct json *values, struct rank *ret, struct err *err)
{
    double sum = 0;

    if (!json_is_array(values))
        return err_set(err, ERR_INVALID, "\"values\" must be a list of numbers");
    ret->values = json_len(values);
    for (size_t i = 0; i < ret->values; i++) {
        if (!json_is_number(json_at(values, i)))
            return err_set(err, ERR_INVALID, "\"values\" must be a list of numbers");
        sum += json_number(json_at(values, i), 0);
    }
    ret->mean = ret->values > 0 ? sum / (double)ret->values : 0;
    return 0;
}

static int parse_line(const char *line, size_t len, struct rank *ret, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    int rc = json_parse(line, len, &root, err);

    if (rc < 0)
        return rc;
    const char *hex = json_text(json_get(root, "candidate"));
    const int64_t failed = json_integer(json_get(root, "failed"), -1);
    *ret =
        (struct rank){ .failed = (uint64_t)failed, .out = json_bool(json_get(root, "out"), false) };
    if (hex == NULL || digest_parse(hex, &ret->candidate, NULL) < 0)
        return err_set(err, ERR_INVALID, "\"candidate\" must be 64 hex digits");
    if (failed < 0)
        return err_set(err, ERR_INVALID, "\"failed\" must be a count");
    rc = parse_values(json_get(root, "values"), ret, err);
    if (rc == 0 && ret->values == 0 && failed == 0)
        return err_set(err, ERR_INVALID, "a candidate without seeds");
    return rc;
}

static int by_candidate(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;

    return memcmp(x->candidate.b, y->candidate.b, DIGEST_BYTES);
}

static int check_once(struct ranking *r, const char *path, struct err *err)
{
    char hex[DIGEST_HEX];

    if (r->len == 0)
        return err_set(err, ERR_INVALID, "%s: no candidate to choose among", path);
    qsort(r->rank, r->len, sizeof(*r->rank), by_candidate);
    for (size_t i = 1; i < r->len; i++)
        if (digest_equal(&r->rank[i - 1].candidate, &r->rank[i].candidate))
            return err_set(err, ERR_INVALID, "%s: candidate %s stands there twice", path,
                           digest_hex(&r->rank[i].candidate, hex));
    return 0;
}

static int parse_lines(struct ranking *r, const char *text, size_t text_len, const char *path,
                       struct err *err)
{
    size_t cap = 0, number = 0;

    for (size_t at = 0; at < text_len;) {
        const char *line = text + at, *end = memchr(line, '\n', text_len - at);
        const size_t len = end ? (size_t)(end - line) : text_len - at;

        number++;
        at += len + 1;
        if (len == 0)
            continue;
        if (r->len == cap) {
            cap = cap ? 2 * cap : 64;
            r->rank = mem_realloc(r->rank, cap, sizeof(*r->rank));
        }
        int rc = parse_line(line, len, &r->rank[r->len], err);
        if (rc < 0)
            return err_wrap(err, rc, "%s:%zu", path, number);
        r->len++;
    }
    return check_once(r, path, err);
}

int ranking_parse(struct ranking *ret, const char *text, size_t len, const char *path,
                  struct err *err)
{
    *ret = (struct ranking){ 0 };
    int rc = parse_lines(ret, text, len, path, err);
    if (rc < 0)
        ranking_release(ret);
    return rc;
}

void ranking_release(struct ranking *r)
{
    free(r->rank);
    *r = (struct ranking){ 0 };
}

static int by_failures(const struct rank *x, const struct rank *y)
{
    const bool x_none = x->values == 0, y_none = y->values == 0;

    if (x->out != y->out)
        return x->out ? 1 : -1;
    if (x->failed != y->failed && (x->failed == 0 || y->failed == 0))
        return x->failed == 0 ? -1 : 1;
    if (x_none != y_none)
        return x_none ? 1 : -1;
    return (x->failed > y->failed) - (x->failed < y->failed);
}

static int higher_first(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    int order = by_failures(x, y);

    if (order == 0)
        order = (x->mean < y->mean) - (x->mean > y->mean);
    return order ? order : by_candidate(a, b);
}

static int lower_first(const void *a, const void *b)
{
    const struct rank *x = a, *y = b;
    int order = by_failures(x, y);

    if (order == 0)
        order = (x->mean > y->mean) - (x->mean < y->mean);
    return order ? order : by_candidate(a, b);
}

void ranking_order(struct ranking *r, bool higher)
{
    if (r->len > 0)
        qsort(r->rank, r->len, sizeof(*r->rank), higher ? higher_first : lower_first);
}

size_t ranking_keep(double keep, size_t n)
{
    const double product = keep * (double)n;
    size_t whole = product > 0 ? (size_t)product : 0;

    assert(keep >= 0 && keep <= 1);
    if (product - (double)whole > 1e-9)
        whole++;
    return MIN(MAX(whole, (size_t)1), n);
}

void ranking_print(const struct ranking *r, size_t keep, struct buf *out)
{
    char hex[DIGEST_HEX];

    assert(keep <= r->len);
    if (keep == 0)
        return;
    struct rank *kept = mem_dup(r->rank, keep * sizeof(*kept));
    qsort(kept, keep, sizeof(*kept), by_candidate);
    for (size_t i = 0; i < keep; i++)
        buf_printf(out, "{\"candidate\":\"%s\"}\n", digest_hex(&kept[i].candidate, hex));
    free(kept);
}
