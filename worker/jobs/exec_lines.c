/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/exec_lines.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/base/json.h"

/* TEXT with what is not printable replaced, cut to SIZE. */
static void keep_text(char *to, size_t size, const char *text, size_t len)
{
    size_t n = MIN(len, size - 1);

    for (size_t i = 0; i < n; i++)
        to[i] = text[i] >= ' ' && text[i] <= '~' ? text[i] : '?';
    to[n] = '\0';
}

static void garbage(struct exec_lines *l, const char *why)
{
    if (l->garbage++ > 0)
        return;
    l->first_line = l->lines;
    keep_text(l->first_garbage, sizeof(l->first_garbage), buf_str(&l->line), l->line.len);
    keep_text(l->first_why, sizeof(l->first_why), why, strlen(why));
}

/* Names become rows and columns: printable, not too long. */
static bool name_good(const char *name)
{
    size_t len = 0;

    for (; name[len] != '\0'; len++)
        if (name[len] <= ' ' || name[len] > '~')
            return false;
    return len > 0 && len < EXEC_NAME_MAX;
}

/* NAME's place; NULL when there are too many. */
static void *place_of(struct exec_lines *l, const char *name, size_t *ret)
{
    for (*ret = 0; *ret < l->names_len; (*ret)++)
        if (strcmp(l->name[*ret].name, name) == 0)
            return l;
    if (l->names_len == EXEC_NAMES_MAX)
        return NULL;
    (void)snprintf(l->name[l->names_len++].name, EXEC_NAME_MAX, "%s", name);
    return l;
}

/* A number, or what stands for none. */
static bool value_of(const struct json *v, double *ret)
{
    *ret = json_is_null(v) ? NAN : json_number(v, NAN);
    return json_is_null(v) || json_is_number(v);
}

static bool step_of(const struct json *v, uint64_t *ret)
{
    const int64_t step = json_integer(v, -1);

    *ret = (uint64_t)step;
    return step >= 0;
}

static const char *point(struct exec_lines *l, const char *name, const struct json *step,
                         const struct json *value)
{
    uint64_t at;
    double v;
    size_t i;

    if (name == NULL || !name_good(name))
        return "a metric's name is text of 1 to 63 printable characters without blanks";
    if (!value_of(value, &v))
        return "the value of a metric is a number";
    if (step != NULL && !step_of(step, &at))
        return "step is a whole number of at least 0";
    if (step == NULL) {
        if (place_of(l, name, &i) == NULL)
            return "too many different names without a step";
        at = l->name[i].next++;
    }
    l->points++;
    l->sink.metric(l->sink.arg, name, at, v);
    return NULL;
}

static const char *score(struct exec_lines *l, const struct json *line)
{
    const struct json *named = json_get(line, "name");
    const char *name = named != NULL ? json_text(named) : "score";
    char metric[EXEC_NAME_MAX + 8];
    uint64_t example;
    double v;
    size_t i;

    if (name == NULL || !name_good(name))
        return "a score's name is text of 1 to 63 printable characters without blanks";
    if (!value_of(json_get(line, "score"), &v) || isnan(v))
        return "a score is a number";
    if (!step_of(json_get(line, "example"), &example))
        return "a score needs example, a whole number of at least 0";
    if (place_of(l, name, &i) == NULL)
        return "too many different names of scores";
    l->name[i].scores++;
    l->name[i].sum += v;
    (void)snprintf(metric, sizeof(metric), "score.%s", name);
    l->points++;
    l->sink.metric(l->sink.arg, named != NULL ? metric : "score.example", example, v);
    return NULL;
}

struct several {
    struct exec_lines *l;
    const struct json *step;
    bool found;
};

static int one_of_several(const char *key, struct json *value, void *arg)
{
    struct several *s = arg;

    if (strcmp(key, "step") == 0 || !(json_is_number(value) || json_is_null(value)))
        return 0; /* trainers add texts, times and lists of their own */
    s->found |= point(s->l, key, s->step, value) == NULL;
    return 0;
}

