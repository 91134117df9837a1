/* SPDX-License-Identifier: Apache-2.0 */
/* drover lm-eval - lm-evaluation-harness: its per-sample files in, its results JSON out. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/lm_eval.h"

enum { KEY_MODEL = KEY_OWN, KEY_TASK, KEY_RUN };

static const struct argp_option rows[] = {
    { "experiment", 'e', "NAME", 0, "import: put the runs into this experiment (default lm-eval)",
      0 },
    { "model", KEY_MODEL, "NAME", 0, "import: the model's name, instead of what the results say",
      0 },
    { "task", KEY_TASK, "NAME", 0, "import: the task's name, instead of what the file's name says",
      0 },
    { "run", KEY_RUN, "RUN", 0, "export: only this run (a results file is of one model)", 0 },
    { "output", 'o', "FILE", 0, "export: write FILE, which must not exist, not standard output",
      0 },
    OPTION_STORE,
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Exchange results with EleutherAI's lm-evaluation-harness. import reads its per-sample files "
    "(lm_eval --log_samples; samples_TASK_DATE.jsonl, with results_DATE.json beside it for the "
    "model's name): each becomes a run with the parameters model and task and a score per "
    "document, so that tables, paired comparisons and drover cell hold other people's numbers. "
    "export prints an experiment's summaries as the harness's results JSON.\v"
    "Examples:\n"
    "  drover lm-eval import out/*/samples_*.jsonl --experiment peers\n"
    "  drover lm-eval import samples.jsonl --task gsm8k --model my-model\n"
    "  drover lm-eval export peers --run 3 -o results.json\n\n"
    "Importing the same file again changes nothing. All files are imported or none; other results "
    "of a model and task that are there already are refused. Metrics of filters are named "
    "METRIC,FILTER; strict-match and flexible-extract of exact_match are drover's exact_match and "
    "flexible_extract. Documents get drover's own example ids where the store has an evaluation of "
    "that task made by drover, matched by doc_id.\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

static const char usage[] = "import FILE...\nexport EXPERIMENT";

struct arguments {
    struct options o;
    const char *experiment, *model, *task, *output, *verb;
    const char **file;
    size_t files_len;
    uint64_t run;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (!a) /* asked for its manual */
        return ARGP_ERR_UNKNOWN;
    switch (key) {
    case 'e':
        a->experiment = arg;
        return 0;
    case 'o':
        a->output = arg;
        return 0;
    case KEY_MODEL:
        a->model = arg;
        return 0;
    case KEY_TASK:
        a->task = arg;
        return 0;
    case KEY_RUN:
        a->run = (uint64_t)options_number(state, "run", arg, 1, LONG_MAX);
        return 0;
    case ARGP_KEY_ARG:
        if (!a->verb) {
            a->verb = arg;
        } else {
            a->file = mem_realloc(a->file, a->files_len + 1, sizeof *a->file);
            a->file[a->files_len++] = arg;
        }
        return 0;
    case ARGP_KEY_END:
        if (!a->verb || (strcmp(a->verb, "import") != 0 && strcmp(a->verb, "export") != 0))
            argp_error(state, "say import or export");
        else if (a->files_len == 0)
            argp_error(state, strcmp(a->verb, "import") == 0 ? "import: no FILE given"
                                                             : "export: no EXPERIMENT given");
        else if (strcmp(a->verb, "export") == 0 && a->files_len > 1)
            argp_error(state, "export: one EXPERIMENT");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_lm_eval = { rows, parse, usage, doc, NULL, NULL, NULL };

static void print_imported(const struct arguments *a, const struct lm_samples *x,
                           const struct lm_imported *done)
{
    struct json *all;
    char *text;

    if (!a->o.json) {
        for (size_t i = 0; i < a->files_len; i++) {
            printf("%s: %s, %zu documents, %zu metrics", x[i].task, x[i].model, x[i].docs_len,
                   x[i].metrics_len);
            if (x[i].left_out)
                printf(" (%zu left out: no number per document)", x[i].left_out);
            putchar('\n');
        }
        printf("experiment %s: %u runs new, %u known, %llu scores stored\n", a->experiment,
               done->added, done->known, (unsigned long long)done->scores);
        return;
    }
    all = json_new_object();
    json_set(all, "version", json_new_integer(1));
    json_set(all, "experiment", json_new_text(a->experiment));
    json_set(all, "added", json_new_integer(done->added));
    json_set(all, "known", json_new_integer(done->known));
    json_set(all, "scores", json_new_integer((int64_t)done->scores));
    text = json_dump(all, 0);
    puts(text);
    free(text);
    json_free(all);
}

static int import(const struct arguments *a, struct err *err)
{
    struct lm_samples *x = mem_calloc(a->files_len, sizeof *x);
    struct lm_imported done;
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < a->files_len; i++)
        rc = lm_eval_read(a->file[i], a->model, a->task, &x[i], err);
    if (rc == 0)
        rc = lm_eval_import(options_store(&a->o), a->experiment, x, a->files_len, &done, err);
    if (rc == 0)
        print_imported(a, x, &done);
    for (size_t i = 0; i < a->files_len; i++)
        lm_eval_release(&x[i]);
    free(x);
    return rc;
}

static int export(const struct arguments *a, struct err *err)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    int rc = lm_eval_export(options_store(&a->o), a->file[0], a->run, &text, err);
    FILE *f;

    if (rc < 0)
        return rc;
    if (!a->output) {
        fputs(buf_str(&text), stdout);
        return 0;
    }
    f = fopen(a->output, "wx");
    if (!f)
        return err_errno(err, errno, "%s", a->output);
    if (fwrite(text.data, 1, text.len, f) != text.len || fflush(f) != 0)
        rc = err_errno(err, errno, "%s", a->output);
    if (fclose(f) != 0 && rc == 0)
        rc = err_errno(err, errno, "%s", a->output);
    if (rc < 0)
        remove(a->output);
    return rc;
}

int cmd_lm_eval(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .experiment = "lm-eval" };
    struct err err = { 0 };
    int rc;

    argp_parse(&argp_lm_eval, argc, argv, 0, NULL, &a);
    rc = strcmp(a.verb, "import") == 0 ? import(&a, &err) : export(&a, &err);
    free(a.file);
    return rc < 0 ? cli_fail(env, &err) : CLI_DONE;
}
