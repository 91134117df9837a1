/* SPDX-License-Identifier: Apache-2.0 */
/* control_private.h - what the files of control.h share. */
#ifndef STORE_CONTROL_PRIVATE_H
#define STORE_CONTROL_PRIVATE_H

#include <stdint.h>

#include "common/base/err.h"

struct store;

/* RETRY of store_control(), inside its savepoint. */
int control_retry(struct store *s, uint64_t experiment, const char *step, const char *job,
                  uint32_t *ret_jobs, struct err *err) MUST_CHECK;

#endif
