/* SPDX-License-Identifier: Apache-2.0 */
/* drover tasks - what can be evaluated, and where its files are to be put. */
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/tasks/task.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"

static const struct argp_option rows[] = { OPTION_JSON, OPTION_CSV, { 0 } };

static const char doc[] =
    "List the tasks that drover knows, or tell all about TASK: what is measured, how many worked "
    "examples stand in front of a question, which files it is read from and under which licence "
    "they come. Benchmarks' files are not part of drover.\v"
    "Example:\n"
    "  drover tasks\n"
    "  drover tasks gsm8k\n"
    "  drover evaluate --model Llama-3.2-1B --task gsm8k --data gsm8k/\n\n"
    "Exit status: 0 done, 1 no such task, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *task;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    if (key != ARGP_KEY_ARG)
        return options_take(&a->o, key, arg, state);
    if (a->task)
        argp_error(state, "one task at a time");
    a->task = arg;
    return 0;
}

const struct argp argp_tasks = { rows, parse, "[TASK]", doc, NULL, NULL, NULL };

static void metrics_of(const struct task_spec *t, struct buf *out)
{
    for (size_t i = 0; i < t->metrics_len; i++)
        buf_printf(out, "%s%s", i ? ", " : "", t->metric[i].name);
}

static const char *how(const struct task_spec *t)
{
    return t->form == TASK_CHOICE ? "log-likelihood of the choices" : "generated answer";
}

static void add_row(struct sheet *s, const struct task_spec *t, bool whole)
{
    struct buf metrics CLEANUP(buf_release) = { 0 };

    metrics_of(t, &metrics);
    sheet_row(s);
    sheet_text(s, t->name);
    sheet_text(s, t->group);
    sheet_text(s, how(t));
    sheet_text(s, buf_str(&metrics));
    sheet_int(s, t->fewshot);
    sheet_text(s, t->dr_llm ? "harness, dr_llm" : t->synthetic ? "" : "harness");
    if (whole) {
        sheet_text(s, t->licence);
        sheet_text(s, t->files);
        sheet_text(s, t->help);
    }
}

static void list(const struct options *o)
{
    struct sheet *s CLEANUP(sheet_cleanup) = sheet_new();
    const char *const columns[] = { "task",    "group",   "scored by", "metrics", "few-shot",
                                    "prompts", "licence", "files",     "help" };
    const bool whole = o->json || o->csv; /* a terminal has no room for sentences */

    for (size_t i = 0; i < ARRAY_LEN(columns) - (whole ? 0 : 3); i++)
        sheet_column(s, columns[i]);
    for (size_t i = 0; task_at(i); i++)
        add_row(s, task_at(i), whole);
    sheet_print(s, o->json ? SHEET_JSON : o->csv ? SHEET_CSV : SHEET_TERMINAL, stdout);
}

static void tell(const struct task_spec *t)
{
    struct buf metrics CLEANUP(buf_release) = { 0 };

    metrics_of(t, &metrics);
    printf("%s\n  %s\n\n", t->name, t->help);
    if (*t->group)
        printf("  %-10s %s\n", "group", t->group);
    printf("  %-10s %s\n", "scored by", how(t));
    printf("  %-10s %s\n", "metrics", buf_str(&metrics));
    if (t->levels)
        printf("  %-10s 1 to %d\n", "levels", t->levels);
    if (t->synthetic) {
        printf("\nProblems are drawn, not read: drover run quickstart\n");
        return;
    }
    printf("  %-10s %d by default\n", "few-shot", t->fewshot);
    printf("  %-10s %s\n", "prompts", t->dr_llm ? "harness, dr_llm, dr_llm_chat" : "harness");
    printf("  %-10s %s\n", "licence", t->licence);
    printf("  %-10s %s\n", "files", t->files);
    printf("\n  drover evaluate --model FOLDER --task %s --data PATH\n", t->name);
}

int cmd_tasks(int argc, char **argv, const struct env *env)
{
    struct arguments a = { 0 };
    const struct task_spec *t = NULL;
    struct err err = { 0 };

    argp_parse(&argp_tasks, argc, argv, 0, NULL, &a);
    if (!a.task) {
        list(&a.o);
        return CLI_DONE;
    }
    if (task_must_find(a.task, &t, &err) != 0)
        return cli_fail(env, &err);
    if (a.o.json || a.o.csv) {
        struct sheet *s CLEANUP(sheet_cleanup) = sheet_new();
        const char *const columns[] = { "task",    "group",   "scored by", "metrics", "few-shot",
                                        "prompts", "licence", "files",     "help" };

        for (size_t i = 0; i < ARRAY_LEN(columns); i++)
            sheet_column(s, columns[i]);
        add_row(s, t, true);
        sheet_print(s, a.o.json ? SHEET_JSON : SHEET_CSV, stdout);
    } else {
        tell(t);
    }
    return CLI_DONE;
}
