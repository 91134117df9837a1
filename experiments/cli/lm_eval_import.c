/* SPDX-License-Identifier: Apache-2.0 */
/* lm_eval_import.c - samples become runs (lm_eval.h): per file one run, one family, one job whose
 * attempt sends every score, by the coordinator's own calls. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "experiments/cli/lm_eval.h"
#include "store/store.h"

/* A run that the experiment has already. */
struct old_run {
    struct digest point;
    uint64_t seed, family, examples, job;
    struct digest key; /* of the family */
    bool imported, kept;
    struct store_param params[8];
    size_t params_len;
};

/* The problems as drover knows them, by place. */
struct known {
    uint64_t number;
    char *question, *gold, *source_id;
};

struct import {
    struct store *s, *reader;
    const char *experiment;
    struct store_submission sub;
    struct old_run *old;
    size_t old_len;
    struct known *known;
    size_t known_len;
    struct lm_imported *done;
};

static void forget_known(struct import *m)
{
    for (size_t i = 0; i < m->known_len; i++) {
        free(m->known[i].question);
        free(m->known[i].gold);
        free(m->known[i].source_id);
    }
    free(m->known);
    m->known = NULL;
    m->known_len = 0;
}

static void import_release(struct import *m)
{
    forget_known(m);
    for (size_t i = 0; i < m->old_len; i++) {
        for (size_t k = 0; k < m->old[i].params_len; k++) {
            free((char *)(uintptr_t)m->old[i].params[k].name);
            free((char *)(uintptr_t)m->old[i].params[k].value);
        }
    }
    free(m->old);
    store_close(m->reader);
    store_close(m->s); /* rolls back what is open */
}

/* TEXT as an SQL literal. */
static void quote(struct buf *sql, const char *text)
{
    buf_addc(sql, '\'');
    for (; *text; text++) {
        if (*text == '\'')
            buf_addc(sql, '\'');
        buf_addc(sql, *text);
    }
    buf_addc(sql, '\'');
}

/* ---- what is there ---- */

static int take_old(const char *const *names, const struct store_value *v, size_t columns,
                    void *arg)
{
    struct import *m = arg;
    struct old_run *o;

    (void)names;
    (void)columns;
    if (!v)
        return 0;
    m->old = mem_realloc(m->old, m->old_len + 1, sizeof *m->old);
    o = &m->old[m->old_len++];
    *o = (struct old_run){ .seed = (uint64_t)v[1].i,
                           .family = (uint64_t)v[2].i,
                           .examples = (uint64_t)v[3].i,
                           .job = (uint64_t)v[4].i,
                           .imported = v[5].i != 0,
                           .kept = true };
    return digest_parse(v[0].text, &o->point, NULL) < 0 ||
                   digest_parse(v[6].text, &o->key, NULL) < 0
               ? ERR_CORRUPT
               : 0;
}

static int take_param(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    struct import *m = arg;
    struct digest point;

    (void)names;
    (void)columns;
    if (!v || digest_parse(v[0].text, &point, NULL) < 0)
        return 0;
    for (size_t i = 0; i < m->old_len; i++) {
        struct old_run *o = &m->old[i];

        if (digest_equal(&o->point, &point) && o->params_len < ARRAY_LEN(o->params))
            o->params[o->params_len++] =
                (struct store_param){ mem_strdup(v[1].text), mem_strdup(v[2].text) };
    }
    return 0;
}

static int load_old(struct import *m, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    int rc;

    buf_adds(&sql,
             "SELECT blob_hex(r.digest), r.seed, rf.family, rf.examples, rj.job, "
             "j.class LIKE 'lm-eval%', blob_hex(f.key) FROM experiment e "
             "JOIN run r ON r.experiment = e.id AND r.superseded = 0 "
             "LEFT JOIN run_family rf ON rf.run = r.id LEFT JOIN family f ON f.id = rf.family "
             "LEFT JOIN run_job rj ON rj.run = r.id LEFT JOIN job j ON j.id = rj.job "
             "WHERE e.name = ");
    quote(&sql, m->experiment);
    buf_adds(&sql, " AND (rf.family IS NULL OR j.id IS NULL OR j.class NOT LIKE 'lm-eval%' OR "
                   "rf.family IN (SELECT family FROM job_family WHERE job = j.id)) ORDER BY r.id");
    rc = store_query(m->reader, buf_str(&sql), NULL, take_old, m, err);
    if (rc == ERR_CORRUPT) /* a run without family: of a recipe */
        m->old[m->old_len - 1].imported = false;
    else if (rc < 0)
        return rc;
    for (size_t i = 0; i < m->old_len; i++) {
        if (!m->old[i].imported)
            return err_set(err, ERR_CONFLICT,
                           "experiment %s comes from a recipe; import into one of another name "
                           "(--experiment)",
                           m->experiment);
    }
    buf_clear(&sql);
    buf_adds(&sql, "SELECT blob_hex(r.digest), p.name, p.value FROM experiment e "
                   "JOIN run r ON r.experiment = e.id AND r.superseded = 0 "
                   "JOIN param p ON p.run = r.id WHERE e.name = ");
    quote(&sql, m->experiment);
    return store_query(m->reader, buf_str(&sql), NULL, take_param, m, err);
}

