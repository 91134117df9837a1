/* SPDX-License-Identifier: Apache-2.0 */
/* vector.c - vectors as rows, in the shortest form that keeps every bit; and read (vector.h). */
#include "store/vector.h"

#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/store_private.h"
#include "store/tally.h"

enum form { FORM_ONE, FORM_BYTES, FORM_FLOATS, FORM_DOUBLES, FORMS };
enum { NONE = 255 }; /* of FORM_BYTES: NaN */

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "numbers are copied as they are");

/* NaN is one value here, and 0.0 is not -0.0. */
static bool same(double a, double b)
{
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

static enum form form_of(const double *x, size_t n)
{
    bool one = true, bytes = true, floats = true;

    for (size_t i = 0; i < n; i++) {
        one = one && same(x[i], x[0]);
        bytes = bytes && (isnan(x[i]) || (x[i] >= 0.0 && x[i] < NONE && !signbit(x[i]) &&
                                          x[i] == (double)(uint8_t)x[i]));
        floats = floats && (isnan(x[i]) || same((double)(float)x[i], x[i]));
    }
    return one ? FORM_ONE : bytes ? FORM_BYTES : floats ? FORM_FLOATS : FORM_DOUBLES;
}

static const size_t width[FORMS] = { 0, 1, sizeof(float), sizeof(double) };

int vector_write(struct store *s, uint64_t family, const char *metric, const double *x, size_t n,
                 struct err *err)
{
    enum form form = form_of(x, n);
    size_t size = form == FORM_ONE ? sizeof(double) : n * width[form];
    uint8_t *data = mem_calloc(MAX(size, sizeof(double)), 1);
    struct stmt *st = USE(s, VECTOR_PUT);
    int rc;

    if (form == FORM_ONE && n > 0)
        memcpy(data, x, sizeof(double));
    for (size_t i = 0; i < n && form == FORM_BYTES; i++)
        data[i] = isnan(x[i]) ? NONE : (uint8_t)x[i];
    for (size_t i = 0; i < n && form == FORM_FLOATS; i++) {
        float v = (float)x[i];

        memcpy(data + i * sizeof v, &v, sizeof v);
    }
    if (form == FORM_DOUBLES)
        memcpy(data, x, size);
    stmt_u64(st, ":family", family);
    stmt_text(st, ":metric", metric);
    stmt_u64(st, ":n", n);
    stmt_int(st, ":form", form);
    stmt_bytes(st, ":data", data, size);
    rc = stmt_run(st, err);
    free(data);
    return rc;
}

int vector_length(struct store *s, uint64_t family, uint64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, VECTOR_SIZE);
    int64_t n = 0;
    int rc;

    stmt_u64(st, ":family", family);
    rc = stmt_get(st, &n, err);
    *ret = (uint64_t)n;
    return rc;
}

/* The first N of DATA. */
static void decode(enum form form, const uint8_t *data, uint64_t n, double *ret)
{
    switch (form) {
    case FORM_ONE:
        for (uint64_t i = 0; i < n; i++)
            memcpy(&ret[i], data, sizeof *ret);
        break;
    case FORM_BYTES:
        for (uint64_t i = 0; i < n; i++)
            ret[i] = data[i] == NONE ? (double)NAN : (double)data[i];
        break;
    case FORM_FLOATS:
        for (uint64_t i = 0; i < n; i++) {
            float v;

            memcpy(&v, data + i * sizeof v, sizeof v);
            ret[i] = (double)v;
        }
        break;
    case FORM_DOUBLES:
        memcpy(ret, data, n * sizeof *ret);
        break;
    case FORMS:
        break;
    }
}

/* 1: there is a vector of METRIC that is long enough, and RET holds it. */
static int read_vector(struct store *s, uint64_t family, const char *metric, uint64_t examples,
                       double *ret, struct err *err)
{
    struct stmt *st = USE(s, VECTOR_GET);
    const uint8_t *data;
    size_t size;
    uint64_t n;
    int form, rc;

    stmt_u64(st, ":family", family);
    stmt_text(st, ":metric", metric);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    n = stmt_col_u64(st, 0);
    form = (int)stmt_col(st, 1);
    data = stmt_col_bytes(st, 2, &size);
    if (form < 0 || form >= FORMS || size != (form == FORM_ONE ? sizeof *ret : n * width[form]))
        rc = err_set(err, ERR_CORRUPT, "vector \"%s\" of family %llu is damaged", metric,
                     (unsigned long long)family);
    else if (n < examples)
        rc = 0;
    else
        decode((enum form)form, data, examples, ret);
    stmt_reset(st);
    return rc;
}

