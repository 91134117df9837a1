/* SPDX-License-Identifier: Apache-2.0 */
/* doctor_private.h - what the parts of the doctor share. */
#ifndef STORE_KEEP_DOCTOR_PRIVATE_H
#define STORE_KEEP_DOCTOR_PRIVATE_H

#include "store/keep/doctor.h"

struct store;

struct doctor {
    const char *path;
    struct store *s;
    bool deep;
    doctor_fn fn;
    void *arg;
    enum doctor_state worst;
};

/* Tell of a finding; REMEDY "" when there is none. */
void doctor_tell(struct doctor *d, const char *check, enum doctor_state state, const char *remedy,
                 const char *format, ...) PRINTF_LIKE(5, 6);

/* doctor_rows.c: do the rows agree with each other? */
int doctor_rows(struct doctor *d, struct err *err) MUST_CHECK;
/* doctor_blobs.c: are the files there that the rows name? */
int doctor_blobs(struct doctor *d, struct err *err) MUST_CHECK;

#endif
