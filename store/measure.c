/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - what a select job reads: for each candidate what its seeds reached, as canonical text
 * (work.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/gate.h"

struct measuring {
    struct store *s;
    uint64_t selector;
    char measure[64];
};

struct seat { /* one run of a candidate */
    struct digest candidate;
    uint64_t run;
    double value; /* NaN: nothing that counts */
    bool out;     /* an earlier rung did not let it go on */
};

/* The measure is a word: params_text says it as the worker gets it. */
static int read_measure(struct measuring *m, struct err *err)
{
    struct stmt *st = USE(m->s, JOB_PARAMS_TEXT);
    static const char mark[] = "measure = \"";
    int rc;

    stmt_u64(st, ":id", m->selector);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc < 0 ? rc : err_set(err, ERR_NOT_FOUND, "no select job");
    const char *text = stmt_col_text(st, 0), *at = strstr(text, mark);
    const char *end = at != NULL ? strchr(at + strlen(mark), '"') : NULL;
    const size_t len = end != NULL ? (size_t)(end - at) - strlen(mark) : 0;

    if (len > 0 && len < sizeof m->measure)
        memcpy(m->measure, at + strlen(mark), len);
    stmt_reset(st);
    return len > 0 && len < sizeof m->measure
               ? 0
               : err_set(err, ERR_INVALID, "select job %llu names no measure",
                         (unsigned long long)m->selector);
}

/* Sums over the first N examples of a family; n is 0 unless all are there. */
struct sums {
    uint64_t n;
    double correct, oracle, layers;
};

/* 1: statement ID has the sums. */
static int try_sums(struct store *s, enum stmt_id id, const struct store_family *f,
                    struct sums *ret, struct err *err)
{
    struct stmt *st = store_use(s, id);
    int rc;

    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":examples", f->examples);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    if (stmt_col_u64(st, 0) == f->examples)
        *ret = (struct sums){ f->examples, stmt_col_real(st, 1), stmt_col_real(st, 2),
                              stmt_col_real(st, 3) };
    stmt_reset(st);
    return ret->n > 0;
}

static int sum_family(struct store *s, const struct store_family *f, struct sums *ret,
                      struct err *err)
{
    *ret = (struct sums){ 0 };
    int rc = try_sums(s, STMT_MEASURE_TALLY, f, ret, err);
    if (rc == 0)
        rc = try_sums(s, kind_is_search(f->kind) ? STMT_MEASURE_LABELS : STMT_MEASURE_SCORES, f,
                      ret, err);
    return rc < 0 ? rc : 0;
}

/* The metric MEASURE of family F's summary times its examples. */
static int sum_summary(const struct measuring *m, const struct store_family *f, double *ret_sum,
                       uint64_t *ret_n, struct err *err)
{
    struct stmt *st = USE(m->s, MEASURE_SUMMARY);
    int rc;

    *ret_n = 0;
    stmt_u64(st, ":family", f->id);
    stmt_u64(st, ":examples", f->examples);
    stmt_text(st, ":metric", m->measure);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    if (!stmt_is_null(st, 0)) {
        *ret_n = stmt_col_u64(st, 1);
        *ret_sum = stmt_col_real(st, 0) * (double)*ret_n;
    }
    stmt_reset(st);
    return 0;
}

static int sum_one(const struct measuring *m, const struct store_family *f, double *ret_sum,
                   uint64_t *ret_n, struct err *err)
{
    struct sums sums;
    int rc;

    if (strcmp(m->measure, "accuracy") != 0 && strcmp(m->measure, "oracle") != 0 &&
        strcmp(m->measure, "layers") != 0)
        return sum_summary(m, f, ret_sum, ret_n, err);
    rc = sum_family(m->s, f, &sums, err);
    *ret_n = strcmp(m->measure, "oracle") == 0 && !kind_is_search(f->kind) ? 0 : sums.n;
    *ret_sum = m->measure[0] == 'a'   ? sums.correct
               : m->measure[0] == 'o' ? sums.oracle
                                      : sums.layers;
    return rc;
}

static int load_families(const struct measuring *m, uint64_t run, struct store_family **ret,
                         size_t *ret_len, struct err *err)
{
    struct stmt *st = USE(m->s, MEASURED_FAMILIES);
    int rc;

    stmt_u64(st, ":selector", m->selector);
    stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0) {
        *ret = mem_realloc(*ret, *ret_len + 1, sizeof **ret);
        struct store_family *f = &(*ret)[(*ret_len)++];
        *f = (struct store_family){ .id = stmt_col_u64(st, 0), .examples = stmt_col_u64(st, 2) };
        stmt_copy_text(st, 1, f->kind, sizeof f->kind);
    }
    return rc;
}

/* Over all examples of the run's families; NaN when one has no value. */
static int measure_families(const struct measuring *m, const struct store_family *f, size_t len,
                            double *ret, struct err *err)
{
    double sum = 0;
    uint64_t n = 0;

    *ret = NAN;
    for (size_t i = 0; i < len; i++) {
        double part = 0;
        uint64_t part_n = 0;
        int rc = sum_one(m, &f[i], &part, &part_n, err);

        if (rc < 0 || part_n == 0)
            return rc;
        sum += part;
        n += part_n;
    }
    *ret = n > 0 ? sum / (double)n : NAN;
    return 0;
}

