/* SPDX-License-Identifier: Apache-2.0 */
/* drover export - an experiment as a file of its own. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "common/base/nearest.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/keep/keep.h"

enum { KEY_FORMAT = KEY_OWN, KEY_WHAT, KEY_BLOBS, KEY_FORCE };
enum format { FORMAT_BY_NAME, FORMAT_SQLITE, FORMAT_CSV, FORMAT_JSONL };

static const char *const formats[] = { "by name", "sqlite", "csv", "jsonl", NULL };
static const char *const blobs[] = { "small", "all", "none", NULL };

static const struct argp_option rows[] = {
    OPTION_STORE,
    { "output", 'o', "FILE", 0, "Where to write; - is standard output (csv, jsonl)", 0 },
    { "format", KEY_FORMAT, "FORMAT", 0,
      "sqlite, csv or jsonl (default: by FILE's ending: .db .sqlite .csv .jsonl)", 0 },
    { "what", KEY_WHAT, "WHAT", 0,
      "csv, jsonl: runs (default; with parameters and summaries), scores, labels or metrics", 0 },
    { "blobs", KEY_BLOBS, "WHICH", 0,
      "sqlite: which checkpoints and label sets travel: small (default: smallest first, up to 64 "
      "MiB in all), all or none",
      0 },
    { "force", KEY_FORCE, NULL, 0, "Replace FILE", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Write an experiment to a file: as a SQLite file that holds all of it and that drover import "
    "takes, or its rows as CSV or JSON lines. It may run meanwhile: what was done at the start is "
    "in "
    "the file.\v"
    "Example:\n"
    "  drover export quickstart -o quickstart.db\n"
    "  drover export quickstart -o runs.csv\n"
    "  drover export quickstart --what scores -o - --format jsonl | head\n\n"
    "Every reading command works on the SQLite file: drover table quickstart --store "
    "quickstart.db. "
    "It is written beside FILE and renamed when it is whole.\n\n"
    "Exit status: 0 done, 1 failed (nothing is left behind), 2 wrong usage.";

struct arguments {
    struct options o;
    const char *experiment, *file;
    enum format format;
    enum export_what what;
    enum export_blobs blobs;
    bool force, what_given, blobs_given;
};

/* Index of ARG among WORDS; anything else ends the program with usage. */
static int one_of(struct argp_state *state, const char *option, const char *arg,
                  const char *const *words)
{
    const char *near;

    for (int i = 0; words[i]; i++) {
        if (strcmp(words[i], arg) == 0)
            return i;
    }
    near = nearest_find(arg, words);
    if (near)
        argp_error(state, "--%s: \"%s\" is unknown; did you mean \"%s\"?", option, arg, near);
    else
        argp_error(state, "--%s: \"%s\" is unknown", option, arg);
    return 0;
}

static bool ends_in(const char *name, const char *ending)
{
    size_t n = strlen(name), m = strlen(ending);

    return n > m && strcasecmp(name + n - m, ending) == 0;
}

static enum format by_name(const char *file)
{
    if (ends_in(file, ".db") || ends_in(file, ".sqlite") || ends_in(file, ".sqlite3"))
        return FORMAT_SQLITE;
    if (ends_in(file, ".csv"))
        return FORMAT_CSV;
    return ends_in(file, ".jsonl") || ends_in(file, ".ndjson") ? FORMAT_JSONL : FORMAT_BY_NAME;
}

static void check(struct arguments *a, struct argp_state *state)
{
    if (!a->experiment)
        argp_error(state, "which experiment? drover status lists them");
    if (!a->file)
        argp_error(state, "where to? e.g. -o results.csv");
    if (a->format == FORMAT_BY_NAME)
        a->format = by_name(a->file);
    if (a->format == FORMAT_BY_NAME)
        argp_error(state, "%s: which format? say --format sqlite, csv or jsonl", a->file);
    if (a->format == FORMAT_SQLITE && strcmp(a->file, "-") == 0)
        argp_error(state, "a SQLite file cannot be written to standard output");
    if (a->format == FORMAT_SQLITE && a->what_given)
        argp_error(state, "--what is for csv and jsonl; the SQLite file holds everything");
    if (a->format != FORMAT_SQLITE && a->blobs_given)
        argp_error(state, "--blobs is for the SQLite file");
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case 'o':
        a->file = arg;
        return 0;
    case KEY_FORMAT:
        a->format = (enum format)(1 + one_of(state, "format", arg, formats + 1));
        return 0;
    case KEY_WHAT:
        a->what = (enum export_what)one_of(state, "what", arg, export_what_names);
        a->what_given = true;
        return 0;
    case KEY_BLOBS:
        a->blobs = (enum export_blobs)one_of(state, "blobs", arg, blobs);
        a->blobs_given = true;
        return 0;
    case KEY_FORCE:
        a->force = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->experiment)
            argp_error(state, "one experiment at a time");
        a->experiment = arg;
        return 0;
    case ARGP_KEY_END:
        check(a, state);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_export = { rows, parse, "EXPERIMENT", doc, NULL, NULL, NULL };

/* ---- the file beside ---- */

static char partial[4096 + 32]; /* removed when a signal ends us */

static void on_signal(int number)
{
    if (partial[0])
        (void)unlink(partial);
    (void)signal(number, SIG_DFL);
    (void)raise(number);
}

static int begin(const struct arguments *a, struct err *err)
{
    int fd;

    if (!a->force && access(a->file, F_OK) == 0)
        return err_set(err, ERR_CONFLICT, "%s is there already; --force replaces it", a->file);
    if (strlen(a->file) > 4000)
        return err_set(err, ERR_LIMIT, "the file's name is too long");
    (void)signal(SIGINT, on_signal);
    (void)signal(SIGTERM, on_signal);
    snprintf(partial, sizeof(partial), "%s.%d.part", a->file, (int)getpid());
    fd = open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0) {
        int errnum = errno;

        partial[0] = '\0';
        return err_errno(err, errnum, "create %s", a->file);
    }
    close(fd);
    return 0;
}

