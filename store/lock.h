/* SPDX-License-Identifier: Apache-2.0 */
/* lock.h - the writer's lock: flock on FILE-lock, whose content "pid endpoint\n" tells others where
 * to go. */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include <stddef.h>

#include "common/base/err.h"

/* Take the lock of the store at PATH and write our pid and ENDPOINT. *RET_FD holds it until
 * lock_drop(). ERR_CONFLICT names the holder; ERR_READONLY, ERR_NOT_FOUND (the folder), ERR_FULL,
 * ERR_IO. */
int lock_take(const char *path, const char *endpoint, int *ret_fd, struct err *err) MUST_CHECK;
int lock_write(int fd, const char *path, const char *endpoint, struct err *err) MUST_CHECK;
void lock_drop(int fd); /* < 0: nothing */

/* Who holds it? ERR_NOT_FOUND: nobody. */
int lock_holder(const char *path, int *ret_pid, char *ret_endpoint, size_t size,
                struct err *err) MUST_CHECK;

#endif
