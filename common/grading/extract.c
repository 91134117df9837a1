/* SPDX-License-Identifier: Apache-2.0 */
/* Where in a model's text its answer is. The regular expressions are matched by hand; each matcher
 * keeps the expression's quirks, which count in the published numbers. */
#include <string.h>

#include "common/grading/grading.h"
#include "common/grading/utext.h"

static const char *last_of(const char *text, const char *word)
{
    const char *hit = NULL;

    for (const char *at = utext_find(text, word); at; at = utext_find(at + 1, word))
        hit = at;
    return hit;
}

static bool add_stripped(struct buf *out, const char *s, size_t len)
{
    utext_strip(&s, &len);
    buf_add(out, s, len);
    return true;
}

bool extract_boxed(const char *text, struct buf *out)
{
    const char *at = last_of(text, "\\boxed");
    const char *start;
    int depth = 0;

    if (at)
        at += strlen("\\boxed");
    else if ((at = last_of(text, "\\fbox")))
        at += strlen("\\fbox");
    else
        return false;
    start = at + strspn(at, " ");
    if (*start != '{')
        return start > at && *start && add_stripped(out, start, strcspn(start, "$"));
    start++;
    for (at = start; *at; at++) {
        depth += *at == '{';
        if (*at == '}' && depth-- == 0)
            return add_stripped(out, start, (size_t)(at - start));
    }
    return false;
}

bool extract_dollars(const char *text, struct buf *out)
{
    const char *first = strchr(text, '$'), *last = strrchr(text, '$');

    if (!first || first == last)
        return false;
    buf_add(out, first + 1, (size_t)(last - first - 1));
    return true;
}

bool extract_gsm8k_strict(const char *text, struct buf *out)
{
    for (const char *at = utext_find(text, "#### "); at; at = utext_find(at + 1, "#### ")) {
        const char *start = at + strlen("#### ");
        size_t sign = *start == '-', digits = strspn(start + sign, "0123456789.,");
        if (digits > 0) {
            buf_add(out, start, sign + digits);
            return true;
        }
    }
    return false;
}

bool extract_gsm8k_flexible(const char *text, struct buf *out)
{
    const char *found = NULL;
    size_t found_len = 0;

    for (const char *at = text; *at;) {
        size_t sign = *at == '-', len = strspn(at + sign, "$0123456789.,");
        if (len < 2)
            len = strspn(at + sign, "0123456789");
        if (len > 0) {
            found = at;
            found_len = sign + len;
            at += found_len;
        } else {
            at++;
        }
    }
    if (found)
        buf_add(out, found, found_len);
    return found != NULL;
}

static bool alnum(char c)
{
    return utext_is_digit(c) || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

bool extract_last_number(const char *text, struct buf *out)
{
    const char *found = NULL;
    size_t found_len = 0;

    for (const char *at = text; *at;) {
        /* A minus after a word or a closing bracket is a hyphen or a subtraction. */
        size_t sign = *at == '-' && (at == text || (!alnum(at[-1]) && at[-1] != ')'));
        const char *s = at + sign;
        size_t len = *s == '.' && utext_is_digit(s[1]) ? 1 : 0;
        len += strspn(s + len, "0123456789");
        while (len > 0 && s[len] == ',' && strspn(s + len + 1, "0123456789") > 0)
            len += 1 + strspn(s + len + 1, "0123456789");
        if (*s != '.' && len > 0 && s[len] == '.' && utext_is_digit(s[len + 1]))
            len += 1 + strspn(s + len + 1, "0123456789");
        if (len > 0) {
            found = at;
            found_len = sign + len;
            at += found_len;
        } else {
            at++;
        }
    }
    if (found)
        buf_add(out, found, found_len);
    return found != NULL;
}

bool extract_letter_arc(const char *text, struct buf *out)
{
    size_t len = strlen(text), n;
    const char *end;
    char c;

    utext_strip(&text, &len);
    end = text + len;
    if (len >= 7 && utext_starts(text, "Answer:"))
        for (text += 7; text < end && utext_is_space(utext_char(text, &n));)
            text += n;
    len = (size_t)(end - text);
    if (len == 0 || len > 2 || (len == 2 && text[1] != '.'))
        return false;
    c = (char)(text[0] >= 'a' ? text[0] - 32 : text[0]);
    if (c < 'A' || c > 'D')
        return false;
    buf_addc(out, c);
    return true;
}

bool extract_first_capital(const char *text, char last, struct buf *out)
{
    const char *any = NULL;

    for (const char *at = text; *at; at++) {
        if (*at < 'A' || *at > last)
            continue;
        if (!any)
            any = at;
        if ((at == text || !alnum(at[-1])) && !alnum(at[1])) {
            any = at;
            break;
        }
    }
    if (any)
        buf_addc(out, *any);
    return any != NULL;
}

bool extract_last_bracketed(const char *text, struct buf *out)
{
    const char *found = NULL;

    for (const char *at = strchr(text, '('); at; at = strchr(at + 1, '('))
        if (at[1] >= 'A' && at[1] <= 'D' && at[2] == ')')
            found = at + 1;
    if (found)
        buf_addc(out, *found);
    return found != NULL;
}
