/* SPDX-License-Identifier: Apache-2.0 */
/* PRM800K's normalisation, in its order: \text, $ and %, "or"/"and", large-number words, units,
 * degrees, LaTeX into one line (linear.c), mixed numbers, blanks, lower case, whole numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/grading/grading.h"
#include "common/grading/linear.h"
#include "common/grading/utext.h"

enum { NUMBER_MAX = 4096 }; /* characters of a number that is read at all */

bool linear_is_int(const char *s, size_t len)
{
    CLEANUP(buf_release) struct buf b = { 0 };
    const char *point;
    double x;

    if (len > NUMBER_MAX)
        return false;
    buf_add(&b, s, len);
    linear_strip_commas(&b);
    if (!utext_is_decimal(buf_str(&b), b.len))
        return false;
    x = strtod(buf_str(&b), NULL);
    if (fabs(x) >= 0x1p53 && isfinite(x) && (point = strchr(buf_str(&b), '.')))
        return strpbrk(point, "eE") || strspn(point + 1, "0 ") == strlen(point + 1);
    return isfinite(x) && fabs(x - nearbyint(x)) <= 1e-7;
}

/* "007", "7.0", "7e0", "+7" -> "7". Digits of a plain whole number stay exact however many; others
 * go through double as the original does. */
static void canonical_int(struct buf *b)
{
    CLEANUP(buf_release) struct buf plain = { 0 };
    const char *s;
    size_t len;
    bool minus;

    buf_add(&plain, buf_str(b), b->len);
    utext_replace(&plain, ",", "");
    s = buf_str(&plain);
    len = plain.len;
    utext_strip(&s, &len);
    minus = *s == '-';
    if (strspn(s + (*s == '-' || *s == '+'), "0123456789.") + (*s == '-' || *s == '+') == len &&
        !(strchr(s, '.') && strspn(strchr(s, '.') + 1, "0") + 1 < strcspn(strchr(s, '.'), " "))) {
        size_t digits;
        s += *s == '-' || *s == '+';
        s += strspn(s, "0");
        digits = strspn(s, "0123456789");
        buf_clear(b);
        buf_adds(b, minus && digits > 0 ? "-" : "");
        buf_add(b, digits > 0 ? s : "0", digits > 0 ? digits : 1);
    } else {
        double x = nearbyint(strtod(s, NULL));
        buf_clear(b);
        buf_printf(b, "%.0f", x == 0 ? 0.0 : x);
    }
}

void linear_strip_commas(struct buf *b)
{
    size_t to = 0;

    for (size_t i = 0; i < b->len; i++) {
        const char *s = b->data + i;
        bool drop = *s == ',' && to > 0 && utext_is_digit(b->data[to - 1]) &&
                    utext_is_digit(s[1]) && utext_is_digit(s[2]) && utext_is_digit(s[3]) &&
                    !utext_is_digit(s[4]);
        if (!drop)
            b->data[to++] = *s;
    }
    if (b->data)
        b->data[b->len = to] = '\0';
}

/* UNIT, then "es", "s", blanks and a power. */
static void drop_unit(struct buf *b, const char *unit)
{
    struct buf made = { 0 };
    const char *at = buf_str(b), *hit;

    if (!utext_find(at, unit))
        return;
    for (; (hit = utext_find(at, unit)); at = hit) {
        buf_add(&made, at, (size_t)(hit - at));
        hit += strlen(unit);
        hit += utext_starts(hit, "es") ? 2 : 0;
        hit += *hit == 's';
        hit += strspn(hit, " ");
        if (*hit == '^' && utext_is_digit(hit[1]))
            hit += 1 + strspn(hit + 1, "0123456789");
    }
    buf_adds(&made, at);
    buf_release(b);
    *b = made;
}

