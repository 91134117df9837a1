/* SPDX-License-Identifier: Apache-2.0 */
/* Random points. Value i of a parameter is drawn from the stream ("sweep TARGET", seed, i): it
 * depends on nothing else, so more points or further parameters change none. No libm but sqrt,
 * which is exact, so the values are the same everywhere. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "common/base/rng.h"
#include "experiments/plan/keys_table.h"
#include "experiments/plan/reading.h"

enum law { UNIFORM, LOG_UNIFORM, INTEGERS, CHOICE, LAWS };
static const char *const law_names[LAWS] = { "uniform", "log_uniform", "integers", "choice" };

struct draw {
    enum law law;
    double low, high;
    int64_t first, last; /* INTEGERS */
    const struct conf_value *choice;
};

/* RATIO to the power of U, 0 <= U < 1: its binary digits select square roots. */
static double power(double ratio, double u)
{
    double root = ratio, out = 1;

    for (int i = 0; i < 53; i++) {
        root = sqrt(root);
        u *= 2;
        if (u >= 1) {
            out *= root;
            u -= 1;
        }
    }
    return out;
}

/* Nine digits are enough to tell points apart, and can be read; a narrow range gets more. */
static double shorten(double x, const struct draw *d)
{
    const double largest = MAX(fabs(d->low), fabs(d->high));
    char text[40];

    snprintf(text, sizeof(text), "%.*g", d->high - d->low < 1e-3 * largest ? 15 : 9, x);
    x = strtod(text, NULL);
    return MIN(MAX(x, d->low), d->high);
}

static int draw_value(const struct draw *d, struct rng *r, struct param_value *ret, struct err *err)
{
    switch (d->law) {
    case UNIFORM:
        ret->type = PARAM_REAL;
        ret->r = shorten(d->low + rng_double(r) * (d->high - d->low), d);
        return 0;
    case LOG_UNIFORM:
        ret->type = PARAM_REAL;
        ret->r = shorten(d->low * power(d->high / d->low, rng_double(r)), d);
        return 0;
    case INTEGERS:
        ret->type = PARAM_INT;
        ret->i = d->first + rng_below(r, (uint32_t)(d->last - d->first) + 1);
        return 0;
    case CHOICE:
        return value_read(conf_at(d->choice, rng_below(r, (uint32_t)conf_len(d->choice))), ret,
                          err);
    case LAWS:
        break;
    }
    return 0;
}

static int read_ends(const struct conf_value *v, struct draw *d, struct err *err)
{
    int rc;

    if ((conf_type(v) != CONF_ARRAY && conf_type(v) != CONF_LIST) || conf_len(v) != 2)
        return conf_error(err, v, "write [low, high]");
    if (d->law == INTEGERS) {
        rc = conf_int(conf_at(v, 0), -(INT64_C(1) << 53), INT64_C(1) << 53, &d->first, err);
        rc =
            rc ? rc : conf_int(conf_at(v, 1), -(INT64_C(1) << 53), INT64_C(1) << 53, &d->last, err);
        if (!rc && (d->last < d->first || d->last - d->first >= UINT32_MAX))
            rc = conf_error(err, v, "low is above high, or the range is wider than 2^32");
        return rc;
    }
    rc = conf_real(conf_at(v, 0), 1, 0, &d->low, err);
    rc = rc ? rc : conf_real(conf_at(v, 1), 1, 0, &d->high, err);
    if (!rc && (!isfinite(d->low) || !isfinite(d->high) || !isfinite(d->high - d->low) ||
                d->low >= d->high))
        rc = conf_error(err, v, "low must be below high");
    if (!rc && d->law == LOG_UNIFORM && d->low <= 0)
        rc = conf_error(err, v, "low must be above 0 where the logarithm is even");
    return rc;
}

static int read_law(const struct conf_value *v, struct draw *d, struct err *err)
{
    const struct conf_value *given = NULL;

    for (int i = 0; i < LAWS; i++) {
        const struct conf_value *x = conf_get(v, law_names[i]);
        if (x && given)
            return conf_error(err, x, "%s is given too; say one of them", law_names[d->law]);
        if (!x)
            continue;
        given = x;
        d->law = (enum law)i;
    }
    if (!given)
        return conf_error(err, v,
                          "say uniform = [low, high], log_uniform = [low, high], integers = "
                          "[low, high] or choice = [...]");
    if (d->law != CHOICE)
        return read_ends(given, d, err);
    d->choice = given;
    if ((conf_type(given) != CONF_ARRAY && conf_type(given) != CONF_LIST) || conf_len(given) == 0 ||
        conf_len(given) > RECIPE_VALUES_MAX)
        return conf_error(err, given, "write a list of 1 to %d values", RECIPE_VALUES_MAX);
    return 0;
}

static int read_dimension(struct recipe *r, const struct conf_value *v, size_t entry, size_t points,
                          uint64_t seed, struct err *err)
{
    const char *known[RECIPE_KEYS_MAX];
    struct buf purpose CLEANUP(buf_release) = { 0 };
    const struct conf_value *set;
    struct draw d = { 0 };
    struct recipe_axis *a;
    const char *target;
    int rc = conf_expect(v, CONF_GROUP, err);

    rc = rc ? rc : conf_check_keys(v, recipe_key_names(KEYS_RANDOM_COLUMN, known), err);
    rc = rc ? rc : conf_need(v, "set", CONF_TEXT, &set, err);
    rc = rc ? rc : conf_text(set, &target, err);
    rc = rc ? rc : read_law(v, &d, err);
    if (rc)
        return rc;
    char *where CLEANUP(mem_cleanup) = recipe_place(set);
    rc = recipe_add_axis(r, target, where, entry, &a, err);
    if (rc)
        return rc;
    a->value = mem_calloc(points, sizeof(*a->value));
    buf_printf(&purpose, "sweep %s", target);
    for (; !rc && a->len < points; a->len += rc == 0) {
        struct rng stream = rng_stream(buf_str(&purpose), seed, a->len);
        rc = draw_value(&d, &stream, &a->value[a->len], err);
    }
    return rc;
}

int recipe_read_random(struct recipe *r, const struct conf_value *v, size_t entry, struct err *err)
{
    const struct conf_value *random = conf_get(v, "random"), *count;
    int64_t points = 0, seed = 1;
    int rc = conf_expect(random, CONF_LIST, err);

    rc = rc ? rc : conf_need(v, "points", CONF_INT, &count, err);
    rc = rc ? rc : conf_int(count, 1, RECIPE_POINTS_MAX, &points, err);
    if (!rc && conf_get(v, "seed"))
        rc = conf_int(conf_get(v, "seed"), 0, INT64_MAX, &seed, err);
    if (!rc && conf_len(random) == 0)
        rc = conf_error(err, random,
                        "is empty; write { set = \"STEP.PARAMETER\"; uniform = [low, high]; }");
    r->entry[entry].len = (size_t)points;
    for (size_t i = 0; !rc && i < conf_len(random); i++)
        rc = read_dimension(r, conf_at(random, i), entry, (size_t)points, (uint64_t)seed, err);
    return rc;
}
