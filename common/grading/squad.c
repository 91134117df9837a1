/* SPDX-License-Identifier: Apache-2.0 */
/* SQuAD 2.0's normalisation and scores, GSM8K's normalisation, plain numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/grading/grading.h"
#include "common/grading/utext.h"

void normalise_gsm8k(const char *s, struct buf *out)
{
    CLEANUP(buf_release) struct buf b = { 0 };
    const char *mark, *start;

    buf_adds(&b, s);
    utext_replace(&b, ",", "");
    utext_replace(&b, "$", "");
    start = buf_str(&b);
    while ((mark = utext_find(start, "#### ")))
        start = mark + strlen("#### ");
    utext_set(&b, start, strlen(start));
    if (b.len > 0 && b.data[b.len - 1] == '.')
        b.data[--b.len] = '\0';
    else if (b.len > 1 && b.data[b.len - 1] == '\n' && b.data[b.len - 2] == '.')
        memcpy(b.data + --b.len - 1, "\n", 2); /* "$" matches before a last newline, too */
    utext_lower(buf_str(&b), out);
}

/* The length of the article at AT, 0 when there is none. */
static size_t article_at(const char *start, const char *at)
{
    static const char *const articles[] = { "the", "an", "a" };

    for (size_t i = 0; i < 3; i++) {
        size_t len = strlen(articles[i]), n;
        if (utext_starts(at, articles[i]) && !utext_is_word(utext_char_before(start, at)) &&
            !utext_is_word(utext_char(at + len, &n)))
            return len;
    }
    return 0;
}

void normalise_squad(const char *s, struct buf *out)
{
    CLEANUP(buf_release) struct buf lower = { 0 };
    CLEANUP(buf_release) struct buf bare = { 0 };
    bool gap = false, any = false;

    utext_lower(s, &lower);
    for (const char *at = buf_str(&lower); *at; at++)
        if ((unsigned char)*at >= 0x80 || utext_is_word((unsigned char)*at) || *at <= ' ' ||
            *at == 0x7f)
            if (*at != '_')
                buf_addc(&bare, *at);
    for (const char *at = buf_str(&bare); *at;) {
        size_t len;
        uint32_t c = utext_char(at, &len);
        size_t article = article_at(buf_str(&bare), at);
        if (article > 0 || utext_is_space(c)) {
            gap = true;
            at += article > 0 ? article : len;
            continue;
        }
        if (gap && any)
            buf_addc(out, ' ');
        buf_add(out, at, len);
        gap = false;
        any = true;
        at += len;
    }
}

double squad_exact(const char *given, const char *gold)
{
    CLEANUP(buf_release) struct buf a = { 0 };
    CLEANUP(buf_release) struct buf b = { 0 };

    normalise_squad(given, &a);
    normalise_squad(gold, &b);
    return strcmp(buf_str(&a), buf_str(&b)) == 0;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The words of *B, sorted; *B is cut into them. */
static const char **words_of(struct buf *b, size_t *ret_n)
{
    const char **word = mem_calloc(b->len / 2 + 2, sizeof(*word));
    size_t n = 0;

    for (char *at = b->data; at && *at;) {
        char *end = strchr(at, ' ');
        word[n++] = at;
        if (!end)
            break;
        *end = '\0';
        at = end + 1;
    }
    qsort(word, n, sizeof(*word), compare_words);
    *ret_n = n;
    return word;
}

double squad_f1(const char *given, const char *gold)
{
    CLEANUP(buf_release) struct buf a = { 0 };
    CLEANUP(buf_release) struct buf b = { 0 };
    const char **wa, **wb;
    size_t na, nb, i = 0, j = 0, same = 0;
    double precision, recall;

    normalise_squad(given, &a);
    normalise_squad(gold, &b);
    wa = words_of(&a, &na);
    wb = words_of(&b, &nb);
    while (i < na && j < nb) {
        int order = strcmp(wa[i], wb[j]);
        same += order == 0;
        i += order <= 0;
        j += order >= 0;
    }
    free(wa);
    free(wb);
    if (na == 0 || nb == 0)
        return na == nb;
    if (same == 0)
        return 0;
    precision = (double)same / (double)na;
    recall = (double)same / (double)nb;
    return 2 * precision * recall / (precision + recall);
}

/* A decimal with what people write around it. */
static bool read_number(const char *s, double *ret_x)
{
    static const char *const aside[] = { "\\$", "\\%",          "$",        "%",
                                         ",",   "\xe2\x82\xac", "\xc2\xa3", "\xc2\xa5" };
    CLEANUP(buf_release) struct buf b = { 0 };
    const char *start;
    size_t len;

    if (strlen(s) > 4096)
        return false;
    buf_adds(&b, s);
    utext_replace(&b, "\xe2\x88\x92", "-");
    for (size_t i = 0; i < sizeof(aside) / sizeof(aside[0]); i++)
        utext_replace(&b, aside[i], "");
    start = buf_str(&b);
    len = b.len;
    utext_strip(&start, &len);
    if (len > 1 && start[0] == '-' && start[1] == ' ') {
        utext_replace(&b, " ", "");
        start = buf_str(&b);
        len = b.len;
        utext_strip(&start, &len);
    }
    if (!utext_is_decimal(start, len))
        return false;
    *ret_x = strtod(start, NULL);
    return isfinite(*ret_x);
}

bool number_equal(const char *given, const char *gold, double tolerance)
{
    double a, b;

    return read_number(given, &a) && read_number(gold, &b) && fabs(a - b) <= tolerance;
}
