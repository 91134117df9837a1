/* SPDX-License-Identifier: Apache-2.0 */
/* What a row of the table cannot say: fields made of other fields. */
#include <stdlib.h>
#include <string.h>

#include "common/base/rng.h"
#include "common/grading/grading.h"
#include "common/tasks/adapters.h"
#include "common/tasks/fields.h"

static int missing(const char *field, struct err *err)
{
    return err_set(err, ERR_INVALID, "the field %s is missing", field);
}

static void set_text(struct json *root, const char *key, const struct buf *text)
{
    json_set(root, key, json_new_text(buf_str(text)));
}

static void replace(struct buf *b, const char *from, const char *to)
{
    struct buf out = { 0 };
    const char *p = buf_str(b), *hit;

    for (; (hit = strstr(p, from)); p = hit + strlen(from)) {
        buf_add(&out, p, (size_t)(hit - p));
        buf_adds(&out, to);
    }
    buf_adds(&out, p);
    buf_release(b);
    *b = out;
}

/* question.choices[] = {text, label}; the gold answer is the position of answerKey. */
int fix_arc(const struct adapter *a, struct json *root, struct err *err)
{
    const char *id = json_text(json_get(root, "id")), *key = json_text(json_get(root, "answerKey"));
    const char *stem = json_text(field_find(root, "question.stem"));
    const struct json *choices = field_find(root, "question.choices");
    size_t n = json_len(choices);
    int gold = -1;

    (void)a;
    if (!id || !key || !stem)
        return err_set(err, ERR_INVALID,
                       "a record needs the texts id, question.stem and answerKey");
    if (!json_is_array(choices) || n < 2 || n > 8)
        return err_set(err, ERR_INVALID, "question.choices must be a list of 2 to 8 choices");
    struct json *list = json_new_array();
    json_set(root, "@choices", list);
    for (size_t i = 0; i < n; i++) {
        const char *text = json_text(json_get(json_at(choices, i), "text"));
        const char *label = json_text(json_get(json_at(choices, i), "label"));
        if (!text || !label)
            return err_set(err, ERR_INVALID, "a choice has no text or no label");
        json_push(list, json_new_text(text));
        if (gold < 0 && strcmp(label, key) == 0)
            gold = (int)i;
    }
    if (gold < 0)
        return err_set(err, ERR_INVALID, "answerKey is the label of no choice");
    json_set(root, "@label", json_new_integer(gold));
    return 0;
}

/* The number behind "#### ". */
int fix_gsm8k(const struct adapter *a, struct json *root, struct err *err)
{
    struct buf gold CLEANUP(buf_release) = { 0 };
    const char *answer = json_text(field_find(root, a->arg));
    const char *mark = NULL;

    if (!answer)
        return missing(a->arg, err);
    for (const char *p = answer; (p = strstr(p, "####")); p += 4)
        mark = p;
    if (!mark)
        return err_set(err, ERR_INVALID, "the field %s has no line \"#### answer\"", a->arg);
    text_strip(mark + 4, strlen(mark + 4), &gold);
    set_text(root, "@gold", &gold);
    return 0;
}

int fix_svamp(const struct adapter *a, struct json *root, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *body = json_text(json_get(root, "Body"));
    const char *question = json_text(json_get(root, "Question"));

    (void)a;
    if (!body || !question)
        return missing(body ? "Question" : "Body", err);
    text_strip(body, strlen(body), &text);
    if (text.len > 0)
        buf_adds(&text, strchr(".?!", text.data[text.len - 1]) ? " " : ". ");
    text_strip(question, strlen(question), &text);
    set_text(root, "@question", &text);
    return 0;
}

/* The text or number of the first of SPEC's fields; empty when there is none, or only blanks. */
static int given_answer(const struct json *root, const char *spec, struct buf *out, struct err *err)
{
    const struct json *v = field_find(root, spec);

    if (json_is_array(v) || json_is_object(v))
        return err_set(err, ERR_INVALID, "the answer (field %s) is neither a text nor a number",
                       spec);
    if (field_text(v, out) && strspn(buf_str(out), " \t\r\n") == out->len)
        buf_clear(out);
    return 0;
}

