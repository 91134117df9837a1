/* SPDX-License-Identifier: Apache-2.0 */
/* report_plan.c - what a store knows about a plan that is not in it: {"states": "D-RW", one letter
 * per key that was asked for (D done, R ready or running, W waiting, F failed, C cancelled, S
 * skipped, - unknown), "families": examples stored in each, "kinds": past attempts of each}.
 *
 * Times are per unit (example, or job), over the last attempts of the same kind and numeric class;
 * when some of them had the same parameters, over those. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/stats/sample.h"
#include "store/reports/private.h"
#include "store/store_private.h"

static const struct report_arg args[] = {
    { "jobs", ARG_TEXTS, false },     /* keys, 64 hex digits */
    { "families", ARG_TEXTS, false }, /* likewise */
    { "kinds", ARG_ANY, false },      /* [{"kind", "class", "params": "name = value\n..."}...] */
    { 0 }
};

enum { SAME_MIN = 3, TIMES_MAX = 1000, KINDS_MAX = 1000 };

static char letter(const char *state)
{
    return strcmp(state, "SKIPPED") == 0 ? 'S' : *state;
}

static int put_states(struct report_call *c, struct err *err)
{
    const struct json *keys = json_get(c->args, "jobs");
    struct buf states CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < json_len(keys); i++) {
        struct digest key;
        int rc = digest_parse(json_text(json_at(keys, i)), &key, err);
        if (rc)
            return rc;
        struct stmt *st = USE(c->s, JOB_FIND);
        stmt_digest(st, ":key", &key);
        rc = stmt_step(st, err);
        if (rc < 0)
            return rc;
        buf_addc(&states, rc ? letter(stmt_col_text(st, 1)) : '-');
        stmt_reset(st);
    }
    jsonw_text(&c->w, "states", buf_str(&states));
    return 0;
}

static int count_stored(struct store *s, const struct digest *key, int64_t *ret, struct err *err)
{
    struct stmt *st = USE(s, REPORT_PLAN_FAMILY);
    int rc;

    *ret = 0;
    stmt_digest(st, ":key", key);
    rc = stmt_step(st, err);
    if (rc <= 0)
        return rc;
    struct stmt *count = kind_is_search(stmt_col_text(st, 1)) ? USE(s, REPORT_PLAN_LABELS)
                                                              : USE(s, REPORT_PLAN_SCORES);
    stmt_int(count, ":family", stmt_col(st, 0));
    stmt_reset(st);
    return stmt_get(count, ret, err);
}

static int put_families(struct report_call *c, struct err *err)
{
    const struct json *keys = json_get(c->args, "families");
    int rc = 0;

    jsonw_open_at(&c->w, "families", '[');
    for (size_t i = 0; !rc && i < json_len(keys); i++) {
        struct digest key;
        int64_t stored;

        rc = digest_parse(json_text(json_at(keys, i)), &key, err);
        rc = rc ? rc : count_stored(c->s, &key, &stored, err);
        if (!rc)
            jsonw_int(&c->w, NULL, stored);
    }
    jsonw_close(&c->w, ']');
    return rc;
}

/* ---- times ---- */

struct past {
    double ms[TIMES_MAX], bytes; /* per unit; bytes: of all outputs, summed */
    size_t n, with_output;
};

/* PARAMS without the lines that say which examples: a step's jobs differ in them. */
static void add_common(const char *params, struct buf *out)
{
    static const char *const which[] = { "task = ", "level = ", "split = ", "examples = " };

    for (const char *line = params; *line;) {
        const size_t len = strcspn(line, "\n");
        bool skip = false;

        for (size_t i = 0; i < ARRAY_LEN(which); i++)
            skip = skip || strncmp(line, which[i], strlen(which[i])) == 0;
        if (!skip)
            buf_add(out, line, len + (line[len] == '\n'));
        line += len + (line[len] == '\n');
    }
}

static bool is_same(const char *params, const struct buf *wanted, struct buf *scratch)
{
    buf_clear(scratch);
    add_common(params, scratch);
    return strcmp(buf_str(scratch), buf_str(wanted)) == 0;
}

static int load_past(struct store *s, const struct json *kind, bool same, struct past *p,
                     struct err *err)
{
    struct buf wanted CLEANUP(buf_release) = { 0 }, scratch CLEANUP(buf_release) = { 0 };
    struct stmt *st = USE(s, REPORT_PLAN_TIMES);
    int rc;

    *p = (struct past){ .n = 0 };
    stmt_text(st, ":kind", json_text(json_get(kind, "kind")));
    stmt_text(st, ":class", json_text(json_get(kind, "class")));
    add_common(json_text(json_get(kind, "params")), &wanted);
    while ((rc = stmt_step(st, err)) > 0) {
        if ((same && !is_same(stmt_col_text(st, 2), &wanted, &scratch)) || p->n == TIMES_MAX)
            continue;
        p->ms[p->n++] = stmt_col_real(st, 0) / stmt_col_real(st, 1);
        p->with_output += !stmt_is_null(st, 3);
        p->bytes += stmt_col_real(st, 3);
    }
    return rc;
}

static void put_past(struct jsonw *w, const struct past *p, bool same)
{
    jsonw_open(w, '{');
    jsonw_int(w, "n", (int64_t)p->n);
    jsonw_bool(w, "same_parameters", same);
    jsonw_real(w, "mean_ms", p->n ? stats_mean(p->ms, p->n) : NAN);
    jsonw_real(w, "sd_ms", p->n > 1 ? stats_sd(p->ms, p->n) : NAN);
    jsonw_real(w, "median_ms", p->n ? stats_quantile(p->ms, p->n, 0.5) : NAN);
    jsonw_real(w, "bytes", p->with_output ? p->bytes / (double)p->with_output : NAN);
    jsonw_close(w, '}');
}

static int put_kinds(struct report_call *c, struct err *err)
{
    const struct json *kinds = json_get(c->args, "kinds");
    struct past *p CLEANUP(mem_cleanup) = mem_calloc(1, sizeof(*p));
    int rc = 0;

    if (kinds && (!json_is_array(kinds) || json_len(kinds) > KINDS_MAX))
        return err_set(err, ERR_INVALID, "report plan: kinds is a list of at most %d", KINDS_MAX);
    jsonw_open_at(&c->w, "kinds", '[');
    for (size_t i = 0; !rc && i < json_len(kinds); i++) {
        const struct json *kind = json_at(kinds, i);

        if (!json_text(json_get(kind, "kind")) || !json_text(json_get(kind, "class")) ||
            !json_text(json_get(kind, "params")))
            return err_set(err, ERR_INVALID,
                           "report plan: kinds(%zu) has no kind, class and params", i);
        rc = load_past(c->s, kind, true, p, err);
        const bool same = p->n >= SAME_MIN;
        if (!rc && !same)
            rc = load_past(c->s, kind, false, p, err);
        if (!rc)
            put_past(&c->w, p, same);
    }
    jsonw_close(&c->w, ']');
    return rc;
}

static int make(struct report_call *c, struct err *err)
{
    int rc = put_states(c, err);

    rc = rc ? rc : put_families(c, err);
    return rc ? rc : put_kinds(c, err);
}

const struct report report_plan = { "plan", "What a store knows about a plan's jobs.", args, make };
