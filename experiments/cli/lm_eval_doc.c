/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/lm_eval_doc.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

enum { QUESTION_MAX = 4000 /* bytes kept of a question */ };

void lm_blank_specials(char *text, size_t len, bool nan_too)
{
    static const struct {
        const char *word, *instead; /* of one length */
    } specials[] = { { "-Infinity", "null     " }, { "Infinity", "null    " }, { "NaN", "0.0" } };
    bool quoted = false;

    for (size_t i = 0; i < len; i++) {
        if (quoted && text[i] == '\\') {
            i++;
            continue;
        }
        quoted ^= text[i] == '"';
        for (size_t w = 0; !quoted && w < ARRAY_LEN(specials) - !nan_too; w++) {
            size_t n = strlen(specials[w].word);

            if (i + n <= len && memcmp(text + i, specials[w].word, n) == 0) {
                memcpy(text + i, specials[w].instead, n);
                i += n - 1;
                break;
            }
        }
    }
}

/* A number, a truth value, or text that is one ("-3.25", "True"), as some versions write. */
static bool number_of(const struct json *v, double *ret)
{
    const char *text = json_text(v);
    char *end;

    if (json_is_number(v)) {
        *ret = json_number(v, 0.0);
        return isfinite(*ret);
    }
    if (text) {
        *ret = strtod(text, &end);
        return end != text && *end == '\0';
    }
    *ret = json_bool(v, false);
    return v && json_bool(v, true) == json_bool(v, false); /* a truth value says the same to both */
}

static bool is_reserved(const char *key)
{
    static const char *const reserved[] = {
        "doc_id",         "doc",      "target",      "arguments",  "resps", "filter", "metrics",
        "filtered_resps", "doc_hash", "prompt_hash", "target_hash"
    };

    for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
        if (strcmp(key, reserved[i]) == 0)
            return true;
    }
    return false;
}

static int add_filter(struct lm_samples *s, const char *name, size_t *ret, struct err *err)
{
    for (size_t i = 0; i < s->filters_len; i++) {
        if (strcmp(s->filter[i], name) == 0) {
            *ret = i;
            return 0;
        }
    }
    if (s->filters_len == ARRAY_LEN(s->filter) || strlen(name) >= LM_NAME_MAX)
        return err_set(err, ERR_LIMIT, "more than %zu filters, or a name of more than %d bytes",
                       ARRAY_LEN(s->filter), LM_NAME_MAX - 1);
    snprintf(s->filter[s->filters_len], LM_NAME_MAX, "%s", name);
    *ret = s->filters_len++;
    return 0;
}

struct metrics {
    struct lm_samples *s;
    struct lm_doc *doc;
    const char *filter;
    bool first; /* the filter's first line says which metrics there are */
    size_t taken;
    struct err *err;
};

static int take_metric(const char *key, struct json *value, void *arg)
{
    struct metrics *m = arg;
    char name[2 * LM_NAME_MAX];
    size_t at = 0;
    double x;

    if (is_reserved(key))
        return 0;
    snprintf(name, sizeof name, strcmp(m->filter, "none") == 0 ? "%s" : "%s,%s", key, m->filter);
    while (at < m->s->metrics_len && strcmp(m->s->metric[at], name) != 0)
        at++;
    if (json_is_array(value) || json_is_object(value)) { /* f1's pairs, perplexity's weights */
        m->s->left_out += m->first;
        return 0;
    }
    if (json_text(value) || !number_of(value, &x))
        return err_set(m->err, ERR_INVALID, "metric %s is no finite number", key);
    if (at == m->s->metrics_len) {
        if (!m->first)
            return err_set(m->err, ERR_INVALID, "metric %s is not in the lines before", name);
        if (at == LM_METRICS_MAX || strlen(name) >= LM_NAME_MAX)
            return err_set(m->err, ERR_LIMIT, "metric %s: more than %d metrics, or a name too long",
                           name, LM_METRICS_MAX);
        memcpy(m->s->metric[m->s->metrics_len++], name, strlen(name) + 1); /* fits: see above */
    }
    m->doc->value[at] = x;
    m->taken++;
    return 0;
}

