/* SPDX-License-Identifier: Apache-2.0 */
/* tables.h - tables on the command line: an experiment's own, or those of a specification. */
#ifndef EXPERIMENTS_CLI_TABLES_H
#define EXPERIMENTS_CLI_TABLES_H

#include <stdio.h>

#include "common/base/err.h"
#include "common/base/json.h"
#include "common/conf/conf.h"
#include "experiments/cli/cli.h"
#include "experiments/plan/recipe.h"
#include "store/tables/tables.h"

/* What `drover table` and `drover cell` are asked about. */
struct tables_subject {
    const char *experiment; /* "": what the specification says, else the one submitted last */
    const char *spec_name;  /* a file; NULL: the experiment's recipe */
    char *spec_text;        /* with includes put in; NULL without SPEC_NAME */
};
/* WHAT is a file (a name with ".cfg" or "/" in it, or a file that is there), else an experiment;
 * NULL: the experiment submitted last. Errors as conf_open's. Start with { 0 }. */
int tables_subject_open(struct tables_subject *t, const char *what, const char *experiment,
                        struct err *err) MUST_CHECK;
void tables_subject_release(struct tables_subject *t);

/* Print the subject's tables to TO: from the store's file, or from a coordinator. */
int tables_show(const struct options *o, const struct tables_subject *t,
                const struct table_options *how, enum table_format format, FILE *to,
                struct err *err) MUST_CHECK;

/* Print every table that EXPERIMENT's latest recipe specifies ("": the experiment submitted last)
 * from the store at PATH; a recipe without tables gets the default one. JSON is one array. */
int tables_print(const char *path, const char *experiment, enum table_format format, FILE *to,
                 struct err *err) MUST_CHECK;
/* Are the tables that the recipe file C specifies well-formed, and do its steps exist? */
int tables_check(const struct conf *c, const struct recipe *r, struct err *err) MUST_CHECK;

#endif
