/* SPDX-License-Identifier: Apache-2.0 */
/* backup_private.h - what the two files of the backup share. */
#ifndef STORE_BACKUP_PRIVATE_H
#define STORE_BACKUP_PRIVATE_H

#include <stdint.h>

#include "store/backup.h"

/* The store's blobs, STORE-blobs, into the new folder TO. *TOTAL grows by their bytes before
 * anything is copied, *DONE by what is. Nothing is left when it fails. */
int backup_blobs(const char *store, const char *to, const struct store_backup *how, uint64_t *done,
                 uint64_t *total, struct store_backup_done *ret, struct err *err) MUST_CHECK;
void backup_blobs_remove(const char *folder);

/* Is there room for BYTES in the folder of PATH? */
int backup_room(const char *path, uint64_t bytes, struct err *err) MUST_CHECK;
/* What was written at PATH reaches the disk; of a file also its entry in the folder. */
int backup_sync(const char *path, struct err *err) MUST_CHECK;
int backup_sync_folder_of(const char *path, struct err *err) MUST_CHECK;

#endif
