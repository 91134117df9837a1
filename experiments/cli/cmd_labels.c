/* SPDX-License-Identifier: Apache-2.0 */
/* drover labels - what searches found: a list, one example in full, statistics, files for others,
 * and the proof that every label replays. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/nearest.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/labels.h"
#include "experiments/cli/sheet.h"

enum {
    KEY_EXPERIMENT = KEY_OWN,
    KEY_RUN,
    KEY_STEP,
    KEY_TASK,
    KEY_LEVEL,
    KEY_SPLIT,
    KEY_IMPROVED,
    KEY_PRESERVED,
    KEY_UNSOLVED,
    KEY_SOLVED,
    KEY_SHORTER,
    KEY_MIN_LAYERS,
    KEY_MAX_LAYERS,
    KEY_WITH,
    KEY_ID,
    KEY_DUMP,
    KEY_STATS,
    KEY_FORMAT,
    KEY_KERNELS,
};
enum { LIMIT_DEFAULT = 20, QUESTION_CELLS = 48, THREADS_MAX = 256, LAYERS_MOST = 512 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    OPTION_COORDINATOR,
    { NULL, 0, NULL, 0, "Which labels:", 1 },
    { "experiment", KEY_EXPERIMENT, "NAME", 0, "Only of this experiment", 1 },
    { "run", KEY_RUN, "N", 0, "Only of this run", 1 },
    { "step", KEY_STEP, "ID", 0, "Only of this step", 1 },
    { "task", KEY_TASK, "NAME", 0, "Only of this task", 1 },
    { "level", KEY_LEVEL, "N", 0, "Only of this level", 1 },
    { "split", KEY_SPLIT, "NAME", 0, "Only of this split: train, validation, test", 1 },
    { "improved", KEY_IMPROVED, NULL, 0, "Only where the base path is wrong and the label right",
      1 },
    { "preserved", KEY_PRESERVED, NULL, 0, "Only where both are right", 1 },
    { "unsolved", KEY_UNSOLVED, NULL, 0, "Only where no path was right", 1 },
    { "solved", KEY_SOLVED, NULL, 0, "Only where some path was right", 1 },
    { "shorter", KEY_SHORTER, NULL, 0, "Only labels of fewer layers than the model", 1 },
    { "min-layers", KEY_MIN_LAYERS, "N", 0, "Only labels of at least N layer applications", 1 },
    { "max-layers", KEY_MAX_LAYERS, "N", 0, "Only labels of at most N layer applications", 1 },
    { "with", KEY_WITH, "WHAT@LAYER", 0,
      "Only labels that skip, execute or repeat this layer, e.g. skip@3 (layers count from 0); may "
      "be repeated",
      1 },
    { "id", KEY_ID, "HEX", 0, "One example in full", 1 },
    { "limit", 'n', "N", 0, "List at most so many (default 20; 0: all)", 1 },
    { NULL, 0, NULL, 0, "What to do with them:", 2 },
    { "stats", KEY_STATS, NULL, 0, "The same as drover labels stats", 2 },
    { "dump", KEY_DUMP, NULL, 0,
      "All labels, one line per example, sorted; equal searches give equal bytes", 2 },
    { "format", KEY_FORMAT, "NAME", 0, "Of export: jsonl (default) or merged_mcts_samples", 2 },
    { "output", 'o', "FILE", 0, "Where export writes (default: standard output)", 2 },
    { "kernels", KEY_KERNELS, "LEVEL", 0,
      "Of verify: generic, v3, v4 or neon (default: the CPU's best)", 2 },
    { "threads", 'j', "N", 0, "Of verify (default: all CPUs)", 2 },
    { "quiet", 'q', NULL, 0, "No progress of verify", 2 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Show routing labels. A label says per layer: skip it, execute it, or execute it twice; it is "
    "the cheapest path that answers its question rightly. Without a word the labels are listed; "
    "stats sums them up; export writes them with all the paths that were tried; verify runs the "
    "default path and the label's path of every example again and compares outcome and answer with "
    "what the search recorded.\v"
    "Example:\n"
    "  drover labels --task math --level 4 --improved\n"
    "  drover labels --with skip@3 --with repeat@6 --max-layers 7\n"
    "  drover labels --id 3f0c9a127be45d81\n"
    "  drover labels stats --experiment dr_llm/in_domain --step labels\n"
    "  drover labels export --solved -o labels.jsonl\n"
    "  drover labels export --format merged_mcts_samples -o merged_mcts_samples.json\n"
    "  drover labels verify --kernels generic\n"
    "  drover labels --dump > labels.txt\n\n"
    "In a strip . is a skipped layer, | an executed one and 2 one that is executed twice; the "
    "first "
    "layer stands left.\n\n"
    "Words: improved, the default path is wrong and the label right; preserved, both are right; "
    "unsolved, no path that was tried is right. A search knows the answers: its accuracy (oracle) "
    "is a bound for routers, not a result. saved: share of layer applications that shared "
    "prefixes, the memo and earlier searches (hinted) spared.\n\n"
    "merged_mcts_samples is one JSON array of {question, gt_ans, initial_score, valid_paths, "
    "invalid_paths}, paths as lists of the layers that they execute, [0, 1, 1, 3].\n\n"
    "Exit status: 0 done, 1 failed, or verify found a disagreement, 2 wrong usage.";

static uint64_t parse_id(struct argp_state *state, const char *arg)
{
    char *end;
    unsigned long long id = strtoull(arg, &end, 16);

    if (end == arg || *end || strlen(arg) > 16 || id == 0)
        argp_error(state, "--id: \"%s\" is no example id (16 hex digits)", arg);
    return id;
}

/* "skip@3" */
static void parse_with(struct argp_state *state, struct store_label_filter *f, const char *arg)
{
    static const char *const words[] = { "skip", "execute", "repeat", NULL };
    const char *at = strchr(arg, '@');
    struct buf word CLEANUP(buf_release) = { 0 };
    const char *near;

    buf_add(&word, arg, at ? (size_t)(at - arg) : strlen(arg));
    near = nearest_find(buf_str(&word), words);
    if (f->at_len == STORE_AT_MAX)
        argp_error(state, "--with: at most %d of them", STORE_AT_MAX);
    for (size_t i = 0; at && words[i] && f->at_len < STORE_AT_MAX; i++)
        if (strcmp(words[i], buf_str(&word)) == 0) {
            f->at[f->at_len].layer =
                (uint32_t)options_number(state, "with", at + 1, 0, LAYERS_MOST - 1);
            f->at[f->at_len++].choice = (char)('0' + i);
            return;
        }
    argp_error(state, "--with: \"%s\" is not WHAT@LAYER, as skip@3, execute@0 or repeat@7%s%s%s",
               arg, near ? "; did you mean " : "", near ? near : "", near ? "@N?" : "");
}

