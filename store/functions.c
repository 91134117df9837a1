/* SPDX-License-Identifier: Apache-2.0 */
#include "store/functions.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "common/stats/stats.h"
#include "store/sqlite.h"

enum measure {
    MEDIAN,
    QUANTILE,
    VARIANCE,
    SD,
    STDERR,
    T_LOW,
    T_HIGH,
    BOOTSTRAP_LOW,
    BOOTSTRAP_HIGH,
    MEASURES
};

static const struct function {
    const char *name;
    enum measure measure;
    int args;
    bool keeps; /* needs all values at the end; the others count as they go */
} functions[MEASURES] = {
    { "median", MEDIAN, 1, true },
    { "quantile", QUANTILE, 2, true },
    { "variance", VARIANCE, 1, false },
    { "sd", SD, 1, false },
    { "stderr", STDERR, 1, false },
    { "t_low", T_LOW, 1, false },
    { "t_high", T_HIGH, 1, false },
    { "bootstrap_low", BOOTSTRAP_LOW, 1, true },
    { "bootstrap_high", BOOTSTRAP_HIGH, 1, true },
};

/* Of one group; SQLite hands it out zeroed. */
struct group {
    uint64_t n;
    double mean, squares; /* Welford (1962): of those that count as they go */
    double *value;        /* of those that keep */
    size_t cap;
    double p; /* quantile's */
    bool failed;
};

static const struct function *own(sqlite3_context *c)
{
    return sqlite3_user_data(c);
}

static void fail(sqlite3_context *c, struct group *g, const char *why)
{
    char *text = sqlite3_mprintf("%s(): %s", own(c)->name, why);

    sqlite3_result_error(c, text ? text : why, -1);
    sqlite3_free(text);
    if (g)
        g->failed = true;
}

static bool is_number(sqlite3_value *v)
{
    int type = sqlite3_value_type(v);

    return type == SQLITE_INTEGER || type == SQLITE_FLOAT;
}

static bool keep(struct group *g, double x)
{
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 64;
        double *more = sqlite3_realloc64(g->value, cap * sizeof *more);

        if (!more)
            return false;
        g->value = more;
        g->cap = cap;
    }
    g->value[g->n++] = x;
    return true;
}

static void count(struct group *g, double x)
{
    double d = x - g->mean;

    g->n++;
    g->mean += d / (double)g->n;
    g->squares += d * (x - g->mean);
}

/* P of quantile(x, p), looked at in every row. */
static bool take_p(sqlite3_context *c, struct group *g, sqlite3_value *v)
{
    double p = is_number(v) ? sqlite3_value_double(v) : (double)NAN;

    if (!(p >= 0.0 && p <= 1.0))
        fail(c, g, "the second argument is a share, 0 to 1");
    else if (g->n > 0 && p != g->p)
        fail(c, g, "the second argument changes within a group");
    g->p = p;
    return !g->failed;
}

static void step(sqlite3_context *c, int args, sqlite3_value **v)
{
    struct group *g = sqlite3_aggregate_context(c, sizeof *g);

    if (!g) {
        sqlite3_result_error_nomem(c);
        return;
    }
    if (g->failed || sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    if (!is_number(v[0])) {
        fail(c, g, "only numbers; CAST(x AS REAL) makes them of text");
        return;
    }
    if (args == 2 && !take_p(c, g, v[1]))
        return;
    if (!own(c)->keeps) {
        count(g, sqlite3_value_double(v[0]));
    } else if (g->n >= FUNCTIONS_VALUES_MAX) {
        fail(c, g, "more than 16,777,216 values in a group");
    } else if (!keep(g, sqlite3_value_double(v[0]))) {
        g->failed = true;
        sqlite3_result_error_nomem(c);
    }
}

static bool hits_only(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (x[i] != 0.0 && x[i] != 1.0)
            return false;
    }
    return true;
}

static void give_end(sqlite3_context *c, const struct stats_interval *i, bool high)
{
    if (i->valid)
        sqlite3_result_double(c, high ? i->hi : i->lo); /* not at all: NULL */
}

