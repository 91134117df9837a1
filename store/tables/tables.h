/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - from a table's specification to its cells: query, pivot, statistics, text.
 *
 * A recipe says     tables = ( { title = "Labels"; rows = ["task", "level"]; allow_unequal_n =
 * false; total = true; columns = ( { head = "n"; step = "labels"; stat = "n"; }, { head = "base";
 * step = "labels"; stat = "accuracy_ci"; digits = 1; } ); } );
 *
 * Rows are groups of (task, level, split, or a parameter of the sweep: any other name). Parameters
 * that differ between the runs of the experiment and are not among the rows become rows of their
 * own, in front: runs of different parameters are never averaged. What is left between the runs of
 * a group is the seed: a cell is the mean over seeds (runs that share the same results count once).
 * With "level" among the rows, each task with several levels ends in a total over its levels; the
 * same for "subset" (MMLU's subject...). Tasks of a group (glue, superglue, agieval) end in a row
 * of the group, with a note on the members that are missing.
 *
 * Unequal n, between seeds, columns of a row, or the levels of a total, or fewer examples than the
 * recipe asks for, are refused unless allow_unequal_n. Oracle numbers (the search knows the answer)
 * have "oracle" in their head, by force. */
#ifndef STORE_TABLES_TABLES_H
#define STORE_TABLES_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"

struct store;
struct conf_value;

/* NAME, word in a recipe, percent, what. For a search step "accuracy" is that of the default path,
 * for an evaluate step its own. */
#define TABLE_STATS(X)                                                                             \
    X(TABLE_N, "n", false, "examples")                                                             \
    X(TABLE_SEEDS, "seeds", false, "runs with results of their own")                               \
    X(TABLE_ACCURACY, "accuracy", true, "share of right answers")                                  \
    X(TABLE_ACCURACY_CI, "accuracy_ci", true, "the same with its 95 % interval")                   \
    X(TABLE_ACCURACY_NORM, "accuracy_norm", true, "choice tasks: by log-likelihood per character") \
    X(TABLE_ACCURACY_NORM_CI, "accuracy_norm_ci", true, "the same with its 95 % interval")         \
    X(TABLE_ORACLE, "oracle", true, "share of examples that some searched path answers right")     \
    X(TABLE_ORACLE_CI, "oracle_ci", true, "the same with its 95 % interval")                       \
    X(TABLE_PRESERVED, "preserved", true, "share right with the default path and with the label")  \
    X(TABLE_IMPROVED, "improved", true,                                                            \
      "share wrong with the default path and right with the label")                                \
    X(TABLE_LAYERS, "layers", false,                                                               \
      "search: mean layers of the label paths; evaluate: layers per token")                        \
    X(TABLE_LAYERS_ALL, "layers_all", false,                                                       \
      "search: the same, examples without label counted with all layers")                          \
    X(TABLE_LAYERS_BASE, "layers_base", false, "search: layers of the model")                      \
    X(TABLE_REPEATS, "count_repeats", false, "results that came more than once")                   \
    X(TABLE_METRIC, "metric", true, "evaluate: the metric that the column names")                  \
    X(TABLE_METRIC_SE, "metric_se", true, "the same with its standard error")

enum table_stat {
#define X(NAME, WORD, PERCENT, HELP) NAME,
    TABLE_STATS(X)
#undef X
        TABLE_STATS_LEN
};
const char *table_stat_word(enum table_stat stat);
const char *table_stat_help(enum table_stat stat);
const char *const *table_stat_words(void); /* NULL-terminated, in the order of the enum */

enum { TABLE_KEYS_MAX = 8, TABLE_COLUMNS_MAX = 32, TABLE_WORD_MAX = 64, TABLE_STEPS_MAX = 256 };

struct table_column {
    char head[TABLE_WORD_MAX];
    char step[TABLE_STEPS_MAX]; /* one step, or several divided by blanks: results of any of them */
    enum table_stat stat;
    int digits; /* behind the point; -1: 1 for percentages, 2 for layers, 0 for counts */
    char metric[TABLE_WORD_MAX]; /* of METRIC and METRIC_SE; "": the main one of each task */
};
struct table_spec {
    char title[128];
    char rows[TABLE_KEYS_MAX][TABLE_WORD_MAX];
    size_t rows_len;
    struct table_column column[TABLE_COLUMNS_MAX];
    size_t columns_len;
    bool allow_unequal_n, total;
};

/* The list "tables" of a recipe into *RET (free() it). ERR_INVALID with file:line. */
int table_specs_read(const struct conf_value *tables, struct table_spec **ret, size_t *ret_len,
                     struct err *err) MUST_CHECK;
/* What to show when the recipe names no tables: by task and level, for every search step n, base
 * accuracy, oracle, layers, preserved and improved, for every evaluate step its accuracy. Steps on
 * the same examples share a table. *RET is to be freed. ERR_NOT_FOUND: no step has examples. */
int table_specs_default(struct store *s, uint64_t experiment, struct table_spec **ret,
                        size_t *ret_len, struct err *err) MUST_CHECK;

enum table_align { TABLE_LEFT, TABLE_RIGHT };

struct table_cell {
    char *text;    /* "83.3 [78.1, 87.9]", "-" when there is nothing */
    bool known;    /* value is valid; false for keys and empty cells */
    double value;  /* shares 0..1 */
    bool interval; /* lo, hi valid */
    double lo, hi;
    bool has_error; /* error valid: standard error of value over the examples of one model */
    double error;
    uint64_t n; /* examples per seed */
    uint32_t seeds;
    struct digest *family; /* whose results these are, sorted, each once */
    size_t families_len;
};
struct table_head {
    char text[TABLE_WORD_MAX + 16];
    enum table_align align;
    bool key; /* a group's name, no number */
    bool oracle;
    char step[TABLE_STEPS_MAX];
    enum table_stat stat;
    char metric[TABLE_WORD_MAX];
};
struct table {
    char title[128];
    struct table_head *head;
    size_t columns;
    struct table_cell *cell; /* [rows * columns] */
    bool *total;             /* [rows]: sums up rows above it */
    size_t rows;
    char **note; /* sentences for below the table */
    size_t notes;
};

/* ERR_INVALID: a step that the experiment does not have, unequal n (the text says where and what to
 * do; the caller names the table); ERR_NOT_FOUND: no results yet. Works on both kinds of
 * connection. */
int table_make(struct store *s, uint64_t experiment, const struct table_spec *spec,
               struct table **ret, struct err *err) MUST_CHECK;
void table_free(struct table *t); /* NULL is fine */
void table_cleanup(struct table **t);

enum table_format { TABLE_TEXT, TABLE_MARKDOWN, TABLE_CSV, TABLE_LATEX, TABLE_JSON, TABLE_FORMATS };
const char *const *table_format_words(void); /* "text", "markdown", "csv", "latex", "json", NULL */

/* T in FORMAT appended to OUT, ending in a newline. LaTeX: a booktabs tabular (needs
 * \usepackage{booktabs}). JSON: one object with title, columns and rows; each cell carries value,
 * ci, stderr, n, seeds and the keys of its families. */
void table_print(const struct table *t, enum table_format format, struct buf *out);

#endif