static error_t parse_filter(int key, char *arg, struct argp_state *state)
{
    struct labels_arguments *a = state->input;
    struct store_label_filter *f = &a->filter;

    switch (key) {
    case KEY_EXPERIMENT:
        a->experiment = arg;
        return 0;
    case KEY_RUN:
        f->run = (uint64_t)options_number(state, "run", arg, 1, LONG_MAX);
        return 0;
    case KEY_STEP:
        f->step = arg;
        return 0;
    case KEY_TASK:
        f->task = arg;
        return 0;
    case KEY_LEVEL:
        f->level = (int)options_number(state, "level", arg, 0, 100);
        return 0;
    case KEY_SPLIT:
        f->split = arg;
        return 0;
    case KEY_IMPROVED:
        f->improved = true;
        return 0;
    case KEY_PRESERVED:
        f->preserved = true;
        return 0;
    case KEY_UNSOLVED:
        f->unsolved = true;
        return 0;
    case KEY_SOLVED:
        f->improved = f->preserved = true;
        return 0;
    case KEY_SHORTER:
        f->shorter = true;
        return 0;
    case KEY_MIN_LAYERS:
        f->min_layers = (uint32_t)options_number(state, "min-layers", arg, 0, LAYERS_MOST);
        return 0;
    case KEY_MAX_LAYERS:
        f->max_layers = (uint32_t)options_number(state, "max-layers", arg, 1, LAYERS_MOST);
        return 0;
    case KEY_WITH:
        parse_with(state, f, arg);
        return 0;
    case KEY_ID:
        f->example = parse_id(state, arg);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

static void parse_word(struct argp_state *state, struct labels_arguments *a, const char *arg)
{
    static const char *const words[] = { "list", "stats", "export", "verify", NULL };
    const char *near = nearest_find(arg, words);

    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], arg) == 0) {
            a->what = (enum labels_do)i;
            return;
        }
    argp_error(state, "\"%s\" is none of list, stats, export, verify%s%s%s", arg,
               near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static void check(struct argp_state *state, const struct labels_arguments *a)
{
    if (a->o.coordinator && a->what != LABELS_LIST && a->what != LABELS_STATS)
        argp_error(state, "--coordinator answers lists and stats; export, verify and --dump read "
                          "the store's file: run them where it lies");
    if (a->o.coordinator && a->o.store)
        argp_error(state, "--store and --coordinator: one of them");
    if (a->format && a->what != LABELS_EXPORT)
        argp_error(state, "--format is for drover labels export");
    if (a->output && a->what != LABELS_EXPORT)
        argp_error(state, "--output is for drover labels export");
    if ((a->kernels || a->threads) && a->what != LABELS_VERIFY)
        argp_error(state, "--kernels and --threads are for drover labels verify");
    if (a->format && strcmp(a->format, "jsonl") != 0 &&
        strcmp(a->format, "merged_mcts_samples") != 0)
        argp_error(state, "--format: \"%s\" is none of jsonl, merged_mcts_samples", a->format);
    if (a->kernels && strcmp(a->kernels, "generic") != 0 && strcmp(a->kernels, "v3") != 0 &&
        strcmp(a->kernels, "v4") != 0 && strcmp(a->kernels, "neon") != 0)
        argp_error(state, "--kernels: \"%s\" is none of generic, v3, v4, neon", a->kernels);
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct labels_arguments *a = state->input;

    switch (key) {
    case 'n':
        a->limit = (uint64_t)options_number(state, "limit", arg, 0, 1000000000);
        a->limited = true;
        return 0;
    case KEY_DUMP:
        a->what = LABELS_DUMP;
        return 0;
    case KEY_STATS:
        a->what = LABELS_STATS;
        return 0;
    case KEY_FORMAT:
        a->format = arg;
        return 0;
    case 'o':
        a->output = arg;
        return 0;
    case KEY_KERNELS:
        a->kernels = arg;
        return 0;
    case 'j':
        a->threads = options_number(state, "threads", arg, 1, THREADS_MAX);
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 0)
            argp_error(state, "unexpected argument \"%s\"", arg);
        parse_word(state, a, arg);
        return 0;
    case ARGP_KEY_END:
        check(state, a);
        return 0;
    default:
        return parse_filter(key, arg, state);
    }
}

