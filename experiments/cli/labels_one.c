/* SPDX-License-Identifier: Apache-2.0 */
/* labels_one.c - one label in full, and all of them in a canonical form (labels.h). */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/mem.h"
#include "experiments/cli/labels.h"

static const char *yes(bool b)
{
    return b ? "right" : "wrong";
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
    printf("search        %u simulations, %u distinct paths tried", r->simulations, r->evaluations);
    if (r->hinted)
        printf(", %u of them known from an earlier search", r->hinted);
    printf("\n");
    if (r->layer_rows_whole)
        printf("cost          %.0f %% of running every path whole, %.1f ms\n",
               100 * (double)r->layer_rows / (double)r->layer_rows_whole,
               (double)r->wall_us / 1000);
    printf("verdict       %s\n", !r->has_label                 ? "unsolved"
                                 : !r->base_correct            ? "improved"
                                 : r->label_layers < r->layers ? "preserved with fewer layers"
                                                               : "preserved");
    return 0;
}

int labels_one(struct store *s, const struct labels_arguments *a, struct err *err)
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

int labels_dump(struct store *s, const struct labels_arguments *a, struct err *err)
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
