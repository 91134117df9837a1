/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/launch/offer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"

void offer_release(struct offer *o)
{
    buf_release(&o->labels);
    buf_release(&o->classes);
}

/* Is the word of LEN bytes in LIST (" a b ")? */
static bool has(const struct buf *list, const char *word, size_t len)
{
    for (const char *at = buf_str((struct buf *)(uintptr_t)list); *at == ' ' && at[1];) {
        const size_t n = strcspn(at + 1, " ");

        if (n == len && memcmp(at + 1, word, len) == 0)
            return true;
        at += 1 + n;
    }
    return false;
}

static void add(struct buf *list, const char *word)
{
    if (!has(list, word, strlen(word)))
        buf_printf(list, "%s%s ", list->len ? "" : " ", word);
}

/* "16G" of sbatch (megabytes without a letter); 0: no such number. */
static uint64_t mebibytes(const char *text)
{
    static const char letters[] = "MGT";
    char *end;

    if (!text || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long v = strtoull(text, &end, 10);
    if (errno || v > UINT32_MAX)
        return 0;
    if (strcmp(end, "K") == 0)
        return v >> 10;
    const char *letter = *end ? strchr(letters, *end) : letters;
    return letter && (!*end || !end[1]) ? v << (10 * (letter - letters)) : 0;
}

void offer_of_pilots(const struct pilots *p, struct offer *ret)
{
    *ret = (struct offer){ .slots = MAX(p->slots, 1u),
                           .cores = p->slots * p->threads,
                           .memory_mib = mebibytes(p->memory) };
    for (size_t i = 0; i < p->labels; i++)
        add(&ret->labels, p->label[i]);
    for (size_t i = 0; i < p->worker_options; i++)
        if (strncmp(p->worker_option[i], "--label=", 8) == 0)
            add(&ret->labels, p->worker_option[i] + 8);
}

void offer_learn(struct offer *o, const struct offer_worker *w)
{
    o->cores = o->seen ? MAX(o->cores, w->cores) : w->cores;
    o->memory_mib = o->seen ? MAX(o->memory_mib, w->memory_mib) : w->memory_mib;
    o->slots = MAX(o->slots, w->slots);
    o->seen = true;
    for (size_t i = 0; i < w->labels; i++)
        add(&o->labels, w->label[i]);
    for (size_t i = 0; i < w->classes; i++)
        add(&o->classes, w->class[i]);
}

static bool has_all(const struct buf *list, const char *words)
{
    while (*words) {
        const size_t len = strcspn(words, " ");

        if (len > 0 && !has(list, words, len))
            return false;
        words += len + (words[len] == ' ');
    }
    return true;
}

uint32_t offer_slots(const struct offer *o, const struct offer_wish *w)
{
    if (!has_all(&o->labels, w->labels))
        return 0;
    if (o->seen && !has(&o->classes, w->class, strlen(w->class)))
        return 0;
    if ((o->seen || o->cores) && w->cores > o->cores)
        return 0;
    if ((o->seen || o->memory_mib) && w->memory_mib > o->memory_mib)
        return 0;
    if (w->cores == 0 || o->cores == 0)
        return 1;
    const uint32_t each = MAX(o->cores / o->slots, 1u);
    return MIN((w->cores + each - 1) / each, o->slots);
}
