/* SPDX-License-Identifier: Apache-2.0 */
/* lm_eval_export.c - summaries as the harness's results JSON (lm_eval.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "experiments/cli/lm_eval.h"
#include "store/store.h"

struct export
{
    struct store *s;
    struct json *results, *samples, *shots, *configs, *versions, *groups, *hashes;
    int64_t run; /* that the task in hand belongs to */
    char task[80], runs[200];
    char model[LM_MODEL_MAX];
    bool twice;
};

static void export_release(struct export *e)
{
    json_free(e->results);
    json_free(e->samples);
    json_free(e->shots);
    json_free(e->configs);
    json_free(e->versions);
    json_free(e->groups);
    json_free(e->hashes);
    store_close(e->s);
}

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

/* "acc" -> "acc,none"; drover's own names of the harness's filters go back to them. */
static void set_metric(struct json *task, const char *metric, const char *what, struct json *value)
{
    char key[160];
    const char *comma = strchr(metric, ',');

    if (strcmp(metric, "flexible_extract") == 0)
        snprintf(key, sizeof key, "exact_match%s,flexible-extract", what);
    else if (comma)
        snprintf(key, sizeof key, "%.*s%s%s", (int)(comma - metric), metric, what, comma);
    else
        snprintf(key, sizeof key, "%s%s,none", metric, what);
    json_set(task, key, value);
}

static void begin_task(struct export *e, const char *name, const struct store_value *v)
{
    struct json *task = json_new_object(), *n = json_new_object(), *config = json_new_object();

    json_set(task, "alias", json_new_text(name));
    json_set(e->results, name, task);
    json_set(n, "original", json_new_integer(v[6].i));
    json_set(n, "effective", json_new_integer(v[6].i));
    json_set(e->samples, name, n);
    json_set(config, "task", json_new_text(name));
    json_set(config, "test_split", json_new_text(v[7].text));
    if (v[8].type != STORE_NULL) {
        json_set(e->shots, name, json_new_integer(strtol(v[8].text, NULL, 10)));
        json_set(config, "num_fewshot", json_new_integer(strtol(v[8].text, NULL, 10)));
    }
    json_set(e->configs, name, config);
    json_set(e->groups, name, json_new_array());
    json_set(e->versions, name, json_new_text("drover " DROVER_VERSION));
}

/* run, task, level, metric, value, stderr, n, split, fewshot, model */
static int take(const char *const *names, const struct store_value *v, size_t columns, void *arg)
{
    struct export *e = arg;
    char task[80];

    (void)names;
    (void)columns;
    if (!v)
        return 0;
    snprintf(task, sizeof task, v[2].i ? "%.60s_level_%lld" : "%.70s", v[1].text,
             (long long)v[2].i);
    if (e->run != v[0].i || strcmp(e->task, task) != 0) {
        size_t len = strlen(e->runs);

        e->twice = e->twice || json_get(e->results, task);
        if (e->run != v[0].i)
            snprintf(e->runs + len, sizeof e->runs - len, "%s%lld", len ? ", " : "",
                     (long long)v[0].i);
        e->run = v[0].i;
        snprintf(e->task, sizeof e->task, "%s", task);
        begin_task(e, task, v);
        if (v[9].type != STORE_NULL)
            snprintf(
                e->model, sizeof e->model, "%.*s",
                (int)(v[9].text_len > 1 && v[9].text[0] == '"' ? v[9].text_len - 2 : v[9].text_len),
                v[9].text + (v[9].text[0] == '"'));
    }
    set_metric(json_get(e->results, task), v[3].text, "", json_new_number(v[4].r));
    set_metric(json_get(e->results, task), v[3].text, "_stderr",
               v[5].type == STORE_NULL ? json_new_text("N/A") : json_new_number(v[5].r));
    return 0;
}

static int collect(struct export *e, const char *experiment, uint64_t run, struct err *err)
{
    CLEANUP(buf_release) struct buf sql = { 0 };
    uint64_t id;
    int rc = store_find_experiment(e->s, experiment, &id, err);

    if (rc < 0)
        return rc;
    buf_adds(&sql, "SELECT m.run, m.task, m.level, m.metric, m.value, "
                   "coalesce(m.stderr_pooled, m.stderr), m.n, m.split, "
                   "(SELECT value FROM param p WHERE p.run = m.run AND p.name LIKE '%fewshot'), "
                   "(SELECT value FROM param p WHERE p.run = m.run AND p.name LIKE '%model') "
                   "FROM metric_summary m WHERE m.experiment = ");
    quote(&sql, experiment);
    if (run)
        buf_printf(&sql, " AND m.run = %llu", (unsigned long long)run);
    buf_adds(&sql, " ORDER BY m.run, m.task, m.level, m.step, m.metric");
    rc = store_query(e->s, buf_str(&sql), NULL, take, e, err);
    if (rc < 0)
        return rc;
    if (json_len(e->results) == 0)
        return err_set(err, ERR_NOT_FOUND, "experiment %s%s has no complete evaluation", experiment,
                       run ? ": this run" : "");
    if (e->twice)
        return err_set(
            err, ERR_INVALID,
            "experiment %s has a task in several runs (%s), and a results file is of one "
            "model; choose one by --run",
            experiment, e->runs);
    return 0;
}

/* Hand a member over. */
static void give(struct json *to, const char *key, struct json **value)
{
    json_set(to, key, *value);
    *value = NULL;
}

int lm_eval_export(const char *store, const char *experiment, uint64_t run, struct buf *out,
                   struct err *err)
{
    CLEANUP(export_release) struct export e = { 0 };
    CLEANUP(json_cleanup) struct json *all = json_new_object();
    struct json *config = json_new_object();
    char *text, args[LM_MODEL_MAX + 16];
    int rc;

    e.results = json_new_object();
    e.samples = json_new_object();
    e.shots = json_new_object();
    e.configs = json_new_object();
    e.versions = json_new_object();
    e.groups = json_new_object();
    e.hashes = json_new_object();
    rc = store_open_read(&e.s, store, err);
    if (rc == 0)
        rc = collect(&e, experiment, run, err);
    if (rc < 0) {
        json_free(config);
        return rc;
    }
    snprintf(args, sizeof args, "pretrained=%s", e.model);
    json_set(config, "model", json_new_text("drover"));
    json_set(config, "model_args", json_new_text(args));
    give(all, "results", &e.results);
    give(all, "group_subtasks", &e.groups);
    give(all, "configs", &e.configs);
    give(all, "versions", &e.versions);
    give(all, "n-shot", &e.shots);
    give(all, "n-samples", &e.samples);
    json_set(all, "config", config);
    json_set(all, "git_hash", json_new_text("drover-" DROVER_VERSION));
    json_set(all, "date", json_new_number((double)clock_wall_ms() / 1000.0));
    json_set(all, "model_source", json_new_text("drover"));
    json_set(all, "model_name", json_new_text(e.model));
    give(all, "task_hashes", &e.hashes);
    text = json_dump(all, 2);
    buf_adds(out, text);
    buf_adds(out, "\n");
    free(text);
    return 0;
}
