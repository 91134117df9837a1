/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the drover command: finds the subcommand in the table of commands.c and runs it. */
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/manual.h"
#include "common/base/nearest.h"
#include "experiments/cli/commands.h"

/* A result that did not reach its reader is a failure. */
static int flushed(int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fprintf(stderr, "drover: write to standard output: %s\n", strerror(errno));
        return code ? code : CLI_FAILED;
    }
    return code;
}

static int help(FILE *to)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    commands_help(&text);
    fputs(buf_str(&text), to);
    return to == stdout ? CLI_DONE : CLI_USAGE;
}

enum { COMMANDS_MAX = 64 };

static int unknown(const char *name)
{
    const char *names[COMMANDS_MAX + 1] = { NULL };

    for (size_t i = 0; i < COMMANDS_MAX && commands[i].name; i++)
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
    const struct command *c = command_find(argv[0]);

    if (!c)
        return unknown(argv[0]);
    if (!c->run) {
        argv[0] = (char *)c->program; /* its help names itself */
        return cli_exec(&env, c->program, argv);
    }
    snprintf(title, sizeof(title), "drover %s", c->name);
    argv[0] = title;
    program_invocation_name = title;
    if (manual_asked(argc, argv,
                     &(struct manual){ title, c->help, DROVER_VERSION, "drover(1)", c->argp }))
        return flushed(CLI_DONE);
    return flushed(c->run(argc, argv, &env));
}

/* What completion and the building of man pages ask for. */
static bool manual(const char *what)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (strcmp(what, "--manual=man") == 0)
        commands_man(&text);
    else if (strcmp(what, "--manual=commands") == 0 || strcmp(what, "--manual=recipes") == 0)
        commands_words(strcmp(what, "--manual=recipes") == 0, &text);
    else
        return false;
    fputs(buf_str(&text), stdout);
    return true;
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
    if (argc == 2 && manual(argv[1]))
        return flushed(CLI_DONE);
    bool asks = strcmp(argv[1], "help") == 0;
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || (asks && argc == 2))
        return flushed(help(stdout));
    if (asks) {
        help_argv[0] = argv[2];
        return dispatch(2, help_argv, own_folder(folder, sizeof(folder)));
    }
    return dispatch(argc - 1, argv + 1, own_folder(folder, sizeof(folder)));
}
