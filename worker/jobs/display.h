/* SPDX-License-Identifier: Apache-2.0 */
/* display.h - texts for people, as the wire takes them. Private to worker/jobs. */
#ifndef WORKER_JOBS_DISPLAY_H
#define WORKER_JOBS_DISPLAY_H

#include <stddef.h>

/* S with '?' for each byte that is no part of UTF-8, cut at the end of a character so that at most
 * MAX bytes are left; where something was cut the last character is an ellipsis (MAX >= 3). OUT has
 * room for MAX + 1 bytes. */
void display_text(char *out, const char *s, size_t max);
/* The same in new memory; free() it. NULL is "". */
char *display_copy(const char *s, size_t max);

#endif
