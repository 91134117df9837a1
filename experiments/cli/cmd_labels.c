/* SPDX-License-Identifier: Apache-2.0 */
/* drover labels - what searches found: a list, one example in full, or everything in a canonical
 * form. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/cli.h"
#include "experiments/cli/sheet.h"
#include "store/store.h"

enum { KEY_EXPERIMENT = KEY_OWN, KEY_TASK, KEY_LEVEL, KEY_IMPROVED, KEY_ID, KEY_DUMP };
enum { LIMIT_DEFAULT = 20, QUESTION_CELLS = 48 };

static const struct argp_option rows[] = {
    OPTION_STORE,
    { "experiment", KEY_EXPERIMENT, "NAME", 0, "Only of this experiment", 0 },
    { "task", KEY_TASK, "NAME", 0, "Only of this task", 0 },
    { "level", KEY_LEVEL, "N", 0, "Only of this level", 0 },
    { "improved", KEY_IMPROVED, NULL, 0, "Only where the base path is wrong and the label right",
      0 },
    { "limit", 'n', "N", 0, "At most so many (default 20; 0: all)", 0 },
    { "id", KEY_ID, "HEX", 0, "One example in full", 0 },
    { "dump", KEY_DUMP, NULL, 0,
      "All labels, one line per example, sorted; equal searches give equal bytes", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Show routing labels. A label says per layer: skip it, execute it, or execute it twice; it is "
    "the cheapest path that answers its question rightly.\v"
    "Example:\n"
    "  drover labels --task math --level 4 --improved\n"
    "  drover labels --id 3f0c9a127be45d81\n"
    "  drover labels --dump > labels.txt\n\n"
    "In a strip . is a skipped layer, | an executed one and 2 one that is executed twice; the "
    "first "
    "layer stands left.\n\n"
    "Exit status: 0 done, 1 failed, 2 wrong usage.";

struct arguments {
    struct options o;
    const char *experiment;
    struct store_label_filter filter;
    uint64_t limit;
    bool improved, dump;
};

static uint64_t parse_id(struct argp_state *state, const char *arg)
{
    char *end;
    unsigned long long id = strtoull(arg, &end, 16);

    if (end == arg || *end || strlen(arg) > 16 || id == 0)
        argp_error(state, "--id: \"%s\" is no example id (16 hex digits)", arg);
    return id;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_EXPERIMENT:
        a->experiment = arg;
        return 0;
    case KEY_TASK:
        a->filter.task = arg;
        return 0;
    case KEY_LEVEL:
        a->filter.level = (int)options_number(state, "level", arg, 0, 100);
        return 0;
    case KEY_IMPROVED:
        a->improved = true;
        return 0;
    case 'n':
        a->limit = (uint64_t)options_number(state, "limit", arg, 0, 1000000000);
        return 0;
    case KEY_ID:
        a->filter.example = parse_id(state, arg);
        return 0;
    case KEY_DUMP:
        a->dump = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return 0;
    default:
        return options_take(&a->o, key, arg, state);
    }
}

const struct argp argp_labels = { rows, parse, NULL, doc, NULL, NULL, NULL };

static const char *yes(bool b)
{
    return b ? "right" : "wrong";
}

/* One character per layer. */
static void print_strip(const char *routing, char *out, size_t size)
{
    size_t i = 0;

    for (; routing[i] && i + 1 < size; i++)
        out[i] = routing[i] == '0' ? '.' : routing[i] == '2' ? '2' : '|';
    out[i] = '\0';
}

/* ---- the list ---- */

struct listing {
    const struct arguments *a;
    struct sheet *t;
    uint64_t shown;
};

static int on_listed(const struct store_label_row *r, void *arg)
{
    struct listing *l = arg;
    char text[300];

    if (l->a->improved && (r->base_correct || !r->has_label))
        return 0;
    if (l->a->limit && l->shown == l->a->limit)
        return 1;
    l->shown++;
    sheet_row(l->t);
    snprintf(text, sizeof(text), "%016" PRIx64, r->example);
    sheet_text(l->t, text);
    sheet_text(l->t, r->task);
    sheet_int(l->t, r->level);
    sheet_text(l->t, yes(r->base_correct));
    if (r->routing)
        print_strip(r->routing, text, sizeof(text));
    sheet_text(l->t, r->routing ? text : NULL);
    if (r->has_label)
        sheet_int(l->t, r->label_layers);
    else
        sheet_text(l->t, NULL);
    sheet_int(l->t, r->layers);
    sheet_int(l->t, r->evaluations);
    if (!l->a->o.json)
        snprintf(text, sizeof(text), "%.*s", QUESTION_CELLS, r->question);
    sheet_text(l->t, l->a->o.json ? r->question : text);
    sheet_text(l->t, r->gold);
    sheet_text(l->t, r->base_answer);
    sheet_text(l->t, r->label_answer);
    return 0;
}

static int print_list(struct store *s, const struct arguments *a, struct err *err)
{
    static const char *const columns[] = { "id",       "task",   "level",       "base",
                                           "label",    "layers", "of",          "searched",
                                           "question", "gold",   "base_answer", "label_answer" };
    struct sheet *t CLEANUP(sheet_cleanup) = sheet_new();
    struct listing l = { .a = a, .t = t };

    for (size_t i = 0; i < ARRAY_LEN(columns); i++)
        sheet_column(t, columns[i]);
    int rc = store_list_labels(s, &a->filter, on_listed, &l, err);
    if (rc < 0)
        return rc;
    if (a->o.json) {
        sheet_print(t, SHEET_JSON, stdout);
        return 0;
    }
    if (sheet_rows(t) == 0) {
        puts("no such labels; drover run quickstart searches some");
        return 0;
    }
    sheet_print(t, SHEET_TERMINAL, stdout);
    puts("\n. skip  | execute  2 execute twice   one example in full: drover labels --id ID");
    if (rc > 0)
        printf("(the first %" PRIu64 "; --limit 0 shows all)\n", l.shown);
    return 0;
}