/* "^ *\circ" and ",\! *". */
static void drop_spaced(struct buf *b, const char *head, const char *tail)
{
    struct buf made = { 0 };
    const char *at = buf_str(b);

    while (*at) {
        if (utext_starts(at, head)) {
            const char *s = at + strlen(head);
            s += strspn(s, " ");
            if (utext_starts(s, tail)) {
                at = s + strlen(tail);
                continue;
            }
        }
        buf_addc(&made, *at++);
    }
    buf_release(b);
    *b = made;
}

/* 7 3/4 -> 7+3/4 and, where the sum is an operand, (7+3/4). */
static void inject_mixed(struct buf *b)
{
    struct buf made = { 0 };
    const char *s = buf_str(b);

    for (size_t i = 0; s[i]; i++) {
        size_t gap = strspn(s + i, " "), start = made.len, first, second;
        if (gap == 0 || made.len == 0 || !utext_is_digit(made.data[made.len - 1]) ||
            !utext_is_digit(s[i + gap])) {
            buf_add(&made, s + i, gap > 0 ? gap : 1);
            i += gap > 0 ? gap - 1 : 0;
            continue;
        }
        first = strspn(s + i + gap, "0123456789");
        second = s[i + gap + first] == '/' ? strspn(s + i + gap + first + 1, "0123456789") : 0;
        while (start > 0 && utext_is_digit(made.data[start - 1]))
            start--;
        if (second > 0 && start > 0 && strchr("-*/", made.data[start - 1])) {
            linear_insert(&made, start, "(");
            buf_addc(&made, '+');
            buf_add(&made, s + i + gap, first + 1 + second);
            buf_addc(&made, ')');
            i += gap + first + second;
        } else {
            buf_addc(&made, '+');
            i += gap - 1;
        }
    }
    buf_release(b);
    *b = made;
}

void linear_insert(struct buf *b, size_t at, const char *s)
{
    size_t len = strlen(s);

    (void)buf_reserve(b, len + 1);
    memmove(b->data + at + len, b->data + at, b->len - at);
    memcpy(b->data + at, s, len);
    b->len += len;
    b->data[b->len] = '\0';
}

/* ^\text{(.+?)}$ -> what is inside. */
void linear_drop_text(struct buf *b)
{
    const char *s = buf_str(b);
    size_t end = b->len - (b->len > 0 && b->data[b->len - 1] == '\n');

    if (end > 7 && utext_starts(s, "\\text{") && s[end - 1] == '}' && !memchr(s, '\n', end))
        utext_set(b, s + 6, end - 7);
}

void normalise_prm800k(const char *s, struct buf *out)
{
    static const char *const words[][2] = {
        { "\\%", "%" },
        { "\\$", "$" },
        { "$", "" },
        { "%", "" },
        { " or ", " , " },
        { " and ", " , " },
        { "million", "*10^6" },
        { "billion", "*10^9" },
        { "trillion", "*10^12" },
    };
    static const char *const units[] = { "degree", "cm",   "centimeter", "meter", "mile",  "second",
                                         "minute", "hour", "day",        "week",  "month", "year",
                                         "foot",   "feet", "inch",       "yard" };
    CLEANUP(buf_release) struct buf b = { 0 };
    CLEANUP(buf_release) struct buf line = { 0 };

    buf_adds(&b, s);
    linear_drop_text(&b);
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        utext_replace(&b, words[i][0], words[i][1]);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        drop_unit(&b, units[i]);
    drop_spaced(&b, "^", "\\circ");
    if (b.len >= 2 && b.data[0] == '{' && b.data[b.len - 1] == '}')
        utext_set(&b, b.data + 1, b.len - 2);
    utext_replace(&b, ",\\! ", ",\\!");
    utext_replace(&b, ",\\!", "");
    if (utext_is_decimal(buf_str(&b), b.len) && linear_is_int(buf_str(&b), b.len))
        canonical_int(&b);
    linear_text(buf_str(&b), &line);
    inject_mixed(&line);
    utext_replace(&line, " ", "");
    buf_clear(&b);
    utext_lower(buf_str(&line), &b);
    if (linear_is_int(buf_str(&b), b.len))
        canonical_int(&b);
    buf_add(out, buf_str(&b), b.len);
}
