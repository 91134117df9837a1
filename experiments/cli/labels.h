/* SPDX-License-Identifier: Apache-2.0 */
/* labels.h - the parts of drover labels: which labels are meant, and what is done with them.
 * Private to cmd_labels.c and labels_*.c. */
#ifndef EXPERIMENTS_CLI_LABELS_H
#define EXPERIMENTS_CLI_LABELS_H

#include "common/base/json.h"
#include "experiments/cli/cli.h"
#include "store/store.h"

enum labels_do { LABELS_LIST, LABELS_STATS, LABELS_EXPORT, LABELS_VERIFY, LABELS_DUMP };

struct labels_arguments {
    struct options o;
    enum labels_do what;
    const char *experiment;
    struct store_label_filter filter; /* but the experiment's number */
    uint64_t limit;
    bool limited;
    const char *format, *output; /* export */
    const char *kernels;         /* verify */
    long threads;                /* verify; 0: all */
    bool quiet;
};

/* The arguments of a report that choose the same labels; json_free() them. */
struct json *labels_report_arguments(const struct labels_arguments *a) MUST_CHECK;
/* One character per layer: . | 2 */
void labels_strip(const char *routing, char *out, size_t size);

/* On the open store S, whose filter is complete. */
int labels_one(struct store *s, const struct labels_arguments *a, struct err *err) MUST_CHECK;
int labels_dump(struct store *s, const struct labels_arguments *a, struct err *err) MUST_CHECK;
int labels_export(struct store *s, const struct labels_arguments *a, struct err *err) MUST_CHECK;
/* *RET: the exit code. */
int labels_verify(struct store *s, const struct labels_arguments *a, const struct env *env,
                  int *ret, struct err *err) MUST_CHECK;

/* From the store's file or a coordinator. */
int labels_list(const struct labels_arguments *a, struct err *err) MUST_CHECK;
int labels_stats(const struct labels_arguments *a, struct err *err) MUST_CHECK;

#endif
