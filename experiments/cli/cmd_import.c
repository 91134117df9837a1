/* SPDX-License-Identifier: Apache-2.0 */
/* drover import - a file of drover export into a store. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/keep/keep.h"

enum { KEY_AS = KEY_OWN };

static const struct argp_option rows[] = { OPTION_STORE,
                                           { "as", KEY_AS, "NAME", 0,
                                             "Give the experiment another name", 0 },
                                           OPTION_JSON,
                                           { 0 } };

static const char doc[] =
    "Merge a file that drover export wrote into the store, which is made when there is none. What "
    "the store has already is shared; the same file twice changes nothing. Where both have a "
    "result "
    "of the same job or example and the bits differ, everything that differs is told and nothing "
    "is "
    "changed.\v"
    "Example:\n"
    "  drover import quickstart.db\n"
    "  drover import theirs.db --as theirs/quickstart --store all.db\n\n"
    "Jobs that had not ended come as CANCELLED: running the recipe goes on with them. The file is "
    "checked first: its structure, its checksum, the digest of every blob.\n\n"
    "Exit status: 0 done, 1 failed or clashing (nothing was changed), 2 wrong usage.";

struct arguments {
    struct options o;
    const char *file, *as;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_AS:
        if (!*arg || strlen(arg) > 200)
            argp_error(state, "--as: a name of 1 to 200 bytes");
        a->as = arg;
        return 0;
    case ARGP_KEY_ARG:
        if (a->file)
            argp_error(state, "one file at a time");
        a->file = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->file)
            argp_error(state, "which file? drover export EXPERIMENT -o FILE.db makes one");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_import = { rows, parse, "FILE", doc, NULL, NULL, NULL };

static void tell(const struct arguments *a, const struct import_done *d)
{
    struct json *top;

    if (a->o.json) {
        top = json_new_object();
        json_set(top, "version", json_new_integer(1));
        json_set(top, "experiment", json_new_text(d->experiment));
        json_set(top, "rows", json_new_integer((int64_t)d->rows));
        json_set(top, "jobs", json_new_integer((int64_t)d->jobs));
        json_set(top, "results", json_new_integer((int64_t)d->results));
        json_set(top, "examples", json_new_integer((int64_t)d->examples));
        json_set(top, "blobs", json_new_integer((int64_t)d->blobs));
        json_set(top, "blob_bytes", json_new_integer((int64_t)d->blob_bytes));
        json_set(top, "cancelled", json_new_integer((int64_t)d->cancelled));
        print_json(top, stdout);
        return;
    }
    if (d->rows + d->results + d->blobs == 0) {
        printf("%s: everything was here already\n", d->experiment);
        return;
    }
    printf("%s: %llu new rows (%llu jobs, %llu results of examples), %llu blobs (%.1f MiB)\n",
           d->experiment, (unsigned long long)d->rows, (unsigned long long)d->jobs,
           (unsigned long long)d->examples, (unsigned long long)d->blobs,
           (double)d->blob_bytes / (1 << 20));
    if (d->results)
        printf("%llu jobs that had no result here have one now\n", (unsigned long long)d->results);
    if (d->cancelled)
        printf("%llu jobs had not ended: run the recipe to go on with them\n",
               (unsigned long long)d->cancelled);
}

/* What clashes: for people to standard error, else as JSON. */
static void tell_clashes(const struct arguments *a, const struct import_done *d, char *report)
{
    struct json *top, *list;
    char *save = NULL;

    if (!a->o.json) {
        fputs(report, stderr);
        if (d->clashes > IMPORT_CLASHES_SHOWN)
            fprintf(stderr, "... and %llu more\n",
                    (unsigned long long)(d->clashes - IMPORT_CLASHES_SHOWN));
        return;
    }
    top = json_new_object();
    list = json_new_array();
    for (char *line = strtok_r(report, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        json_push(list, json_new_text(line));
    json_set(top, "version", json_new_integer(1));
    json_set(top, "experiment", json_new_text(d->experiment));
    json_set(top, "clashes", json_new_integer((int64_t)d->clashes));
    json_set(top, "first", list);
    print_json(top, stdout);
}

/* A store that was made for nothing. */
static void remove_store(const char *path)
{
    static const char *const endings[] = { "", "-lock", "-wal", "-shm" };

    for (size_t i = 0; i < ARRAY_LEN(endings); i++) {
        struct buf name CLEANUP(buf_release) = { 0 };

        buf_printf(&name, "%s%s", path, endings[i]);
        (void)unlink(buf_str(&name)); /* it may not be there */
    }
}

int cmd_import(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .file = NULL };
    struct import_done done = { 0 };
    struct buf report CLEANUP(buf_release) = { 0 };
    struct store *s = NULL;
    struct err err = { 0 };

    argp_parse(&argp_import, argc, argv, 0, NULL, &a);
    (void)signal(SIGXFSZ, SIG_IGN); /* a full disk is told, not a signal */
    const char *path = options_store(&a.o);
    const bool was_there = access(path, F_OK) == 0;
    if (access(a.file, R_OK) != 0) {
        err_set(&err, ERR_NOT_FOUND, "%s cannot be read: no such file, or no right to", a.file);
        return cli_fail(env, &err);
    }
    int rc = store_open(&s, path, "", &err);
    const bool made = !was_there && rc == 0;
    if (!rc)
        rc = store_import(s, a.file, a.as, &done, &report, &err);
    store_close(s);
    if (rc && made)
        remove_store(path);
    if (rc == 0) {
        tell(&a, &done);
        return CLI_DONE;
    }
    if (done.clashes > 0)
        tell_clashes(&a, &done, report.data);
    return cli_fail(env, &err);
}
