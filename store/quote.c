/* SPDX-License-Identifier: Apache-2.0 */
#include "store/quote.h"

void quote_sql(struct buf *out, const char *text)
{
    buf_addc(out, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_addc(out, '\'');
        buf_addc(out, *text);
    }
    buf_addc(out, '\'');
}
