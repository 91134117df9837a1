/* SPDX-License-Identifier: Apache-2.0 */
/* words_of.c - the distinct texts of a column (columns.h). In TEXT each word is a byte, 'q' for one
 * that stood in quotes or 'r', the text as people read it, and NUL. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "store/browse/columns_private.h"

void words_release(struct words_of *w)
{
    buf_release(&w->text);
    free(w->at);
    free(w->number);
    free(w->count);
    free(w->rank);
    free(w->table);
    *w = (struct words_of){ 0 };
}

size_t words_bytes(const struct words_of *w)
{
    return w->text.cap + w->cap * (3 * sizeof *w->at + sizeof *w->number) +
           w->table_cap * sizeof *w->table;
}

const char *words_text(const struct words_of *w, uint32_t code)
{
    return w->text.data + w->at[code - 1] + 1;
}

bool words_quoted(const struct words_of *w, uint32_t code)
{
    return w->text.data[w->at[code - 1]] == 'q';
}

bool words_is_number(const char *text, size_t len, double *ret)
{
    char copy[64], *end;

    /* strtod takes "inf", "nan" and hexadecimal ones, too. */
    if (len == 0 || len >= sizeof copy || strspn(text, "+-.0123456789eE") < len)
        return false;
    memcpy(copy, text, len);
    copy[len] = '\0';
    *ret = strtod(copy, &end);
    return *end == '\0' && end != copy && isfinite(*ret);
}

static uint64_t hash_of(const char *text, bool quoted)
{
    uint64_t h = quoted ? 0x9E3779B97F4A7C15u : 0xCBF29CE484222325u;

    for (; *text; text++)
        h = (h ^ (unsigned char)*text) * 0x100000001B3u;
    return h ^ h >> 29;
}

static size_t slot_of(const struct words_of *w, const char *text, bool quoted)
{
    size_t i = hash_of(text, quoted) & (w->table_cap - 1);

    while (w->table[i] && (words_quoted(w, w->table[i]) != quoted ||
                           strcmp(words_text(w, w->table[i]), text) != 0))
        i = (i + 1) & (w->table_cap - 1);
    return i;
}

uint32_t words_find(const struct words_of *w, const char *text, bool quoted)
{
    return w->table_cap ? w->table[slot_of(w, text, quoted)] : 0;
}

static void make_room(struct words_of *w)
{
    if (w->len == w->cap) {
        w->cap = MAX(16, 2 * w->cap);
        w->at = mem_realloc(w->at, w->cap, sizeof *w->at);
        w->number = mem_realloc(w->number, w->cap, sizeof *w->number);
        w->count = mem_realloc(w->count, w->cap, sizeof *w->count);
        w->rank = mem_realloc(w->rank, w->cap, sizeof *w->rank);
    }
    if (2 * (w->len + 1) <= w->table_cap)
        return;
    w->table_cap = MAX(32, 2 * w->table_cap);
    free(w->table);
    w->table = mem_calloc(w->table_cap, sizeof *w->table);
    for (uint32_t code = 1; code <= w->len; code++)
        w->table[slot_of(w, words_text(w, code), words_quoted(w, code))] = code;
}

/* TEXT[LEN] as people read it, appended to OUT; true: it stood in quotes. */
static bool unquote(const char *text, size_t len, struct buf *out)
{
    struct json *v CLEANUP(json_cleanup) = NULL;

    if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
        buf_add(out, text, len);
        return false;
    }
    if (!memchr(text, '\\', len)) {
        buf_add(out, text + 1, len - 2);
        return true;
    }
    if (json_parse(text, len, &v, NULL) == 0 && json_text(v))
        buf_adds(out, json_text(v));
    else
        buf_add(out, text, len);
    return true;
}

uint32_t words_add(struct words_of *w, const char *text, size_t len)
{
    struct buf plain CLEANUP(buf_release) = { 0 };
    char small[256];
    const char *word = small;
    bool quoted = len >= 2 && text[0] == '"' && text[len - 1] == '"';
    size_t cut = quoted ? 1 : 0;

    if (len < sizeof small && !(quoted && memchr(text, '\\', len))) {
        memcpy(small, text + cut, len - 2 * cut);
        small[len - 2 * cut] = '\0';
    } else {
        quoted = unquote(text, len, &plain);
        word = buf_str(&plain);
    }
    make_room(w);
    size_t slot = slot_of(w, word, quoted);
    if (w->table[slot])
        return w->table[slot];
    w->at[w->len] = (uint32_t)w->text.len;
    buf_addc(&w->text, quoted ? 'q' : 'r');
    buf_add(&w->text, word, strlen(word) + 1);
    if (quoted || !words_is_number(word, strlen(word), &w->number[w->len]))
        w->number[w->len] = (double)NAN;
    else
        w->numbers++;
    w->count[w->len] = 0;
    w->table[slot] = (uint32_t)++w->len;
    return (uint32_t)w->len;
}

void words_count(struct words_of *w, uint32_t before, uint32_t now)
{
    if (before)
        w->count[before - 1]--;
    if (now)
        w->count[now - 1]++;
}

/* ---- order: numbers by value, then texts by their bytes ---- */

static int order(const struct words_of *w, uint32_t code, const char *text, bool quoted,
                 double number)
{
    double v = w->number[code - 1];
    int by_text;

    if (isnan(v) != isnan(number))
        return isnan(v) ? 1 : -1;
    if (!isnan(v) && v != number)
        return v < number ? -1 : 1;
    by_text = strcmp(words_text(w, code), text);
    return by_text ? by_text : (int)words_quoted(w, code) - (int)quoted;
}

static int by_order(const void *a, const void *b, void *arg)
{
    const struct words_of *w = arg;
    uint32_t y = *(const uint32_t *)b;

    return order(w, *(const uint32_t *)a, words_text(w, y), words_quoted(w, y), w->number[y - 1]);
}

void words_rank(struct words_of *w)
{
    uint32_t *code CLEANUP(mem_cleanup) = NULL;

    if (w->ranked == w->len)
        return;
    code = mem_calloc(w->len, sizeof *code);
    for (uint32_t i = 0; i < w->len; i++)
        code[i] = i + 1;
    qsort_r(code, w->len, sizeof *code, by_order, w);
    for (uint32_t i = 0; i < w->len; i++)
        w->rank[code[i] - 1] = i;
    w->ranked = w->len;
}

uint32_t words_below(const struct words_of *w, const char *text, bool quoted, double number)
{
    uint32_t below = 0;

    for (uint32_t code = 1; code <= w->len; code++)
        below += order(w, code, text, quoted, number) < 0;
    return below;
}
