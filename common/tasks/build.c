/* SPDX-License-Identifier: Apache-2.0 */
/* From a record to an example, by the adapter's row. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/tasks/fields.h"
#include "common/tasks/reader.h"
#include "common/tasks/source.h"

void built_release(struct built *b)
{
    json_free(b->root);
    free(b->record);
    *b = (struct built){ 0 };
}

/* The record without white space, key order and columns that do not matter. */
static int canonical(const struct adapter *a, const struct json *root, char **ret, struct err *err)
{
    struct json *record CLEANUP(json_cleanup) = json_new_array();
    const char *name;
    size_t len;

    for (size_t i = 0; (name = text_part(a->identity, '\t', i, &len)); i++) {
        char spec[96];
        char mark = *name == '*' || *name == '#' ? *name : '\0';
        snprintf(spec, sizeof(spec), "%.*s", (int)(len - (mark != 0)), name + (mark != 0));
        const struct json *v = field_find(root, spec);
        struct buf text CLEANUP(buf_release) = { 0 };
        if (mark == '*') {
            for (size_t j = 0; j < json_len(v); j++)
                json_push(record, json_new_text(json_text(json_at(v, j))));
        } else if (mark == '#') {
            json_push(record, json_new_integer(json_integer(v, 0)));
        } else if (field_text(v, &text)) {
            json_push(record, json_new_text(buf_str(&text)));
        } else {
            json_push(record, json_new_null());
        }
    }
    (void)err;
    *ret = json_dump(record, 0);
    return 0;
}

int build_record(const struct adapter *a, struct json *root, struct built *ret, struct err *err)
{
    struct built b = { .root = root };
    int rc = 0;

    if ((a->flags & ADAPTER_SKIP_DASH)) {
        const char *label = json_text(field_find(root, a->label));
        b.dropped = label && strcmp(label, "-") == 0;
    }
    if (!b.dropped && a->fix)
        rc = a->fix(a, root, err);
    if (rc == 0 && !b.dropped) {
        rc = canonical(a, root, &b.record, err);
        b.id = rc ? 0 : example_id(&a->spec, b.record);
    }
    if (rc == 0 && !b.dropped && a->late)
        rc = a->late(b.id, root, err);
    if (rc) {
        built_release(&b);
        return rc;
    }
    *ret = b;
    return 0;
}

int build_level(const struct adapter *a, const struct json *root, int *ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *s;

    *ret = 0;
    if (!a->level || !field_text(field_find(root, a->level), &text))
        return 0;
    s = buf_str(&text);
    s += strncmp(s, "Level ", 6) == 0 ? 6 : 0;
    if (strcmp(s, "?") == 0)
        return 0;
    if (s[0] < '1' || s[0] > '0' + a->spec.levels || s[1] != '\0')
        return err_set(err, ERR_INVALID, "the level \"%s\" is none of \"Level 1\" to \"Level %d\"",
                       buf_str(&text), a->spec.levels);
    *ret = s[0] - '0';
    return 0;
}

static void add_choice(struct example *e, const char *text)
{
    struct buf b = { 0 };

    buf_printf(&b, " %s", text);
    e->choice_chars[e->choices_len] = text_characters(text);
    e->choice[e->choices_len++] = buf_detach(&b);
}

static int fill_choices(const struct adapter *a, const struct json *root, struct example *e,
                        struct err *err)
{
    const char *part;
    size_t len;

    if (!a->choices)
        return 0;
    if (a->choices[0] == '*') {
        const struct json *list = field_find(root, a->choices + 1);
        if (json_len(list) < 2 || json_len(list) > TASK_CHOICES_MAX)
            return err_set(err, ERR_INVALID, "%zu choices where 2 to %d are expected",
                           json_len(list), TASK_CHOICES_MAX);
        for (size_t i = 0; i < json_len(list); i++)
            add_choice(e, json_text(json_at(list, i)) ? json_text(json_at(list, i)) : "");
        return 0;
    }
    for (size_t i = 0; (part = text_part(a->choices, '\t', i, &len)); i++) {
        struct buf template CLEANUP(buf_release) = { 0 }, text CLEANUP(buf_release) = { 0 };
        buf_add(&template, part, len);
        int rc = field_expand(root, buf_str(&template), &text, err);
        if (rc)
            return rc;
        add_choice(e, buf_str(&text));
    }
    return 0;
}