const struct argp argp_labels = { rows, parse, "[list | stats | export | verify]", doc, NULL,
                                  NULL, NULL };

struct json *labels_report_arguments(const struct labels_arguments *a)
{
    static const char *const words[] = { "skip", "execute", "repeat" };
    const struct store_label_filter *f = &a->filter;
    struct json *o = json_new_object(), *at = json_new_array();
    const struct {
        const char *name, *text;
    } texts[] = { { "experiment", a->experiment },
                  { "step", f->step },
                  { "task", f->task },
                  { "split", f->split } };
    const struct {
        const char *name;
        bool on;
    } flags[] = { { "improved", f->improved },
                  { "preserved", f->preserved },
                  { "unsolved", f->unsolved },
                  { "shorter", f->shorter } };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i].text)
            json_set(o, texts[i].name, json_new_text(texts[i].text));
    for (size_t i = 0; i < ARRAY_LEN(flags); i++)
        if (flags[i].on)
            json_set(o, flags[i].name, json_new_bool(true));
    if (f->run)
        json_set(o, "run", json_new_integer((int64_t)f->run));
    json_set(o, "level", json_new_integer(f->level));
    json_set(o, "min_layers", json_new_integer(f->min_layers));
    json_set(o, "max_layers", json_new_integer(f->max_layers));
    if (f->example) {
        char id[17];

        snprintf(id, sizeof(id), "%016llx", (unsigned long long)f->example);
        json_set(o, "id", json_new_text(id));
    }
    for (size_t i = 0; i < f->at_len; i++) {
        char text[32];

        snprintf(text, sizeof(text), "%s@%u", words[f->at[i].choice - '0'], f->at[i].layer);
        json_push(at, json_new_text(text));
    }
    json_set(o, "at", at);
    return o;
}

void labels_strip(const char *routing, char *out, size_t size)
{
    size_t i = 0;

    for (; routing[i] && i + 1 < size; i++)
        out[i] = routing[i] == '0' ? '.' : routing[i] == '2' ? '2' : '|';
    out[i] = '\0';
}

/* ---- the list ---- */