static size_t metrics_of_filter(const struct lm_samples *s, const char *filter)
{
    size_t n = 0;

    for (size_t i = 0; i < s->metrics_len; i++) {
        const char *comma = strchr(s->metric[i], ',');

        n += strcmp(comma ? comma + 1 : "none", filter) == 0;
    }
    return n;
}

/* ---- text ---- */

/* Prompt and continuation of request I: {"gen_args_0": {"arg_0": prompt, "arg_1": ...}}, before
 * 0.4.3 [[prompt, ...]]. */
static const char *argument(const struct json *v, size_t i, size_t which)
{
    const struct json *arguments = json_get(v, "arguments"), *one;
    char key[40];

    if (json_is_array(arguments))
        return json_text(json_at(json_at(arguments, i), which));
    snprintf(key, sizeof key, "gen_args_%zu", i);
    one = json_get(arguments, key);
    snprintf(key, sizeof key, "arg_%zu", which);
    return json_text(json_get(one, key));
}

static char *question_of(const struct json *v)
{
    static const char *const keys[] = { "question", "query", "problem", "Question",
                                        "Problem",  "goal",  "sentence" };
    const struct json *doc = json_get(v, "doc");
    const char *text = NULL;
    size_t len;

    for (size_t i = 0; !text && i < ARRAY_LEN(keys); i++)
        text = json_text(json_get(doc, keys[i]));
    if (!text)
        text = argument(v, 0, 0);
    len = text ? strlen(text) : 0;
    if (len > QUESTION_MAX) { /* the end of a long prompt is the question */
        text += len - QUESTION_MAX;
        while (((unsigned char)*text & 0xc0) == 0x80) /* not in the middle of a character */
            text++;
    }
    return mem_strdup(text ? text : "");
}

static char *text_of(const struct json *v)
{
    if (json_text(v))
        return mem_strdup(json_text(v));
    return v ? json_dump(v, 0) : mem_strdup("");
}

static const char *without_blank(const char *s)
{
    return s && *s == ' ' ? s + 1 : s;
}

/* ---- outcome ---- */

/* filtered_resps of choices: [[logprob, greedy], ...], numbers or their text. */
static bool take_choices(struct lm_doc *doc, const struct json *resps)
{
    size_t n = json_len(resps);

    if (!json_is_array(resps) || n < 2 || n > LM_CHOICES_MAX)
        return false;
    for (size_t i = 0; i < n; i++) {
        double x;

        if (!json_is_array(json_at(resps, i)) || json_len(json_at(resps, i)) != 2 ||
            !(number_of(json_at(json_at(resps, i), 0), &x) ||
              json_is_null(json_at(json_at(resps, i), 0))))
            return false;
    }
    free(doc->logprob);
    doc->logprob = mem_calloc(n, sizeof *doc->logprob);
    doc->logprob_len = n;
    doc->pick = 0;
    for (size_t i = 0; i < n; i++) {
        if (!number_of(json_at(json_at(resps, i), 0), &doc->logprob[i]))
            doc->logprob[i] = -INFINITY; /* what JSON has no word for */
        if (doc->logprob[i] > doc->logprob[doc->pick])
            doc->pick = (int)i;
    }
    return true;
}

/* The right choice: an index, or the text of one. */
static int gold_of(const struct lm_doc *doc, const struct json *v)
{
    const struct json *target = json_get(v, "target");
    const char *text = json_text(target);
    char *end;
    long i;

    if (json_is_integer(target))
        i = (long)json_integer(target, -1);
    else
        i = text ? strtol(text, &end, 10) : -1;
    if (json_is_integer(target) || (text && *text && *end == '\0'))
        return i >= 0 && (size_t)i < doc->logprob_len ? (int)i : -1;
    for (size_t k = 0; text && k < doc->logprob_len; k++) {
        const char *choice = argument(v, k, 1);

        if (choice && strcmp(without_blank(choice), without_blank(text)) == 0)
            return (int)k;
    }
    return -1;
}

