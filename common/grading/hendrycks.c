/* SPDX-License-Identifier: Apache-2.0 */
/* MATH's strip_string, rule by rule in its order. Where the original fails (an assertion, an index
 * beyond the end) its callers compare the text as it was: it is appended unchanged. */
#include <string.h>

#include "common/grading/grading.h"
#include "common/grading/utext.h"

/* \sqrt3 -> \sqrt{3}. False where the original fails: nothing after \sqrt. */
static bool fix_sqrt(struct buf *b)
{
    struct buf made = { 0 };
    const char *at = buf_str(b), *hit;
    size_t len;

    while ((hit = utext_find(at, "\\sqrt"))) {
        hit += strlen("\\sqrt");
        buf_add(&made, at, (size_t)(hit - at));
        at = hit;
        if (*at == '\0' || utext_starts(at, "\\sqrt")) {
            buf_release(&made);
            return false;
        }
        if (*at != '{') {
            (void)utext_char(at, &len);
            buf_addc(&made, '{');
            buf_add(&made, at, len);
            buf_addc(&made, '}');
            at += len;
        }
    }
    buf_adds(&made, at);
    buf_release(b);
    *b = made;
    return true;
}

/* \frac12 -> \frac{1}{2}, \frac1{72} -> \frac{1}{72}; all stays as it is when one has a single
 * character left. False where the original fails: nothing after \frac. */
static bool fix_fracs(struct buf *b)
{
    struct buf made = { 0 };
    const char *at = buf_str(b), *hit = utext_find(at, "\\frac");
    size_t first, second;

    while (hit) {
        const char *end;
        hit += strlen("\\frac");
        buf_add(&made, at, (size_t)(hit - at));
        at = hit;
        hit = utext_find(at, "\\frac");
        end = hit ? hit : at + strlen(at);
        if (at == end) {
            buf_release(&made);
            return false;
        }
        if (*at == '{')
            continue;
        (void)utext_char(at, &first);
        if (at + first == end) {
            buf_release(&made);
            return true;
        }
        (void)utext_char(at + first, &second);
        buf_addc(&made, '{');
        buf_add(&made, at, first);
        buf_addc(&made, '}');
        at += first;
        if (*at != '{') {
            buf_addc(&made, '{');
            buf_add(&made, at, second);
            buf_addc(&made, '}');
            at += second;
        }
    }
    buf_adds(&made, at);
    buf_release(b);
    *b = made;
    return true;
}

/* The length of a whole number as Python prints it, 0 when S does not start with one. */
static size_t plain_int(const char *s)
{
    size_t sign = *s == '-', digits = strspn(s + sign, "0123456789");

    if (digits == 0 || digits > 4300 || (s[sign] == '0' && digits + sign > 1))
        return 0;
    return sign + digits;
}

/* a/b -> \frac{a}{b} for whole numbers. */
static void fix_a_slash_b(struct buf *b)
{
    struct buf made = { 0 };
    const char *s = buf_str(b);
    size_t first = plain_int(s), second;

    if (first == 0 || s[first] != '/')
        return;
    second = plain_int(s + first + 1);
    if (second == 0 || s[first + 1 + second] != '\0')
        return;
    buf_adds(&made, "\\frac{");
    buf_add(&made, s, first);
    buf_adds(&made, "}{");
    buf_adds(&made, s + first + 1);
    buf_addc(&made, '}');
    buf_release(b);
    *b = made;
}

/* What follows "\text{ " is a unit. False where the original fails: there are two. */
static bool remove_right_units(struct buf *b)
{
    const char *s = buf_str(b), *hit = utext_find(s, "\\text{ ");

    if (hit && utext_find(hit + 1, "\\text{ "))
        return false;
    if (hit)
        utext_set(b, s, (size_t)(hit - s));
    return true;
}

/* "x = 5" -> " 5": one "=" and at most two characters before it. */
static void remove_name(struct buf *b)
{
    const char *s = buf_str(b), *equal = strchr(s, '=');
    size_t chars = 0, len;

    if (!equal || strchr(equal + 1, '='))
        return;
    for (const char *at = s; at < equal; at += len) {
        (void)utext_char(at, &len);
        chars++;
    }
    if (chars <= 2)
        utext_set(b, equal + 1, strlen(equal + 1));
}

static bool strip_string(struct buf *b)
{
    static const char *const first[][2] = {
        { "\n", "" },        { "\\!", "" },    { "\\\\", "\\" },  { "tfrac", "frac" },
        { "dfrac", "frac" }, { "\\left", "" }, { "\\right", "" }, { "^{\\circ}", "" },
        { "^\\circ", "" },   { "\\$", "" },
    };

    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        utext_replace(b, first[i][0], first[i][1]);
    if (!remove_right_units(b))
        return false;
    utext_replace(b, "\\%", "");
    utext_replace(b, " .", " 0.");
    utext_replace(b, "{.", "{0.");
    if (b->len == 0)
        return true;
    if (b->data[0] == '.') {
        CLEANUP(buf_release) struct buf zero = { 0 };
        buf_addc(&zero, '0');
        buf_adds(&zero, buf_str(b));
        utext_set(b, zero.data, zero.len);
    }
    remove_name(b);
    if (!fix_sqrt(b))
        return false;
    utext_replace(b, " ", "");
    if (!fix_fracs(b))
        return false;
    if (strcmp(buf_str(b), "0.5") == 0)
        utext_set(b, "\\frac{1}{2}", strlen("\\frac{1}{2}"));
    fix_a_slash_b(b);
    return true;
}

void normalise_hendrycks(const char *s, struct buf *out)
{
    CLEANUP(buf_release) struct buf b = { 0 };

    buf_adds(&b, s);
    if (strip_string(&b))
        buf_add(out, buf_str(&b), b.len);
    else
        buf_adds(out, s);
}
