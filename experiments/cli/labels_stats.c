/* SPDX-License-Identifier: Apache-2.0 */
/* labels_stats.c - what searches found, in numbers and bars (labels.h). */
#include <langinfo.h>
#include <stdio.h>
#include <string.h>

#include "common/base/buf.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/labels.h"
#include "experiments/cli/sheet.h"

enum { BAR_CELLS = 40, LAYER_CELLS = 16 };

static int64_t number(const struct json *o, const char *name)
{
    return json_integer(json_get(o, name), 0);
}

static void print_bar(double share, int cells)
{
    const bool utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    int full = (int)(share * cells + 0.5);

    for (int i = 0; i < full; i++)
        fputs(utf8 ? "█" : "#", stdout);
    printf("%*s", cells - full, "");
}

static double share(int64_t a, int64_t b)
{
    return b ? (double)a / (double)b : 0;
}

/* 0.1234 as 12.3; nothing for null. */
static void put_percent(struct sheet *t, const struct json *v)
{
    if (json_is_null(v))
        sheet_text(t, NULL);
    else
        sheet_real(t, 100 * json_number(v, 0), 1);
}

static void fill_group(struct sheet *t, const struct json *g, const char *name)
{
    const char *task = json_text(json_get(g, "task"));

    sheet_row(t);
    sheet_text(t, task ? task : name);
    if (task)
        sheet_int(t, number(g, "level"));
    else
        sheet_text(t, NULL);
    sheet_text(t, json_text(json_get(g, "split")));
    sheet_int(t, number(g, "n"));
    put_percent(t, json_get(g, "base"));
    put_percent(t, json_get(g, "oracle"));
    sheet_int(t, number(g, "preserved"));
    sheet_int(t, number(g, "improved"));
    sheet_int(t, number(g, "unsolved"));
    put_percent(t, json_get(g, "improved_share"));
    put_percent(t, json_get(g, "right_with_shorter"));
    put_percent(t, json_get(g, "wrong_with_right"));
    sheet_value(t, json_get(g, "mean_layers"), 2);
    sheet_real(t, share(number(g, "evaluations"), number(g, "n")), 1);
    put_percent(t, json_get(g, "hinted_share"));
    put_percent(t, json_get(g, "saved"));
}

static void print_groups(const struct json *set)
{
    static const char *const columns[] = { "task",     "level",    "split",     "n",
                                           "base %",   "oracle %", "preserved", "improved",
                                           "unsolved", "impr %",   "shorter %", "fixed %",
                                           "layers",   "tried",    "hinted %",  "saved %" };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    const struct json *groups = json_get(set, "groups");

    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        sheet_column(t, columns[i]);
    for (size_t i = 0; i < json_len(groups); i++)
        fill_group(t, json_at(groups, i), NULL);
    if (json_len(groups) > 1)
        fill_group(t, json_get(set, "all"), "all");
    sheet_print(t, SHEET_TERMINAL, stdout);
}

static void print_lengths(const struct json *all)
{
    const struct json *lengths = json_get(all, "lengths");
    int64_t most = 0, labels = number(all, "labelled");

    for (size_t i = 0; i < json_len(lengths); i++) {
        int64_t n = json_integer(json_at(json_at(lengths, i), 1), 0);

        most = n > most ? n : most;
    }
    printf("\nlayer applications of the labels (the model has %lld layers)\n",
           (long long)number(all, "layers"));
    for (size_t i = 0; i < json_len(lengths); i++) {
        int64_t n = json_integer(json_at(json_at(lengths, i), 1), 0);

        printf("  %4lld  ", (long long)json_integer(json_at(json_at(lengths, i), 0), 0));
        print_bar(share(n, most), BAR_CELLS);
        printf(" %6lld  %5.1f %%\n", (long long)n, 100 * share(n, labels));
    }
}

static int64_t at(const struct json *g, size_t layer, size_t choice)
{
    return json_integer(json_at(json_at(json_get(g, "per_layer"), layer), choice), 0);
}