/* The attempts behind the run's jobs; *RET_ALL: each job has a result that counts; *RET_OUT: a
 * claim of the run's is dead. */
static int load_attempts(const struct measuring *m, uint64_t run, struct store_ids *ret,
                         bool *ret_all, bool *ret_out, struct err *err)
{
    struct stmt *st = USE(m->s, MEASURED_JOBS);
    int rc;

    *ret_all = true;
    stmt_u64(st, ":selector", m->selector);
    stmt_u64(st, ":run", run);
    while ((rc = stmt_step(st, err)) > 0) {
        *ret_all = *ret_all && stmt_col(st, 0) != 0;
        *ret_out = *ret_out || stmt_col(st, 2) == 0;
        store_ids_add(ret, stmt_col_u64(st, 1));
    }
    *ret_all = *ret_all && ret->len > 0;
    return rc;
}

/* The last value of the training metric; the mean when the run has several such jobs. */
static int measure_training(const struct measuring *m, const struct store_ids *attempts,
                            double *ret, struct err *err)
{
    double sum = 0;

    *ret = NAN;
    for (size_t i = 0; i < attempts->len; i++) {
        struct stmt *st = USE(m->s, MEASURE_LAST);
        int rc;

        stmt_u64(st, ":attempt", attempts->v[i]);
        stmt_text(st, ":name", m->measure);
        rc = stmt_step(st, err);
        if (rc <= 0)
            return rc;
        sum += stmt_is_null(st, 0) ? NAN : stmt_col_real(st, 0);
        stmt_reset(st);
    }
    *ret = attempts->len > 0 ? sum / (double)attempts->len : NAN;
    return 0;
}

/* What the run of SEAT reached. */
static int measure_run(const struct measuring *m, struct seat *seat, struct err *err)
{
    struct store_family *families CLEANUP(mem_cleanup) = NULL;
    struct store_ids attempts CLEANUP(store_ids_release) = { 0 };
    size_t families_len = 0;
    bool all;
    int rc = load_attempts(m, seat->run, &attempts, &all, &seat->out, err);

    seat->value = NAN;
    if (rc < 0 || !all || seat->out)
        return rc;
    rc = load_families(m, seat->run, &families, &families_len, err);
    if (rc < 0)
        return rc;
    return families_len > 0 ? measure_families(m, families, families_len, &seat->value, err)
                            : measure_training(m, &attempts, &seat->value, err);
}

static int load_seats(const struct measuring *m, struct seat **ret, size_t *ret_len,
                      struct err *err)
{
    struct stmt *st = USE(m->s, CANDIDATES);
    size_t cap = 0;
    int rc;

    stmt_u64(st, ":selector", m->selector);
    while ((rc = stmt_step(st, err)) > 0) {
        if (*ret_len == cap) {
            cap = MAX(64, 2 * cap);
            *ret = mem_realloc(*ret, cap, sizeof **ret);
        }
        (*ret)[(*ret_len)++] =
            (struct seat){ .candidate = stmt_col_digest(st, 0), .run = stmt_col_u64(st, 1) };
    }
    if (rc == 0 && *ret_len == 0)
        rc = err_set(err, ERR_NOT_FOUND, "select job %llu has no candidates",
                     (unsigned long long)m->selector);
    return rc;
}

/* The seats of one candidate. */
static void print_candidate(const struct seat *seat, size_t len, struct buf *out)
{
    char hex[DIGEST_HEX];
    size_t failed = 0, printed = 0;
    bool gone = false;

    buf_printf(out, "{\"candidate\":\"%s\",\"values\":[", digest_hex(&seat->candidate, hex));
    for (size_t i = 0; i < len; i++) {
        gone = gone || seat[i].out;
        if (isfinite(seat[i].value))
            buf_printf(out, "%s%.17g", printed++ ? "," : "", seat[i].value);
        else
            failed++;
    }
    buf_printf(out, "],\"failed\":%zu%s}\n", failed, gone ? ",\"out\":true" : "");
}

int measure_candidates(struct store *s, const struct store_job *j, struct buf *ret, struct err *err)
{
    struct measuring m = { .s = s, .selector = j->id };
    struct seat *seats CLEANUP(mem_cleanup) = NULL;
    size_t len = 0, first = 0;
    int rc = read_measure(&m, err);

    rc = rc == 0 ? load_seats(&m, &seats, &len, err) : rc;
    for (size_t i = 0; rc == 0 && i < len; i++) {
        rc = measure_run(&m, &seats[i], err);
        if (rc == 0 &&
            (i + 1 == len || !digest_equal(&seats[i].candidate, &seats[i + 1].candidate))) {
            print_candidate(&seats[first], i + 1 - first, ret);
            first = i + 1;
        }
    }
    return rc;
}
