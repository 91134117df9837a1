/* SPDX-License-Identifier: Apache-2.0 */
/* stops.h - stop strings in a text that grows. Private to worker/model. */
#ifndef WORKER_MODEL_STOPS_H
#define WORKER_MODEL_STOPS_H

#include <stddef.h>

/* Where the first of the N strings STOP begins in the LEN bytes of TEXT, looked for from the bytes
 * in which one could begin that ends behind FROM; LEN when there is none. Empty strings are never
 * found. */
size_t stops_find(const char *text, size_t len, size_t from, const char *const *stop, size_t n);
/* Bytes at the end of TEXT that are the beginning of a stop string: they cannot be shown yet. */
size_t stops_held(const char *text, size_t len, const char *const *stop, size_t n);

#endif