/* MATH: the answer, or what the solution has in its last box. */
int fix_math(const struct adapter *a, struct json *root, struct err *err)
{
    struct buf gold CLEANUP(buf_release) = { 0 };
    const char *solution = json_text(json_get(root, "solution"));
    int rc = given_answer(root, "answer|gt_ans", &gold, err);

    (void)a;
    if (rc)
        return rc;
    if (gold.len == 0) {
        if (!solution)
            return missing("answer (or solution)", err);
        if (!extract_boxed(solution, &gold))
            return err_set(err, ERR_INVALID, "the solution has no \\boxed{} answer");
    }
    set_text(root, "@gold", &gold);
    return 0;
}

/* AIME: three digits, "025" for 25. */
int fix_aime(const struct adapter *a, struct json *root, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 }, gold CLEANUP(buf_release) = { 0 };
    int rc = given_answer(root, "answer|Answer", &text, err);

    (void)a;
    if (rc)
        return rc;
    if (text.len == 0)
        return missing("answer", err);
    text_strip(buf_str(&text), text.len, &gold);
    const char *s = buf_str(&gold);
    while (s[0] == '0' && s[1])
        s++;
    json_set(root, "@gold", json_new_text(s));
    return 0;
}

struct targets {
    struct json *choices, *labels;
    int64_t n;
};

static int add_target(const char *key, struct json *value, void *arg)
{
    struct targets *t = arg;

    json_push(t->choices, json_new_text(key));
    if (json_integer(value, 0) == 1)
        json_push(t->labels, json_new_integer(t->n));
    t->n++;
    return 0;
}

/* mc1_targets or mc2_targets: {"choice": 1 or 0}, in the order of the file. HF's form has lists
 * choices and labels inside. */
int fix_truthfulqa(const struct adapter *a, struct json *root, struct err *err)
{
    const struct json *targets = json_get(root, a->arg), *labels = json_get(targets, "labels");
    struct targets t = { 0 };

    if (!json_is_object(targets))
        return missing(a->arg, err);
    t.choices = json_new_array();
    t.labels = json_new_array();
    json_set(root, "@choices", t.choices);
    json_set(root, "@label", t.labels);
    if (!json_is_array(labels)) {
        (void)json_each(targets, add_target, &t);
        return 0;
    }
    for (size_t i = 0; i < json_len(labels); i++) {
        const char *text = json_text(json_at(json_get(targets, "choices"), i));
        if (!text)
            return err_set(err, ERR_INVALID, "%s has more labels than choices", a->arg);
        (void)add_target(text, json_at(labels, i), &t);
    }
    return 0;
}

/* Letters of a label: "D", "(d)", "AD", "A B D" or ["B", "D"], as indices. */
static int letters(const struct json *label, size_t options, struct json *ret, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!field_text(label, &text))
        return missing("label", err);
    replace(&text, "、", ",");
    replace(&text, "\\n", " "); /* a list is dumped */
    for (const char *p = buf_str(&text); *p; p++) {
        if (strchr(" \t\r\n,.()[]\"", *p))
            continue;
        size_t i = *p >= 'a' ? (size_t)(*p - 'a') : (size_t)(*p - 'A');
        if (*p < 'A' || i >= options)
            return err_set(err, ERR_INVALID, "the label %s is no letter of the %zu options",
                           buf_str(&text), options);
        json_push(ret, json_new_integer((int64_t)i));
    }
    return 0;
}

/* Options are texts; numbers become some. */
static int text_options(struct json *root, struct err *err)
{
    const struct json *options = json_get(root, "options");
    struct json *texts CLEANUP(json_cleanup) = json_new_array();
    size_t n = json_len(options);

    if (!json_is_array(options) || n < 2 || n > 26)
        return err_set(err, ERR_INVALID, "the field options must be a list of 2 to 26 texts");
    for (size_t i = 0; i < n; i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        const struct json *option = json_at(options, i);
        if ((!json_is_string(option) && !json_is_number(option)) || !field_text(option, &text))
            return err_set(err, ERR_INVALID, "option %zu of the field options is no text", i + 1);
        json_push(texts, json_new_text(buf_str(&text)));
    }
    json_set(root, "options", texts);
    texts = NULL;
    return 0;
}