/* What people call a metric, and what is stored when the task has none of that name. */
static const char *stored_name(const char *metric)
{
    return strcmp(metric, "acc") == 0        ? "correct"
           : strcmp(metric, "acc_norm") == 0 ? "correct_norm"
                                             : NULL;
}

/* What is made of two vectors of a search, or of scores. */
static bool combines(const char *metric, bool search)
{
    return search ? strcmp(metric, "preserved") == 0 || strcmp(metric, "improved") == 0
                  : strcmp(metric, "applications") == 0;
}

/* Layer applications of LAYERS per pass: the prompt, and each generated token but the last, which
 * is not fed back. */
static double applications(double layers, double generated)
{
    return layers * MAX(generated, 1.0);
}

/* preserved: right before and with the label; improved: wrong before, right with it. */
static int read_combined(struct store *s, uint64_t family, const char *metric, uint64_t examples,
                         double *ret, struct err *err)
{
    bool preserved = strcmp(metric, "preserved") == 0;
    double *base = mem_calloc(MAX(examples, 1), sizeof *base);
    int rc = read_vector(s, family, "base", examples, base, err);

    if (rc > 0)
        rc = read_vector(s, family, "oracle", examples, ret, err);
    for (uint64_t i = 0; rc > 0 && i < examples; i++)
        ret[i] = ret[i] != 0.0 && (base[i] != 0.0) == preserved ? 1.0 : 0.0;
    free(base);
    return rc;
}

static int read_applications(struct store *s, uint64_t family, uint64_t examples, double *ret,
                             struct err *err)
{
    double *generated = mem_calloc(MAX(examples, 1), sizeof *generated);
    int rc = read_vector(s, family, "generated", examples, generated, err);

    if (rc > 0)
        rc = read_vector(s, family, "layers", examples, ret, err);
    for (uint64_t i = 0; rc > 0 && i < examples; i++)
        ret[i] = applications(ret[i], generated[i]);
    free(generated);
    return rc;
}

/* A value of the example's own metrics; NaN: none. *KNOWN: some example has METRIC. */
static double own_value(const char *text, const char *metric)
{
    CLEANUP(json_cleanup) struct json *values = NULL;
    struct json *v;

    if (!text || json_parse(text, strlen(text), &values, NULL) < 0)
        return NAN;
    v = json_get(values, metric);
    return v && json_is_number(v) ? json_number(v, NAN) : (double)NAN;
}

/* The metric METRIC of the score at which ST (family_scores) stands. *RET_KNOWN: it has it. */
static double score_value(const struct stmt *st, const char *metric, bool *ret_known)
{
    double own = own_value(stmt_col_text(st, 2), metric);

    *ret_known = true;
    if (!isnan(own))
        return own;
    if (strcmp(metric, "acc") == 0 || strcmp(metric, "correct") == 0)
        return (double)stmt_col(st, 0);
    if (strcmp(metric, "acc_norm") == 0 || strcmp(metric, "correct_norm") == 0)
        return (double)stmt_col(st, 1);
    if (strcmp(metric, "layers") == 0)
        return stmt_col_real(st, 9);
    if (strcmp(metric, "tokens") == 0)
        return (double)stmt_col(st, 10);
    if (strcmp(metric, "generated") == 0)
        return (double)stmt_col(st, 11);
    if (strcmp(metric, "applications") == 0)
        return applications(stmt_col_real(st, 9), (double)stmt_col(st, 11));
    if (strcmp(metric, "non_execute") == 0)
        return summary_rows_non_execute(stmt_col_text(st, 15));
    if (strcmp(metric, "time_ms") == 0)
        return (double)stmt_col(st, 14) / 1000.0;
    *ret_known = false;
    return NAN;
}

static double label_value(const struct stmt *st, const char *metric, bool *ret_known)
{
    bool base = stmt_col(st, 0) != 0, oracle = stmt_col(st, 1) != 0;

    *ret_known = true;
    if (strcmp(metric, "base") == 0)
        return base;
    if (strcmp(metric, "oracle") == 0)
        return oracle;
    if (strcmp(metric, "preserved") == 0)
        return base && oracle;
    if (strcmp(metric, "improved") == 0)
        return !base && oracle;
    if (strcmp(metric, "layers") == 0)
        return oracle ? (double)stmt_col(st, 2) : (double)NAN;
    if (strcmp(metric, "layers_all") == 0)
        return (double)stmt_col(st, 2);
    if (strcmp(metric, "layers_base") == 0)
        return (double)stmt_col(st, 3);
    if (strcmp(metric, "shorter") == 0)
        return base ? (double)(oracle && stmt_col(st, 2) < stmt_col(st, 3)) : (double)NAN;
    if (strcmp(metric, "rescued") == 0)
        return base ? (double)NAN : (double)oracle;
    if (strcmp(metric, "evaluations") == 0)
        return (double)stmt_col(st, 7);
    if (strcmp(metric, "rows") == 0)
        return (double)stmt_col(st, 8);
    if (strcmp(metric, "time_ms") == 0)
        return (double)stmt_col(st, 9) / 1000.0;
    *ret_known = false;
    return NAN;
}

