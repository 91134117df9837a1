/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/stmt.h"
#include "store/summary_private.h"

void summary_rows_release(struct summary_rows *r)
{
    free(r->correct);
    free(r->norm);
    free(r->first_logprob);
    free(r->layers);
    free(r->tokens);
    free(r->generated);
    free(r->non_execute);
    free(r->repeats);
    free(r->cut);
    free(r->subset);
    free(r->pick);
    free(r->gold);
    for (size_t i = 0; i < r->columns; i++) {
        free(r->column[i].name);
        free(r->column[i].x);
    }
    for (size_t i = 0; i < r->subsets && i < SUMMARY_SUBSETS_MAX; i++)
        free(r->subset_name[i]);
    *r = (struct summary_rows){ 0 };
}

static void grow(struct summary_rows *r)
{
    r->cap = MAX(256, 2 * r->cap);
    r->correct = mem_realloc(r->correct, r->cap, sizeof *r->correct);
    r->norm = mem_realloc(r->norm, r->cap, sizeof *r->norm);
    r->first_logprob = mem_realloc(r->first_logprob, r->cap, sizeof *r->first_logprob);
    r->layers = mem_realloc(r->layers, r->cap, sizeof *r->layers);
    r->tokens = mem_realloc(r->tokens, r->cap, sizeof *r->tokens);
    r->generated = mem_realloc(r->generated, r->cap, sizeof *r->generated);
    r->non_execute = mem_realloc(r->non_execute, r->cap, sizeof *r->non_execute);
    r->repeats = mem_realloc(r->repeats, r->cap, sizeof *r->repeats);
    r->cut = mem_realloc(r->cut, r->cap, sizeof *r->cut);
    r->subset = mem_realloc(r->subset, r->cap, sizeof *r->subset);
    r->pick = mem_realloc(r->pick, r->cap, sizeof *r->pick);
    r->gold = mem_realloc(r->gold, r->cap, sizeof *r->gold);
    for (size_t i = 0; i < r->columns; i++)
        r->column[i].x = mem_realloc(r->column[i].x, r->cap, sizeof *r->column[i].x);
}

/* Files list a subset's examples one after the other: the last one's is tried first. */
uint32_t summary_rows_subset(struct summary_rows *r, const char *name)
{
    if (r->subsets > SUMMARY_SUBSETS_MAX)
        return 0;
    if (r->last_subset < r->subsets && strcmp(r->subset_name[r->last_subset], name) == 0)
        return r->last_subset;
    for (uint32_t i = 0; i < r->subsets; i++) {
        if (strcmp(r->subset_name[i], name) == 0)
            return r->last_subset = i;
    }
    if (r->subsets < SUMMARY_SUBSETS_MAX) {
        r->subset_name[r->subsets] = mem_strdup(name);
        return (uint32_t)r->subsets++;
    }
    r->subsets++;
    return 0;
}

static int set_value(const char *name, struct json *value, void *arg)
{
    struct summary_rows *r = arg;
    size_t i = 0;

    if (!json_is_number(value))
        return 0;
    while (i < r->columns && strcmp(r->column[i].name, name) != 0)
        i++;
    if (i == SUMMARY_COLUMNS_MAX)
        return 0;
    if (i == r->columns) {
        struct summary_column *c = &r->column[r->columns++];

        c->name = mem_strdup(name);
        c->x = mem_calloc(r->cap, sizeof *c->x);
        for (size_t k = 0; k <= r->n; k++)
            c->x[k] = NAN;
    }
    r->column[i].x[r->n] = json_number(value, NAN);
    return 0;
}

static int add_values(struct summary_rows *r, const char *text, struct err *err)
{
    CLEANUP(json_cleanup) struct json *values = NULL;
    int rc;

    for (size_t i = 0; i < r->columns; i++)
        r->column[i].x[r->n] = NAN;
    if (!text)
        return 0;
    rc = json_parse(text, strlen(text), &values, err);
    if (rc < 0)
        return err_wrap(err, ERR_CORRUPT, "metrics of a score");
    return json_each(values, set_value, r);
}

double summary_rows_non_execute(const char *routing)
{
    size_t layers = routing ? strlen(routing) : 0, changed = 0;

    for (size_t i = 0; i < layers; i++)
        changed += routing[i] != '1';
    return layers ? (double)changed / (double)layers : (double)NAN;
}

int summary_rows_add(struct summary_rows *r, const struct stmt *st, struct err *err)
{
    const char *logprob = stmt_col_text(st, 7), *subset = stmt_col_text(st, 8);
    int rc;

    if (r->n == r->cap)
        grow(r);
    r->correct[r->n] = (double)stmt_col(st, 0);
    r->norm[r->n] = (double)stmt_col(st, 1);
    rc = add_values(r, stmt_col_text(st, 2), err);
    if (rc < 0)
        return rc;
    r->pick[r->n] = (int8_t)stmt_col(st, 3);
    r->gold[r->n] = (int8_t)stmt_col(st, 4);
    r->whole_set |= (uint32_t)stmt_col(st, 5);
    r->cut[r->n] = stmt_col(st, 6) > 0;
    r->truncated += r->cut[r->n];
    r->first_logprob[r->n] = logprob && logprob[0] == '[' ? strtod(logprob + 1, NULL) : NAN;
    r->choice = r->choice || r->pick[r->n] >= 0 || (logprob && strchr(logprob, ','));
    r->subset[r->n] = summary_rows_subset(r, subset ? subset : "");
    r->layers[r->n] = stmt_col_real(st, 9);
    r->tokens[r->n] = (double)stmt_col(st, 10);
    r->generated[r->n] = (double)stmt_col(st, 11);
    r->repeats[r->n] = stmt_col_u64(st, 12);
    r->non_execute[r->n] = summary_rows_non_execute(stmt_col_text(st, 15));
    r->n++;
    return 0;
}

const double *summary_rows_column(const struct summary_rows *r, const char *name)
{
    for (size_t i = 0; i < r->columns; i++) {
        if (strcmp(r->column[i].name, name) == 0)
            return r->column[i].x;
    }
    return NULL;
}
