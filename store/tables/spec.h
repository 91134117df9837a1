/* SPDX-License-Identifier: Apache-2.0 */
/* spec.h - what a table is to show: a specification, read from a recipe or a file of its own. */
#ifndef STORE_TABLES_SPEC_H
#define STORE_TABLES_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "store/tables/amount.h"

struct store;
struct conf;
struct conf_value;
struct cond;

/* NAME, word in a recipe, percent, better (+1 higher, -1 lower, 0 neither), what. For a search step
 * "accuracy" is that of the default path, for an evaluate step its own. */
#define TABLE_STATS(X)                                                                             \
    X(TABLE_N, "n", false, 0, "examples")                                                          \
    X(TABLE_SEEDS, "seeds", false, 0, "runs with results of their own")                            \
    X(TABLE_ACCURACY, "accuracy", true, 1, "share of right answers")                               \
    X(TABLE_ACCURACY_CI, "accuracy_ci", true, 1, "the same with its 95 % interval")                \
    X(TABLE_ACCURACY_NORM, "accuracy_norm", true, 1,                                               \
      "choice tasks: by log-likelihood per character")                                             \
    X(TABLE_ACCURACY_NORM_CI, "accuracy_norm_ci", true, 1, "the same with its 95 % interval")      \
    X(TABLE_ORACLE, "oracle", true, 1, "share of examples that some searched path answers right")  \
    X(TABLE_ORACLE_CI, "oracle_ci", true, 1, "the same with its 95 % interval")                    \
    X(TABLE_PRESERVED, "preserved", true, 1,                                                       \
      "share right with the default path and with the label")                                      \
    X(TABLE_IMPROVED, "improved", true, 1,                                                         \
      "share wrong with the default path and right with the label")                                \
    X(TABLE_LAYERS, "layers", false, -1,                                                           \
      "search: mean layers of the label paths; evaluate: layers per token")                        \
    X(TABLE_LAYERS_ALL, "layers_all", false, -1,                                                   \
      "search: the same, examples without label counted with all layers")                          \
    X(TABLE_LAYERS_BASE, "layers_base", false, -1, "search: layers of the model")                  \
    X(TABLE_REPEATS, "count_repeats", false, 0, "results that came more than once")                \
    X(TABLE_METRIC, "metric", true, 1, "evaluate: the metric that the column names")               \
    X(TABLE_METRIC_SE, "metric_se", true, 1, "the same with its standard error")                   \
    X(TABLE_TOKENS, "tokens", false, -1, "evaluate: token rows per example")                       \
    X(TABLE_GENERATED, "generated", false, -1, "evaluate: tokens generated per example")           \
    X(TABLE_SHORTER, "shorter", true, 1,                                                           \
      "search: of the examples right by the default path, the share with a shorter right path")    \
    X(TABLE_RESCUED, "rescued", true, 1,                                                           \
      "search: of the examples wrong by the default path, the share with a right path")            \
    X(TABLE_EVALUATIONS, "evaluations", false, -1, "search: distinct paths evaluated per example") \
    X(TABLE_ROWS, "rows", false, -1,                                                               \
      "search: layer applications times token rows computed per example")                          \
    X(TABLE_TIME, "time_ms", false, -1, "milliseconds per example, as its worker measured them")   \
    X(TABLE_APPLICATIONS, "applications", false, -1,                                               \
      "evaluate: layer applications per example, summed over its forward passes")                  \
    X(TABLE_NON_EXECUTE, "non_execute", true, 0,                                                   \
      "evaluate: share of layers that are skipped or repeated")                                    \
    X(TABLE_EXACT_PATH, "exact_path", true, 1,                                                     \
      "evaluate by a router, with labels: share of examples that get their label's path")          \
    X(TABLE_F1_SKIP, "f1_skip", true, 1, "evaluate beside labels: F1 of the layers skipped")       \
    X(TABLE_F1_EXECUTE, "f1_execute", true, 1,                                                     \
      "evaluate beside labels: F1 of the layers executed")                                         \
    X(TABLE_F1_REPEAT, "f1_repeat", true, 1, "evaluate beside labels: F1 of the layers repeated")  \
    X(TABLE_MACRO_F1, "macro_f1", true, 1, "evaluate beside labels: mean of the three that occur") \
    X(TABLE_RESPONSE_TOKENS, "response_tokens", false, -1,                                         \
      "evaluate with visible reasoning: tokens of a response")                                     \
    X(TABLE_THINK_TOKENS, "think_tokens", false, -1,                                               \
      "evaluate with visible reasoning: tokens between the think tags")                            \
    X(TABLE_UNTRUNCATED_TOKENS, "untruncated_tokens", false, -1,                                   \
      "evaluate with visible reasoning: tokens of the responses that were not cut")                \
    X(TABLE_TRUNCATED, "truncated", true, -1,                                                      \
      "evaluate with visible reasoning: share of responses cut at max_new")                        \
    X(TABLE_WELL_FORMED, "well_formed", true, 1,                                                   \
      "evaluate with visible reasoning: share of one think span, one answer span, no more")        \
    X(TABLE_TRAINING, "training", false, 0, "a number that a training step reported")              \
    X(TABLE_COST, "cost", false, -1,                                                               \
      "what training had cost (metric) at the first check that met the target")                    \
    X(TABLE_SECONDS, "seconds", false, -1, "wall time of the step's jobs per run")