static int take_known(const char *const *names, const struct store_value *v, size_t columns,
                      void *arg)
{
    struct import *m = arg;

    (void)names;
    (void)columns;
    if (!v || (uint64_t)v[0].i != m->known_len) /* a gap: what is behind it is of no use */
        return 0;
    m->known = mem_realloc(m->known, m->known_len + 1, sizeof *m->known);
    m->known[m->known_len++] = (struct known){ (uint64_t)v[1].i, mem_strdup(v[2].text),
                                               mem_strdup(v[3].text), mem_strdup(v[4].text) };
    return 0;
}

/* The longest evaluation of this task that drover made itself: its problems, by place. */
static int load_known(struct import *m, const struct lm_samples *x, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };

    forget_known(m);
    buf_adds(&sql,
             "SELECT s.idx, e.number, e.question, e.gold, e.source_id FROM score s JOIN example e "
             "ON e.id = s.example WHERE s.family = (SELECT f.id FROM family f JOIN run_family rf "
             "ON rf.family = f.id JOIN job_family jf ON jf.family = f.id JOIN job j ON j.id = "
             "jf.job AND j.class NOT LIKE 'lm-eval%' WHERE f.kind = 'evaluate' AND f.level = 0 AND "
             "f.task = ");
    quote(&sql, x->task);
    buf_adds(&sql, " AND f.split = ");
    quote(&sql, x->split);
    buf_printf(&sql, " ORDER BY rf.examples DESC, f.id LIMIT 1) AND s.idx < %zu ORDER BY s.idx",
               x->docs_len);
    return store_query(m->reader, buf_str(&sql),
                       &(struct store_query){ .time_ms = 60000, .rows_max = LM_DOCS_MAX },
                       take_known, m, err);
}

/* ---- identities ---- */

static struct digest point_of(const struct lm_samples *x)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, "lm-eval run 1");
    digest_add_text(&d, x->model);
    digest_add_text(&d, x->task);
    digest_add_text(&d, x->split);
    digest_add_i64(&d, x->shots);
    return digest_end(&d);
}

static struct digest key_of(const char *purpose, const struct digest *content)
{
    struct digester d;

    digest_begin(&d);
    digest_add_text(&d, purpose);
    digest_add_bytes(&d, content->b, sizeof content->b);
    return digest_end(&d);
}

static uint64_t number_of(const struct lm_samples *x, const struct lm_doc *doc)
{
    struct digester d;
    struct digest id;

    digest_begin(&d);
    digest_add_text(&d, "lm-eval");
    digest_add_text(&d, x->task);
    digest_add_bytes(&d, doc->content.b, sizeof doc->content.b);
    id = digest_end(&d);
    return digest_u64(&id);
}

/* ---- scores ---- */

/* The harness's filters under the names that drover gives its own metrics. */
static const char *metric_name(const char *name)
{
    if (strcmp(name, "exact_match,strict-match") == 0)
        return "exact_match";
    return strcmp(name, "exact_match,flexible-extract") == 0 ? "flexible_extract" : name;
}

static size_t find_metric(const struct lm_samples *x, const char *name)
{
    size_t i = 0;

    while (i < x->metrics_len && strcmp(metric_name(x->metric[i]), name) != 0)
        i++;
    return i;
}

/* What counts as right: acc, else exact_match, else the first metric. */
static size_t main_metric(const struct lm_samples *x)
{
    size_t i = find_metric(x, "acc");

    if (i == x->metrics_len)
        i = find_metric(x, "exact_match");
    return i < x->metrics_len ? i : 0;
}

