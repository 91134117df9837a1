/* SPDX-License-Identifier: Apache-2.0 */
/* quote.h - a text as an SQL literal, for statements that people are shown: 'it''s'. Statements
 * that drover runs itself bind their values. */
#ifndef STORE_QUOTE_H
#define STORE_QUOTE_H

#include "common/base/buf.h"

/* TEXT between single quotes, its own doubled, appended to OUT. */
void quote_sql(struct buf *out, const char *text);

#endif