/* AGIEval's zero-shot text. */
static void agieval_query(const char *style, const char *passage, const char *question,
                          const struct json *options, struct buf *out)
{
    bool chinese = strncmp(style, "zh", 2) == 0, cloze = strstr(style, "cloze") != NULL;
    size_t n = json_len(options);

    buf_printf(out, "%s%s%s", passage, chinese ? "问题：" : "Q: ", question);
    if (cloze) {
        buf_adds(out, chinese ? "\n答案：" : "\nA: The answer is");
        return;
    }
    buf_adds(out, chinese ? " 选项：" : " Answer Choices: ");
    for (size_t i = 0; i < n; i++) {
        const char *option = json_text(json_at(options, i));
        buf_printf(out, "%s%s", i ? " " : "", option ? option : "");
    }
    buf_printf(out,
               chinese ? "\n答案：从A到%c, 我们应选择" : "\nA: Among A through %c, the answer is",
               (char)('A' + n - 1));
}

int fix_agieval(const struct adapter *a, struct json *root, struct err *err)
{
    struct buf query CLEANUP(buf_release) = { 0 };
    const char *passage = json_text(json_get(root, "passage"));
    const char *question = json_text(json_get(root, "question"));
    bool cloze = a->spec.form == TASK_ANSWER;

    if (!question)
        return missing("question", err);
    if (!cloze) {
        struct json *labels = json_new_array();
        json_set(root, "@label", labels);
        int rc = text_options(root, err);
        rc =
            rc ? rc
               : letters(json_get(root, "label"), json_len(json_get(root, "options")), labels, err);
        if (rc)
            return rc;
    } else if (!field_find(root, "answer")) {
        return missing("answer", err);
    }
    agieval_query(a->arg, passage ? passage : "", question, json_get(root, "options"), &query);
    set_text(root, "@query", &query);
    return 0;
}

/* The premise without its full stop, "because" or "therefore"; choices begin in lower case. */
int fix_copa(const struct adapter *a, struct json *root, struct err *err)
{
    static const char *const keys[] = { "choice1", "choice2" };
    struct buf text CLEANUP(buf_release) = { 0 };
    const char *premise = json_text(json_get(root, "premise"));
    const char *question = json_text(json_get(root, "question"));
    struct json *choices = json_new_array();

    (void)a;
    json_set(root, "@choices", choices);
    if (!premise || !question)
        return missing(premise ? "question" : "premise", err);
    if (strcmp(question, "cause") != 0 && strcmp(question, "effect") != 0)
        return err_set(err, ERR_INVALID, "the question is \"%s\", neither cause nor effect",
                       question);
    text_strip(premise, strlen(premise), &text);
    while (text.len > 0 && ((unsigned char)text.data[text.len - 1] & 0xC0) == 0x80)
        text.len--; /* the last character may have many bytes */
    if (text.len > 0)
        text.data[--text.len] = '\0';
    buf_adds(&text, strcmp(question, "cause") == 0 ? " because" : " therefore");
    set_text(root, "@premise", &text);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        const char *choice = json_text(json_get(root, keys[i]));
        if (!choice || !*choice)
            return missing(keys[i], err);
        buf_clear(&text);
        buf_adds(&text, choice);
        if (text.data[0] >= 'A' && text.data[0] <= 'Z')
            text.data[0] = (char)(text.data[0] - 'A' + 'a');
        json_push(choices, json_new_text(buf_str(&text)));
    }
    return 0;
}

/* Byte offset of character N of S, its end when it has fewer. */
static size_t offset_of(const char *s, int64_t n)
{
    size_t i = 0;

    while (s[i] && n > 0) {
        i++;
        while (((unsigned char)s[i] & 0xC0) == 0x80)
            i++;
        n--;
    }
    return i;
}

/* A position, written as a number or as text; -1: none. */
static int64_t position(const struct json *v)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!field_text(v, &text) || text.len == 0 || text.len > 9 ||
        strspn(buf_str(&text), "0123456789") != text.len)
        return -1;
    return strtol(buf_str(&text), NULL, 10);
}