static int send_doc(struct import *m, const struct lm_samples *x, uint64_t at, uint64_t attempt,
                    uint32_t epoch, struct err *err)
{
    const struct lm_doc *doc = &x->doc[at];
    const struct known *known =
        at < m->known_len && m->known_len >= x->docs_len ? &m->known[at] : NULL;
    size_t right = main_metric(x), norm = find_metric(x, "acc_norm"), values = 0;
    struct store_value_of value[LM_METRICS_MAX];
    struct store_score score = { .correct = doc->value[right] == 1.0,
                                 .answer = doc->answer,
                                 .logprob = doc->logprob,
                                 .logprob_len = doc->logprob_len,
                                 .values = value,
                                 .pick = doc->pick,
                                 .gold = doc->gold_class };
    struct store_example_result r = { .attempt = attempt, .epoch = epoch, .score = &score };
    enum store_verdict verdict;
    char source[32];

    score.correct_norm = norm < x->metrics_len ? doc->value[norm] == 1.0 : score.correct;
    for (size_t i = 0; i < x->metrics_len; i++) {
        const char *name = metric_name(x->metric[i]);

        /* The store tells acc and acc_norm of choices itself. */
        if (doc->logprob && (strcmp(name, "acc") == 0 || strcmp(name, "acc_norm") == 0))
            continue;
        value[values++] = (struct store_value_of){ name, doc->value[i] };
    }
    score.values_len = values;
    snprintf(source, sizeof source, "doc_id %llu", (unsigned long long)at);
    r.example = (struct store_example){ .id = known ? known->number : number_of(x, doc),
                                        .index = at,
                                        .task = x->task,
                                        .split = x->split,
                                        .source_id = known ? known->source_id : source,
                                        .question = known ? known->question : doc->question,
                                        .gold = known ? known->gold : doc->gold };
    return store_example_result(m->s, &r, &verdict, err);
}

static int send_all(struct import *m, const struct lm_samples *x, uint64_t job, struct err *err)
{
    struct store_result result = { .outcome = STORE_DONE };
    char environment[200];
    enum store_verdict verdict;
    int rc = store_attempt_start(m->s, job, 0, &result.attempt, &result.epoch, err);

    for (uint64_t i = 0; rc == 0 && i < x->docs_len; i++)
        rc = send_doc(m, x, i, result.attempt, result.epoch, err);
    if (rc < 0)
        return rc;
    snprintf(environment, sizeof environment, "%s, task version %s", x->numeric_class,
             x->task_version[0] ? x->task_version : "unknown");
    result.environment = environment;
    result.text = x->path;
    m->done->scores += x->docs_len;
    return store_job_done(m->s, &result, &verdict, NULL, err);
}

/* ---- runs ---- */

static int add_run(struct import *m, const struct lm_samples *x, struct err *err)
{
    char model[LM_MODEL_MAX + 2], task[LM_NAME_MAX + 2], shots[16], text[LM_MODEL_MAX + 200];
    struct store_param params[] = { { "model", model }, { "task", task }, { "fewshot", shots } };
    struct store_family family = { .key = key_of("lm-eval family", &x->content),
                                   .kind = "evaluate" };
    struct store_job_family reads = { 0 };
    struct digest point = point_of(x);
    uint64_t run = 0, job = 0;
    struct store_job_spec spec = { .key = key_of("lm-eval job", &x->content),
                                   .kind = "evaluate",
                                   .numeric_class = x->numeric_class,
                                   .step = "score",
                                   .kind_version = 1,
                                   .params = "",
                                   .params_text = text,
                                   .end = x->docs_len,
                                   .runs = &run,
                                   .runs_len = 1,
                                   .families = &reads,
                                   .families_len = 1 };
    int rc;

    snprintf(model, sizeof model, "\"%s\"", x->model);
    snprintf(task, sizeof task, "\"%s\"", x->task);
    snprintf(shots, sizeof shots, "%d", x->shots);
    snprintf(text, sizeof text, "model = \"%s\"\ntask = \"%s\"\n", x->model, x->task);
    snprintf(family.task, sizeof family.task, "%s", x->task);
    snprintf(family.split, sizeof family.split, "%s", x->split);
    rc = store_submit_run(m->s, &m->sub, &point, 0, params, x->shots < 0 ? 2 : 3, &run, err);
    if (rc == 0)
        rc = store_submit_family(m->s, &family, &reads.family, err);
    if (rc == 0)
        rc = store_submit_run_family(m->s, run, "score", reads.family, x->docs_len, err);
    if (rc == 0)
        rc = store_submit_job(m->s, &m->sub, &spec, &job, err);
    if (rc == 0 && m->sub.added + m->sub.restarted > 0)
        rc = send_all(m, x, job, err);
    m->sub.added = m->sub.restarted = 0; /* of this run */
    m->done->added += rc == 0;
    return rc;
}

