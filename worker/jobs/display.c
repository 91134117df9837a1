/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/display.h"

#include <assert.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/base/utf8.h"

static const char ellipsis[] = "\xE2\x80\xA6";

void display_text(char *out, const char *s, size_t max)
{
    size_t len = 0, fits = 0; /* bytes written; the longest cut that leaves room for the ellipsis */

    assert(max >= sizeof(ellipsis) - 1);
    while (*s) {
        size_t n = utf8_len(s), take = n ? n : 1;

        if (len + take > max) {
            memcpy(out + fits, ellipsis, sizeof(ellipsis));
            return;
        }
        if (n)
            memcpy(out + len, s, n);
        else
            out[len] = '?';
        len += take;
        s += take;
        if (len + sizeof(ellipsis) - 1 <= max)
            fits = len;
    }
    out[len] = '\0';
}

char *display_copy(const char *s, size_t max)
{
    size_t len = s ? strlen(s) : 0, room = MAX(len < max ? len : max, sizeof(ellipsis) - 1);
    char *out = mem_calloc(room + 1, 1);

    display_text(out, s ? s : "", room);
    return out;
}