/* Those of visible reasoning, for switches. */
#define CASES_OF_THOUGHT                                                                           \
    case TABLE_RESPONSE_TOKENS:                                                                    \
    case TABLE_THINK_TOKENS:                                                                       \
    case TABLE_UNTRUNCATED_TOKENS:                                                                 \
    case TABLE_TRUNCATED:                                                                          \
    case TABLE_WELL_FORMED

enum table_stat {
#define X(NAME, WORD, PERCENT, BETTER, HELP) NAME,
    TABLE_STATS(X)
#undef X
        TABLE_STATS_LEN
};
const char *table_stat_word(enum table_stat stat);
const char *table_stat_help(enum table_stat stat);
const char *const *table_stat_words(void); /* NULL-terminated, in the order of the enum */

enum {
    TABLE_KEYS_MAX = 8,
    TABLE_COLUMNS_MAX = 64, /* as written */
    TABLE_FLAT_MAX = 1024,  /* times the values of spread */
    TABLE_DEPTH_MAX = 6,    /* lines of heads above the lowest */
    TABLE_WORD_MAX = 64,
    TABLE_HEAD_MAX = TABLE_WORD_MAX + 16,
    TABLE_STEPS_MAX = 256,
    TABLE_TITLE_MAX = 256,
    TABLE_EXPERIMENTS_MAX = 64,
    TABLE_TARGETS_MAX = 8
};

enum table_aggregate { /* over the values of seeds */
                       TABLE_MEAN,
                       TABLE_SD,
                       TABLE_SE,
                       TABLE_CI, /* the mean with its interval */
                       TABLE_MEDIAN,
                       TABLE_MIN,
                       TABLE_MAX,
                       TABLE_SUM,
                       TABLE_COUNT, /* n: examples */
                       TABLE_RUNS,  /* seeds */
                       TABLE_AGGREGATES
};
enum table_take { TABLE_LAST, TABLE_LEAST, TABLE_MOST, TABLE_AVERAGE }; /* of a training metric */
enum table_interval { TABLE_INTERVAL_AUTO, TABLE_INTERVAL_T, TABLE_INTERVAL_BOOTSTRAP };
enum table_bracket { /* what an interval of a difference is made of */
                     TABLE_BRACKET_NONE,
                     TABLE_BRACKET_EXAMPLES, /* BCa of one model each */
                     TABLE_BRACKET_BOTH,     /* seeds, then examples */
                     TABLE_BRACKET_SEEDS,    /* Student's t */
                     TABLE_BRACKETS
};
enum table_test { TABLE_PAIRED, TABLE_MCNEMAR, TABLE_PAIRED_SEEDS, TABLE_WELCH, TABLE_TESTS };

/* What a cell shows behind its value, as bits; 0: what its stat says. */
enum {
    TABLE_SHOW_VALUE = 1,
    TABLE_SHOW_SD = 2,
    TABLE_SHOW_SE = 4,
    TABLE_SHOW_CI = 8,
    TABLE_SHOW_N = 16,
    TABLE_SHOW_SEEDS = 32,
    TABLE_SHOW_DIFFERENCE = 64,
    TABLE_SHOW_DIFFERENCE_CI = 128,
    TABLE_SHOW_RATIO = 256, /* relative difference from the baseline */
    TABLE_SHOW_RATIO_CI = 512,
    TABLE_SHOW_REACHED = 1024, /* of COST: "4 of 5" */
    TABLE_SHOW_COMPARED = TABLE_SHOW_DIFFERENCE | TABLE_SHOW_RATIO
};
/* marks */
enum { TABLE_MARK_BEST = 1, TABLE_MARK_SECOND = 2, TABLE_MARK_SIGNIFICANCE = 4 };