/* A run of before, claimed again: otherwise it would be superseded. */
static int keep_run(struct import *m, const struct old_run *o, struct err *err)
{
    struct store_job_family reads = { o->family, 0 };
    struct store_job j;
    uint64_t run, job;
    int rc =
        store_submit_run(m->s, &m->sub, &o->point, o->seed, o->params, o->params_len, &run, err);

    if (rc == 0)
        rc = store_submit_run_family(m->s, run, "score", o->family, o->examples, err);
    if (rc == 0)
        rc = store_job_load(m->s, o->job, &j, err);
    if (rc < 0)
        return rc;
    rc = store_submit_job(m->s, &m->sub,
                          &(struct store_job_spec){ .key = j.key,
                                                    .kind = j.kind,
                                                    .numeric_class = j.numeric_class,
                                                    .step = j.step,
                                                    .kind_version = j.kind_version,
                                                    .params = j.params,
                                                    .params_len = j.params_len,
                                                    .end = j.end,
                                                    .runs = &run,
                                                    .runs_len = 1,
                                                    .families = &reads,
                                                    .families_len = 1 },
                          &job, err);
    store_job_release(&j);
    return rc;
}

/* Which files are new? One that is there with other results is a clash. */
static int compare_old(struct import *m, const struct lm_samples *x, bool *ret_new, struct err *err)
{
    struct digest point = point_of(x), key = key_of("lm-eval family", &x->content);

    *ret_new = true;
    for (size_t i = 0; i < m->old_len; i++) {
        if (!digest_equal(&m->old[i].point, &point))
            continue;
        if (!digest_equal(&m->old[i].key, &key))
            return err_set(err, ERR_CONFLICT,
                           "%s: experiment %s has other results of model %s on %s already; nothing "
                           "was changed (import it under another --experiment or --model)",
                           x->path, m->experiment, x->model, x->task);
        *ret_new = false;
    }
    return 0;
}

static int check_twins(const struct lm_samples *x, size_t len, struct err *err)
{
    for (size_t i = 0; i < len; i++) {
        for (size_t k = 0; k < i; k++) {
            struct digest a = point_of(&x[i]), b = point_of(&x[k]);

            if (digest_equal(&a, &b))
                return err_set(err, ERR_CONFLICT,
                               "%s and %s both are of model %s on %s; import one of them, or tell "
                               "them apart by --model",
                               x[k].path, x[i].path, x[i].model, x[i].task);
        }
    }
    return 0;
}

static int submit_all(struct import *m, const struct lm_samples *x, size_t len, const bool *is_new,
                      struct err *err)
{
    CLEANUP(buf_release) struct buf recipe = { 0 };
    struct digester d;
    struct digest revision;
    int rc;

    digest_begin(&d);
    for (size_t i = 0; i < m->old_len; i++)
        digest_add_bytes(&d, m->old[i].point.b, DIGEST_BYTES);
    buf_printf(&recipe, "# results of lm-evaluation-harness, imported\nname = \"%s\";\n",
               m->experiment);
    for (size_t i = 0; i < len; i++) {
        struct digest point = point_of(&x[i]);

        if (is_new[i])
            digest_add_bytes(&d, point.b, DIGEST_BYTES);
        buf_printf(&recipe, "# %s on %s\n", x[i].model, x[i].task);
    }
    revision = digest_end(&d);
    rc = store_submit_begin(m->s, m->experiment, &revision, buf_str(&recipe), "", &m->sub, err);
    for (size_t i = 0; rc == 0 && i < m->old_len; i++)
        rc = keep_run(m, &m->old[i], err);
    m->sub.added = m->sub.restarted = 0;
    for (size_t i = 0; rc == 0 && i < len; i++) {
        if (!is_new[i])
            continue;
        rc = load_known(m, &x[i], err);
        if (rc == 0)
            rc = add_run(m, &x[i], err);
    }
    return rc == 0 ? store_submit_end(m->s, &m->sub, NULL, err) : rc;
}

int lm_eval_import(const char *store, const char *experiment, const struct lm_samples *samples,
                   size_t len, struct lm_imported *ret, struct err *err)
{
    CLEANUP(import_release) struct import m = { .experiment = experiment, .done = ret };
    CLEANUP(mem_cleanup) bool *is_new = mem_calloc(MAX(len, 1), sizeof *is_new);
    int rc = check_twins(samples, len, err);

    *ret = (struct lm_imported){ 0 };
    if (rc == 0)
        rc = store_open(&m.s, store, "", err);
    if (rc == 0)
        rc = store_open_read(&m.reader, store, err);
    if (rc == 0)
        rc = load_old(&m, err);
    for (size_t i = 0; rc == 0 && i < len; i++) {
        rc = compare_old(&m, &samples[i], &is_new[i], err);
        ret->known += rc == 0 && !is_new[i];
    }
    if (rc < 0 || ret->known == len)
        return rc;
    return submit_all(&m, samples, len, is_new, err);
}