static void sync_folder(const char *file)
{
    char folder[4096 + 32];
    const char *slash = strrchr(file, '/');
    int fd;

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - file + 1) : 2,
             slash ? file : "./");
    fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd); /* the file itself is durable; its name soon is anyway */
    close(fd);
}

static int end(const struct arguments *a, int rc, struct err *err)
{
    if (rc == 0 && rename(partial, a->file) != 0)
        rc = err_errno(err, errno, "rename to %s", a->file);
    if (rc != 0)
        (void)unlink(partial);
    else
        sync_folder(a->file);
    partial[0] = '\0';
    return rc;
}

/* ---- rows ---- */

static int write_rows(const struct arguments *a, struct store *s, FILE *out, uint64_t *ret_rows,
                      struct err *err)
{
    uint64_t experiment;
    int rc = store_find_experiment(s, a->experiment, &experiment, err);

    return rc ? rc
              : store_export_rows(s, experiment, a->what, a->format == FORMAT_JSONL, out, ret_rows,
                                  err);
}

static int export_rows(const struct arguments *a, uint64_t *ret_rows, struct err *err)
{
    struct store *s CLEANUP(store_cleanup) = NULL;
    FILE *out;
    int rc = store_open_read(&s, options_store(&a->o), err);

    if (rc)
        return rc;
    if (strcmp(a->file, "-") == 0)
        return write_rows(a, s, stdout, ret_rows, err);
    rc = begin(a, err);
    if (rc)
        return rc;
    out = fopen(partial, "we");
    if (!out)
        return end(a, err_errno(err, errno, "write %s", a->file), err);
    rc = write_rows(a, s, out, ret_rows, err);
    if (rc == 0 && fsync(fileno(out)) != 0)
        rc = err_errno(err, errno, "sync %s", a->file);
    if (fclose(out) != 0 && rc == 0)
        rc = err_errno(err, errno == EFBIG ? ENOSPC : errno, "write %s", a->file);
    if (rc == ERR_FULL)
        rc = err_set(err, ERR_FULL,
                     "%s: no space left on its disk; free some, or name another file", a->file);
    return end(a, rc, err);
}

/* ---- everything ---- */

static int export_all(const struct arguments *a, struct export_done *ret, struct err *err)
{
    int rc = begin(a, err);

    if (rc)
        return rc;
    (void)unlink(partial); /* SQLite makes it anew; we know now that it can */
    rc = store_export(options_store(&a->o), a->experiment, partial, a->blobs, ret, err);
    if (rc == ERR_FULL)
        rc = err_set(err, ERR_FULL,
                     "%s: no space left on its disk; free some, or name another file", a->file);
    return end(a, rc, err);
}

static void tell(const struct arguments *a, const struct export_done *d, uint64_t rows_out)
{
    struct json *top;

    if (a->format != FORMAT_SQLITE && !a->o.json) {
        fprintf(stderr, "%s: %llu rows\n", a->file, (unsigned long long)rows_out);
        return;
    }
    if (!a->o.json) {
        printf("%s: %llu runs, %llu jobs, %llu rows, %llu blobs; %.1f MiB\n", a->file,
               (unsigned long long)d->runs, (unsigned long long)d->jobs,
               (unsigned long long)d->rows, (unsigned long long)d->blobs,
               (double)d->bytes / (1 << 20));
        if (d->left_blobs)
            printf("%llu blobs (%.1f MiB) stay behind; --blobs all takes them along\n",
                   (unsigned long long)d->left_blobs, (double)d->left_bytes / (1 << 20));
        if (d->user_files)
            printf("%llu files of yours are named by their paths only\n",
                   (unsigned long long)d->user_files);
        return;
    }
    top = json_new_object();
    json_set(top, "version", json_new_integer(1));
    json_set(top, "experiment", json_new_text(a->experiment));
    json_set(top, "file", json_new_text(a->file));
    json_set(top, "format", json_new_text(formats[a->format]));
    json_set(top, "rows",
             json_new_integer((int64_t)(a->format == FORMAT_SQLITE ? d->rows : rows_out)));
    if (a->format == FORMAT_SQLITE) {
        json_set(top, "runs", json_new_integer((int64_t)d->runs));
        json_set(top, "jobs", json_new_integer((int64_t)d->jobs));
        json_set(top, "blobs", json_new_integer((int64_t)d->blobs));
        json_set(top, "blob_bytes", json_new_integer((int64_t)d->blob_bytes));
        json_set(top, "left_blobs", json_new_integer((int64_t)d->left_blobs));
        json_set(top, "left_bytes", json_new_integer((int64_t)d->left_bytes));
        json_set(top, "bytes", json_new_integer((int64_t)d->bytes));
    }
    print_json(top, strcmp(a->file, "-") == 0 ? stderr : stdout);
}

int cmd_export(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .format = FORMAT_BY_NAME };
    struct export_done done = { 0 };
    struct err err = { 0 };
    uint64_t n = 0;

    argp_parse(&argp_export, argc, argv, 0, NULL, &a);
    (void)signal(SIGXFSZ, SIG_IGN); /* then writing fails with EFBIG, which is told */
    int rc = a.format == FORMAT_SQLITE ? export_all(&a, &done, &err) : export_rows(&a, &n, &err);
    if (rc)
        return cli_fail(env, &err);
    tell(&a, &done, n);
    return CLI_DONE;
}
