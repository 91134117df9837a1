/* SPDX-License-Identifier: Apache-2.0 */
/* label.c - labels for people: a listing with filters, and the paths behind one (read.h). */
#include <stdlib.h>
#include <string.h>

#include "store/read.h"
#include "store/store_private.h"

/* What a parameter is when a job's text does not name it: kind search's and evaluate's defaults. */
#define DEFAULT_PROMPTS "harness"
enum { DEFAULT_FEWSHOT = -1 };

bool store_label_passes(const struct store_label_filter *f, const struct store_label_row *r)
{
    bool improved = r->has_label && !r->base_correct, preserved = r->has_label && r->base_correct;

    if ((f->improved || f->preserved || f->unsolved) && !(f->improved && improved) &&
        !(f->preserved && preserved) && !(f->unsolved && !r->has_label))
        return false;
    if ((f->shorter || f->min_layers || f->max_layers || f->at_len) && !r->routing)
        return false;
    if (f->shorter && r->label_layers >= r->layers)
        return false;
    if (r->label_layers < f->min_layers || (f->max_layers && r->label_layers > f->max_layers))
        return false;
    for (size_t i = 0; i < f->at_len; i++)
        if (f->at[i].layer >= r->layers || r->routing[f->at[i].layer] != f->at[i].choice)
            return false;
    return true;
}

static void read_row(const struct stmt *st, struct store_label_row *ret)
{
    *ret = (struct store_label_row){
        .experiment = stmt_col_text(st, 0),
        .step = stmt_col_text(st, 1),
        .run = stmt_col_u64(st, 2),
        .seed = stmt_col_u64(st, 3),
        .task = stmt_col_text(st, 4),
        .level = (int)stmt_col(st, 5),
        .split = stmt_col_text(st, 6),
        .index = stmt_col_u64(st, 7),
        .example = stmt_col_u64(st, 8),
        .source_id = stmt_col_text(st, 9),
        .question = stmt_col_text(st, 10),
        .gold = stmt_col_text(st, 11),
        .base_correct = stmt_col(st, 12) != 0,
        .has_label = stmt_col(st, 13) != 0,
        .routing = stmt_col_text(st, 14),
        .layers = (uint32_t)stmt_col(st, 15),
        .label_layers = (uint32_t)stmt_col(st, 16),
        .simulations = (uint32_t)stmt_col(st, 17),
        .evaluations = (uint32_t)stmt_col(st, 18),
        .base_answer = stmt_col_text(st, 19),
        .label_answer = stmt_col_text(st, 20),
        .hinted = (uint32_t)stmt_col(st, 21),
        .layer_rows = stmt_col_u64(st, 22),
        .layer_rows_whole = stmt_col_u64(st, 23),
        .wall_us = stmt_col_u64(st, 24),
        .id = stmt_col_u64(st, 25),
        .family = stmt_col_u64(st, 26),
    };
    /* People's SQL may have changed the column: what is read by layer has so many. */
    if (ret->routing && strlen(ret->routing) != ret->layers)
        ret->routing = NULL;
}

int store_list_labels(struct store *s, const struct store_label_filter *f, store_label_fn fn,
                      void *arg, struct err *err)
{
    struct stmt *st = USE(s, LABELS);
    uint64_t n = 0;
    int rc;

    stmt_u64(st, ":experiment", f->experiment);
    stmt_text(st, ":step", f->step);
    stmt_u64(st, ":run", f->run);
    stmt_text(st, ":split", f->split);
    stmt_text(st, ":task", f->task);
    stmt_int(st, ":level", f->level);
    stmt_u64(st, ":example", f->example);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_label_row row;

        read_row(st, &row);
        if (!store_label_passes(f, &row))
            continue;
        if (f->limit && n++ == f->limit) {
            stmt_reset(st);
            return 0;
        }
        rc = fn(&row, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

int store_label_paths(struct store *s, uint64_t id, store_path_fn fn, void *arg, struct err *err)
{
    struct stmt *st = USE(s, LABEL_PATHS);
    int rc;

    stmt_u64(st, ":label", id);
    while ((rc = stmt_step(st, err)) > 0) {
        struct store_path_row row = { .routing = stmt_col_text(st, 0),
                                      .right = stmt_col_real(st, 1) > 0.5,
                                      .answer = stmt_col_text(st, 2),
                                      .visits = (uint32_t)stmt_col(st, 3) };

        rc = fn(&row, arg);
        if (rc) {
            stmt_reset(st);
            return rc;
        }
    }
    return rc;
}

/* The value of NAME in the lines "name = value" of TEXT, without the quotes of a text; false: it is
 * not there. */
static bool find_param(const char *text, const char *name, char *out, size_t size)
{
    size_t len = strlen(name);

    for (const char *line = text; line && *line;) {
        const char *end = strchr(line, '\n'), *from = line + len + 3;

        if (strncmp(line, name, len) == 0 && strncmp(line + len, " = ", 3) == 0) {
            size_t n = end ? (size_t)(end - from) : strlen(from);

            if (n >= 2 && from[0] == '"' && from[n - 1] == '"') {
                from++;
                n -= 2;
            }
            n = MIN(n, size - 1);
            memcpy(out, from, n);
            out[n] = '\0';
            return true;
        }
        line = end ? end + 1 : NULL;
    }
    return false;
}

int store_family_model(struct store *s, uint64_t family, struct store_family_model *ret,
                       struct err *err)
{
    struct stmt *st = USE(s, FAMILY_MODEL);
    char number[32];
    const char *text;
    int rc;

    *ret = (struct store_family_model){ .prompts = DEFAULT_PROMPTS, .fewshot = DEFAULT_FEWSHOT };
    stmt_u64(st, ":family", family);
    rc = stmt_step(st, err);
    if (rc < 0)
        return rc;
    if (rc == 0)
        return err_set(err, ERR_NOT_FOUND,
                       "no job of these examples says which model they were evaluated with; submit "
                       "the recipe again");
    ret->model = stmt_col_digest(st, 0);
    ret->model_folder = stmt_col(st, 2) != 0;
    ret->task_file = stmt_col_digest(st, 3);
    ret->task_folder = stmt_col(st, 4) != 0;
    text = stmt_col_text(st, 1);
    (void)find_param(text, "prompts", ret->prompts, sizeof ret->prompts);
    if (find_param(text, "fewshot", number, sizeof number))
        ret->fewshot = (int)strtol(number, NULL, 10);
    stmt_reset(st);
    return 0;
}