static void give_bootstrap(sqlite3_context *c, const struct group *g, bool high)
{
    struct stats_interval i;

    if (g->n > FUNCTIONS_BOOTSTRAP_MAX && !hits_only(g->value, g->n)) {
        fail(c, NULL,
             "more than 200,000 values that are not 0 or 1; avg(x) -+ 1.96 * stderr(x) serves for "
             "so many");
        return;
    }
    i = stats_bca(g->value, g->n);
    give_end(c, &i, high);
}

static void give_t(sqlite3_context *c, const struct group *g, double se, bool high)
{
    double half;

    if (g->n < 3 || !isfinite(se))
        return;
    half = stats_t_quantile(0.975, (double)g->n - 1.0) * se;
    sqlite3_result_double(c, high ? g->mean + half : g->mean - half);
}

static void give(sqlite3_context *c, const struct group *g)
{
    double variance = g->n > 1 ? g->squares / (double)(g->n - 1) : (double)NAN; /* NaN: NULL */

    switch (own(c)->measure) {
    case MEDIAN:
    case QUANTILE:
        stats_sort(g->value, g->n);
        sqlite3_result_double(
            c, stats_quantile_sorted(g->value, g->n, own(c)->measure == MEDIAN ? 0.5 : g->p));
        break;
    case VARIANCE:
        sqlite3_result_double(c, variance);
        break;
    case SD:
        sqlite3_result_double(c, sqrt(variance));
        break;
    case STDERR:
        sqlite3_result_double(c, sqrt(variance / (double)g->n));
        break;
    case T_LOW:
    case T_HIGH:
        give_t(c, g, sqrt(variance / (double)g->n), own(c)->measure == T_HIGH);
        break;
    case BOOTSTRAP_LOW:
    case BOOTSTRAP_HIGH:
        give_bootstrap(c, g, own(c)->measure == BOOTSTRAP_HIGH);
        break;
    case MEASURES:
        break;
    }
}

/* Also called when the statement is given up half-way: what the group holds goes here. */
static void finish(sqlite3_context *c)
{
    struct group *g = sqlite3_aggregate_context(c, 0);

    if (!g) /* no row */
        return;
    if (!g->failed && g->n > 0)
        give(c, g);
    sqlite3_free(g->value);
    g->value = NULL;
}

static void blob_hex(sqlite3_context *c, int args, sqlite3_value **v)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *bytes = sqlite3_value_blob(v[0]);
    size_t len = (size_t)sqlite3_value_bytes(v[0]);
    char *text;

    (void)args;
    if (sqlite3_value_type(v[0]) == SQLITE_NULL)
        return;
    text = sqlite3_malloc64(2 * len + 1);
    if (!text) {
        sqlite3_result_error_nomem(c);
        return;
    }
    for (size_t i = 0; i < len; i++) {
        text[2 * i] = digits[bytes[i] >> 4];
        text[2 * i + 1] = digits[bytes[i] & 15];
    }
    sqlite3_result_text64(c, text, 2 * len, sqlite3_free, SQLITE_UTF8);
}

/* What triggers ask (later.h); the writer of a store puts its own in place of this. */
static void never(sqlite3_context *c, int args, sqlite3_value **v)
{
    (void)args;
    (void)v;
    sqlite3_result_int(c, 0);
}

int functions_register(struct sqlite3 *db, struct err *err)
{
    const int flags = SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS;

    for (size_t i = 0; i < MEASURES; i++) {
        const struct function *f = &functions[i];

        if (sqlite3_create_function_v2(db, f->name, f->args, flags, (void *)(uintptr_t)f, NULL,
                                       step, finish, NULL) != SQLITE_OK)
            return sqlite_error(db, err, "function %s", f->name);
    }
    if (sqlite3_create_function_v2(db, "blob_hex", 1, flags, NULL, blob_hex, NULL, NULL, NULL) !=
        SQLITE_OK)
        return sqlite_error(db, err, "function blob_hex");
    if (sqlite3_create_function_v2(db, "sums_later", 0, SQLITE_UTF8 | SQLITE_INNOCUOUS, NULL, never,
                                   NULL, NULL, NULL) != SQLITE_OK)
        return sqlite_error(db, err, "function sums_later");
    return 0;
}
