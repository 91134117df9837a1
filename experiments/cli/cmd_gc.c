/* SPDX-License-Identifier: Apache-2.0 */
/* drover gc - throw away checkpoints that can be made again; drover pin - but not these. */
#include <stdio.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/keep/keep.h"

enum { KEY_DRY = KEY_OWN, KEY_DAYS, KEY_VACUUM, KEY_OFF };

#define MIB(BYTES) ((double)(BYTES) / (1 << 20))

/* An existing store as its one writer. */
static int open_store(struct store **ret, const struct options *o, struct err *err)
{
    const char *path = options_store(o);

    *ret = NULL;
    if (access(path, F_OK) != 0)
        return err_set(err, ERR_NOT_FOUND, "no store at %s; name it with --store", path);
    return store_open(ret, path, "", err);
}

/* ---- drover gc ---- */

static const struct argp_option gc_rows[] = {
    OPTION_STORE,
    { "dry-run", KEY_DRY, NULL, 0, "Only tell what would go", 0 },
    { "keep-days", KEY_DAYS, "N", 0, "Keep what was made in the last N days", 0 },
    { "vacuum", KEY_VACUUM, NULL, 0,
      "Rewrite the database file without its unused pages (needs as much space again)", 0 },
    OPTION_JSON,
    { 0 }
};

static const char gc_doc[] =
    "Throw away checkpoints and other files of jobs that nothing needs any more and that running "
    "the "
    "recipe makes again: all but the final ones of each experiment's latest revision, what waiting "
    "jobs read, and what is pinned. Results, scores and metrics stay, your own files are never "
    "touched.\v"
    "Example:\n"
    "  drover gc --dry-run\n"
    "  drover gc --keep-days 14\n"
    "  drover pin quickstart     what is pinned stays\n\n"
    "A job that needs such a file again runs its maker first, which must make the same bits.\n\n"
    "Exit status: 0 done, 1 failed (a coordinator that has the store is named), 2 wrong usage.";

struct gc_arguments {
    struct options o;
    bool dry, vacuum;
    uint32_t days;
    struct sheet *sheet;
};

