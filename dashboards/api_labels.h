/* SPDX-License-Identifier: Apache-2.0 */
/* api_labels.h - the handlers of labels, tables, SQL and reports, and what those of labels share.
 */
#ifndef DASHBOARDS_API_LABELS_H
#define DASHBOARDS_API_LABELS_H

#include "common/base/jsonw.h"
#include "dashboards/api.h"
#include "store/browse/labels.h"

/* GET experiments/:id/labels, experiments/:id/examples, labels/:id */
int api_labels(struct api_call *c, struct err *err);
int api_examples(struct api_call *c, struct err *err);
int api_label(struct api_call *c, struct err *err);
/* GET experiments/:id/tables, experiments/:id/tables/cell */
int api_tables(struct api_call *c, struct err *err);
int api_cell(struct api_call *c, struct err *err);
/* GET schema, reports/:name; POST query */
int api_schema(struct api_call *c, struct err *err);
int api_report(struct api_call *c, struct err *err);
int api_query(struct api_call *c, struct err *err);

/* Which labels are meant: run=, step=, task=, level=, split=; show=, at= (repeatable), min_layers=,
 * max_layers=, text=. Borrows from the request. */
struct label_question {
    uint64_t run;
    struct label_choice choice;
    struct store_label_filter filter;
    const char *text;
};
#define LABEL_SET_ARGS "run", "step", "task", "level", "split"
#define LABEL_ARGS     LABEL_SET_ARGS, "show", "at", "min_layers", "max_layers", "text"
int label_question_read(const struct request *r, struct label_question *ret,
                        struct err *err) MUST_CHECK;
/* The sets of EXPERIMENT that it is about. */
int label_question_sets(struct api_call *c, uint64_t experiment, const struct label_question *q,
                        struct label_sets *ret, struct err *err) MUST_CHECK;

/* A non-empty argument, or NULL. */
const char *api_text(const struct request *r, const char *name);

#endif
