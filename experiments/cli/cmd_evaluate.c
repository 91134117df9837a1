/* SPDX-License-Identifier: Apache-2.0 */
/* drover evaluate - the recipe of one evaluation, written from the command line and run. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/digest.h"
#include "common/tasks/task.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/runner.h"

enum { TASKS_MAX = 64, VALUES_MAX = 32, METRICS_MAX = 12 };

enum {
    KEY_SPLIT = KEY_OWN,
    KEY_TOKENIZER,
    KEY_FEWSHOT,
    KEY_PROMPTS,
    KEY_LEVEL,
    KEY_PATH,
    KEY_MAX_NEW,
    KEY_TEMPERATURE,
    KEY_TOP_K,
    KEY_TOP_P,
    KEY_SEED,
    KEY_BATCH,
    KEY_SHARD,
    KEY_NAME,
    KEY_PRINT,
};

static const struct argp_option rows[] = {
    { "model", 'm', "PATH", 0, "Hugging Face folder, GGUF file or llama2.c checkpoint", 0 },
    { "tokenizer", KEY_TOKENIZER, "PATH", 0, "When the model does not bring its own", 0 },
    { "task", 'T', "TASK", 0, "What to score it on (drover tasks lists them); may be repeated", 0 },
    { "data", 'd', "PATH", 0, "The task's file or folder; one for each --task, in order", 0 },
    { "split", KEY_SPLIT, "NAME", 0, "train, validation or test (default test)", 0 },
    { "examples", 'n', "N", 0, "Only the first N examples (default: all)", 0 },
    { "level", KEY_LEVEL, "N", 0, "Only this level of a task that has levels; may be repeated", 0 },
    { "prompts", KEY_PROMPTS, "NAME", 0, "harness (default), dr_llm or dr_llm_chat", 0 },
    { "fewshot", KEY_FEWSHOT, "N", 0, "Worked examples in the prompt (default: the task's)", 0 },
    { "path", KEY_PATH, "LIST", 0, "Per layer 0 skip, 1 execute, 2 repeat: 1,1,0,2,...", 0 },
    { "max-new", KEY_MAX_NEW, "N", 0, "Longest generated answer in tokens", 0 },
    { "temperature", KEY_TEMPERATURE, "T", 0, "Sample answers (default 0: greedy)", 0 },
    { "top-k", KEY_TOP_K, "K", 0, "Sample among the K most likely tokens", 0 },
    { "top-p", KEY_TOP_P, "P", 0, "Sample among the fewest tokens that reach P", 0 },
    { "seed", KEY_SEED, "N", 0, "Seed of sampled answers", 0 },
    { "batch", KEY_BATCH, "N", 0, "Examples at once in a worker (default 16; changes no result)",
      0 },
    { "shard", KEY_SHARD, "N", 0, "Examples per job (default 50; changes no result)", 0 },
    { "name", KEY_NAME, "NAME", 0, "The experiment's name (default evaluate/MODEL/TASKS/DIGEST)",
      0 },
    { "workers", 'w', "N", 0,
      "Workers to start, one slot each (default: one per core; for models above 256 MiB one in "
      "all)",
      0 },
    { "threads", 't', "N", 0,
      "Threads of each slot (default 1; for models above 256 MiB all cores)", 0 },
    { "quiet", 'q', NULL, 0, "No progress, only failures and tables", 0 },
    { "print", KEY_PRINT, NULL, 0, "Print the recipe instead of running it", 0 },
    OPTION_STORE,
    OPTION_COORDINATOR,
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Score a model on benchmarks. The same as a recipe with one evaluate step, which --print "
    "shows: scores of every example and the summary with its standard error land in the store, "
    "what is there already is not computed again.\v"
    "Examples:\n"
    "  drover evaluate -m Llama-3.2-1B -T arc_easy -d ARC-Easy-Test.jsonl\n"
    "  drover evaluate -m Qwen2.5-0.5B -T gsm8k -d gsm8k/ -T mmlu -d mmlu/ --store paper.db\n"
    "  drover evaluate -m Llama-3.2-1B -T arc_easy -d arc/ --path "
    "1,1,1,0,1,1,2,1,1,1,1,1,1,1,1,1\n\n"
    "A model above 256 MiB gets one worker with all cores, so that its weights are in memory once; "
    "--workers and --threads say otherwise.\n\n"
    "Exit status: 0 done, 1 a job failed or the run was interrupted, 2 wrong usage.";

struct arguments {
    struct runner r;
    const char *model, *tokenizer, *split, *name, *path, *examples, *shard;
    const char *task[TASKS_MAX], *data[TASKS_MAX];
    size_t tasks_len, data_len;
    struct { /* parameters passed on as they are */
        const char *name, *text;
        bool quoted;
    } value[VALUES_MAX];
    size_t values_len;
    long level[16];
    size_t levels_len;
    bool print;
};

