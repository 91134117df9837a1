/* SPDX-License-Identifier: Apache-2.0 */
/* tally.c - what tables need of a complete family, so that they never look at its rows (tally.h).
 */
#include "store/tally.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/store_private.h"

/* Columns of the table tally, in its order. */
struct sums {
    uint64_t n, correct, norm, labelled, preserved, improved, tokens, generated, truncated, repeats;
    double layers_label, layers_all, layers_base;
};

struct keeping {
    struct store *s;
    uint64_t family, examples;
    bool search;
};

static int put(const struct keeping *k, uint64_t part, const char *subset, uint64_t parts,
               const struct sums *x, struct err *err)
{
    struct stmt *st = USE(k->s, TALLY_PUT);

    stmt_u64(st, ":family", k->family);
    stmt_u64(st, ":examples", k->examples);
    stmt_u64(st, ":part", part);
    stmt_text(st, ":subset", subset);
    stmt_u64(st, ":parts", parts);
    stmt_int(st, ":search", k->search);
    stmt_u64(st, ":n", x->n);
    stmt_u64(st, ":correct", x->correct);
    stmt_u64(st, ":correct_norm", x->norm);
    stmt_u64(st, ":labelled", x->labelled);
    stmt_u64(st, ":preserved", x->preserved);
    stmt_u64(st, ":improved", x->improved);
    stmt_real(st, ":layers_label", x->layers_label);
    stmt_real(st, ":layers_all", x->layers_all);
    stmt_real(st, ":layers_base", x->layers_base);
    stmt_u64(st, ":tokens", x->tokens);
    stmt_u64(st, ":generated", x->generated);
    stmt_u64(st, ":truncated", x->truncated);
    stmt_u64(st, ":repeats", x->repeats);
    return stmt_run(st, err);
}

static void add_score(struct sums *x, const struct summary_rows *r, size_t i)
{
    x->n++;
    x->correct += r->correct[i] != 0.0;
    x->norm += r->norm[i] != 0.0;
    x->layers_label += r->layers[i];
    x->layers_all += r->layers[i];
    x->tokens += (uint64_t)r->tokens[i];
    x->generated += (uint64_t)r->generated[i];
    x->truncated += r->cut[i];
    x->repeats += r->repeats[i];
}

/* Sums of all, then of each subset. PARTS subsets of names NAME; OF[i]: that of result i. */
static int put_all(const struct keeping *k, const struct sums *all, const struct sums *part,
                   char *const *name, size_t parts, struct err *err)
{
    int rc = put(k, 0, "", parts, all, err);

    for (size_t i = 0; rc == 0 && i < parts; i++)
        rc = put(k, i + 1, name[i], 0, &part[i], err);
    return rc;
}

static int score_vectors(const struct keeping *k, const struct summary_rows *r, struct err *err)
{
    double *own = mem_calloc(MAX(r->n, 1), sizeof *own);
    int rc = vector_write(k->s, k->family, "correct", r->correct, r->n, err);

    if (rc == 0)
        rc = vector_write(k->s, k->family, "correct_norm", r->norm, r->n, err);
    for (size_t c = 0; rc == 0 && c < r->columns; c++) {
        const struct summary_column *col = &r->column[c];
        bool acc = strcmp(col->name, "acc") == 0; /* the verdict where it is not given */

        for (size_t i = 0; i < r->n; i++)
            own[i] = acc && isnan(col->x[i]) ? r->correct[i] : col->x[i];
        rc = vector_write(k->s, k->family, col->name, own, r->n, err);
    }
    if (rc == 0)
        rc = vector_write(k->s, k->family, "layers", r->layers, r->n, err);
    if (rc == 0)
        rc = vector_write(k->s, k->family, "tokens", r->tokens, r->n, err);
    if (rc == 0)
        rc = vector_write(k->s, k->family, "generated", r->generated, r->n, err);
    if (rc == 0)
        rc = vector_write(k->s, k->family, "non_execute", r->non_execute, r->n, err);
    free(own);
    return rc;
}

int tally_scores(struct store *s, uint64_t family, uint64_t examples, const struct summary_rows *r,
                 struct err *err)
{
    struct keeping k = { s, family, examples, false };
    size_t parts = r->subsets <= SUMMARY_SUBSETS_MAX ? r->subsets : 0;
    struct sums all = { 0 }, *part = mem_calloc(MAX(parts, 1), sizeof *part);
    uint64_t have = 0;
    int rc;

    for (size_t i = 0; i < r->n; i++) {
        add_score(&all, r, i);
        if (parts > 0)
            add_score(&part[r->subset[i]], r, i);
    }
    rc = put_all(&k, &all, part, r->subset_name, parts, err);
    free(part);
    if (rc == 0)
        rc = vector_length(s, family, &have, err);
    return rc == 0 && have < r->n ? score_vectors(&k, r, err) : rc;
}

