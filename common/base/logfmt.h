/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt.h - printf for logfmt lines: whatever the values hold, a record is one line, and its keys
 * are those of the format. Texts may come from anybody (names of workers, words of a peer).
 *
 * A "%s" inside quotes is escaped: \" \\ \n \t \r, other control characters \xNN. One that is a
 * whole value, "key=%s", is put into quotes if it needs any (blanks, quotes, "=", empty). Other
 * characters of the format stand for themselves. A "%s" in front of which no "=" stands, outside of
 * quotes, is a part of the line that the caller has made: it only loses line breaks. */
#ifndef COMMON_BASE_LOGFMT_H
#define COMMON_BASE_LOGFMT_H

#include <stdarg.h>
#include <stddef.h>

/* At most SIZE - 1 (>= 64) bytes and a NUL into OUT; a line that is cut ends in "...", behind an
 * open quote closed by one. All of printf's conversions but %n, "*" also. Returns its length. */
size_t logfmt_vprint(char *out, size_t size, const char *format, va_list args);

#endif
