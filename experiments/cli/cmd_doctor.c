/* SPDX-License-Identifier: Apache-2.0 */
/* drover doctor - is the store sound? */
#include <stdio.h>

#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/keep/doctor.h"

enum { KEY_DEEP = KEY_OWN };

static const struct argp_option rows[] = {
    OPTION_STORE,
    { "deep", KEY_DEEP, NULL, 0,
      "Also compare every index with its table and every file with its digest (reads all of it)",
      0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Look the store over: the file's structure, rows that name each other, the laws that results "
    "keep, sums, files beside it, the log, the disk. Nothing is changed, and a coordinator may be "
    "at work meanwhile.\v"
    "Example:\n"
    "  drover doctor\n"
    "  drover doctor --store old.db --deep\n\n"
    "Exit status: 0 sound (warnings may be told), 1 something is bad or the store cannot be read, "
    "2 wrong usage.";

struct arguments {
    struct options o;
    bool deep;
    struct sheet *sheet;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_DEEP:
        a->deep = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "\"%s\"? name a store with --store", arg);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_doctor = { rows, parse, NULL, doc, NULL, NULL, NULL };

static void on_finding(const struct doctor_finding *f, void *arg)
{
    const struct arguments *a = arg;

    if (a->o.json) {
        sheet_row(a->sheet);
        sheet_text(a->sheet, f->check);
        sheet_text(a->sheet, doctor_state_name(f->state));
        sheet_text(a->sheet, f->text);
        sheet_text(a->sheet, f->remedy);
        return;
    }
    printf("%-8s %-12s %s\n", doctor_state_name(f->state), f->check, f->text);
    if (*f->remedy)
        printf("%-8s %-12s -> %s\n", "", "", f->remedy);
    (void)fflush(stdout);
}

int cmd_doctor(int argc, char **argv, const struct env *env)
{
    struct sheet *sheet CLEANUP(sheet_cleanup) = sheet_new();
    struct arguments a = { .sheet = sheet };
    enum doctor_state worst = DOCTOR_OK;
    struct err err = { 0 };

    argp_parse(&argp_doctor, argc, argv, 0, NULL, &a);
    sheet_column(sheet, "check");
    sheet_column(sheet, "state");
    sheet_column(sheet, "text");
    sheet_column(sheet, "remedy");
    if (store_doctor(options_store(&a.o), a.deep, on_finding, &a, &worst, &err) < 0)
        return cli_fail(env, &err);
    if (a.o.json)
        sheet_print(sheet, SHEET_JSON, stdout);
    return worst == DOCTOR_BAD ? CLI_FAILED : CLI_DONE;
}
