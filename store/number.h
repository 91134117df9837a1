/* SPDX-License-Identifier: Apache-2.0 */
/* number.h - doubles as JSON text, and back: the same bits, fast. */
#ifndef STORE_NUMBER_H
#define STORE_NUMBER_H

#include <stddef.h>

enum { NUMBER_MAX = 32 }; /* bytes that number_print needs at most */

/* V as JSON into OUT[NUMBER_MAX], not terminated; returns the length. "null" when it is no finite
 * number. At most 17 digits, fewer where they are enough: correctly rounding readers (strtod,
 * Python) and SQLite's own, which computes in long double, read the same bits. */
size_t number_print(double v, char *out);

/* Parse a JSON list of numbers and nulls (NaN) into RET[MAX]; the count, or SIZE_MAX when TEXT is
 * no such list or longer. Only for texts of number_print: strtod's other words are not refused. */
size_t number_parse_list(const char *text, double *ret, size_t max);

#endif
