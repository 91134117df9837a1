/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/curricula.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/macros.h"

enum { WIDTH = 64, ROWS_MAX = 8, CHARTS_MAX = 12, LABEL = 7 };

static int64_t budget_of(const struct plan_curriculum *c, uint64_t update)
{
    size_t i = 0;

    while (i + 1 < c->points_len && c->point[i + 1].update <= update)
        i++;
    return c->point[i].budget;
}

/* The update in the middle of column X. */
static uint64_t update_of(const struct plan_curriculum *c, int x)
{
    return (2 * (uint64_t)x + 1) * c->updates / (2 * WIDTH);
}

/* ---- rows: one for each budget, or equal bands when there are many ---- */

struct rows {
    int64_t floor[ROWS_MAX]; /* descending; a budget is in the first row whose floor it reaches */
    int len;                 /* above ROWS_MAX: too many */
};

static void add_row(struct rows *r, int64_t budget)
{
    int at = 0;

    if (r->len > ROWS_MAX)
        return;
    while (at < r->len && r->floor[at] > budget)
        at++;
    if (at < r->len && r->floor[at] == budget)
        return;
    if (r->len == ROWS_MAX) {
        r->len++;
        return;
    }
    memmove(&r->floor[at + 1], &r->floor[at], (size_t)(r->len - at) * sizeof(r->floor[0]));
    r->floor[at] = budget;
    r->len++;
}

static struct rows rows_of(const struct plan_curriculum *c)
{
    struct rows r = { .len = 0 };
    int64_t high = 0, low = INT64_MAX;

    for (size_t i = 0; i < c->points_len; i++) {
        add_row(&r, c->point[i].budget);
        high = MAX(high, c->point[i].budget);
        low = MIN(low, c->point[i].budget);
    }
    if (r.len <= ROWS_MAX)
        return r;
    r.len = ROWS_MAX;
    for (int i = 0; i < ROWS_MAX; i++)
        r.floor[i] = high - (high - low) * i / (ROWS_MAX - 1);
    return r;
}

/* ---- the chart ---- */

static void print_row(struct buf *out, const char *label, const char *cells)
{
    size_t len = strlen(cells);

    while (len && cells[len - 1] == ' ')
        len--;
    buf_printf(out, "%*s |%.*s\n", LABEL, label, (int)len, cells);
}

static void draw_fixed(const struct plan_curriculum *c, struct buf *out)
{
    const struct rows r = rows_of(c);
    char label[24], cells[WIDTH + 1];

    for (int i = 0; i < r.len; i++) {
        for (int x = 0; x < WIDTH; x++) {
            const int64_t budget = budget_of(c, update_of(c, x));
            const bool here = budget >= r.floor[i] && (i == 0 || budget < r.floor[i - 1]);
            cells[x] = here ? '*' : ' ';
        }
        cells[WIDTH] = '\0';
        snprintf(label, sizeof(label), "%" PRId64, r.floor[i]);
        print_row(out, label, cells);
    }
}

/* Where it will go is decided by the accuracy: the range. */
static void draw_adaptive(const struct plan_curriculum *c, struct buf *out)
{
    char label[24], cells[WIDTH + 1];

    memset(cells, '.', WIDTH);
    cells[WIDTH] = '\0';
    for (int i = 0; i < 3; i++) {
        label[0] = '\0';
        if (i != 1)
            snprintf(label, sizeof(label), "%" PRId64, i ? c->last : c->first);
        cells[0] = i ? '.' : '*';
        print_row(out, label, cells);
    }
}