/* The word as the first sentence has it: characters start1 to end1. */
int fix_wic(const struct adapter *a, struct json *root, struct err *err)
{
    const char *sentence = json_text(json_get(root, "sentence1"));
    int64_t start = position(json_get(root, "start1"));
    int64_t end = position(json_get(root, "end1"));
    const char *word = json_text(json_get(root, "word"));
    struct buf text CLEANUP(buf_release) = { 0 };

    (void)a;
    if (!sentence || (!word && (start < 0 || end <= start)))
        return missing(sentence ? "start1 (and end1, or word)" : "sentence1", err);
    if (start >= 0 && end > start) {
        size_t from = offset_of(sentence, start), to = offset_of(sentence, end);
        buf_add(&text, sentence + from, to - from);
        if (text.len == 0)
            return err_set(err, ERR_INVALID, "start1 %lld is beyond sentence1", (long long)start);
    } else {
        buf_adds(&text, word);
    }
    set_text(root, "@word", &text);
    return 0;
}

/* Spaces that a tokenizer of words put in front of punctuation. */
static void detokenise(struct buf *b)
{
    static const char *const pairs[][2] = { { " n't", "n't" }, { " )", ")" },   { "( ", "(" },
                                            { "\" ", "\"" },   { " \"", "\"" }, { " '", "'" },
                                            { " .", "." },     { " ,", "," } };

    for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
        replace(b, pairs[i][0], pairs[i][1]);
}

/* The text with *pronoun* marked: span2_index counts words between blanks. */
int fix_wsc(const struct adapter *a, struct json *root, struct err *err)
{
    const char *text = json_text(json_get(root, "text"));
    const char *pronoun = json_text(field_find(root, "target.span2_text|span2_text"));
    int64_t index = position(field_find(root, "target.span2_index|span2_index"));
    struct buf marked CLEANUP(buf_release) = { 0 };

    (void)a;
    if (!text || !pronoun || index < 0)
        return missing(text ? "target.span2_text or target.span2_index" : "text", err);
    const char *p = text;
    for (int64_t i = 0; i < index; i++) {
        p += strspn(p, " \t\r\n");
        size_t len = strcspn(p, " \t\r\n");
        if (len == 0)
            return err_set(err, ERR_INVALID, "span2_index %lld is beyond the text's words",
                           (long long)index);
        buf_printf(&marked, "%s%.*s", i ? " " : "", (int)len, p);
        p += len;
    }
    size_t skip = text_characters(buf_str(&marked)) + text_characters(pronoun) + (index > 0);
    buf_printf(&marked, "%s*%s*%s", index ? " " : "", pronoun,
               text + offset_of(text, (int64_t)skip));
    detokenise(&marked);
    set_text(root, "@passage", &marked);
    return 0;
}

/* The harness's cleaning of an option. */
static void clean_option(const char *s, struct buf *out)
{
    struct buf b = { 0 };

    text_strip(s, strlen(s), &b);
    replace(&b, " [title]", ". ");
    replace(&b, "  ", " ");
    buf_adds(out, buf_str(&b));
    buf_release(&b);
}

/* The options in an order drawn for the question: the harness shuffles by Python's generator, which
 * a pure function of the question cannot follow. */
int late_gpqa(uint64_t id, struct json *root, struct err *err)
{
    static const char *const fields[] = { "Correct Answer", "Incorrect Answer 1",
                                          "Incorrect Answer 2", "Incorrect Answer 3" };
    static const char *const keys[] = { "@choice1", "@choice2", "@choice3", "@choice4" };
    struct rng r = rng_stream("gpqa options", 0, id);
    uint8_t order[] = { 0, 1, 2, 3 };

    rng_shuffle(&r, order, ARRAY_LEN(order), 1);
    for (size_t i = 0; i < ARRAY_LEN(order); i++) {
        struct buf text CLEANUP(buf_release) = { 0 };
        const char *option = json_text(json_get(root, fields[order[i]]));
        if (!option || !*option)
            return missing(fields[order[i]], err);
        clean_option(option, &text);
        set_text(root, keys[i], &text);
        if (order[i] == 0)
            json_set(root, "@label", json_new_integer((int64_t)i));
    }
    return 0;
}
