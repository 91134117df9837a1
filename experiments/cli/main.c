/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the drover command: a table of subcommands. The daemons are programs of their own beside
 * this one. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/nearest.h"
#include "experiments/cli/cli.h"

static const struct command {
    const char *name;
    command_fn run; /* NULL: exec PROGRAM */
    const char *program;
    const char *help;
} commands[] = {
    { "run", cmd_run, NULL, "run a recipe and follow it; print its tables" },
    { "evaluate", cmd_evaluate, NULL, "score a model on benchmarks: a recipe in one line" },
    { "tasks", cmd_tasks, NULL, "list the benchmarks and synthetic tasks that drover knows" },
    { "plan", cmd_plan, NULL, "show what a recipe would run, and what is there already" },
    { "submit", cmd_submit, NULL, "hand a recipe to a running coordinator" },
    { "status", cmd_status, NULL, "show how far experiments are" },
    { "cancel", cmd_cancel, NULL, "withdraw an experiment's jobs" },
    { "table", cmd_table, NULL, "print an experiment's tables" },
    { "query", cmd_query, NULL, "ask the results database in SQL, read-only" },
    { "labels", cmd_labels, NULL, "show routing labels as strips, or dump them all" },
    { "coordinator", NULL, "drover-coordinator", "give out jobs and keep results" },
    { "worker", NULL, "drover-worker", "run jobs of a coordinator" },
    { "generate", NULL, "drover-generate", "continue a text with a model" },
    { "model", NULL, "drover-model", "show what a checkpoint is, or verify every tensor of it" },
};

static int help(FILE *to)
{
    fputs("Usage: drover COMMAND [OPTION...] [ARGUMENT...]\n\n"
          "Runs the experiments behind efficient-reasoning papers.\n\n",
          to);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].help);
    fputs(
        "  help         this text, or help COMMAND\n\n"
        "First steps:\n"
        "  drover run quickstart          train a small model, search labels, print the tables\n"
        "  drover labels --limit 5        look at what was found\n"
        "  drover query \"select * from accuracy\"\n\n"
        "drover COMMAND --help explains a command. Exit codes: 0 done, 1 failed, 2 wrong usage.\n",
        to);
    return to == stdout ? CLI_DONE : CLI_USAGE;
}

/* A result that did not reach its reader is a failure. */
static int flushed(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "drover: write to standard output: %s\n", strerror(errno));
        return code ? code : CLI_FAILED;
    }
    return code;
}

static int unknown(const char *name)
{
    const char *names[ARRAY_LEN(commands) + 1] = { NULL };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        names[i] = commands[i].name;
    const char *near = nearest_find(name, names);
    if (near)
        fprintf(stderr, "drover: unknown command \"%s\"; did you mean \"%s\"?\n", name, near);
    else
        fprintf(stderr, "drover: unknown command \"%s\"; see drover help\n", name);
    return CLI_USAGE;
}

static int dispatch(int argc, char **argv, const char *folder)
{
    char title[64];
    struct env env = { .command = title, .folder = folder };

    for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
        if (strcmp(commands[i].name, argv[0]) != 0)
            continue;
        if (!commands[i].run) {
            argv[0] = (char *)commands[i].program; /* its help names itself */
            return cli_exec(&env, commands[i].program, argv);
        }
        snprintf(title, sizeof(title), "drover %s", commands[i].name);
        argv[0] = title;
        program_invocation_name = title;
        return flushed(commands[i].run(argc, argv, &env));
    }
    return unknown(argv[0]);
}

/* The folder that this program lies in, in PATH. */
static const char *own_folder(char *path, size_t size)
{
    ssize_t len = readlink("/proc/self/exe", path, size - 1);

    if (len <= 0)
        return "/usr/bin";
    path[len] = '\0';
    *strrchr(path, '/') = '\0';
    return path;
}

int main(int argc, char **argv)
{
    char folder[PATH_MAX];
    char *help_argv[] = { NULL, (char[]){ "--help" }, NULL };

    setlocale(LC_CTYPE, ""); /* widths of characters; numbers stay as they are */
    argp_err_exit_status = CLI_USAGE;
    if (argc < 2)
        return help(stderr);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        puts("drover " DROVER_VERSION);
        return flushed(CLI_DONE);
    }
    bool asks = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (asks && argc == 2))
        return flushed(help(stdout));
    if (asks) {
        help_argv[0] = argv[2];
        return dispatch(2, help_argv, own_folder(folder, sizeof(folder)));
    }
    return dispatch(argc - 1, argv + 1, own_folder(folder, sizeof(folder)));
}