static const char *take_object(struct exec_lines *l, const struct json *o)
{
    const struct json *v;
    struct several several = { .l = l, .step = json_get(o, "step") };

    if (json_get(o, "metric") != NULL)
        return point(l, json_text(json_get(o, "metric")), json_get(o, "step"),
                     json_get(o, "value"));
    if (json_get(o, "score") != NULL)
        return score(l, o);
    if ((v = json_get(o, "progress")) != NULL) {
        const double share = json_number(v, NAN);
        if (!(share >= 0 && share <= 1))
            return "progress is a number from 0 to 1";
        l->sink.progress(l->sink.arg, share);
        return NULL;
    }
    if ((v = json_get(o, "diverged")) != NULL) {
        const char *why = json_text(v);
        if (why == NULL && !json_bool(v, false))
            return "diverged is a text that says why, or true";
        l->diverged = true;
        why = why != NULL ? why : "the program says so";
        keep_text(l->diverged_why, sizeof(l->diverged_why), why, strlen(why));
        return NULL;
    }
    if (!step_of(several.step, &(uint64_t){ 0 }))
        return "none of metric, score, progress, diverged, or step with numbers";
    (void)json_each(o, one_of_several, &several);
    return several.found ? NULL : "a step without numbers";
}

/* Python writes NaN and Infinity, which JSON has not: null, outside of texts. */
static void mend_numbers(struct buf *line)
{
    static const char *const words[] = { "-Infinity", "Infinity", "NaN" };
    bool text = false;

    for (size_t i = 0; i < line->len; i++) {
        char *at = line->data + i;
        if (text && *at == '\\') {
            i++;
            continue;
        }
        text ^= *at == '"';
        for (size_t w = 0; !text && w < ARRAY_LEN(words); w++) {
            const size_t len = strlen(words[w]);
            if (line->len - i < len || memcmp(at, words[w], len) != 0)
                continue;
            if (len == 3) { /* "null" is longer by one */
                buf_addc(line, '\0');
                at = line->data + i;
                memmove(at + 4, at + 3, line->len - i - 4);
            } else {
                memset(at + 4, ' ', len - 4);
            }
            memcpy(at, "null", 4);
            i += 3;
            break;
        }
    }
}

static void take_line(struct exec_lines *l)
{
    struct json *line CLEANUP(json_cleanup) = NULL;
    struct err err = { 0 };
    size_t blank = 0;

    l->lines++;
    while (blank < l->line.len && isspace((unsigned char)l->line.data[blank]))
        blank++;
    if (blank == l->line.len)
        return;
    mend_numbers(&l->line);
    if (json_parse(l->line.data, l->line.len, &line, &err) != 0)
        garbage(l, err.text);
    else if (!json_is_object(line))
        garbage(l, "not an object");
    else {
        const char *why = take_object(l, line);
        if (why != NULL)
            garbage(l, why);
    }
}

void exec_lines_add(struct exec_lines *l, const char *bytes, size_t len)
{
    for (const char *end = bytes + len; bytes < end;) {
        const char *stop = memchr(bytes, '\n', (size_t)(end - bytes));
        const size_t n = (size_t)((stop != NULL ? stop : end) - bytes);
        if (!l->skipping && l->line.len + n > EXEC_LINE_MAX) {
            buf_add(&l->line, bytes, MIN(n, (size_t)EXEC_TEXT_MAX));
            l->lines++;
            garbage(l, "the line is longer than 8192 bytes");
            l->skipping = true;
        } else if (!l->skipping) {
            buf_add(&l->line, bytes, n);
        }
        bytes += n + (stop != NULL);
        if (stop == NULL)
            return;
        if (!l->skipping)
            take_line(l);
        l->skipping = false;
        buf_clear(&l->line);
    }
}

void exec_lines_end(struct exec_lines *l)
{
    if (!l->skipping && l->line.len > 0)
        take_line(l);
    buf_clear(&l->line);
    for (size_t i = 0; i < l->names_len; i++)
        if (l->name[i].scores > 0)
            l->sink.metric(l->sink.arg, l->name[i].name, l->name[i].scores,
                           l->name[i].sum / (double)l->name[i].scores);
}

void exec_lines_release(struct exec_lines *l)
{
    buf_release(&l->line);
}
