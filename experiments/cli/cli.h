/* SPDX-License-Identifier: Apache-2.0 */
/* cli.h - what every subcommand of drover shares: its entry, its options, failing, and reading a
 * recipe.
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. Results go to standard output, progress and errors
 * to standard error. */
#ifndef EXPERIMENTS_CLI_CLI_H
#define EXPERIMENTS_CLI_CLI_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/base/err.h"
#include "experiments/plan/plan.h"

enum { CLI_DONE = 0, CLI_FAILED = 1, CLI_USAGE = 2 };
enum { CLI_SETS_MAX = 256 };

/* What the environment gives a command. */
struct env {
    const char *command; /* "drover run" */
    const char *folder;  /* of the executable: the daemons lie beside it */
};

typedef int (*command_fn)(int argc, char **argv, const struct env *env);
/* One function and one argp each: help, completion and manual pages come from the argp. */
int cmd_run(int argc, char **argv, const struct env *env);
int cmd_evaluate(int argc, char **argv, const struct env *env);
int cmd_tasks(int argc, char **argv, const struct env *env);
int cmd_plan(int argc, char **argv, const struct env *env);
int cmd_submit(int argc, char **argv, const struct env *env);
int cmd_status(int argc, char **argv, const struct env *env);
int cmd_cancel(int argc, char **argv, const struct env *env);
int cmd_pause(int argc, char **argv, const struct env *env);
int cmd_resume(int argc, char **argv, const struct env *env);
int cmd_retry(int argc, char **argv, const struct env *env);
int cmd_priority(int argc, char **argv, const struct env *env);
int cmd_why(int argc, char **argv, const struct env *env);
int cmd_table(int argc, char **argv, const struct env *env);
int cmd_cell(int argc, char **argv, const struct env *env);
int cmd_plot(int argc, char **argv, const struct env *env);
int cmd_key(int argc, char **argv, const struct env *env);
int cmd_audit(int argc, char **argv, const struct env *env);
extern const struct argp argp_key, argp_audit;
int cmd_completion(int argc, char **argv, const struct env *env);
int cmd_query(int argc, char **argv, const struct env *env);
int cmd_labels(int argc, char **argv, const struct env *env);
int cmd_runs(int argc, char **argv, const struct env *env);
int cmd_show(int argc, char **argv, const struct env *env);
int cmd_diff(int argc, char **argv, const struct env *env);
int cmd_lm_eval(int argc, char **argv, const struct env *env);
extern const struct argp argp_lm_eval;
int cmd_logs(int argc, char **argv, const struct env *env);
int cmd_export(int argc, char **argv, const struct env *env);
int cmd_import(int argc, char **argv, const struct env *env);
int cmd_gc(int argc, char **argv, const struct env *env);
int cmd_pin(int argc, char **argv, const struct env *env);
int cmd_replay(int argc, char **argv, const struct env *env);
int cmd_verify(int argc, char **argv, const struct env *env);
int cmd_workers(int argc, char **argv, const struct env *env);
int cmd_drain(int argc, char **argv, const struct env *env);
int cmd_backup(int argc, char **argv, const struct env *env);
int cmd_top(int argc, char **argv, const struct env *env);
extern const struct argp argp_workers, argp_drain, argp_backup, argp_top;
int cmd_connect(int argc, char **argv, const struct env *env);
extern const struct argp argp_connect;
int cmd_launch(int argc, char **argv, const struct env *env);
int cmd_scale(int argc, char **argv, const struct env *env);
int cmd_down(int argc, char **argv, const struct env *env);
extern const struct argp argp_launch, argp_scale, argp_down;
int cmd_doctor(int argc, char **argv, const struct env *env);
extern const struct argp argp_doctor;
extern const struct argp argp_export, argp_import, argp_gc, argp_pin, argp_replay, argp_verify;
extern const struct argp argp_pause, argp_resume, argp_retry, argp_priority, argp_why;
extern const struct argp argp_completion, argp_run, argp_evaluate, argp_tasks, argp_plan,
    argp_submit, argp_status, argp_cancel, argp_plot, argp_table, argp_cell, argp_query,
    argp_labels, argp_runs, argp_show, argp_diff, argp_logs;

/* ---- options ---- */

/* Options that several commands share; a command lists the rows that it takes in its argp table. */
struct options {
    const char *store, *coordinator;
    bool surrounding; /* coordinator is $DROVER_CONNECT's */
    const char *key, *server_key;
    const struct connection *file; /* of --connect; for the rest of the process */
    bool insecure;
    const char *set[CLI_SETS_MAX];
    size_t sets_len;
    bool json, csv;
    bool prioritised; /* --priority was given */
    int32_t priority;
};
enum {
    KEY_COORDINATOR = 0x100,
    KEY_SET,
    KEY_JSON,
    KEY_CSV,
    KEY_KEY,
    KEY_SERVER_KEY,
    KEY_INSECURE,
    KEY_CONNECT,
    KEY_PRIORITY,
    KEY_OWN /* a command's own start here */
};
#define OPTION_STORE                                                                               \
    {                                                                                              \
        "store", 's', "FILE", 0, "The results database (default results.db)", 0                    \
    }
