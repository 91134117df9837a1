/* SPDX-License-Identifier: Apache-2.0 */
/* ask.h - a report of store/reports, from the store's file or from a coordinator. */
#ifndef EXPERIMENTS_CLI_ASK_H
#define EXPERIMENTS_CLI_ASK_H

#include "common/base/json.h"
#include "experiments/cli/cli.h"

/* The answer to report WHAT with ARGUMENTS (an object; NULL: none; stays the caller's) in *RET
 * (json_free it). With --coordinator that one is asked (wire Ask: its limits of time and size
 * hold), else the file of --store is read. Errors as report_make's, store_open_read's and
 * client_call's. */
int ask_report(const struct options *o, const char *what, const struct json *arguments,
               struct json **ret, struct err *err) MUST_CHECK;

#endif
