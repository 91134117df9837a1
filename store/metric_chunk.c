/* SPDX-License-Identifier: Apache-2.0 */
/* metric_chunk.c - chunks as text and as rows (metric_private.h). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "store/metric_private.h"
#include "store/number.h"

void metric_add(struct metric_sums *s, double v)
{
    if (s->n++ == 0)
        s->min = s->max = NAN;
    if (!isfinite(v))
        return;
    s->min = s->finite == 0 || v < s->min ? v : s->min;
    s->max = s->finite == 0 || v > s->max ? v : s->max;
    s->sum += v;
    s->finite++;
}

void metric_add_sums(struct metric_sums *s, const struct metric_sums *more)
{
    if (s->n == 0)
        s->min = s->max = NAN;
    s->n += more->n;
    if (more->finite == 0)
        return;
    s->min = s->finite == 0 || more->min < s->min ? more->min : s->min;
    s->max = s->finite == 0 || more->max > s->max ? more->max : s->max;
    s->sum += more->sum;
    s->finite += more->finite;
}

void chunk_release(struct chunk *c)
{
    buf_release(&c->steps);
    buf_release(&c->points);
}

void chunk_clear(struct chunk *c)
{
    c->id = c->first_step = c->last_step = c->stride = 0;
    c->sums = (struct metric_sums){ .min = NAN, .max = NAN };
    buf_clear(&c->steps);
    buf_clear(&c->points);
}

static void add_step(struct chunk *c, uint64_t step)
{
    buf_printf(&c->steps, "%c%llu", c->steps.len ? ',' : '[', (unsigned long long)step);
}

void chunk_add(struct chunk *c, struct metric_point p)
{
    char *out;

    if (c->sums.n == 0)
        c->first_step = p.step;
    else if (c->sums.n == 1)
        c->stride = p.step - c->last_step;
    else if (c->steps.len == 0 && p.step != c->last_step + c->stride) {
        for (uint64_t i = 0; i < c->sums.n; i++)
            add_step(c, c->first_step + i * c->stride);
    }
    if (c->steps.len)
        add_step(c, p.step);
    out = buf_reserve(&c->points, 1 + NUMBER_MAX);
    *out = c->sums.n ? ',' : '[';
    c->points.len += 1 + number_print(p.value, out + 1);
    c->points.data[c->points.len] = '\0';
    c->last_step = p.step;
    metric_add(&c->sums, p.value);
}

static double real_or_nan(const struct stmt *st, int column)
{
    return stmt_is_null(st, column) ? (double)NAN : stmt_col_real(st, column);
}

/* TEXT without its last byte, "]". */
static void take_list(struct buf *out, const char *text)
{
    size_t len = text ? strlen(text) : 0;

    buf_clear(out);
    if (len > 0)
        buf_add(out, text, len - 1);
}

void chunk_take(struct chunk *c, const struct stmt *st)
{
    c->id = stmt_col_u64(st, 0);
    c->first_step = stmt_col_u64(st, 1);
    c->last_step = stmt_col_u64(st, 2);
    c->stride = stmt_col_u64(st, 3);
    c->sums = (struct metric_sums){ .n = stmt_col_u64(st, 4),
                                    .finite = stmt_col_u64(st, 5),
                                    .min = real_or_nan(st, 6),
                                    .max = real_or_nan(st, 7),
                                    .sum = stmt_col_real(st, 8) };
    take_list(&c->steps, stmt_col_text(st, 9));
    take_list(&c->points, stmt_col_text(st, 10));
}

int chunk_write(struct store *s, uint64_t series, struct chunk *c, struct err *err)
{
    struct stmt *st = c->id ? USE(s, CHUNK_SET) : USE(s, CHUNK_PUT);
    bool uneven = c->steps.len > 0;
    int rc;

    buf_addc(&c->points, ']');
    if (uneven)
        buf_addc(&c->steps, ']');
    if (c->id) {
        stmt_u64(st, ":id", c->id);
    } else {
        stmt_u64(st, ":series", series);
        stmt_int(st, ":level", 0);
    }
    stmt_u64(st, ":first_step", c->first_step);
    stmt_u64(st, ":last_step", c->last_step);
    stmt_u64(st, ":stride", uneven ? 0 : c->stride);
    stmt_u64(st, ":n", c->sums.n);
    stmt_u64(st, ":finite", c->sums.finite);
    stmt_real(st, ":min", c->sums.min);
    stmt_real(st, ":max", c->sums.max);
    stmt_real(st, ":sum", isfinite(c->sums.sum) ? c->sums.sum : 0.0);
    stmt_text_len(st, ":steps", uneven ? c->steps.data : NULL, c->steps.len);
    stmt_text_len(st, ":points", c->points.data, c->points.len);
    rc = stmt_run(st, err);
    c->points.data[--c->points.len] = '\0';
    if (uneven)
        c->steps.data[--c->steps.len] = '\0';
    return rc;
}

/* "[1,5,6]" into the steps of RET. */
static bool decode_steps(const char *text, struct metric_point *ret, uint64_t n)
{
    char *end;

    if (*text++ != '[')
        return false;
    for (uint64_t i = 0; i < n; i++) {
        ret[i].step = strtoull(text, &end, 10);
        if (end == text || *end != (i + 1 < n ? ',' : ']'))
            return false;
        text = end + 1;
    }
    return true;
}

int chunk_decode(uint64_t first_step, uint64_t stride, uint64_t n, const char *steps,
                 const char *points, struct metric_point *ret, struct err *err)
{
    double *v = mem_calloc(MAX(n, 1), sizeof *v);
    bool good = number_parse_list(points, v, n) == n;

    for (uint64_t i = 0; good && i < n; i++)
        ret[i] = (struct metric_point){ first_step + i * stride, v[i] };
    free(v);
    if (good && steps)
        good = decode_steps(steps, ret, n);
    return good ? 0
                : err_set(err, ERR_CORRUPT,
                          "metric_chunk: the row of step %llu does not hold %llu "
                          "numbers",
                          (unsigned long long)first_step, (unsigned long long)n);
}