/* The axis: a mark where a stage begins, and the updates under as many as there is room for. */
static void draw_axis(const struct plan_curriculum *c, struct buf *out)
{
    char line[WIDTH + 1], numbers[WIDTH + 24];
    int free_from = 0, before = 0;

    memset(line, '-', WIDTH);
    memset(numbers, ' ', sizeof(numbers));
    for (uint64_t k = 0; k <= c->stages; k++) {
        char text[24];
        const int x = (int)(k * WIDTH / c->stages);
        const int len = snprintf(text, sizeof(text), "%" PRIu64, k * (c->updates / c->stages));
        if (k && k < c->stages)
            line[x] = '+';
        if (x < free_from && k < c->stages)
            continue;
        if (x < free_from) /* the last number matters more than its neighbour */
            memset(numbers + before, ' ', sizeof(numbers) - (size_t)before);
        memcpy(numbers + x, text, (size_t)len);
        before = x;
        free_from = x + len + 2;
    }
    line[WIDTH] = '\0';
    size_t len = sizeof(numbers);
    while (len && numbers[len - 1] == ' ')
        len--;
    buf_printf(out, "%*s +%s\n%*s  %.*s\n", LABEL, "", line, LABEL, "", (int)len, numbers);
}

/* TEXT in lines of at most 78 columns, all but the first indented. */
static void print_wrapped(struct buf *out, const char *text)
{
    enum { COLUMNS = 78 };
    size_t used = 0;

    while (*text) {
        const size_t word = strcspn(text, " ");
        if (used && used + 1 + word > COLUMNS) {
            buf_adds(out, "\n   ");
            used = 3;
        }
        if (used) {
            buf_addc(out, ' ');
            used++;
        }
        buf_add(out, text, word);
        used += word;
        text += word;
        text += strspn(text, " ");
    }
    buf_addc(out, '\n');
}

static void print_one(const struct plan_curriculum *c, struct buf *out)
{
    struct buf title CLEANUP(buf_release) = { 0 };

    buf_printf(&title,
               "Curriculum of %s, %" PRIu64 " run%s: %" PRIu64 " update%s in %" PRIu64
               " stage%s; budget %s; difficulty %s.",
               c->step, c->runs, c->runs == 1 ? "" : "s", c->updates, c->updates == 1 ? "" : "s",
               c->stages, c->stages == 1 ? "" : "s", c->budget, c->difficulty);
    print_wrapped(out, buf_str(&title));
    if (c->points_len)
        draw_fixed(c, out);
    else if (c->first)
        draw_adaptive(c, out);
    if (c->points_len || c->first)
        draw_axis(c, out);
    buf_addc(out, '\n');
}

void curricula_print(const struct plan *p, struct buf *out)
{
    size_t i = 0;

    for (; i < p->curricula_len && i < CHARTS_MAX; i++)
        print_one(&p->curriculum[i], out);
    const size_t more = p->curricula_len - i + p->curricula_more;
    if (more)
        buf_printf(out, "(%zu more; --json has %s)\n\n", more,
                   p->curricula_more ? "the first of them" : "them all");
    for (i = 0; i < p->warnings_len; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        buf_printf(&text, "warning: %s", p->warning[i]);
        print_wrapped(out, buf_str(&text));
    }
    if (p->warnings_len)
        buf_addc(out, '\n');
}

/* ---- JSON ---- */

static struct json *one_json(const struct plan_curriculum *c)
{
    struct json *o = json_new_object(), *points = json_new_array();

    json_set(o, "step", json_new_text(c->step));
    json_set(o, "runs", json_new_integer((int64_t)c->runs));
    json_set(o, "updates", json_new_integer((int64_t)c->updates));
    json_set(o, "stages", json_new_integer((int64_t)c->stages));
    json_set(o, "schedule", json_new_text(c->schedule));
    json_set(o, "budget", json_new_text(c->budget));
    json_set(o, "difficulty", json_new_text(c->difficulty));
    for (size_t i = 0; i < c->points_len; i++) {
        struct json *point = json_new_object();
        json_set(point, "update", json_new_integer((int64_t)c->point[i].update));
        json_set(point, "tokens", json_new_integer(c->point[i].budget));
        json_push(points, point);
    }
    json_set(o, "budgets", points);
    json_set(o, "adaptive_first", c->first ? json_new_integer(c->first) : json_new_null());
    json_set(o, "adaptive_last", c->first ? json_new_integer(c->last) : json_new_null());
    return o;
}

struct json *curricula_json(const struct plan *p)
{
    struct json *list = json_new_array();

    for (size_t i = 0; i < p->curricula_len; i++)
        json_push(list, one_json(&p->curriculum[i]));
    return list;
}
