/* SPDX-License-Identifier: Apache-2.0 */
/* report_labels.h - what the reports on labels share: which labels are meant. Private to
 * store/reports. */
#ifndef STORE_REPORTS_REPORT_LABELS_H
#define STORE_REPORTS_REPORT_LABELS_H

#include "store/reports/private.h"

/* "at": conditions "skip@3"; "id": 16 hex digits; "solved": improved or preserved. */
#define REPORT_LABEL_ARGS                                                                          \
    { "experiment", ARG_TEXT, false }, { "run", ARG_INTEGER, false }, { "step", ARG_TEXT, false }, \
        { "task", ARG_TEXT, false }, { "level", ARG_INTEGER, false },                              \
        { "split", ARG_TEXT, false }, { "id", ARG_TEXT, false }, { "improved", ARG_BOOL, false },  \
        { "preserved", ARG_BOOL, false }, { "unsolved", ARG_BOOL, false },                         \
        { "solved", ARG_BOOL, false }, { "shorter", ARG_BOOL, false },                             \
        { "min_layers", ARG_INTEGER, false }, { "max_layers", ARG_INTEGER, false },                \
    {                                                                                              \
        "at", ARG_TEXTS, false                                                                     \
    }

/* The filter borrows from the arguments. ERR_INVALID, ERR_NOT_FOUND. */
int report_label_filter(struct report_call *c, struct store_label_filter *ret,
                        struct err *err) MUST_CHECK;

#endif
