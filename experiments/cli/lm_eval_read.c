/* SPDX-License-Identifier: Apache-2.0 */
/* lm_eval_read.c - samples files and the results file beside them (lm_eval.h). */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "experiments/cli/lm_eval.h"
#include "experiments/cli/lm_eval_doc.h"

void lm_eval_release(struct lm_samples *s)
{
    for (size_t i = 0; i < s->docs_cap; i++) {
        free(s->doc[i].question);
        free(s->doc[i].gold);
        free(s->doc[i].answer);
        free(s->doc[i].logprob);
    }
    free(s->doc);
    *s = (struct lm_samples){ 0 };
}

/* ---- the file's name: samples_TASK_DATE.jsonl ---- */

static bool is_date(const char *s)
{
    return strlen(s) > 10 && isdigit((unsigned char)s[0]) && isdigit((unsigned char)s[3]) &&
           s[4] == '-' && isdigit((unsigned char)s[5]) && s[7] == '-' && s[10] == 'T';
}

/* TASK and DATE; false when PATH has no such name. */
static bool split_name(const char *path, char task[LM_NAME_MAX], char *date, size_t size)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    const char *end = strstr(name, ".jsonl"), *cut = NULL;

    if (strncmp(name, "samples_", 8) != 0 || !end || end[6])
        return false;
    name += 8;
    for (const char *p = strchr(name, '_'); p; p = strchr(p + 1, '_')) {
        if (is_date(p + 1))
            cut = p;
    }
    if (!cut || cut == name || (size_t)(cut - name) >= LM_NAME_MAX)
        return false;
    snprintf(task, LM_NAME_MAX, "%.*s", (int)(cut - name), name);
    snprintf(date, size, "%.*s", (int)(end - cut - 1), cut + 1);
    return true;
}

/* ---- the results file ---- */

/* "pretrained=org/name,dtype=float" -> "org/name" */
static void model_of_args(const char *args, char *out, size_t size)
{
    const char *at = args ? strstr(args, "pretrained=") : NULL;

    if (at) {
        at += strlen("pretrained=");
        snprintf(out, size, "%.*s", (int)strcspn(at, ","), at);
    }
}

static void take_split(struct lm_samples *s, const struct json *config)
{
    /* The harness scores on the test split where there is one. */
    if (json_text(json_get(config, "test_split")))
        snprintf(s->split, sizeof s->split, "test");
    else if (json_text(json_get(config, "validation_split")))
        snprintf(s->split, sizeof s->split, "validation");
    else if (json_text(json_get(config, "training_split")))
        snprintf(s->split, sizeof s->split, "train");
}

static void take_results(struct lm_samples *s, const struct json *results)
{
    const struct json *config = json_get(results, "config"), *version;
    const char *name = json_text(json_get(results, "model_name"));
    const char *args = json_text(json_get(config, "model_args"));

    if (name)
        snprintf(s->model, sizeof s->model, "%s", name);
    else
        model_of_args(args, s->model, sizeof s->model);
    if (!s->model[0] && json_text(json_get(config, "model")))
        snprintf(s->model, sizeof s->model, "%s", json_text(json_get(config, "model")));
    if (json_text(json_get(results, "lm_eval_version")))
        snprintf(s->numeric_class, sizeof s->numeric_class, "lm-eval-%.40s",
                 json_text(json_get(results, "lm_eval_version")));
    take_split(s, json_get(json_get(results, "configs"), s->task));
    s->shots = (int)json_integer(json_get(json_get(results, "n-shot"), s->task), -1);
    version = json_get(json_get(results, "versions"), s->task);
    if (json_text(version))
        snprintf(s->task_version, sizeof s->task_version, "%s", json_text(version));
    else if (json_is_number(version))
        snprintf(s->task_version, sizeof s->task_version, "%g", json_number(version, 0.0));
}

static int read_results(struct lm_samples *s, const char *date, struct err *err)
{
    const char *slash = strrchr(s->path, '/');
    CLEANUP(json_cleanup) struct json *results = NULL;
    CLEANUP(buf_release) struct buf path = { 0 }, text = { 0 };
    FILE *f;
    int rc;

    buf_printf(&path, "%.*sresults_%s.json", slash ? (int)(slash - s->path + 1) : 0, s->path, date);
    f = fopen(buf_str(&path), "r");
    if (!f)
        return errno == ENOENT ? 0 : err_errno(err, errno, "%s", buf_str(&path));
    for (int c; (c = getc(f)) != EOF && text.len < LM_LINE_MAX;)
        buf_addc(&text, (char)c);
    fclose(f);
    lm_blank_specials(text.data, text.len, true);
    rc = json_parse(buf_str(&text), text.len, &results, err);
    if (rc < 0)
        return err_wrap(err, rc, "%s", buf_str(&path));
    take_results(s, results);
    return 0;
}

