/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - from a table's specification to its cells: query, pivot, statistics, text. The
 * language of specifications is docs/tables.md; spec.h holds what is read of one.
 *
 * Rows are groups of results by keys (task, level, split, subset, step, experiment, or a parameter
 * of the sweep). Parameters that differ between the runs of a column and are neither among rows nor
 * spread become rows of their own, in front: runs of different parameters are never averaged. What
 * is left between the runs of a group is the seed: a cell is an aggregate over seeds (runs that
 * share the same results count once). With "level" among the rows, each task with several levels
 * ends in a total over its levels; the same for "subset". Tasks of a group (glue, superglue,
 * agieval) end in a row of the group, with a note on the members that are missing.
 *
 * Unequal n, between seeds, columns of a row, or the levels of a total, or fewer examples than the
 * recipe asks for, are refused unless allow_unequal_n; then they are marked. Oracle numbers (the
 * search knows the answer) have "oracle" in their head, by force. */
#ifndef STORE_TABLES_TABLES_H
#define STORE_TABLES_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/base/err.h"
#include "store/tables/spec.h"

struct store;

/* What a number says of the one that is not known, where some runs did not reach a target. */
enum table_bound {
    TABLE_EXACT,
    TABLE_AT_LEAST, /* the true one is greater: "> 12.3" */
    TABLE_AT_MOST,  /* less */
    TABLE_EITHER    /* both sides have such runs */
};

struct table_comparison {
    bool made;                  /* the cell was compared with its baseline */
    double difference;          /* value - value of the baseline, unscaled */
    bool tested;                /* p, adjusted, method valid */
    double p, adjusted;         /* two-sided; adjusted: by Holm over the comparisons of the table */
    enum table_test method;     /* spec.h */
    int stars;                  /* 0..3 */
    size_t base;                /* index of the cell that it is compared with */
    bool again;                 /* an earlier cell of the row says the same: Holm counts it once */
    enum table_bracket bracket; /* NONE: there is no interval */
    double lo, hi;              /* paired 95 % interval of DIFFERENCE, unscaled */
    bool has_ratio;             /* the baseline is above 0 */
    double ratio;               /* value / value of the baseline - 1 */
    bool ratio_interval;        /* ratio_lo, ratio_hi valid: paired 95 % interval over seeds */
    double ratio_lo, ratio_hi;
    enum table_bound
        bound; /* what DIFFERENCE and RATIO say of runs that did not reach the target */
};
struct table_cell {
    char *text;   /* "83.3 [78.1, 87.9]" without marks; an en dash when there is nothing */
    bool known;   /* value is valid; false for keys and empty cells */
    double value; /* shares 0..1 */
    bool has_sd;  /* sd valid: over seeds */
    double sd;
    bool interval; /* lo, hi valid */
    double lo, hi;
    bool has_error; /* error valid: one seed: over its examples; several: over seeds */
    double error;
    uint64_t n;             /* examples per seed */
    uint32_t seeds, wanted; /* seeds with results; runs that should have some */
    uint32_t diverged;      /* of WANTED */
    uint32_t reached;       /* of SEEDS; of costs: the others never met the target */
    enum table_bound bound; /* of VALUE */
    bool missing;           /* nothing, where the column has something in other rows */
    bool unequal;           /* rests on other numbers of examples than its row, or than asked for */
    bool is_baseline, best, second;
    struct table_comparison compared;
    struct digest *family; /* whose results these are, sorted, each once */
    size_t families_len;
};
struct table_head {
    char text[TABLE_HEAD_MAX];                   /* the lowest line */
    char above[TABLE_DEPTH_MAX][TABLE_WORD_MAX]; /* the lines above it, outermost first */
    size_t depth;                                /* lines above */
    bool key;                                    /* a group's name, no number */
    bool right;                                  /* aligned to the right */
    bool oracle, percent;
    int digits;
    double scale;
    const struct table_column *column; /* NULL for keys; valid as long as the specification */
};
struct table_origin {
    char experiment[TABLE_WORD_MAX * 2];
    uint32_t revision;
    struct digest recipe;
    int64_t last_ms; /* end of the last job that gave a result; 0: none yet */
};
struct table {
    const struct table_spec *spec;
    char title[TABLE_TITLE_MAX];
    struct table_head *head;
    size_t columns, depth;   /* depth: most lines above a head */
    struct table_cell *cell; /* [rows * columns] */
    bool *total;             /* [rows]: sums up rows above it */
    size_t rows;
    char **note; /* sentences for below the table */
    size_t notes;
    struct table_origin *origin;
    size_t origins;
    struct digest checksum; /* of keys and values, not of their looks */
};

