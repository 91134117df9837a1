/* SPDX-License-Identifier: Apache-2.0 */
/* frame_workers.c - the table of workers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/top/amount.h"
#include "experiments/top/frame_private.h"

/* Cells of each column, the blank before it included; 0: not there. */
struct columns {
    size_t name, host, slots, queue, rate, done, failed, seen, left, state;
};

static bool any_end(const struct top *t)
{
    for (size_t i = 0; i < t->workers; i++)
        if (t->worker[i].left_ms)
            return true;
    return false;
}

static struct columns columns_of(const struct top *t, size_t cols)
{
    const size_t extra = MIN(cols, 200) - MIN(cols, 80);

    return (struct columns){ .name = 14 + extra / 4,
                             .host = cols < 72 ? 0 : 11 + extra / 5,
                             .slots = 8,
                             .queue = cols < 60 ? 0 : 7,
                             .rate = 8,
                             .done = cols < 100 ? 0 : 9,
                             .failed = 6,
                             .seen = 6,
                             .left = cols >= 100 && any_end(t) ? 6 : 0,
                             .state = 9 };
}

static void add_heading(struct line *l, const struct top_view *v, enum top_sort sort,
                        const char *text, size_t width)
{
    char sorted[24];

    if (v->sort == sort) {
        const char *mark = v->utf8 ? (v->reverse ? "▴" : "▾") : (v->reverse ? "^" : "v");
        (void)snprintf(sorted, sizeof(sorted), "%s%s", text, mark);
        text = sorted;
    }
    if (sort == TOP_NAME || sort == TOP_HOST || sort == TOP_STATE) {
        line_text(l, sort == TOP_NAME || width == 0 ? "" : " ");
        line_left(l, text, width - (sort != TOP_NAME && width > 0));
    } else {
        line_right(l, text, width);
    }
}

static void add_headings(struct frame *f, const struct columns *c)
{
    const struct top_view *v = f->v;
    struct line l = frame_line(f);

    line_style(&l, TURNED);
    add_heading(&l, v, TOP_NAME, "WORKER", c->name);
    add_heading(&l, v, TOP_HOST, "HOST", c->host);
    add_heading(&l, v, TOP_SLOTS, "SLOTS", c->slots);
    add_heading(&l, v, TOP_QUEUE, "QUEUE", c->queue);
    add_heading(&l, v, TOP_RATE, "RATE/s", c->rate);
    add_heading(&l, v, TOP_DONE, "DONE", c->done);
    add_heading(&l, v, TOP_FAILED, "FAIL", c->failed);
    add_heading(&l, v, TOP_SEEN, "SEEN", c->seen);
    line_right(&l, "LEFT", c->left);
    add_heading(&l, v, TOP_STATE, "STATE", c->state);
    line_left(&l, " DOING", l.left);
    line_style(&l, "");
}

static const char *style_of(const struct top_worker *w)
{
    if (strcmp(w->state, "quiet") == 0 || strcmp(w->state, "gone") == 0)
        return BAD;
    return strcmp(w->state, "working") == 0 ? "" : WARN;
}

static void add_worker(struct frame *f, const struct top_worker *w, const struct columns *c)
{
    struct line l = frame_line(f);
    char slots[24];
    amount n;

    (void)snprintf(slots, sizeof(slots), "%u/%u", w->running, w->slots);
    line_left(&l, w->name, c->name);
    if (c->host) {
        line_text(&l, " ");
        line_left(&l, w->host, c->host - 1);
    }
    line_right(&l, slots, c->slots);
    line_right(&l, amount_count(n, w->waiting), c->queue);
    line_right(&l, w->rated ? amount_rate(n, w->rate) : "-", c->rate);
    line_right(&l, amount_count(n, (double)w->done), c->done);
    line_style(&l, w->failed ? WARN : "");
    line_right(&l, amount_count(n, (double)w->failed), c->failed);
    line_style(&l, "");
    line_right(&l, amount_age(n, w->seen_ms), c->seen);
    line_right(&l, w->left_ms ? amount_age(n, w->left_ms) : "-", c->left);
    line_text(&l, " ");
    line_style(&l, style_of(w));
    line_left(&l, w->state, c->state - 1);
    line_style(&l, "");
    if (*w->doing) {
        line_printf(&l, " %s", amount_age(n, w->doing_ms));
        line_printf(&l, " %s", w->doing);
    }
}

void frame_workers(struct frame *f, size_t page)
{
    const struct columns c = columns_of(f->t, f->cols);
    size_t *order = mem_calloc(f->t->workers + 1, sizeof(*order)), len, first, shown;
    struct line l;

    len = top_order(f->t, f->v, order);
    first = f->rows == 0 ? 0 : MIN(f->v->scroll, len - MIN(len, page));
    shown = MIN(page, len - first);
    l = frame_line(f);
    (void)l;
    add_headings(f, &c);
    for (size_t i = 0; i < shown; i++)
        add_worker(f, &f->t->worker[order[first + i]], &c);
    while (f->rows > 0 && f->lines + 1 < f->rows)
        (void)frame_line(f);
    if (f->rows > 0)
        frame_keys(f, first, shown, len);
    free(order);
}
