/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - drover-bench [GROUP...] [--json] [--short]: the figures that the issues name. */
#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/macros.h"
#include "tests/bench/bench.h"

static const struct {
    const char *name;
    void (*run)(struct bench *b); /* NULL: comes with a later part of drover */
    bool asked;                   /* only when it is named: it takes an hour */
} GROUPS[] = {
    { "kernels", bench_kernels, false },   { "engine", bench_engine, false },
    { "search", bench_search, false },     { "train", bench_train, false },
    { "dispatch", bench_dispatch, false }, { "store", bench_store, false },
    { "web", bench_web, false },           { "soak", bench_soak, true },
};

enum { OPT_MINUTES = 256, OPT_RATE };

struct arguments {
    struct bench bench;
    bool chosen[ARRAY_LEN(GROUPS)], any;
};

static double positive(struct argp_state *state, const char *name, const char *text)
{
    char *end;
    double v = strtod(text, &end);

    if (end == text || *end || !(v > 0 && v <= 1e6))
        argp_error(state, "%s %s: a number above 0 is needed", name, text);
    return v;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;
    switch (key) {
    case 'j':
        a->bench.json = true;
        return 0;
    case 's':
        a->bench.quick = true;
        return 0;
    case 'o':
        a->bench.only = arg;
        return 0;
    case 'r':
        a->bench.record = arg;
        return 0;
    case OPT_MINUTES:
        a->bench.minutes = positive(state, "--minutes", arg);
        return 0;
    case OPT_RATE:
        a->bench.rate = positive(state, "--rate", arg);
        return 0;
    case ARGP_KEY_ARG:
        for (size_t i = 0; i < ARRAY_LEN(GROUPS); i++) {
            if (strcmp(arg, GROUPS[i].name) == 0) {
                a->chosen[i] = a->any = true;
                return 0;
            }
        }
        argp_error(state,
                   "no group '%s': kernels, engine, search, train, dispatch, store, web, soak",
                   arg);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option OPTIONS[] = {
    { "json", 'j', NULL, 0, "One object per line instead of text", 0 },
    { "short", 's', NULL, 0, "At most two minutes per group, and no verdicts", 0 },
    { "only", 'o', "TEXT", 0, "Of the engine's large models only figures with TEXT in their names",
      0 },
    { "minutes", OPT_MINUTES, "N", 0, "Group soak: of the steady phase (60)", 0 },
    { "rate", OPT_RATE, "N", 0, "Group soak: jobs per second (3000)", 0 },
    { "record", 'r', "FOLDER", OPTION_HIDDEN,
      "Group search: write trace50.txt and trace200.txt of searches of the model in FOLDER there",
      0 },
    { 0 },
};
static const struct argp ARGP = {
    OPTIONS,
    parse,
    "[GROUP...]",
    "Measure drover's parts: kernels, engine, search, train, dispatch, store, web; and soak, "
    "which takes an hour and is run only when it is named.\v"
    "Every line is a figure: name, value, unit, spread and n; ratios are medians of interleaved "
    "pairs. "
    "Without GROUP all are run. Exit code 1 when a figure misses its limit.",
    NULL,
    NULL,
    NULL
};

int main(int argc, char **argv)
{
    struct arguments a = { 0 };
    argp_err_exit_status = 2;
    argp_parse(&ARGP, argc, argv, 0, NULL, &a);
    for (size_t i = 0; i < ARRAY_LEN(GROUPS); i++)
        if (GROUPS[i].run != NULL && (a.chosen[i] || (!a.any && !GROUPS[i].asked)))
            GROUPS[i].run(&a.bench);
    return a.bench.missed > 0;
}