/* A label as an index: one of the adapter's words, a number or a truth value. -1: none of them. */
static int64_t label_index(const struct adapter *a, const struct json *v)
{
    struct buf text CLEANUP(buf_release) = { 0 }, given CLEANUP(buf_release) = { 0 };
    const char *word;
    size_t len;

    if (!field_text(v, &given))
        return -1;
    text_strip(given.data, given.len, &text);
    const char *s = buf_str(&text);
    if (!json_is_string(v) || !a->words)
        s = strcasecmp(s, "true") == 0 ? "1" : strcasecmp(s, "false") == 0 ? "0" : s;
    for (size_t i = 0; a->words && (word = text_part(a->words, '|', i, &len)); i++)
        if (text_is(word, len, s))
            return (int64_t)i;
    if (s[0] >= '0' && s[0] <= '9' && strspn(s, "0123456789") == strlen(s) && strlen(s) < 4)
        return strtol(s, NULL, 10);
    return -1;
}

static int fill_gold(const struct adapter *a, const struct json *root, struct example *e,
                     struct err *err)
{
    const struct json *v = field_find(root, a->label);
    struct buf gold = { 0 }, shown CLEANUP(buf_release) = { 0 };
    bool list = json_is_array(v);
    size_t n = list ? json_len(v) : 1, found = 0;

    (void)field_text(v, &shown);
    for (size_t i = 0; i < n; i++) {
        int64_t index = label_index(a, list ? json_at(v, i) : v);
        if (index < 0 || (size_t)index >= e->choices_len) {
            buf_release(&gold);
            return err_set(err, ERR_INVALID,
                           v ? "the label %s (field %s) is none of the %zu choices' (unlabelled "
                               "test files cannot be scored)"
                             : "there is no label%s (field %s; unlabelled test files cannot be "
                               "scored)",
                           buf_str(&shown), a->label, e->choices_len);
        }
        if (e->gold_mask >> index & 1)
            continue;
        e->gold_mask |= UINT64_C(1) << index;
        e->gold_choice = (int)index;
        buf_printf(&gold, "%s%s", found++ ? "; " : "", e->choice[index] + 1);
    }
    if (found != 1)
        e->gold_choice = -1;
    e->gold = buf_detach(&gold);
    return found ? 0 : err_set(err, ERR_INVALID, "no choice is right (field %s)", a->label);
}

static int fill_answer(const struct adapter *a, const struct json *root, struct example *e,
                       struct err *err)
{
    struct buf gold = { 0 };

    if (a->flags & ADAPTER_GOLD_LIST) {
        const struct json *answers = field_find(root, a->label);
        if (!json_is_array(answers))
            return err_set(err, ERR_INVALID,
                           "answers and is_impossible are missing: unlabelled "
                           "questions cannot be scored");
        for (size_t i = 0; i < json_len(answers) && i < TASK_GOLDS_MAX; i++)
            e->golds[e->golds_len++] = mem_strdup(json_text(json_at(answers, i)));
        e->gold = mem_strdup(e->golds_len ? e->golds[0] : "");
        return 0;
    }
    int rc = field_expand(root, a->answer, &gold, err);
    e->gold = buf_detach(&gold);
    return rc;
}

static void fill_stops(const struct adapter *a, struct example *e)
{
    const char *stop;
    size_t len;

    e->answer_tokens_max = a->spec.answer_tokens_max;
    for (size_t i = 0; a->stops && (stop = text_part(a->stops, '\t', i, &len)); i++) {
        struct buf b = { 0 };
        buf_add(&b, stop, len);
        e->stop[e->stops_len++] = buf_detach(&b);
    }
}