static void take_value(struct arguments *a, const char *name, const char *text, bool quoted,
                       struct argp_state *state)
{
    if (a->values_len == VALUES_MAX)
        argp_error(state, "too many options");
    a->value[a->values_len].name = name;
    a->value[a->values_len].text = text;
    a->value[a->values_len++].quoted = quoted;
}

/* Numbers go into the recipe's text, so they must be nothing else. */
static const char *number(struct argp_state *state, const char *option, const char *arg)
{
    char *end;

    (void)strtod(arg, &end);
    if (end == arg || *end || strspn(arg, "+-.0123456789eE") != strlen(arg))
        argp_error(state, "--%s: \"%s\" is no number", option, arg);
    return arg;
}

static error_t parse_value(struct arguments *a, int key, char *arg, struct argp_state *state)
{
    static const struct {
        int key;
        const char *option, *name;
        bool quoted;
    } values[] = {
        { KEY_FEWSHOT, "fewshot", "fewshot", false },
        { KEY_PROMPTS, "prompts", "prompts", true },
        { KEY_MAX_NEW, "max-new", "max_new", false },
        { KEY_TEMPERATURE, "temperature", "temperature", false },
        { KEY_TOP_K, "top-k", "top_k", false },
        { KEY_TOP_P, "top-p", "top_p", false },
        { KEY_SEED, "seed", "sampling_seed", false },
        { KEY_BATCH, "batch", "batch", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(values); i++) {
        if (values[i].key != key)
            continue;
        take_value(a, values[i].name, values[i].quoted ? arg : number(state, values[i].option, arg),
                   values[i].quoted, state);
        return 0;
    }
    return options_take(&a->r.o, key, arg, state);
}

static error_t parse_text(struct arguments *a, int key, char *arg, struct argp_state *state)
{
    switch (key) {
    case 'm':
        a->model = arg;
        return 0;
    case KEY_TOKENIZER:
        a->tokenizer = arg;
        return 0;
    case KEY_SPLIT:
        a->split = arg;
        return 0;
    case KEY_NAME:
        a->name = arg;
        return 0;
    case KEY_PATH:
        if (strspn(arg, "012,") != strlen(arg) || !*arg)
            argp_error(state, "--path takes 0, 1 or 2 per layer, e.g. 1,1,0,2; not \"%s\"", arg);
        a->path = arg;
        return 0;
    case KEY_SHARD:
        a->shard = number(state, "shard", arg);
        return 0;
    case 'n':
        a->examples = number(state, "examples", arg);
        return 0;
    default:
        return parse_value(a, key, arg, state);
    }
}

static void check(const struct arguments *a, struct argp_state *state)
{
    if (!a->model)
        argp_error(state, "which model? --model PATH");
    if (a->tasks_len == 0)
        argp_error(state, "which task? --task TASK; drover tasks lists them");
    if (a->data_len != a->tasks_len)
        argp_error(state, "%zu tasks, but %zu times --data: each task needs its file or folder",
                   a->tasks_len, a->data_len);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'T':
        if (a->tasks_len == TASKS_MAX)
            argp_error(state, "at most %d tasks", TASKS_MAX);
        a->task[a->tasks_len++] = arg;
        return 0;
    case 'd':
        if (a->data_len == TASKS_MAX)
            argp_error(state, "at most %d tasks", TASKS_MAX);
        a->data[a->data_len++] = arg;
        return 0;
    case KEY_LEVEL:
        if (a->levels_len == ARRAY_LEN(a->level))
            argp_error(state, "at most %zu levels", ARRAY_LEN(a->level));
        a->level[a->levels_len++] = options_number(state, "level", arg, 1, 6);
        return 0;
    case 'w':
        a->r.workers = (size_t)options_number(state, "workers", arg, 1, EMBEDDED_WORKERS_MAX);
        return 0;
    case 't':
        a->r.threads = (size_t)options_number(state, "threads", arg, 1, 256);
        return 0;
    case 'q':
        a->r.quiet = true;
        return 0;
    case KEY_PRINT:
        a->print = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "'%s' is no option; the model is given with --model", arg);
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return parse_text(a, key, arg, state);
    }
}

