/* SPDX-License-Identifier: Apache-2.0 */
/* asking.h - a coordinator is asked again and again, by a thread of its own: whoever shows the
 * answers never waits for one. */
#ifndef EXPERIMENTS_CLI_ASKING_H
#define EXPERIMENTS_CLI_ASKING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/wire.h"
#include "experiments/cli/cli.h"

struct asking;

/* One round of answers: numbers and workers, or experiments, or nobody answered. */
struct asking_news {
    enum { ASKING_NUMBERS, ASKING_EXPERIMENTS, ASKING_SILENT } what;
    Drover__Envelope *answer; /* a Status, the taker's: wire_free(); SILENT: NULL */
    struct err err;           /* SILENT */
    uint64_t at_ms;
};

/* Ask the coordinator of O (must outlive the asking) every INTERVAL_MS; experiments, which cost it
 * more, less often when they take long. The first answer is awaited: errors of operate_endpoint()
 * and client_call(). When nobody answers it goes on, also looks where the store's coordinator is
 * now. */
int asking_start(struct asking **ret, const struct options *o, uint64_t interval_ms,
                 struct err *err) MUST_CHECK;
void asking_stop(struct asking *a); /* within some 100 ms; NULL is fine */

/* Can be read when asking_take() has something. */
int asking_fd(const struct asking *a);
/* Take the oldest news; false: none. Of more than a few the oldest are thrown away. */
bool asking_take(struct asking *a, struct asking_news *ret);
/* Whom it asks now. */
void asking_endpoint(struct asking *a, char *out, size_t size);

#endif