static const char *member(const struct json *row, const char *name)
{
    return json_text(json_get(row, name));
}

static int64_t number(const struct json *row, const char *name)
{
    return json_integer(json_get(row, name), 0);
}

static void fill_row(struct sheet *t, const struct json *row, bool people)
{
    const char *routing = member(row, "routing"), *question = member(row, "question");
    char text[1024];

    sheet_row(t);
    sheet_text(t, member(row, "id"));
    sheet_text(t, member(row, "task"));
    sheet_int(t, number(row, "level"));
    sheet_text(t, json_bool(json_get(row, "base_correct"), false) ? "right" : "wrong");
    if (routing)
        labels_strip(routing, text, sizeof(text));
    sheet_text(t, routing ? text : NULL);
    if (routing)
        sheet_int(t, number(row, "label_layers"));
    else
        sheet_text(t, NULL);
    sheet_int(t, number(row, "layers"));
    sheet_int(t, number(row, "evaluations"));
    if (people)
        snprintf(text, sizeof(text), "%.*s", QUESTION_CELLS, question ? question : "");
    sheet_text(t, people ? text : question);
    sheet_text(t, member(row, "gold"));
    sheet_text(t, member(row, "base_answer"));
    sheet_text(t, member(row, "label_answer"));
    if (people)
        return;
    sheet_text(t, member(row, "verdict"));
    sheet_text(t, routing);
    sheet_text(t, member(row, "experiment"));
    sheet_text(t, member(row, "step"));
    sheet_int(t, number(row, "seed"));
    sheet_text(t, member(row, "split"));
    sheet_int(t, number(row, "index"));
    sheet_int(t, number(row, "simulations"));
    sheet_int(t, number(row, "hinted"));
}

int labels_list(const struct labels_arguments *a, struct err *err)
{
    static const char *const columns[] = {
        "id",         "task",     "level", "base",        "label",        "layers",      "of",
        "searched",   "question", "gold",  "base_answer", "label_answer", "verdict",     "routing",
        "experiment", "step",     "seed",  "split",       "index",        "simulations", "hinted"
    };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    struct json *arguments CLEANUP(json_cleanup) = labels_report_arguments(a);
    struct json *answer CLEANUP(json_cleanup) = NULL;
    const struct json *list;
    const bool people = !a->o.json;
    int rc;

    json_set(arguments, "limit", json_new_integer((int64_t)a->limit));
    rc = ask_report(&a->o, "labels", arguments, &answer, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < (people ? 12 : ARRAY_LEN(columns)); i++)
        sheet_column(t, columns[i]);
    list = json_get(answer, "labels");
    for (size_t i = 0; i < json_len(list); i++)
        fill_row(t, json_at(list, i), people);
    if (a->o.json) {
        sheet_print(t, SHEET_JSON, stdout);
        return 0;
    }
    if (sheet_rows(t) == 0) {
        puts("no such labels; drover run quickstart searches some");
        return 0;
    }
    sheet_print(t, SHEET_TERMINAL, stdout);
    puts("\n. skip  | execute  2 execute twice   one example in full: drover labels --id ID");
    if (json_bool(json_get(answer, "more"), false))
        printf("(the first %zu; --limit 0 shows all)\n", json_len(list));
    return 0;
}

static int on_store(struct labels_arguments *a, const struct env *env, int *ret, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (!rc && a->experiment)
        rc = store_find_experiment(s, a->experiment, &a->filter.experiment, err);
    if (rc)
        return rc;
    if (a->what == LABELS_VERIFY)
        return labels_verify(s, a, env, ret, err);
    if (a->what == LABELS_EXPORT)
        return labels_export(s, a, err);
    return a->what == LABELS_DUMP ? labels_dump(s, a, err) : labels_one(s, a, err);
}

int cmd_labels(int argc, char **argv, const struct env *env)
{
    struct labels_arguments a = { .filter = { .level = -1 }, .limit = LIMIT_DEFAULT };
    struct err err = { 0 };
    int ret = CLI_DONE, rc;

    argp_parse(&argp_labels, argc, argv, 0, NULL, &a);
    if (a.what == LABELS_STATS)
        rc = labels_stats(&a, &err);
    else if (a.what == LABELS_LIST && (!a.filter.example || a.o.json || a.o.coordinator))
        rc = labels_list(&a, &err);
    else
        rc = on_store(&a, env, &ret, &err);
    return rc ? cli_fail(env, &err) : ret;
}