const struct argp argp_evaluate = { rows, parse, NULL, doc, NULL, NULL, NULL };

/* "TEXT" as a libconfig string. */
static void quote(const char *text, struct buf *out)
{
    buf_addc(out, '"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            buf_addc(out, '\\');
        buf_addc(out, *text);
    }
    buf_addc(out, '"');
}

static void put(struct buf *out, const char *before, const char *text, const char *after)
{
    buf_adds(out, before);
    quote(text, out);
    buf_adds(out, after);
}

/* SPEED: with what changes no result. */
static void write_step(const struct arguments *a, bool speed, struct buf *out)
{
    put(out, "steps = (\n  { id = \"score\"; job = \"evaluate\";\n    model = { path = ", a->model,
        ";");
    if (a->tokenizer)
        put(out, " tokenizer = ", a->tokenizer, ";");
    buf_adds(out, " };\n    tasks = [");
    for (size_t i = 0; i < a->tasks_len; i++)
        put(out, i ? ", " : "", a->task[i], "");
    buf_adds(out, "];\n    files = {");
    for (size_t i = 0; i < a->tasks_len; i++) {
        buf_printf(out, " %s = ", a->task[i]);
        put(out, "", a->data[i], ";");
    }
    put(out, " };\n    split = ", a->split, ";");
    if (a->examples)
        buf_printf(out, " examples = %s;", a->examples);
    if (speed && a->shard)
        buf_printf(out, " shard = %s;", a->shard);
    for (size_t i = 0; i < a->levels_len; i++)
        buf_printf(out, "%s%ld%s", i ? ", " : " levels = [", a->level[i],
                   i + 1 == a->levels_len ? "];" : "");
    if (a->path)
        buf_printf(out, "\n    routing = \"path\"; path = [%s];", a->path);
    for (size_t i = 0; i < a->values_len; i++) {
        if (!speed && strcmp(a->value[i].name, "batch") == 0)
            continue;
        buf_printf(out, " %s = ", a->value[i].name);
        if (a->value[i].quoted)
            quote(a->value[i].text, out);
        else
            buf_adds(out, a->value[i].text);
        buf_adds(out, ";");
    }
    buf_adds(out, " }\n);\n");
}

/* "evaluate/", the last part of the model's path, the tasks, and six digits of a digest of all that
 * matters: the next evaluation into the same store is another experiment and hides nothing of this
 * one, the same command is the same experiment. */
static void default_name(const struct arguments *a, struct buf *out)
{
    enum { MODEL_BYTES = 40, NAME_BYTES = 88 };
    struct buf step CLEANUP(buf_release) = { 0 };
    char hex[DIGEST_HEX];
    size_t len = strlen(a->model);
    const char *last;

    while (len > 1 && a->model[len - 1] == '/')
        len--;
    last = a->model + len;
    while (last > a->model && last[-1] != '/')
        last--;
    len = MIN((size_t)(a->model + len - last), (size_t)MODEL_BYTES);
    buf_adds(out, "evaluate/");
    for (size_t i = 0; i < len; i++) /* what a name may hold */
        buf_addc(out, isalnum((unsigned char)last[i]) || strchr("-.", last[i]) ? last[i] : '_');
    for (size_t i = 0; i < a->tasks_len; i++) {
        if (out->len + strlen(a->task[i]) > NAME_BYTES) {
            buf_printf(out, ".%zu-more", a->tasks_len - i);
            break;
        }
        buf_printf(out, "%c%s", i ? '.' : '/', a->task[i]);
    }
    write_step(a, false, &step);
    struct digest d = digest_of(step.data, step.len);
    buf_printf(out, "/%.6s", digest_hex(&d, hex));
}

