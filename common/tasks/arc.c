/* SPDX-License-Identifier: Apache-2.0 */
/* The official JSONL form of ARC (AI2, 2018): {"id", "question": {"stem", "choices": [{"text",
 * "label"}]}, "answerKey"}. Prompt and continuations as lm-evaluation-harness's arc_easy and
 * arc_challenge have them. */
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/tasks/source.h"

/* The largest official file has 2.4 thousand records in 0.95 MB. */
enum { FILE_BYTES_MAX = 256 << 20 };

struct line {
    uint64_t id;
    size_t offset, len, number;
    UT_hash_handle hh;
};

struct arc {
    const struct task_spec *task;
    char *path;
    struct buf text;
    struct line **line; /* in file order, duplicates dropped */
    size_t len, cap;
    struct line *by_id;
};

static int refuse(const struct arc *a, size_t number, struct err *err, const char *why)
{
    return err_set(err, ERR_INVALID, "%s:%zu: %s", a->path, number, why);
}

static int read_choices(const struct arc *a, size_t number, const struct json *choices,
                        const char *key, struct example *ret, struct err *err)
{
    size_t n = json_len(choices);

    if (!json_is_array(choices) || n < 2 || n > TASK_CHOICES_MAX)
        return refuse(a, number, err, "question.choices must be a list of 2 to 8 choices");
    for (size_t i = 0; i < n; i++) {
        const char *text = json_text(json_get(json_at(choices, i), "text"));
        const char *label = json_text(json_get(json_at(choices, i), "label"));
        if (!text || !label)
            return refuse(a, number, err, "a choice has no text or no label");
        ret->choice[ret->choices_len++] = mem_strdup(text);
        if (strcmp(label, key) == 0 && ret->gold_choice < 0)
            ret->gold_choice = (int)i;
    }
    if (ret->gold_choice < 0)
        return refuse(a, number, err, "answerKey is the label of no choice");
    return 0;
}

static char *question_of(const struct example *e, const char *stem)
{
    struct buf b = { 0 };

    buf_adds(&b, stem);
    for (size_t i = 0; i < e->choices_len; i++)
        buf_printf(&b, "\n  (%c) %s", (char)('A' + i), e->choice[i]);
    return buf_detach(&b);
}

/* The record without white space or key order of the file. */
static uint64_t id_of(const struct task_spec *t, const char *source_id, const char *stem,
                      const struct example *e)
{
    struct json *record = json_new_array();
    char *text;

    json_push(record, json_new_text(source_id));
    json_push(record, json_new_text(stem));
    for (size_t i = 0; i < e->choices_len; i++)
        json_push(record, json_new_text(e->choice[i]));
    json_push(record, json_new_integer(e->gold_choice));
    text = json_dump(record, 0);
    uint64_t id = example_id(t, text);
    free(text);
    json_free(record);
    return id;
}

static int parse_line(const struct arc *a, const struct line *l, struct example *ret,
                      struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct err why = { 0 };

    *ret = (struct example){ .gold_choice = -1 };
    if (json_parse(a->text.data + l->offset, l->len, &root, &why))
        return refuse(a, l->number, err, why.text);
    const char *id = json_text(json_get(root, "id")), *key = json_text(json_get(root, "answerKey"));
    const struct json *question = json_get(root, "question");
    const char *stem = json_text(json_get(question, "stem"));
    if (!id || !key || !stem)
        return refuse(a, l->number, err,
                      "a record needs the texts id, question.stem and answerKey");
    int rc = read_choices(a, l->number, json_get(question, "choices"), key, ret, err);
    if (rc) {
        example_release(ret);
        return rc;
    }
    struct buf prompt = { 0 };
    buf_printf(&prompt, "Question: %s\nAnswer:", stem);
    ret->prompt = buf_detach(&prompt);
    ret->source_id = mem_strdup(id);
    ret->gold = mem_strdup(ret->choice[ret->gold_choice]);
    ret->question = question_of(ret, stem);
    ret->id = id_of(a->task, id, stem, ret);
    return 0;
}

static int add_line(struct arc *a, struct line l, struct err *err)
{
    struct example e;
    struct line *old = NULL;
    int rc = parse_line(a, &l, &e, err);

    if (rc)
        return rc;
    l.id = e.id;
    example_release(&e);
    HASH_FIND(hh, a->by_id, &l.id, sizeof(l.id), old);
    if (old)
        return 0;
    if (a->len == a->cap) {
        a->cap = a->cap ? a->cap * 2 : 1024;
        a->line = mem_realloc(a->line, a->cap, sizeof(*a->line));
    }
    struct line *item = mem_dup(&l, sizeof(l));
    HASH_ADD(hh, a->by_id, id, sizeof(item->id), item);
    a->line[a->len++] = item;
    return 0;
}

static int read_lines(struct arc *a, struct err *err)
{
    size_t number = 0;

    for (size_t at = 0; at < a->text.len;) {
        const char *start = a->text.data + at;
        const char *end = memchr(start, '\n', a->text.len - at);
        size_t len = end ? (size_t)(end - start) : a->text.len - at;
        number++;
        if (strspn(start, " \t\r\n") < len) {
            int rc = add_line(a, (struct line){ .offset = at, .len = len, .number = number }, err);
            if (rc)
                return rc;
        }
        at += len + 1;
    }
    return a->len ? 0 : err_set(err, ERR_INVALID, "%s: no records", a->path);
}

int arc_open(struct arc **ret, const struct task_spec *t, const char *path, struct err *err)
{
    struct arc *a = mem_calloc(1, sizeof(*a));
    int rc;

    a->task = t;
    a->path = mem_strdup(path);
    rc = buf_read_file(&a->text, path, FILE_BYTES_MAX, err);
    if (!rc)
        rc = read_lines(a, err);
    if (rc) {
        arc_close(a);
        return rc;
    }
    *ret = a;
    return 0;
}

void arc_close(struct arc *a)
{
    if (!a)
        return;
    HASH_CLEAR(hh, a->by_id);
    for (size_t i = 0; i < a->len; i++)
        free(a->line[i]);
    free(a->line);
    buf_release(&a->text);
    free(a->path);
    free(a);
}

uint64_t arc_count(const struct arc *a)
{
    return a->len;
}

int arc_get(struct arc *a, uint64_t index, struct example *ret, struct err *err)
{
    if (index >= a->len)
        return err_set(err, ERR_LIMIT, "%s has %zu examples, asked for %llu", a->path, a->len,
                       (unsigned long long)index + 1);
    return parse_line(a, a->line[index], ret, err);
}
