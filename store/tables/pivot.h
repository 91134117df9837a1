/* SPDX-License-Identifier: Apache-2.0 */
/* pivot.h - the numbers behind a table: sums per (run, step, family), gathered into the cells of
 * rows and columns. */
#ifndef STORE_TABLES_PIVOT_H
#define STORE_TABLES_PIVOT_H

#include "store/tables/tables.h"

/* One store_sums with strings of its own. */
struct sums {
    char step[TABLE_WORD_MAX], task[TABLE_WORD_MAX], split[16];
    int level;
    bool search;
    uint64_t run, seed, promised, n, correct, norm, labelled, preserved, improved, repeats;
    double layers_label, layers_all, layers_base;
    struct digest family;
};

struct run_param {
    uint64_t run;
    char name[TABLE_WORD_MAX], value[TABLE_WORD_MAX];
};

struct pivot {
    struct sums *sums;
    size_t sums_len, sums_cap;
    struct run_param *params;
    size_t params_len, params_cap;
};

int pivot_load(struct pivot *p, struct store *s, uint64_t experiment, struct err *err) MUST_CHECK;
void pivot_release(struct pivot *p);

/* The text of KEY ("task", "level", "split", or a parameter's name) for X; "" when the run has no
 * such parameter. */
const char *pivot_key(const struct pivot *p, const struct sums *x, const char *key,
                      char out[TABLE_WORD_MAX]);

/* Names of parameters (the seed apart) that differ between runs and are not among the KEYS. Returns
 * how many were added. */
size_t pivot_varying(const struct pivot *p, char keys[][TABLE_WORD_MAX], size_t keys_len);

/* What one seed contributes to a cell: the sum over its families. */
struct unit {
    uint64_t run, n, promised, correct, norm, labelled, preserved, improved, repeats;
    uint64_t n_least, n_most; /* of a family */
    double layers_label, layers_all, layers_base;
    bool search;
    struct digest *family; /* sorted */
    size_t families_len;
};

/* Add X to the unit of its run in UNITS (capacity grows). */
void units_add(struct unit **units, size_t *len, const struct sums *x);
/* Drop units whose families another unit has too: runs that share the results are one seed. */
void units_share(struct unit *units, size_t *len);
void units_free(struct unit *units, size_t len);

/* Compute what C shows of UNITS into CELL: value, interval, n, seeds, families, text. */
void cell_fill(struct table_cell *cell, const struct table_column *c, const struct unit *units,
               size_t len);

bool stat_is_percent(enum table_stat stat);

#endif