static int family_is_search(struct store *s, uint64_t family, bool *ret, struct err *err)
{
    struct stmt *st = USE(s, FAMILY_KIND);
    int rc;

    stmt_u64(st, ":family", family);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND, "no family %llu", (unsigned long long)family);
    *ret = kind_is_search(stmt_col_text(st, 0));
    stmt_reset(st);
    return 0;
}

/* From the rows, complete or not. *RET_KNOWN: METRIC is one of the family's, or it has no rows. */
static int read_rows(struct store *s, uint64_t family, bool search, const char *metric,
                     uint64_t examples, double *ret, uint64_t *ret_n, bool *ret_known,
                     struct err *err)
{
    struct stmt *st = search ? USE(s, FAMILY_LABELS) : USE(s, FAMILY_SCORES);
    int rc;

    for (uint64_t i = 0; i < examples; i++)
        ret[i] = NAN;
    *ret_n = 0;
    *ret_known = false;
    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    while ((rc = stmt_step(st, err)) > 0) {
        uint64_t idx = stmt_col_u64(st, search ? 6 : 13);
        bool known;

        if (idx >= examples)
            continue;
        ret[idx] = search ? label_value(st, metric, &known) : score_value(st, metric, &known);
        *ret_known = *ret_known || known;
        ++*ret_n;
    }
    *ret_known = *ret_known || *ret_n == 0;
    return rc;
}

static int add_name(const char *name, void *arg)
{
    struct buf *b = arg;

    buf_printf(b, "%s%s", b->len ? ", " : "", name);
    return 0;
}

int store_vector(struct store *s, uint64_t family, uint64_t examples, const char *metric,
                 double *ret, uint64_t *ret_n, struct err *err)
{
    const char *other = stored_name(metric);
    CLEANUP(buf_release) struct buf names = { 0 };
    uint64_t n = examples;
    bool search = false, known = true;
    int rc = family_is_search(s, family, &search, err);

    if (rc < 0)
        return rc;
    rc = !combines(metric, search) ? read_vector(s, family, metric, examples, ret, err)
         : search                  ? read_combined(s, family, metric, examples, ret, err)
                                   : read_applications(s, family, examples, ret, err);
    if (rc == 0 && other && !search)
        rc = read_vector(s, family, other, examples, ret, err);
    if (rc == 0)
        rc = read_rows(s, family, search, metric, examples, ret, &n, &known, err);
    if (ret_n)
        *ret_n = n;
    if (rc < 0 || known)
        return MIN(rc, 0);
    rc = store_list_vectors(s, family, add_name, &names, err);
    return rc < 0 ? rc
                  : err_set(err, ERR_NOT_FOUND, "family %llu has no metric \"%s\"; it has %s",
                            (unsigned long long)family, metric, buf_str(&names));
}

int store_list_vectors(struct store *s, uint64_t family, store_name_fn fn, void *arg,
                       struct err *err)
{
    static const char *const of_search[] = { "base",   "oracle",     "preserved",  "improved",
                                             "layers", "layers_all", "layers_base" };
    static const char *const of_scores[] = { "correct", "correct_norm", "layers",
                                             "tokens",  "generated",    "non_execute" };
    bool search = false;
    size_t rows = 0, len;
    struct stmt *st;
    int rc = family_is_search(s, family, &search, err);

    if (rc < 0)
        return rc;
    st = USE(s, VECTOR_NAMES);
    stmt_u64(st, ":family", family);
    while (!search && (rc = stmt_step(st, err)) > 0) {
        rows++;
        rc = fn(stmt_col_text(st, 0), arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    stmt_reset(st);
    if (rows > 0 || rc < 0)
        return rc;
    len = search ? ARRAY_LEN(of_search) : ARRAY_LEN(of_scores);
    for (size_t i = 0; rc == 0 && i < len; i++)
        rc = fn(search ? of_search[i] : of_scores[i], arg);
    return rc;
}