/* Names of all metrics of the tasks, each once, in the order of the tasks; acc_norm has a place of
 * its own. */
static size_t metric_names(const struct arguments *a, const struct task_spec *const *spec,
                           const char **name)
{
    size_t len = 0;

    for (size_t i = 0; i < a->tasks_len; i++)
        for (size_t m = 0; m < spec[i]->metrics_len; m++) {
            const char *metric = spec[i]->metric[m].name;
            size_t k = 0;

            while (k < len && strcmp(name[k], metric) != 0)
                k++;
            if (k == len && len < METRICS_MAX)
                name[len++] = metric;
        }
    return len;
}

/* A column for every metric; several tasks with different ones get the main metric of each first.
 */
static void write_tables(const struct arguments *a, const struct task_spec *const *spec,
                         struct buf *out)
{
    const char *name[METRICS_MAX];
    size_t len = metric_names(a, spec, name);

    buf_printf(
        out,
        "tables = (\n  { title = \"Scores with their standard errors\"; rows = [\"task\"%s]; "
        "allow_unequal_n = true;\n    columns = (\n"
        "      { head = \"n\"; step = \"score\"; stat = \"n\"; }",
        a->levels_len ? ", \"level\"" : "");
    if (a->tasks_len > 1 && len > 1)
        buf_adds(out, ",\n      { head = \"score %\"; step = \"score\"; stat = \"metric_se\"; }");
    for (size_t i = 0; i < len; i++)
        buf_printf(out,
                   ",\n      { head = \"%s %%\"; step = \"score\"; stat = \"metric_se\"; metric = "
                   "\"%s\"; }",
                   name[i], name[i]);
    buf_adds(out,
             ",\n      { head = \"layers\"; step = \"score\"; stat = \"layers\"; } ); }\n);\n");
}

static int write_recipe(const struct arguments *a, struct buf *out, struct err *err)
{
    const struct task_spec *spec[TASKS_MAX] = { NULL };
    struct buf name CLEANUP(buf_release) = { 0 };

    for (size_t i = 0; i < a->tasks_len; i++) {
        int rc = task_must_find(a->task[i], &spec[i], err);
        if (rc)
            return rc;
        if (spec[i]->synthetic)
            return err_set(err, ERR_INVALID,
                           "%s is a synthetic task without files; write a recipe (drover run "
                           "quickstart is one)",
                           a->task[i]);
    }
    if (a->name)
        buf_adds(&name, a->name);
    else
        default_name(a, &name);
    put(out, "name = ", buf_str(&name), ";\n");
    write_step(a, true, out);
    write_tables(a, spec, out);
    return 0;
}

int cmd_evaluate(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .split = "test" };
    struct recipe *recipe CLEANUP(recipe_cleanup) = NULL;
    struct plan *plan CLEANUP(plan_cleanup) = NULL;
    struct buf text CLEANUP(buf_release) = { 0 }, again CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };

    for (int i = 1; i < argc; i++) /* argp moves arguments: first what would go on with it */
        buf_printf(&again, "%s%s", i > 1 ? " " : "evaluate ", argv[i]);
    argp_parse(&argp_evaluate, argc, argv, 0, NULL, &a);
    a.r.again = buf_str(&again);
    if (write_recipe(&a, &text, &err) != 0)
        return cli_fail(env, &err);
    if (a.print) {
        fputs(buf_str(&text), stdout);
        return CLI_DONE;
    }
    if (cli_plan_text(buf_str(&text), "the command line", env, &recipe, &plan, &err) != 0)
        return cli_fail(env, &err);
    return runner_run(&a.r, env, plan);
}