static error_t parse_gc(int key, char *arg, struct argp_state *state)
{
    struct gc_arguments *a = state->input;

    switch (key) {
    case KEY_DRY:
        a->dry = true;
        return 0;
    case KEY_DAYS:
        a->days = (uint32_t)options_number(state, "keep-days", arg, 0, 100000);
        return 0;
    case KEY_VACUUM:
        a->vacuum = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\"? gc takes no arguments; it goes over the whole store", arg);
        return 0;
    case ARGP_KEY_END:
        if (a->dry && a->vacuum)
            argp_error(state, "--dry-run changes nothing: leave --vacuum out");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_gc = { gc_rows, parse_gc, NULL, gc_doc, NULL, NULL, NULL };

static int on_line(const struct gc_line *line, void *arg)
{
    struct sheet *sheet = arg;

    sheet_row(sheet);
    sheet_text(sheet, line->experiment);
    sheet_int(sheet, (int64_t)line->kept);
    sheet_int(sheet, (int64_t)line->kept_bytes);
    sheet_int(sheet, (int64_t)line->freed);
    sheet_int(sheet, (int64_t)line->freed_bytes);
    return 0;
}

static void tell_gc(const struct gc_arguments *a, const struct gc_done *d)
{
    const char *would = a->dry ? "would be " : "";

    if (sheet_rows(a->sheet))
        sheet_print(a->sheet, SHEET_TERMINAL, stdout);
    printf("%llu files (%.1f MiB) %sfreed, %llu (%.1f MiB) kept\n", (unsigned long long)d->freed,
           MIB(d->freed_bytes), would, (unsigned long long)d->kept, MIB(d->kept_bytes));
    if (d->orphans + d->parts)
        printf("%llu files that nothing names and %llu unfinished uploads (%.1f MiB) %sremoved\n",
               (unsigned long long)d->orphans, (unsigned long long)d->parts,
               MIB(d->orphan_bytes + d->part_bytes), would);
    if (!a->vacuum && d->unused_bytes > (1 << 20) && d->unused_bytes * 4 > d->database_bytes)
        printf("the database file has %.1f MiB of unused pages: drover gc --vacuum gives them "
               "back\n",
               MIB(d->unused_bytes));
}

static void print_gc(const struct gc_arguments *a, const struct gc_done *d)
{
    struct json *top = json_new_object();

    json_set(top, "version", json_new_integer(1));
    json_set(top, "dry_run", json_new_bool(a->dry));
    json_set(top, "experiments", sheet_json(a->sheet));
    json_set(top, "kept", json_new_integer((int64_t)d->kept));
    json_set(top, "kept_bytes", json_new_integer((int64_t)d->kept_bytes));
    json_set(top, "freed", json_new_integer((int64_t)d->freed));
    json_set(top, "freed_bytes", json_new_integer((int64_t)d->freed_bytes));
    json_set(top, "orphans", json_new_integer((int64_t)d->orphans));
    json_set(top, "orphan_bytes", json_new_integer((int64_t)d->orphan_bytes));
    json_set(top, "parts", json_new_integer((int64_t)d->parts));
    json_set(top, "part_bytes", json_new_integer((int64_t)d->part_bytes));
    json_set(top, "database_bytes", json_new_integer((int64_t)d->database_bytes));
    json_set(top, "unused_bytes", json_new_integer((int64_t)d->unused_bytes));
    print_json(top, stdout);
}

int cmd_gc(int argc, char **argv, const struct env *env)
{
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct gc_arguments a = { .sheet = sheet };
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct gc_done done = { 0 };
    struct err err = { 0 };

    argp_parse(&argp_gc, argc, argv, 0, NULL, &a);
    sheet_column(sheet, "experiment");
    sheet_column(sheet, "kept");
    sheet_column(sheet, "kept_bytes");
    sheet_column(sheet, "freed");
    sheet_column(sheet, "freed_bytes");
    int rc = open_store(&s, &a.o, &err);
    if (!rc)
        rc = store_gc(s, a.dry, a.days, on_line, sheet, &done, &err);
    if (!rc && a.vacuum)
        rc = store_vacuum(s, &err);
    if (rc)
        return cli_fail(env, &err);
    if (a.o.json)
        print_gc(&a, &done);
    else
        tell_gc(&a, &done);
    return CLI_DONE;
}

/* ---- drover pin ---- */

static const struct argp_option pin_rows[] = {
    OPTION_STORE, { "off", KEY_OFF, NULL, 0, "No longer", 0 }, OPTION_JSON, { 0 }
};

static const char pin_doc[] =
    "Keep every file that an experiment's, run's or job's jobs made, whatever drover gc finds. "
    "Without an argument: list what is pinned.\v"
    "Example:\n"
    "  drover pin quickstart\n"
    "  drover pin 17             run 17\n"
    "  drover pin j42 --off      job 42; or the first digits of its key\n\n"
    "Exit status: 0 done, 1 there is none, 2 wrong usage.";

struct pin_arguments {
    struct options o;
    const char *target;
    bool off;
};

static error_t parse_pin(int key, char *arg, struct argp_state *state)
{
    struct pin_arguments *a = state->input;

    switch (key) {
    case KEY_OFF:
        a->off = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->target)
            argp_error(state, "one at a time");
        a->target = arg;
        return 0;
    case ARGP_KEY_END:
        if (a->off && !a->target)
            argp_error(state, "--off of what? drover pin lists what is pinned");
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_pin = { pin_rows, parse_pin, "[EXPERIMENT|RUN|JOB]", pin_doc, NULL,
                               NULL,     NULL };

static int on_pin(const struct store_target *t, int64_t at_ms, void *arg)
{
    struct sheet *sheet = arg;
    char when[32];

    sheet_row(sheet);
    sheet_text(sheet, t->text);
    sheet_text(sheet, clock_iso(at_ms, when));
    return 0;
}

static int list_pins(const struct pin_arguments *a, struct err *err)
{
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct store *s CLEANUP(store_cleanup) = NULL;
    int rc = store_open_read(&s, options_store(&a->o), err);

    sheet_column(sheet, "pinned");
    sheet_column(sheet, "since");
    if (!rc)
        rc = store_list_pins(s, on_pin, sheet, err);
    if (!rc && !a->o.json && sheet_rows(sheet) == 0)
        printf("nothing is pinned\n");
    else if (!rc)
        sheet_print(sheet, a->o.json ? SHEET_JSON : SHEET_TERMINAL, stdout);
    return rc;
}

static int change_pin(const struct pin_arguments *a, struct err *err)
{
    const unsigned kinds = TARGET_EXPERIMENT | TARGET_RUN | TARGET_JOB;
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct store_target target;
    bool changed = false;
    int rc = open_store(&s, &a->o, err);

    if (!rc)
        rc = store_target(s, a->target, kinds, &target, err);
    if (!rc)
        rc = store_pin(s, &target, !a->off, &changed, err);
    if (rc)
        return rc;
    if (a->o.json) {
        struct json *top = json_new_object();

        json_set(top, "version", json_new_integer(1));
        json_set(top, "pinned", json_new_bool(!a->off));
        json_set(top, "what", json_new_text(target.text));
        json_set(top, "changed", json_new_bool(changed));
        print_json(top, stdout);
    } else {
        printf("%s %s%s\n", target.text, changed ? "" : "was ",
               a->off ? (changed ? "is no longer pinned" : "not pinned")
                      : (changed ? "is pinned" : "pinned already"));
    }
    return 0;
}

int cmd_pin(int argc, char **argv, const struct env *env)
{
    struct pin_arguments a = { .target = NULL };
    struct err err = { 0 };

    argp_parse(&argp_pin, argc, argv, 0, NULL, &a);
    int rc = a.target ? change_pin(&a, &err) : list_pins(&a, &err);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
