/* SPDX-License-Identifier: Apache-2.0 */
/* control.h - commands that change what is queued, wherever the store's one writer is: a
 * coordinator that is named, the one that holds the store's lock, or, when nobody does, this
 * process. */
#ifndef EXPERIMENTS_CLI_CONTROL_H
#define EXPERIMENTS_CLI_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/wire/wire.h"
#include "experiments/cli/cli.h"
#include "store/store.h"

/* The coordinator that --coordinator names, or that holds the store's lock: its endpoint, "" when
 * nobody does. ERR_CONFLICT as below; ERR_NOT_FOUND: no store. */
int control_find_writer(const struct options *o, char endpoint[STORE_ENDPOINT_MAX],
                        struct err *err) MUST_CHECK;

/* Carry out M. RET_TEXT gets a sentence for people, for WHY its JSON; *RET_JOBS how many jobs it
 * concerns. ERR_CONFLICT: a process that is no coordinator writes to the store. */
int control_do(const struct options *o, const Drover__Control *m, uint32_t *ret_jobs,
               struct buf *ret_text, struct err *err) MUST_CHECK;
/* Withdraw the jobs of EXPERIMENT in the same way. */
int control_cancel(const struct options *o, const char *experiment, uint32_t *ret_jobs,
                   struct err *err) MUST_CHECK;

/* Does TEXT name a job ("j42", "42", 8 or more digits of a key) rather than an experiment? */
bool control_names_job(const char *text);

#endif
