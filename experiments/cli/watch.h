/* SPDX-License-Identifier: Apache-2.0 */
/* watch.h - drover status --watch: experiments, rates and workers, drawn each second. */
#ifndef EXPERIMENTS_CLI_WATCH_H
#define EXPERIMENTS_CLI_WATCH_H

#include "common/base/buf.h"
#include "common/wire/wire.h"

/* Ask ENDPOINT each second and show EXPERIMENT (NULL: all that have not ended), until the user ends
 * it or EXPERIMENT has ended. */
int watch_status(const char *endpoint, const char *experiment, struct err *err) MUST_CHECK;

/* ---- for its tests ---- */

struct watch;
struct watch *watch_new(bool all, bool utf8);
void watch_free(struct watch *w); /* NULL is fine */
/* The picture for S, NOW_MS on a clock that goes on: everything, for a terminal. */
void watch_picture(struct watch *w, const Drover__Status *s, uint64_t now_ms, struct buf *out);
/* A line for each experiment in which something changed since the last call. */
void watch_lines(struct watch *w, const Drover__Status *s, uint64_t now_ms, struct buf *out);

#endif
