/* SPDX-License-Identifier: Apache-2.0 */
/* print.c - a table in the format asked for; what the formats share (tables.h, print.h). */
#include "store/tables/print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

const char *const *table_format_words(void)
{
    static const char *const words[TABLE_FORMATS + 1] = { "text",  "markdown", "csv",
                                                          "latex", "json",     NULL };

    return words;
}

bool print_shows_stars(const struct table *t)
{
    return (t->spec->marks & TABLE_MARK_SIGNIFICANCE) != 0;
}

void print_marks(const struct table *t, const struct table_cell *c, bool best, struct buf *out)
{
    if (!c->known)
        return;
    if (best && c->best)
        buf_adds(out, "\xc2\xb9");
    else if (best && c->second)
        buf_adds(out, "\xc2\xb2");
    for (int i = 0; print_shows_stars(t) && i < c->compared.stars; i++)
        buf_addc(out, '*');
    if (c->unequal)
        buf_adds(out, "\xe2\x80\xa0");
    if (c->seeds < c->wanted)
        buf_adds(out, "\xe2\x80\xa1");
    if (c->diverged > 0)
        buf_adds(out, "\xc2\xa7");
}

const char *print_above(const struct table *t, size_t level, size_t column)
{
    const struct table_head *h = &t->head[column];

    return level < h->depth ? h->above[level] : "";
}

size_t print_span_end(const struct table *t, size_t level, size_t from)
{
    size_t end = from + 1;

    while (end < t->columns && level < t->head[from].depth && level < t->head[end].depth) {
        size_t same = 0;

        while (same <= level && strcmp(t->head[from].above[same], t->head[end].above[same]) == 0)
            same++;
        if (same <= level)
            break;
        end++;
    }
    return end;
}

void print_time(int64_t ms, char out[32])
{
    time_t seconds = (time_t)(ms / 1000);
    struct tm tm;

    if (!gmtime_r(&seconds, &tm) || strftime(out, 32, "%Y-%m-%d %H:%M:%S UTC", &tm) == 0)
        snprintf(out, 32, "%" PRId64 " ms", ms);
}

void print_footer(const struct table *t, const char *prefix, struct buf *out)
{
    char hex[DIGEST_HEX], when[32];

    for (size_t i = 0; i < t->origins; i++) {
        const struct table_origin *o = &t->origin[i];

        buf_printf(out, "%s%s revision %u, recipe %.8s, ", prefix, o->experiment, o->revision,
                   digest_hex(&o->recipe, hex));
        if (o->last_ms > 0) {
            print_time(o->last_ms, when);
            buf_printf(out, "last result %s", when);
        } else {
            buf_adds(out, "no job done yet");
        }
        buf_adds(out, i + 1 < t->origins ? "\n" : "; ");
    }
    buf_printf(out, "numbers %.8s\n", digest_hex(&t->checksum, hex));
}

void table_print(const struct table *t, enum table_format format, const struct table_options *o,
                 struct buf *out)
{
    static void (*const print[TABLE_FORMATS])(const struct table *, const struct table_options *,
                                              struct buf *) = {
        [TABLE_TEXT] = print_text,   [TABLE_MARKDOWN] = print_markdown, [TABLE_CSV] = print_csv,
        [TABLE_LATEX] = print_latex, [TABLE_JSON] = print_json_table,
    };

    print[format](t, o, out);
}
