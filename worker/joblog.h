/* SPDX-License-Identifier: Apache-2.0 */
/* joblog.h - the last 64 KiB that a thread logged: what goes with a job's result. */
#ifndef WORKER_JOBLOG_H
#define WORKER_JOBLOG_H

#include <stddef.h>

enum { JOBLOG_BYTES = 65536 }; /* as the wire's limit for a log */

/* Install the sink: every log line goes to standard error and to its thread's log. After log_init,
 * before threads. */
void joblog_init(void);
/* From now on keep what the calling thread logs, starting empty. */
void joblog_begin(void);
/* Add TEXT, which other programs wrote, to what the calling thread keeps; not to standard error. */
void joblog_add(const char *text);
/* Stop keeping. The last whole lines, at most JOBLOG_BYTES bytes; free() them. NULL: none. */
char *joblog_end(void);

/* A copy of S with each byte that is no part of UTF-8 replaced by '?', for messages; free() it. */
char *text_clean(const char *s);

#endif
