/* SPDX-License-Identifier: Apache-2.0 */
/* log.h - one logfmt line per record: ts=... level=info who=coordinator event=lease_expired job=17.
 * EVENT is a fixed word so that tests and pages can match it. Only shells (daemons, commands) log.
 * Thread-safe. */
#ifndef COMMON_BASE_LOG_H
#define COMMON_BASE_LOG_H

#include <stdbool.h>

#include "common/base/macros.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVELS };

/* WHO names the program in every line; records above LEVEL are dropped. Call once, before threads.
 */
void log_init(const char *who, enum log_level level);
/* "error", "warn", "info" or "debug". False: TEXT is none of them, *RET stays. */
bool log_level_parse(const char *text, enum log_level *ret);
/* Are records of LEVEL written? Cheap: for those whose arguments cost something. */
bool log_on(enum log_level level);
/* Send lines to SINK instead of standard error (NULL: back to standard error). */
typedef void (*log_sink_fn)(const char *line, void *arg);
void log_set_sink(log_sink_fn sink, void *arg);
/* FORMAT gives further key=value pairs, may be "". Texts are escaped, and quoted where they stand
 * as a whole value (logfmt.h): write name=\"%s\" for those that people read. */
void log_write(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_write(LOG_INFO, __VA_ARGS__)
/* Its arguments are not looked at when it is off. */
#define log_debug(...) (log_on(LOG_DEBUG) ? log_write(LOG_DEBUG, __VA_ARGS__) : (void)0)

#endif
