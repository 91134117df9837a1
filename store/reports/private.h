/* SPDX-License-Identifier: Apache-2.0 */
/* private.h - what the files of reports share: a call, its arguments, and one function per report.
 */
#ifndef STORE_REPORTS_PRIVATE_H
#define STORE_REPORTS_PRIVATE_H

#include "common/base/json.h"
#include "common/base/jsonw.h"
#include "store/reports/reports.h"
#include "store/stmt.h"
#include "store/store.h"

/* A report being made. The document's object is open; "version" stands in it. */
struct report_call {
    struct store *s;
    const struct json *args; /* checked against the report's table of arguments */
    struct report_limits limits;
    struct jsonw w;
};

enum report_arg_type { ARG_TEXT, ARG_INTEGER, ARG_BOOL, ARG_TEXTS, ARG_ANY };
struct report_arg {
    const char *name; /* NULL ends the list */
    enum report_arg_type type;
    bool required;
};

struct report {
    const char *name, *help;
    const struct report_arg *args;
    int (*make)(struct report_call *c, struct err *err);
};

/* One file each: report_runs.c... */
extern const struct report report_cell, report_demand, report_diff, report_labels,
    report_label_stats, report_logs, report_plan, report_plot, report_query, report_runs,
    report_schema, report_show, report_status, report_table;

/* Arguments; FALLBACK when absent. */
const char *arg_text(const struct report_call *c, const char *name, const char *fallback);
int64_t arg_integer(const struct report_call *c, const char *name, int64_t fallback);
bool arg_bool(const struct report_call *c, const char *name, bool fallback);
/* Is TEXT one of the texts of the list NAME? */
bool arg_has(const struct report_call *c, const char *name, const char *text);

/* Column COLUMN of ST's row under KEY (NULL: the next element), by its type; bytes as hex. */
void put_column(struct jsonw *w, const char *key, const struct stmt *st, int column);
/* "ab12..." of the digest in COLUMN; null when there is none. */
void put_digest(struct jsonw *w, const char *key, const struct stmt *st, int column);

/* The rows that are left of ST as a list of objects, their members called as its columns; at most
 * rows_max of the call's limits. */
int put_rows(struct report_call *c, const char *key, struct stmt *st, struct err *err) MUST_CHECK;
/* The columns of ST's only row as members of the open object; ERR_NOT_FOUND when there is none. */
int put_members(struct report_call *c, struct stmt *st, struct err *err) MUST_CHECK;

/* Who is meant. A run: "17", "run 17" (or r17, run:17, run/17); a job: "job 17" (or j17...), or the
 * first 6 or more digits of its key. ERR_INVALID; ERR_NOT_FOUND. */
struct target {
    bool job;
    uint64_t id;
};
int report_target(struct store *s, const char *text, struct target *ret,
                  struct err *err) MUST_CHECK;
/* The same, of a run only. */
int report_target_run(struct store *s, const char *text, uint64_t *ret, struct err *err) MUST_CHECK;

/* The swept parameters of RUN as an object of recipe texts. */
int report_put_params(struct report_call *c, const char *key, uint64_t run,
                      struct err *err) MUST_CHECK;

/* The experiment that argument NAME names ("" or absent: the one submitted last). ERR_NOT_FOUND
 * with the nearest. */
int report_experiment(struct report_call *c, const char *name, uint64_t *ret,
                      struct err *err) MUST_CHECK;

/* docs/tables.md, NUL-terminated. */
extern const char tables_manual[];

/* 0, or ERR_LIMIT when the answer has grown beyond its limit. Asked after each row of a list. */
int report_fits(const struct report_call *c, struct err *err) MUST_CHECK;

#endif
