/* SPDX-License-Identifier: Apache-2.0 */
/* logfmt.c - the format is walked once; only texts are looked at, the rest is snprintf's. */
#include "common/base/logfmt.h"

#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

enum { SPEC_MAX = 32, NUMBER_MAX = 512, CUT_BYTES = 5 }; /* ..." and NUL */

struct line {
    char *out;
    size_t len, room; /* room: for what is added; CUT_BYTES less than there is */
    bool quoted;      /* inside quotes of the format, or of ours */
    bool cut;
};

static void add(struct line *l, const char *bytes, size_t len)
{
    if (l->cut || len > l->room - l->len) {
        l->cut = true;
        return;
    }
    memcpy(l->out + l->len, bytes, len);
    l->len += len;
}

/* One byte of a text, in quotes or not. Bytes of UTF-8 stay; DEL and what is below blank do not. */
static void add_byte(struct line *l, unsigned char c, bool quoted)
{
    static const char *const short_names[] = { ['\n'] = "\\n", ['\r'] = "\\r", ['\t'] = "\\t" };
    char hex[8];

    if (c < ARRAY_LEN(short_names) && short_names[c]) {
        add(l, short_names[c], 2);
    } else if (c < ' ' || c == 0x7f) {
        (void)snprintf(hex, sizeof(hex), "\\x%02x", (unsigned)c);
        add(l, hex, 4);
    } else if (quoted && (c == '"' || c == '\\')) {
        add(l, (const char[]){ '\\', (char)c }, 2);
    } else {
        add(l, (const char *)&c, 1);
    }
}

static bool needs_quotes(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];

        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    }
    return len == 0;
}

/* What stands in front of a text, and behind it? */
static void add_text(struct line *l, const char *text, size_t len, char before, char after)
{
    const bool value = !l->quoted && before == '=' && (after == ' ' || after == '\0');
    const bool quotes = value && needs_quotes(text, len);
    /* Between other characters of a value without quotes: url=http://%s/metrics. */
    const bool inside = !l->quoted && !value && before != ' ' && before != '\0';

    l->quoted |= quotes;
    if (quotes)
        add(l, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)text[i];

        add_byte(l, inside && (c <= ' ' || c == '"' || c == '=') ? '_' : c, l->quoted);
    }
    if (!quotes || l->cut)
        return;
    add(l, "\"", 1);
    l->quoted = l->cut;
}

struct spec {
    char text[SPEC_MAX]; /* "%-8.3" and the length, without the conversion */
    char length;         /* 'l', 'L' (ll), 'z', 'j', 't', 'D' (long double), 0 */
    int precision;       /* -1: none */
    char kind;
};

/* FORMAT stands behind "%"; returns behind the conversion. */
static const char *read_spec(const char *format, va_list *args, struct spec *ret)
{
    size_t n = 0;
    bool dot = false;

    *ret = (struct spec){ .text = "%", .precision = -1 };
    n = 1;
    for (;; format++) {
        const char c = *format;

        if (c == '*') {
            int v = va_arg(*args, int);

            if (dot)
                ret->precision = v < 0 ? -1 : v;
            n += (size_t)snprintf(ret->text + n, SPEC_MAX - n, "%d", v);
        } else if (c != '\0' && strchr("-+ #0123456789.lzjthL", c)) {
            if (c == '.')
                ret->precision = 0;
            else if (dot && c >= '0' && c <= '9')
                ret->precision = ret->precision * 10 + (c - '0');
            if (c == 'l')
                ret->length = ret->length == 'l' ? 'L' : 'l';
            else if (strchr("zjt", c))
                ret->length = c;
            else if (c == 'L')
                ret->length = 'D';
            dot |= c == '.';
            ret->text[n++] = c;
        } else {
            ret->kind = c;
            break;
        }
        assert(n < SPEC_MAX - 2);
    }
    ret->text[n] = ret->kind;
    return ret->kind ? format + 1 : format;
}

/* Every conversion but of texts. */
static void add_number(struct line *l, const struct spec *s, va_list *args)
{
    char out[NUMBER_MAX];
    int n;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    if (s->kind == 'c')
        n = snprintf(out, sizeof(out), "%c", va_arg(*args, int));
    else if (s->kind == 'p')
        n = snprintf(out, sizeof(out), "%p", va_arg(*args, void *));
    else if (strchr("aAeEfFgG", s->kind) && s->length == 'D')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, long double));
    else if (strchr("aAeEfFgG", s->kind))
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, double));
    else if (s->length == 'L')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, long long));
    else if (s->length == 'l')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, long));
    else if (s->length == 'z')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, size_t));
    else if (s->length == 'j')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, intmax_t));
    else if (s->length == 't')
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, ptrdiff_t));
    else
        n = snprintf(out, sizeof(out), s->text, va_arg(*args, int));
#pragma GCC diagnostic pop
    for (int i = 0; i < n && (size_t)i < sizeof(out) - 1; i++)
        add_byte(l, (unsigned char)out[i], l->quoted);
}

static void finish(struct line *l)
{
    if (!l->cut) {
        l->out[l->len] = '\0';
        return;
    }
    /* Not in the middle of a character, nor of an escape. */
    while (l->len > 0 && ((unsigned char)l->out[l->len - 1] & 0xc0) == 0x80)
        l->len--;
    if (l->len > 0 && (unsigned char)l->out[l->len - 1] >= 0xc0)
        l->len--;
    memcpy(l->out + l->len, l->quoted ? "...\"" : "...", l->quoted ? 5 : 4);
    l->len += l->quoted ? 4 : 3;
}

size_t logfmt_vprint(char *out, size_t size, const char *format, va_list args)
{
    struct line l = { .out = out, .room = size - CUT_BYTES };
    char before = '\0';
    struct spec s;
    va_list list;

    assert(size >= 64);
    va_copy(list, args);
    while (*format && !l.cut) {
        if (*format != '%' || format[1] == '%') {
            before = *format;
            l.quoted ^= before == '"';
            add(&l, format, 1);
            format += before == '%' ? 2 : 1;
            continue;
        }
        format = read_spec(format + 1, &list, &s);
        if (s.kind == 's') {
            const char *text = va_arg(list, const char *);

            text = text ? text : "(null)";
            size_t len = s.precision < 0 ? strlen(text) : strnlen(text, (size_t)s.precision);
            add_text(&l, text, len, before, *format);
        } else {
            add_number(&l, &s, &list);
        }
        before = 'x'; /* a text that follows continues a value */
    }
    va_end(list);
    finish(&l);
    return l.len;
}