#define OPTION_COORDINATOR                                                                         \
    { "coordinator",                                                                               \
      KEY_COORDINATOR,                                                                             \
      "ENDPOINT",                                                                                  \
      0,                                                                                           \
      "Ask this coordinator, e.g. tcp://10.0.0.1:7400",                                            \
      0 },                                                                                         \
        { "connect",                                                                               \
          KEY_CONNECT,                                                                             \
          "FILE",                                                                                  \
          0,                                                                                       \
          "Ask the coordinator of this connection file, which drover connect wrote "               \
          "(default $DROVER_CONNECT)",                                                             \
          0 },                                                                                     \
        { "key",                                                                                   \
          KEY_KEY,                                                                                 \
          "FILE",                                                                                  \
          0,                                                                                       \
          "Your key there (default $DROVER_KEY, the store's, ~/.config/drover/key)",               \
          0 },                                                                                     \
        { "server-key",                                                                            \
          KEY_SERVER_KEY,                                                                          \
          "LINE|FILE",                                                                             \
          0,                                                                                       \
          "The coordinator's key (default $DROVER_SERVER_KEY, the store's, "                       \
          "~/.config/drover/coordinator.pub)",                                                     \
          0 },                                                                                     \
    {                                                                                              \
        "insecure", KEY_INSECURE, NULL, 0,                                                         \
            "Plaintext, to a coordinator that was started with --insecure", 0                      \
    }
#define OPTION_PRIORITY                                                                            \
    {                                                                                              \
        "priority", KEY_PRIORITY, "N", 0,                                                          \
            "The experiment's priority, in place of the recipe's: the higher goes first "          \
            "(default: the one it has, at first 0)",                                               \
            0                                                                                      \
    }
#define OPTION_SET                                                                                 \
    {                                                                                              \
        "set", KEY_SET, "NAME=VALUE", 0,                                                           \
            "Replace a value: STEP.PARAMETER, seed, paths.NAME or vars.NAME; may be repeated", 0   \
    }
#define OPTION_JSON                                                                                \
    {                                                                                              \
        "json", KEY_JSON, NULL, 0, "Print JSON (with a version field)", 0                          \
    }
#define OPTION_CSV                                                                                 \
    {                                                                                              \
        "csv", KEY_CSV, NULL, 0, "Print comma-separated values", 0                                 \
    }

struct connection;

/* Take a shared option; ARGP_ERR_UNKNOWN when KEY is none of them. Also tells client.h which keys
 * to use. */
error_t options_take(struct options *o, int key, char *arg, struct argp_state *state);
/* The store's file: what --store says, else results.db. */
const char *options_store(const struct options *o);
/* A whole number MIN..MAX from a command-line argument; anything else ends the program with usage
 * (exit code 2). */
long options_number(struct argp_state *state, const char *option, const char *arg, long min,
                    long max);

/* ---- failing ---- */

/* Print "COMMAND: text" to standard error and return CLI_FAILED. */
int cli_fail(const struct env *env, const struct err *err);

/* ---- recipes and plans ---- */

/* The file NAME, else the embedded recipe of that name ("quickstart"); its table specifications are
 * checked too. *RET may be set even when it fails: free it. */
int cli_recipe(const char *name, const struct options *o, struct recipe **ret,
               struct err *err) MUST_CHECK;
/* A recipe and its plan. */
int cli_plan(const char *name, const struct options *o, const struct env *env,
             struct recipe **ret_recipe, struct plan **ret_plan, struct err *err) MUST_CHECK;
/* The same from TEXT; NAME stands for the file in errors; paths start at the current folder. */
int cli_plan_text(const char *text, const char *name, const struct env *env,
                  struct recipe **ret_recipe, struct plan **ret_plan, struct err *err) MUST_CHECK;
/* $XDG_CACHE_HOME/drover or ~/.cache/drover (made when absent) in PATH; false when there is none.
 */
bool cli_cache_folder(char *path, size_t size);

/* Recipes inside the program, ended by a row without name. */
struct embedded_recipe {
    const char *name, *text;
};
extern const struct embedded_recipe embedded_recipes[];

/* ---- daemons ---- */

/* Replace this process by FOLDER/PROGRAM; returns only on failure. */
int cli_exec(const struct env *env, const char *program, char **argv);
/* The last words of `FOLDER/drover-worker --classes` that names an openblas class. For
 * plan_options. */
int cli_openblas_class(void *arg, char *out, size_t size, struct err *err);

#endif
