/* SPDX-License-Identifier: Apache-2.0 */
#include "common/base/jsonw.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/utf8.h"

static void before(struct jsonw *w, const char *key)
{
    if (key) {
        jsonw_key(w, key);
    } else if (w->comma) {
        buf_addc(w->to, ',');
    }
    w->comma = true;
}

void jsonw_open(struct jsonw *w, char bracket)
{
    before(w, NULL);
    buf_addc(w->to, bracket);
    w->comma = false;
}

void jsonw_open_at(struct jsonw *w, const char *key, char bracket)
{
    jsonw_key(w, key);
    jsonw_open(w, bracket);
}

void jsonw_close(struct jsonw *w, char bracket)
{
    buf_addc(w->to, bracket);
    w->comma = true;
}

static void quoted(struct buf *to, const char *s, size_t len)
{
    const char *end = s + len;

    buf_addc(to, '"');
    while (s < end) {
        const unsigned char c = (unsigned char)*s;
        size_t n = c < 0x80 ? 1 : utf8_len(s);

        if (c == '"' || c == '\\')
            buf_printf(to, "\\%c", c);
        else if (c == '\n')
            buf_adds(to, "\\n");
        else if (c < 0x20 || c == 0x7f)
            buf_printf(to, "\\u%04x", c);
        else if (n && n <= (size_t)(end - s))
            buf_add(to, s, n);
        else
            buf_adds(to, "\xef\xbf\xbd"), n = 1;
        s += n;
    }
    buf_addc(to, '"');
}

void jsonw_key(struct jsonw *w, const char *key)
{
    if (w->comma)
        buf_addc(w->to, ',');
    quoted(w->to, key, strlen(key));
    buf_addc(w->to, ':');
    w->comma = false;
}

void jsonw_text_len(struct jsonw *w, const char *key, const char *s, size_t len)
{
    if (!s) {
        jsonw_null(w, key);
        return;
    }
    before(w, key);
    quoted(w->to, s, len);
}

void jsonw_text(struct jsonw *w, const char *key, const char *s)
{
    jsonw_text_len(w, key, s, s ? strlen(s) : 0);
}

void jsonw_int(struct jsonw *w, const char *key, int64_t v)
{
    char text[24];

    before(w, key);
    snprintf(text, sizeof(text), "%lld", (long long)v);
    buf_adds(w->to, text);
}

void jsonw_real(struct jsonw *w, const char *key, double v)
{
    char text[40];

    if (!isfinite(v)) {
        jsonw_null(w, key);
        return;
    }
    before(w, key);
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof(text), "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    buf_adds(w->to, text);
    if (!strpbrk(text, ".e"))
        buf_adds(w->to, ".0");
}

void jsonw_bool(struct jsonw *w, const char *key, bool v)
{
    before(w, key);
    buf_adds(w->to, v ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *key)
{
    before(w, key);
    buf_adds(w->to, "null");
}

void jsonw_raw(struct jsonw *w, const char *key, const char *json)
{
    before(w, key);
    buf_adds(w->to, json);
}
