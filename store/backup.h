/* SPDX-License-Identifier: Apache-2.0 */
/* backup.h - a copy of a store as it is at one moment, while others write to it.
 *
 * The copy is made from one snapshot by a reading connection, so no writer waits for it; meanwhile
 * the store's log grows by what is written. It appears under its name when it is whole: copied,
 * checked (quick_check), fsynced. What was committed before the call is in it. Opened as a store it
 * is one: `drover run --store COPY` goes on from there. */
#ifndef STORE_BACKUP_H
#define STORE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "common/base/err.h"

struct store;

struct store_backup {
    const char *path; /* of the copy: must not exist */
    bool blobs;       /* also PATH-blobs, as hard links where the file system allows it */
    /* Now and then: DONE of TOTAL bytes. False: give up, ERR_CANCELLED. May be NULL. */
    bool (*progress)(uint64_t done, uint64_t total, void *arg);
    void *arg;
};
struct store_backup_done {
    uint64_t bytes;                    /* of the database */
    uint64_t files, file_bytes, links; /* of the blobs; links: of files, those not copied */
};

/* Copy the store that S reads (a reader, outside a transaction). When it fails nothing is left at
 * PATH. ERR_CONFLICT: something is there already; ERR_NOT_FOUND: its folder is not; ERR_FULL: no
 * space for it; ERR_CORRUPT: the store is damaged; ERR_READONLY, ERR_IO, ERR_INVALID. */
int store_backup(struct store *s, const struct store_backup *how, struct store_backup_done *ret,
                 struct err *err) MUST_CHECK;

#endif