static void print_layers(const struct json *all)
{
    int64_t labels = number(all, "labelled");

    printf("\nlayer    skipped %%%*s executed %%   repeated %%\n", LAYER_CELLS, "");
    for (size_t l = 0; l < json_len(json_get(all, "per_layer")); l++) {
        double skip = share(at(all, l, 0), labels), repeat = share(at(all, l, 2), labels);

        printf("  %3zu    %5.1f ", l, 100 * skip);
        print_bar(skip, LAYER_CELLS);
        printf("      %5.1f       %5.1f ", 100 * share(at(all, l, 1), labels), 100 * repeat);
        print_bar(repeat, LAYER_CELLS);
        printf("\n");
    }
}

/* One row per task and level, one column per layer. */
static void print_matrix(const struct json *set, const char *title, size_t choice)
{
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    const struct json *groups = json_get(set, "groups");
    size_t layers = (size_t)number(json_get(set, "all"), "layers");

    if (json_len(groups) < 2)
        return;
    sheet_column(t, "task");
    sheet_column(t, "level");
    for (size_t l = 0; l < layers; l++) {
        char name[24];

        snprintf(name, sizeof(name), "%zu", l);
        sheet_column(t, name);
    }
    for (size_t i = 0; i < json_len(groups); i++) {
        const struct json *g = json_at(groups, i);

        sheet_row(t);
        sheet_text(t, json_text(json_get(g, "task")));
        sheet_int(t, number(g, "level"));
        for (size_t l = 0; l < layers; l++)
            sheet_real(t, 100 * share(at(g, l, choice), number(g, "labelled")), 0);
    }
    printf("\n%s, %% of the labels by layer\n", title);
    sheet_print(t, SHEET_TERMINAL, stdout);
}

static void print_percent(const char *before, const struct json *v, const char *behind)
{
    if (json_is_null(v))
        return;
    printf("%s%.1f %%%s", before, 100 * json_number(v, 0), behind);
}

static void print_set(const struct json *set)
{
    const struct json *all = json_get(set, "all");

    printf("%s, step %s: %lld examples searched", json_text(json_get(set, "experiment")),
           json_text(json_get(set, "step")), (long long)number(all, "n"));
    printf(", %lld simulations, %lld paths evaluated", (long long)number(all, "simulations"),
           (long long)(number(all, "evaluations") - number(all, "hinted")));
    if (number(all, "hinted"))
        printf(" and %lld known before", (long long)number(all, "hinted"));
    printf(", %.1f s\n\n", (double)number(all, "wall_us") / 1e6);
    print_groups(set);
    printf("\n");
    print_percent("", json_get(all, "right_with_shorter"),
                  " of the right answers have a shorter right path (CoLa: > 75 %)\n");
    print_percent("", json_get(all, "wrong_with_right"),
                  " of the wrong answers have a right path (CoLa: > 60 %)");
    print_percent(", ", json_get(all, "wrong_with_right_shorter"), " a shorter one");
    if (!json_is_null(json_get(all, "wrong_with_right")))
        printf("\n");
    if (number(all, "labelled") == 0)
        return;
    print_lengths(all);
    print_layers(all);
    print_matrix(set, "skipped", 0);
    print_matrix(set, "repeated", 2);
}

int labels_stats(const struct labels_arguments *a, struct err *err)
{
    struct json *arguments CLEANUP(json_cleanup) = labels_report_arguments(a);
    struct json *answer = NULL;
    const struct json *sets;
    int rc = ask_report(&a->o, "label_stats", arguments, &answer, err);

    if (rc)
        return rc;
    if (a->o.json) {
        print_json(answer, stdout);
        return 0;
    }
    sets = json_get(answer, "sets");
    if (json_len(sets) == 0)
        puts("no such labels; drover run quickstart searches some");
    for (size_t i = 0; i < json_len(sets); i++) {
        if (i > 0)
            printf("\n");
        print_set(json_at(sets, i));
    }
    json_free(answer);
    return 0;
}