static void take_outcome(struct lm_doc *doc, const struct json *v)
{
    const struct json *resps = json_get(v, "filtered_resps");

    doc->gold_class = doc->pick = -1;
    if (take_choices(doc, resps)) {
        const char *answer = argument(v, (size_t)doc->pick, 1);

        doc->gold_class = gold_of(doc, v);
        doc->answer = mem_strdup(answer ? without_blank(answer) : "");
        if (doc->gold_class >= 0 && argument(v, (size_t)doc->gold_class, 1))
            doc->gold = mem_strdup(without_blank(argument(v, (size_t)doc->gold_class, 1)));
    } else {
        const struct json *first = json_is_array(resps) ? json_at(resps, 0) : resps;

        doc->answer =
            text_of(json_is_array(first) && json_len(first) == 1 ? json_at(first, 0) : first);
    }
    if (!doc->gold)
        doc->gold = text_of(json_get(v, "target"));
}

static void take_document(struct lm_doc *doc, const struct json *v)
{
    const char *hash = json_text(json_get(v, "doc_hash"));
    char *text = hash ? NULL : text_of(json_get(v, "doc"));

    doc->seen = true;
    doc->content = digest_of(hash ? hash : text, strlen(hash ? hash : text));
    free(text);
    doc->question = question_of(v);
    take_outcome(doc, v);
    for (size_t m = 0; m < LM_METRICS_MAX; m++)
        doc->value[m] = NAN;
}

static int room(struct lm_samples *s, int64_t id, struct err *err)
{
    if (id < 0 || id >= LM_DOCS_MAX)
        return err_set(err, ERR_INVALID, "doc_id is a whole number, 0 to %d", LM_DOCS_MAX - 1);
    if ((size_t)id >= s->docs_cap) {
        size_t cap = MAX((size_t)id + 1, MAX(2 * s->docs_cap, 256));

        s->doc = mem_realloc(s->doc, cap, sizeof *s->doc);
        memset(s->doc + s->docs_cap, 0, (cap - s->docs_cap) * sizeof *s->doc);
        s->docs_cap = cap;
    }
    s->docs_len = MAX(s->docs_len, (size_t)id + 1);
    return 0;
}

int lm_doc_take(struct lm_samples *s, const struct json *v, struct err *err)
{
    const char *filter = json_text(json_get(v, "filter"));
    struct metrics m = { .s = s, .filter = filter ? filter : "none", .err = err };
    int64_t id = json_integer(json_get(v, "doc_id"), -1);
    size_t place = 0, filters = s->filters_len;
    int rc;

    if (!json_is_object(v))
        return err_set(err, ERR_INVALID, "a line of samples is a JSON object");
    rc = room(s, id, err);
    if (rc == 0)
        rc = add_filter(s, m.filter, &place, err);
    if (rc < 0)
        return rc;
    m.doc = &s->doc[id];
    m.first = filters < s->filters_len;
    if (m.doc->filters >> place & 1)
        return err_set(err, ERR_INVALID, "doc_id %lld comes twice (filter %s)", (long long)id,
                       m.filter);
    if (!m.doc->seen)
        take_document(m.doc, v);
    m.doc->filters |= (uint64_t)1 << place;
    rc = json_each(v, take_metric, &m);
    if (rc == 0 && m.taken != metrics_of_filter(s, m.filter))
        rc = err_set(err, ERR_INVALID, "doc_id %lld has %zu metrics, the lines before have %zu",
                     (long long)id, m.taken, metrics_of_filter(s, m.filter));
    return rc;
}