/* The labels of a family, column by column. */
struct labels {
    size_t n, cap;
    double *base, *oracle, *layers_label, *layers_all, *layers_base;
    struct summary_rows parts; /* of it the subsets only */
    struct sums all, *part;
};

static void labels_release(struct labels *l)
{
    free(l->base);
    free(l->oracle);
    free(l->layers_label);
    free(l->layers_all);
    free(l->layers_base);
    free(l->part);
    summary_rows_release(&l->parts);
}

static void grow(struct labels *l)
{
    l->cap = MAX(256, 2 * l->cap);
    l->base = mem_realloc(l->base, l->cap, sizeof *l->base);
    l->oracle = mem_realloc(l->oracle, l->cap, sizeof *l->oracle);
    l->layers_label = mem_realloc(l->layers_label, l->cap, sizeof *l->layers_label);
    l->layers_all = mem_realloc(l->layers_all, l->cap, sizeof *l->layers_all);
    l->layers_base = mem_realloc(l->layers_base, l->cap, sizeof *l->layers_base);
}

static void add_label(struct sums *x, const struct labels *l, size_t i, uint64_t repeats)
{
    bool base = l->base[i] != 0.0, oracle = l->oracle[i] != 0.0;

    x->n++;
    x->correct += base;
    x->labelled += oracle;
    x->preserved += base && oracle;
    x->improved += !base && oracle;
    x->layers_label += oracle ? l->layers_all[i] : 0.0;
    x->layers_all += l->layers_all[i];
    x->layers_base += l->layers_base[i];
    x->repeats += repeats;
}

static void take_label(struct labels *l, const struct stmt *st)
{
    size_t i = l->n, before = l->parts.subsets;
    const char *subset = stmt_col_text(st, 5);
    uint32_t place;

    if (l->n == l->cap)
        grow(l);
    l->base[i] = (double)stmt_col(st, 0);
    l->oracle[i] = (double)stmt_col(st, 1);
    l->layers_all[i] = (double)stmt_col(st, 2);
    l->layers_label[i] = l->oracle[i] != 0.0 ? l->layers_all[i] : (double)NAN;
    l->layers_base[i] = (double)stmt_col(st, 3);
    place = summary_rows_subset(&l->parts, subset ? subset : "");
    if (l->parts.subsets > before && l->parts.subsets <= SUMMARY_SUBSETS_MAX) {
        l->part = mem_realloc(l->part, l->parts.subsets, sizeof *l->part);
        l->part[l->parts.subsets - 1] = (struct sums){ 0 };
    }
    add_label(&l->all, l, i, stmt_col_u64(st, 4));
    add_label(&l->part[place], l, i, stmt_col_u64(st, 4));
    l->n++;
}

static int label_vectors(const struct keeping *k, const struct labels *l, struct err *err)
{
    int rc = vector_write(k->s, k->family, "base", l->base, l->n, err);

    if (rc == 0)
        rc = vector_write(k->s, k->family, "oracle", l->oracle, l->n, err);
    if (rc == 0)
        rc = vector_write(k->s, k->family, "layers", l->layers_label, l->n, err);
    if (rc == 0)
        rc = vector_write(k->s, k->family, "layers_all", l->layers_all, l->n, err);
    return rc == 0 ? vector_write(k->s, k->family, "layers_base", l->layers_base, l->n, err) : rc;
}

int tally_labels(struct store *s, uint64_t family, uint64_t examples, struct err *err)
{
    CLEANUP(labels_release) struct labels l = { 0 };
    struct keeping k = { s, family, examples, true };
    struct stmt *st = USE(s, FAMILY_LABELS);
    size_t parts;
    uint64_t have = 0;
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":examples", examples);
    while ((rc = stmt_step(st, err)) > 0)
        take_label(&l, st);
    if (rc < 0)
        return rc;
    parts = l.parts.subsets <= SUMMARY_SUBSETS_MAX ? l.parts.subsets : 0;
    rc = put_all(&k, &l.all, l.part, l.parts.subset_name, parts, err);
    if (rc == 0)
        rc = vector_length(s, family, &have, err);
    return rc == 0 && have < l.n ? label_vectors(&k, &l, err) : rc;
}

int tally_repeat(struct store *s, uint64_t family, uint64_t idx, uint64_t example, struct err *err)
{
    struct stmt *st = USE(s, TALLY_REPEAT);

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":idx", idx);
    stmt_u64(st, ":example", example);
    return stmt_run(st, err);
}