/* ---- one example ---- */

static void print_coloured(const char *routing)
{
    static const char *const colour[] = { "\033[2m", "\033[32m", "\033[1;35m" };
    static const char mark[] = ".|2";
    const bool live = isatty(STDOUT_FILENO);

    for (; *routing; routing++) {
        int v = *routing - '0';
        if (v < 0 || v > 2)
            v = 1;
        printf("%s%c%s", live ? colour[v] : "", mark[v], live ? "\033[0m" : "");
    }
}

static int on_one(const struct store_label_row *r, void *arg)
{
    size_t *found = arg;
    size_t skipped = 0, repeated = 0;

    printf("%sexample %016" PRIx64 "  %s", (*found)++ ? "\n" : "", r->example, r->task);
    if (r->level)
        printf(" level %d", r->level);
    printf(", %s, number %" PRIu64 "  (%s, step %s, seed %" PRIu64 ")\n", r->split, r->index,
           r->experiment, r->step, r->seed);
    printf("question      %s\n", r->question);
    printf("gold          %s\n", r->gold);
    printf("base path     %s (%s), %u layers\n", r->base_answer, yes(r->base_correct), r->layers);
    if (!r->has_label || !r->routing) {
        printf("label         none: no path that was tried answers rightly\n");
    } else {
        for (const char *c = r->routing; *c; c++) {
            skipped += *c == '0';
            repeated += *c == '2';
        }
        printf("label path    %s (right), %u layers: %zu skipped, %zu executed twice\n",
               r->label_answer, r->label_layers, skipped, repeated);
        printf("label         ");
        print_coloured(r->routing);
        printf("   . skip  | execute  2 execute twice\n");
    }
    printf("search        %u simulations, %u distinct paths tried\n", r->simulations,
           r->evaluations);
    printf("verdict       %s\n", !r->has_label                 ? "unsolved"
                                 : !r->base_correct            ? "improved"
                                 : r->label_layers < r->layers ? "preserved with fewer layers"
                                                               : "preserved");
    return 0;
}

static int print_one(struct store *s, const struct arguments *a, struct err *err)
{
    size_t found = 0;
    int rc = store_list_labels(s, &a->filter, on_one, &found, err);

    if (rc < 0)
        return rc;
    return found
               ? 0
               : err_set(err, ERR_NOT_FOUND, "no label of example %016" PRIx64, a->filter.example);
}

/* ---- the dump ---- */

struct lines {
    char **v;
    size_t len, cap;
};

/* Text without blanks, so that a line splits at them. */
static void add_word(struct buf *b, const char *s)
{
    if (!*s)
        buf_adds(b, "\"\"");
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c <= ' ' || c == '\\' || c == '"' || c >= 0x7f)
            buf_printf(b, "\\x%02x", c);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, ' ');
}

/* Only what follows from the search itself: no attempts, times, workers or row numbers. */
static int on_dumped(const struct store_label_row *r, void *arg)
{
    struct lines *l = arg;
    struct buf b = { 0 };

    add_word(&b, r->experiment);
    add_word(&b, r->step);
    buf_printf(&b, "%" PRIu64 " ", r->seed);
    add_word(&b, r->task);
    buf_printf(&b, "%d %s %08" PRIu64 " %016" PRIx64 " %s ", r->level, r->split, r->index,
               r->example, r->routing ? r->routing : "none");
    buf_printf(&b, "%s %u/%u %u %u ", yes(r->base_correct), r->label_layers, r->layers,
               r->simulations, r->evaluations);
    add_word(&b, r->base_answer);
    add_word(&b, r->label_answer);
    b.data[b.len - 1] = '\0'; /* the last blank */
    if (l->len == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 1024;
        l->v = mem_realloc(l->v, l->cap, sizeof(*l->v));
    }
    l->v[l->len++] = buf_detach(&b);
    return 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int print_dump(struct store *s, const struct arguments *a, struct err *err)
{
    struct lines l = { 0 };
    int rc = store_list_labels(s, &a->filter, on_dumped, &l, err);

    qsort(l.v, l.len, sizeof(*l.v), by_text);
    for (size_t i = 0; i < l.len; i++) {
        if (rc == 0)
            puts(l.v[i]);
        free(l.v[i]);
    }
    free(l.v);
    return rc;
}

int cmd_labels(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .filter = { .level = -1 }, .limit = LIMIT_DEFAULT };
    struct store *s CLEANUP(store_cleanup) = NULL;
    struct err err = { 0 };

    argp_parse(&argp_labels, argc, argv, 0, NULL, &a);
    int rc = store_open_read(&s, options_store(&a.o), &err);
    if (!rc && a.experiment)
        rc = store_find_experiment(s, a.experiment, &a.filter.experiment, &err);
    if (!rc)
        rc = a.dump                          ? print_dump(s, &a, &err)
             : a.filter.example && !a.o.json ? print_one(s, &a, &err)
                                             : print_list(s, &a, &err);
    return rc ? cli_fail(env, &err) : CLI_DONE;
}