/* What a check must show: its number of METRIC at least, or at most, BOUND. */
struct table_target {
    char metric[TABLE_WORD_MAX];
    bool most;
    struct amount bound;
};

struct table_column {
    char head[TABLE_WORD_MAX];
    char step[TABLE_STEPS_MAX]; /* one step, or several divided by blanks: results of any of them;
                                   "": every step */
    enum table_stat stat;
    int digits; /* behind the point; -1: 1 for percentages, 2 for layers and means, 0 for counts */
    char metric[TABLE_WORD_MAX]; /* of METRIC and METRIC_SE ("": the main one of each task), of
                                    TRAINING and COST */
    char above[TABLE_DEPTH_MAX][TABLE_WORD_MAX]; /* heads above, outermost first */
    size_t depth;
    enum table_aggregate aggregate;
    enum table_take take;
    enum table_interval interval;
    unsigned show;
    char baseline[TABLE_TITLE_MAX];           /* head path as of the table's, which it overrides */
    const struct conf_value *baseline_source; /* NULL: the table's */
    int better;                               /* +1 higher, -1 lower, 0: as the stat says */
    double scale;                             /* 0: 100 for shares, else 1 */
    char experiment[TABLE_WORD_MAX * 2];      /* "": any of the table's */
    struct cond *where;                       /* NULL: all */
    struct table_target *target;              /* of COST: all of them hold at the check */
    size_t targets;
    bool sum_stages;                 /* of COST: the number begins anew in every stage */
    const struct conf_value *source; /* for errors; NULL: made by hand */
};

struct table_key {
    char name[TABLE_WORD_MAX];
    char head[TABLE_WORD_MAX];
    struct table_value {
        char value[TABLE_WORD_MAX], text[TABLE_WORD_MAX];
    } * value; /* in the order to show; others follow */
    size_t values_len;
    bool only; /* others are left out */
    const struct conf_value *source;
};

struct table_spec {
    char title[TABLE_TITLE_MAX], label[TABLE_WORD_MAX];
    char *caption; /* NULL: none */
    char *note;    /* a sentence below the table; NULL: none */
    struct table_key rows[TABLE_KEYS_MAX];
    size_t rows_len;
    struct table_key spread[TABLE_KEYS_MAX];
    size_t spread_len;
    struct table_column column[TABLE_COLUMNS_MAX];
    size_t columns_len;
    bool allow_unequal_n, total;
    unsigned marks;
    char best_per[TABLE_WORD_MAX]; /* "column", "row", or a key: within rows that share its value */
    struct cond *where;
    char baseline[TABLE_TITLE_MAX]; /* head path of a column; "": none */
    struct cond *baseline_row;      /* which rows; NULL: none */
    bool siunitx;
    const struct conf_value *source, *where_source, *baseline_source;
};

/* The list "tables" of a recipe into *RET (table_specs_free() it). Text of errors: file:line. The
 * specifications point into TABLES' conf, which must outlive them. */
int table_specs_read(const struct conf_value *tables, struct table_spec **ret, size_t *ret_len,
                     struct err *err) MUST_CHECK;
/* A specification file: "experiment" or "experiments" into NAMES (which point into the conf), and
 * "tables" or one table at the root. */
int table_file_read(const struct conf_value *root, const char *names[TABLE_EXPERIMENTS_MAX],
                    size_t *ret_names, struct table_spec **ret, size_t *ret_len,
                    struct err *err) MUST_CHECK;
/* What to show when the recipe names no tables: by task and level, for every search step n, base
 * accuracy, oracle, layers, preserved and improved, for every evaluate step its accuracy. Steps on
 * the same examples share a table. Where no step has examples: the last values of what training
 * steps reported, by the parameters that vary; of steps that reported a lot a handful.
 * ERR_NOT_FOUND: nothing of either. */
int table_specs_default(struct store *s, uint64_t experiment, struct table_spec **ret,
                        size_t *ret_len, struct err *err) MUST_CHECK;
void table_specs_free(struct table_spec *list, size_t len); /* NULL is fine */

#endif