/* For people: the question, and the choices where they are not the same few words each time. */
static int fill_question(const struct adapter *a, const struct json *root, struct example *e,
                         struct err *err)
{
    struct buf b CLEANUP(buf_release) = { 0 };
    int rc = field_expand(root, a->people ? a->people : a->prompt, &b, err);

    for (size_t i = 0; a->people && a->spec.form == TASK_CHOICE && i < e->choices_len; i++)
        buf_printf(&b, "\n  (%c) %s", i < 26 ? (char)('A' + i) : '*', e->choice[i] + 1);
    e->question = buf_detach(&b);
    return rc;
}

static void fill_names(const struct adapter *a, const struct json *root, size_t number,
                       struct example *e)
{
    struct buf source = { 0 }, subset = { 0 };

    if (!a->source || !field_text(field_find(root, a->source), &source))
        buf_printf(&source, "%zu", number);
    if (a->subset)
        (void)field_text(field_find(root, a->subset), &subset);
    e->source_id = buf_detach(&source);
    e->subset = buf_detach(&subset);
}

static int fill_prompt(const struct adapter *a, const struct json *root, const char *shots,
                       struct example *e, struct err *err)
{
    struct buf b = { 0 };
    int rc = a->description ? field_expand(root, a->description, &b, err) : 0;

    buf_adds(&b, shots);
    rc = rc ? rc : field_expand(root, a->prompt, &b, err);
    e->prompt = buf_detach(&b);
    return rc;
}

int build_example(const struct adapter *a, struct built *b, enum task_prompts prompts,
                  const char *shots, size_t number, struct example *ret, struct err *err)
{
    struct example e = { .id = b->id, .gold_choice = -1, .form = a->spec.form };
    int rc = build_level(a, b->root, &e.level, err);

    if (prompts == PROMPTS_HARNESS && (a->flags & ADAPTER_BOXED))
        prompts = PROMPTS_DR_LLM;
    fill_names(a, b->root, number, &e);
    rc = rc ? rc : fill_choices(a, b->root, &e, err);
    if (rc == 0)
        rc = e.form == TASK_CHOICE ? fill_gold(a, b->root, &e, err)
                                   : fill_answer(a, b->root, &e, err);
    rc = rc ? rc : fill_question(a, b->root, &e, err);
    if (rc == 0 && prompts != PROMPTS_HARNESS) {
        rc = build_dr_llm(a, b->root, prompts, &e, err);
    } else if (rc == 0) {
        rc = fill_prompt(a, b->root, shots, &e, err);
        if (e.form == TASK_ANSWER)
            fill_stops(a, &e);
    }
    if (rc == 0 && strlen(e.prompt) > TASK_PROMPT_MAX)
        rc = err_set(err, ERR_LIMIT, "the prompt has %zu bytes, the limit is %d", strlen(e.prompt),
                     TASK_PROMPT_MAX);
    if (rc) {
        example_release(&e);
        return rc;
    }
    *ret = e;
    return 0;
}

int build_shot(const struct adapter *a, struct built *b, struct buf *out, struct err *err)
{
    struct example e;
    int rc = build_example(a, b, PROMPTS_HARNESS, "", 0, &e, err);

    if (rc)
        return rc;
    rc = field_expand(b->root, a->prompt, out, err);
    buf_addc(out, ' ');
    if (rc == 0 && a->target)
        rc = field_expand(b->root, a->target, out, err);
    else if (rc == 0 && (a->flags & ADAPTER_GOLD_LIST))
        buf_adds(out, e.golds_len ? e.golds[0] : "unanswerable");
    else if (rc == 0)
        buf_adds(out, e.gold);
    buf_adds(out, "\n\n");
    example_release(&e);
    return rc;
}
