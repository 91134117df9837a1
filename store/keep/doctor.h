/* SPDX-License-Identifier: Apache-2.0 */
/* doctor.h - is a store sound? Looks only: nothing is written, and a coordinator may be at work on
 * it meanwhile. */
#ifndef STORE_KEEP_DOCTOR_H
#define STORE_KEEP_DOCTOR_H

#include <stdbool.h>

#include "common/base/err.h"

enum doctor_state { DOCTOR_OK, DOCTOR_WARNING, DOCTOR_BAD };
const char *doctor_state_name(enum doctor_state state); /* "ok", "warning", "bad" */

struct doctor_finding {
    const char *check; /* one word: "structure", "references", "results"... */
    enum doctor_state state;
    const char *text;   /* what was seen, with numbers */
    const char *remedy; /* what to do; "" when there is nothing to do */
};
typedef void (*doctor_fn)(const struct doctor_finding *f, void *arg);

/* Look at the store at PATH and tell FN of each check, in a fixed order: at least one finding per
 * check. DEEP also compares every index with its table and every blob with its digest, which reads
 * all of both. *RET is the worst state. ERR_NOT_FOUND, ERR_VERSION, ERR_IO: it could not be looked
 * at; what is damaged is a finding, not an error. */
int store_doctor(const char *path, bool deep, doctor_fn fn, void *arg, enum doctor_state *ret,
                 struct err *err) MUST_CHECK;

#endif