/* ---- the samples ---- */

static int read_lines(struct lm_samples *s, FILE *f, struct err *err)
{
    size_t cap = 0, number = 0;
    char *line = NULL;
    ssize_t len;
    int rc = 0;

    while (rc == 0 && (len = getline(&line, &cap, f)) >= 0) {
        CLEANUP(json_cleanup) struct json *v = NULL;

        number++;
        if (len > LM_LINE_MAX) {
            rc = err_set(err, ERR_LIMIT, "a line of more than 64 MiB");
            break;
        }
        while (len > 0 && isspace((unsigned char)line[len - 1]))
            len--;
        if (len == 0)
            continue;
        lm_blank_specials(line, (size_t)len, false);
        rc = json_parse(line, (size_t)len, &v, err);
        if (rc < 0)
            rc = err_wrap(err, rc, "cut off, or no JSON");
        else
            rc = lm_doc_take(s, v, err);
    }
    free(line);
    if (rc == 0 && ferror(f))
        rc = err_errno(err, errno, "read");
    return rc < 0 ? err_wrap(err, rc, "%s:%zu", s->path, number) : 0;
}

static int check_whole(const struct lm_samples *s, struct err *err)
{
    uint64_t all = s->filters_len == 64 ? UINT64_MAX : ((uint64_t)1 << s->filters_len) - 1;

    if (s->docs_len == 0)
        return err_set(err, ERR_INVALID, "%s: no samples in it", s->path);
    if (s->metrics_len == 0)
        return err_set(err, ERR_INVALID, "%s: no metric that is a number per document", s->path);
    for (size_t i = 0; i < s->docs_len; i++) {
        if (!s->doc[i].seen)
            return err_set(err, ERR_INVALID,
                           "%s: doc_id %zu is missing (0 to %zu are wanted: drover pairs examples "
                           "by their place in the benchmark)",
                           s->path, i, s->docs_len - 1);
        for (size_t k = 0; k < s->filters_len; k++) {
            if ((s->doc[i].filters ^ all) >> k & 1)
                return err_set(err, ERR_INVALID, "%s: doc_id %zu has no line for filter %s",
                               s->path, i, s->filter[k]);
        }
    }
    return 0;
}

static void add_bits(struct digester *d, double v)
{
    uint64_t bits;

    memcpy(&bits, &v, sizeof bits);
    digest_add_u64(d, bits);
}

static void digest_all(struct lm_samples *s)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "lm-eval samples 1");
    digest_add_text(&d, s->numeric_class);
    digest_add_text(&d, s->model);
    digest_add_text(&d, s->task);
    digest_add_text(&d, s->task_version);
    digest_add_text(&d, s->split);
    digest_add_i64(&d, s->shots);
    for (size_t m = 0; m < s->metrics_len; m++)
        digest_add_text(&d, s->metric[m]);
    for (size_t i = 0; i < s->docs_len; i++) {
        const struct lm_doc *doc = &s->doc[i];

        digest_add_bytes(&d, doc->content.b, sizeof doc->content.b);
        digest_add_text(&d, doc->gold);
        digest_add_text(&d, doc->answer);
        digest_add_u64(&d, doc->logprob_len);
        for (size_t k = 0; k < doc->logprob_len; k++)
            add_bits(&d, doc->logprob[k]);
        for (size_t m = 0; m < s->metrics_len; m++)
            add_bits(&d, doc->value[m]);
    }
    s->content = digest_end(&d);
}

int lm_eval_read(const char *path, const char *model, const char *task, struct lm_samples *ret,
                 struct err *err)
{
    char date[128] = "";
    bool named;
    FILE *f;
    int rc = 0;

    *ret = (struct lm_samples){ .split = "test", .numeric_class = "lm-eval", .shots = -1 };
    snprintf(ret->path, sizeof ret->path, "%s", path);
    named = split_name(path, ret->task, date, sizeof date);
    if (!named && !task)
        return err_set(err, ERR_INVALID,
                       "%s: not named samples_TASK_DATE.jsonl; give the task by --task", path);
    if (named)
        rc = read_results(ret, date, err);
    if (model)
        snprintf(ret->model, sizeof ret->model, "%s", model);
    if (task)
        snprintf(ret->task, sizeof ret->task, "%s", task);
    if (rc == 0 && !ret->model[0])
        rc = err_set(err, ERR_INVALID,
                     "%s: no results_%s.json beside it tells the model; give it by --model", path,
                     named ? date : "DATE");
    if (rc < 0)
        return rc;
    f = fopen(path, "r");
    if (!f)
        return err_errno(err, errno, "%s", path);
    rc = read_lines(ret, f, err);
    fclose(f);
    if (rc == 0)
        rc = check_whole(ret, err);
    if (rc == 0)
        digest_all(ret);
    return rc;
}