/* The experiments' tables. EXPERIMENTS: ids, at least one. STRICT: what is missing or unequal is
 * refused whatever the specification allows. ERR_INVALID: names that do not exist, unequal n (the
 * text says where and what to do); ERR_NOT_FOUND: no results yet. Works on both kinds of
 * connection. The specification must outlive the table. */
int table_make(struct store *s, const uint64_t *experiments, size_t experiments_len,
               const struct table_spec *spec, bool strict, struct table **ret,
               struct err *err) MUST_CHECK;
void table_free(struct table *t); /* NULL is fine */
void table_cleanup(struct table **t);

enum table_format { TABLE_TEXT, TABLE_MARKDOWN, TABLE_CSV, TABLE_LATEX, TABLE_JSON, TABLE_FORMATS };
const char *const *table_format_words(void); /* "text", "markdown", "csv", "latex", "json", NULL */

struct table_options {
    bool strict;
    bool no_footer;  /* footers are on, but for CSV */
    bool csv_footer; /* CSV: with a footer of lines that begin with # */
    bool ansi;       /* text: best in bold, second underlined, by escape sequences */
    size_t only;     /* the table of this number, from 1; 0: all */
    bool brief;      /* JSON: in one line, without the digests of the families behind each cell */
    bool titles;     /* tables_each: none is made, their texts are empty */
};

/* T in FORMAT appended to OUT, ending in a newline. LaTeX: booktabs (and siunitx when the
 * specification says so). JSON: one object. */
void table_print(const struct table *t, enum table_format format, const struct table_options *o,
                 struct buf *out);

/* Everything at once, for reports: the tables that SPEC_TEXT (name SPEC_NAME in errors; includes
 * already resolved) specifies, or with SPEC_TEXT NULL those of the recipe of EXPERIMENT's latest
 * revision, or the default ones when it names none, in FORMAT appended to OUT. EXPERIMENT ("" or
 * NULL: what the specification says, else the one submitted last) wins over the specification.
 * JSON: one object {"version":1,"tables":[..]}. What could be made is in OUT also when a later
 * table fails (JSON apart). */
int tables_text(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, const struct table_options *options,
                enum table_format format, struct buf *out, struct err *err) MUST_CHECK;

/* The same, one table at a time, so that one that cannot be made does not hide the others: FN gets
 * its number from 1, its title, and its text, or with RC < 0 the reason why there is none. A
 * failure of the request as a whole (recipe, specification) is returned. */
struct tables_one {
    size_t number, of;
    const char *title; /* "": none */
    int rc;
    const char *text; /* in FORMAT; the reason */
};
typedef int (*tables_fn)(const struct tables_one *t, void *arg);
int tables_each(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, const struct table_options *options,
                enum table_format format, tables_fn fn, void *arg, struct err *err) MUST_CHECK;

/* What stands behind one cell: a JSON object {"version":1, "table", "row", "column", "text",
 * "value", "sql": [..], "runs": [..], "jobs": [..], "examples": {..}} appended to OUT. TABLE:
 * number from 1 (0: the only one); ROW: number from 1, or "key=value,..."; COLUMN: number from 1,
 * or a head path "GSM8K/acc". The last of "sql" computes the cell's value by plain SQLite. Only on
 * a reading connection. */
int tables_cell(struct store *s, const char *spec_text, const char *spec_name,
                const char *experiment, size_t table, const char *row, const char *column,
                struct buf *out, struct err *err) MUST_CHECK;

#endif
