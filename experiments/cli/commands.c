/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/commands.h"

#include <string.h>

/* A row per command; groups stand together. The daemons and the engine's commands are programs of
 * their own beside this one. */
const struct command commands[] = {
    { "run", "Run", cmd_run, NULL, &argp_run, "run a recipe and follow it; print its tables" },
    { "evaluate", "Run", cmd_evaluate, NULL, &argp_evaluate,
      "score a model on benchmarks: a recipe in one line" },
    { "plan", "Run", cmd_plan, NULL, &argp_plan,
      "show what a recipe would run, and what is there already" },
    { "submit", "Run", cmd_submit, NULL, &argp_submit, "hand a recipe to a running coordinator" },
    { "status", "Look", cmd_status, NULL, &argp_status, "show how far experiments are" },
    { "runs", "Look", cmd_runs, NULL, &argp_runs,
      "list an experiment's runs: parameters, state, results" },
    { "show", "Look", cmd_show, NULL, &argp_show, "everything about one run or job" },
    { "diff", "Look", cmd_diff, NULL, &argp_diff, "what two runs have in common and what not" },
    { "logs", "Look", cmd_logs, NULL, &argp_logs, "the logs of a job's or run's attempts" },
    { "labels", "Look", cmd_labels, NULL, &argp_labels,
      "show routing labels as strips, or dump them all" },
    { "dashboard", "Look", NULL, "drover-dashboard", NULL, "show a store in the browser, live" },
    { "table", "Report", cmd_table, NULL, &argp_table, "print an experiment's tables" },
    { "cell", "Report", cmd_cell, NULL, &argp_cell,
      "what stands behind a number of a table, with its SQL" },
    { "plot", "Report", cmd_plot, NULL, &argp_plot, "draw learning curves, costs, routings" },
    { "query", "Report", cmd_query, NULL, &argp_query,
      "ask the results database in SQL, read-only" },
    { "lm-eval", "Report", cmd_lm_eval, NULL, &argp_lm_eval,
      "exchange results with lm-evaluation-harness" },
    { "pause", "Control", cmd_pause, NULL, &argp_pause,
      "let no further job of an experiment begin" },
    { "resume", "Control", cmd_resume, NULL, &argp_resume, "let them begin again" },
    { "priority", "Control", cmd_priority, NULL, &argp_priority,
      "which experiment's jobs go first" },
    { "retry", "Control", cmd_retry, NULL, &argp_retry,
      "try failed, cancelled and skipped jobs again" },
    { "why", "Control", cmd_why, NULL, &argp_why, "why a job, or an experiment, does not run" },
    { "cancel", "Control", cmd_cancel, NULL, &argp_cancel, "withdraw an experiment's jobs" },
    { "export", "Keep", cmd_export, NULL, &argp_export,
      "write an experiment to a file: SQLite, CSV or JSON lines" },
    { "import", "Keep", cmd_import, NULL, &argp_import, "merge an exported file into the store" },
    { "backup", "Keep", cmd_backup, NULL, &argp_backup, "copy the store while it is written to" },
    { "doctor", "Keep", cmd_doctor, NULL, &argp_doctor, "is the store sound?" },
    { "gc", "Keep", cmd_gc, NULL, &argp_gc, "throw away checkpoints that can be made again" },
    { "pin", "Keep", cmd_pin, NULL, &argp_pin, "keep the files of an experiment, run or job" },
    { "replay", "Keep", cmd_replay, NULL, &argp_replay,
      "run a job or run again and compare bit by bit" },
    { "verify", "Keep", cmd_verify, NULL, &argp_verify, "replay a sample of an experiment's jobs" },
    { "tasks", "Learn", cmd_tasks, NULL, &argp_tasks,
      "list the benchmarks and synthetic tasks that drover knows" },
    { "completion", "Learn", cmd_completion, NULL, &argp_completion,
      "a script that completes commands in bash" },
    { "coordinator", "Cluster", NULL, "drover-coordinator", NULL,
      "give out jobs and keep results" },
    { "worker", "Cluster", NULL, "drover-worker", NULL, "run jobs of a coordinator" },
    { "launch", "Cluster", cmd_launch, NULL, &argp_launch,
      "start workers by Slurm, by ssh or on this computer" },
    { "scale", "Cluster", cmd_scale, NULL, &argp_scale,
      "keep as many pilots in Slurm as the queue needs" },
    { "down", "Cluster", cmd_down, NULL, &argp_down,
      "end the workers that launch and scale started" },
    { "workers", "Cluster", cmd_workers, NULL, &argp_workers,
      "list a coordinator's workers and what they do" },
    { "top", "Cluster", cmd_top, NULL, &argp_top,
      "watch a coordinator: workers, rates, causes of failure" },
    { "drain", "Cluster", cmd_drain, NULL, &argp_drain, "ask workers to leave" },
    { "connect", "Cluster", cmd_connect, NULL, &argp_connect,
      "write where a coordinator is into a file for other computers" },
    { "key", "Cluster", cmd_key, NULL, &argp_key, "make keys; say who may do what" },
    { "audit", "Cluster", cmd_audit, NULL, &argp_audit, "list who did, or tried to do, what" },
    { "generate", "Models", NULL, "drover-generate", NULL, "continue a text with a model" },
    { "model", "Models", NULL, "drover-model", NULL,
      "show what a checkpoint is, or verify every tensor of it" },
    { NULL, NULL, NULL, NULL, NULL, NULL },
};

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, name) == 0)
            return c;
    return NULL;
}

static const char first_steps[] =
    "  drover run quickstart          train a small model, search labels, print the tables\n"
    "  drover labels --limit 5        look at what was found\n"
    "  drover query \"select * from accuracy\"\n";

void commands_help(struct buf *out)
{
    const char *group = "";

    buf_adds(out, "Usage: drover COMMAND [OPTION...] [ARGUMENT...]\n\n"
                  "Runs the experiments behind efficient-reasoning papers.\n");
    for (const struct command *c = commands; c->name; c++) {
        if (strcmp(c->group, group) != 0)
            buf_printf(out, "\n%s\n", c->group);
        group = c->group;
        buf_printf(out, "  %-12s %s\n", c->name, c->help);
    }
    buf_printf(out,
               "\nFirst steps\n%s\n"
               "drover COMMAND --help explains a command. Exit codes: 0 done, 1 failed, 2 wrong "
               "usage.\n",
               first_steps);
}

void commands_man(struct buf *out)
{
    buf_adds(out, ".TH \"DROVER\" \"1\" \"\" \"drover " DROVER_VERSION "\" \"drover manual\"\n"
                  ".SH NAME\ndrover \\- run the experiments behind efficient\\-reasoning papers\n"
                  ".SH SYNOPSIS\n\\fBdrover\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR...] "
                  "[\\fIARGUMENT\\fR...]\n.SH COMMANDS\n");
    for (const struct command *c = commands; c->name; c++)
        buf_printf(out, ".TP\n\\fB%s\\fR(1)\n%s\n", c->program ? c->program : c->name, c->help);
    buf_printf(out, ".SH EXAMPLES\n.nf\n%s.fi\n.SH EXIT STATUS\n0 done, 1 failed, 2 wrong usage.\n",
               first_steps);
}

void commands_words(bool recipes, struct buf *out)
{
    if (recipes) {
        for (const struct embedded_recipe *r = embedded_recipes; r->name; r++)
            buf_printf(out, "%s\n", r->name);
        return;
    }
    for (const struct command *c = commands; c->name; c++)
        buf_printf(out, "%s\n", c->name);
    buf_adds(out, "help\n");
}
