/* SPDX-License-Identifier: Apache-2.0 */
/* notes.c - the sentences below a table: what its marks and brackets mean, and what is not whole
 * (making.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "common/base/mem.h"
#include "store/store.h"
#include "store/tables/cost.h"
#include "store/tables/making.h"

static void note_oracles(struct making *m)
{
    static const char text[] = "Oracle: labels come from a search that knows the answers; an upper "
                               "bound for a router, not its result.";

    for (size_t f = 0; f < m->flats; f++) {
        const struct table_column *c = flat_column(m, f);
        bool searches = false;

        for (size_t i = 0; i < m->pivot.sums_len && !searches; i++)
            searches = m->pivot.sums[i].search && m->pivot.sums[i].n > 0 &&
                       fact_of_column(m, m->flat[f].column, i);
        if (m->table->head[m->keys + f].oracle || c->stat == TABLE_IMPROVED ||
            c->stat == TABLE_PRESERVED || (c->stat == TABLE_LAYERS && searches)) {
            table_note(m->table, text);
            return;
        }
    }
}

/* What stands behind numbers, and which columns have it. */
enum sign { SD, SE_EXAMPLES, SE_SEEDS, CI_SEEDS, CI_METRICS, CI_EXAMPLES, CI_BOTH, CI_NONE, SIGNS };

static void signs_of(const struct table_cell *cell, const struct table_column *c, bool *has)
{
    bool t_only = c->interval == TABLE_INTERVAL_T || stat_is_number(c->stat);

    if (cell->has_sd)
        has[SD] = true;
    else if (cell->has_error)
        has[cell->seeds == 1 ? SE_EXAMPLES : SE_SEEDS] = true;
    if (cell->interval && t_only)
        has[CI_SEEDS] = true;
    else if (cell->interval && c->stat == TABLE_METRIC_SE && cell->seeds > 1)
        has[CI_METRICS] = true;
    else if (cell->interval)
        has[cell->seeds == 1 ? CI_EXAMPLES : CI_BOTH] = true;
    else if (cell->seeds == 2 && cell->known && column_shows(c) & TABLE_SHOW_CI)
        has[CI_NONE] = true;
}

static void note_signs(struct making *m)
{
    static const struct {
        const char *sign, *text;
        int group; /* of several in a group each names its columns; 0: never */
    } notes[SIGNS] = {
        [SD] = { "\xc2\xb1", ": standard deviation over seeds.", 1 },
        [SE_EXAMPLES] = { "\xc2\xb1",
                          ": standard error over the examples of one model; it says nothing about "
                          "other seeds.",
                          1 },
        [SE_SEEDS] = { "\xc2\xb1", ": standard error over seeds.", 1 },
        [CI_SEEDS] = { "Brackets", ": 95 % interval over seeds, Student's t.", 2 },
        [CI_METRICS] = { "Brackets behind metrics", ": 95 % interval over seeds, Student's t.", 0 },
        [CI_EXAMPLES] = { "Brackets",
                          ": 95 % interval, BCa bootstrap over the examples of one model; it says "
                          "nothing about other seeds.",
                          2 },
        [CI_BOTH] = { "Brackets", ": 95 % interval, two-level bootstrap over seeds, then examples.",
                      2 },
        [CI_NONE] = { "Two seeds", ": no interval below three.", 0 },
    };
    const struct table *t = m->table;
    struct buf columns[SIGNS] = { { 0 } };
    int kinds[3] = { 0 };

    for (size_t c = m->keys; c < t->columns; c++) {
        bool has[SIGNS] = { false };

        for (size_t r = 0; r < t->rows; r++)
            signs_of(&t->cell[r * t->columns + c], t->head[c].column, has);
        for (int i = 0; i < SIGNS; i++) {
            if (!has[i])
                continue;
            kinds[notes[i].group] += columns[i].len == 0;
            if (!strstr(buf_str(&columns[i]), t->head[c].column->head))
                buf_printf(&columns[i], "%s%s", columns[i].len ? ", " : "",
                           t->head[c].column->head);
        }
    }
    for (int i = 0; i < SIGNS; i++) {
        CLEANUP(buf_release) struct buf text = { 0 };
        bool names = notes[i].group && kinds[notes[i].group] > 1;

        buf_printf(&text, "%s%s%s%s", notes[i].sign, names ? " of " : "",
                   names ? buf_str(&columns[i]) : "", notes[i].text);
        if (columns[i].len)
            table_note(m->table, buf_str(&text));
        buf_release(&columns[i]);
    }
}

/* Whose differences the columns show: named where they are not all from one baseline. */
static void note_baselines(struct making *m)
{
    const struct table_spec *spec = m->spec;
    bool own = false;

    for (size_t c = 0; c < spec->columns_len; c++)
        own = own || spec->column[c].baseline[0];
    for (size_t c = 0; own && c < spec->columns_len; c++) {
        CLEANUP(buf_release) struct buf text = { 0 };
        const struct table_column *first = &spec->column[c];
        const char *last = NULL;

        if (!first->baseline[0] || !(column_shows(first) & TABLE_SHOW_COMPARED))
            continue;
        for (size_t i = 0; i < spec->columns_len; i++) {
            const struct table_column *x = &spec->column[i];
            const char *head = x->depth ? x->above[0] : x->head;

            if (strcmp(x->baseline, first->baseline) != 0 ||
                !(column_shows(x) & TABLE_SHOW_COMPARED) || (last && strcmp(last, head) == 0))
                continue;
            if (i < c) { /* was said there */
                buf_clear(&text);
                break;
            }
            buf_printf(&text, "%s\"%s\"", text.len ? ", " : "Differences of ", head);
            last = head;
        }
        if (!text.len)
            continue;
        buf_printf(&text, " are from \"%s\".", first->baseline);
        table_note(m->table, buf_str(&text));
    }
}

/* What the brackets behind differences are; each names its columns where there are several kinds.
 */
static void note_differences(struct making *m)
{
    static const char *const texts[TABLE_BRACKETS] = {
        [TABLE_BRACKET_NONE] = ": none; it needs the same examples on both sides, and one seed or "
                               "three and more",
        [TABLE_BRACKET_EXAMPLES] = ": BCa bootstrap over the examples of one model on each side; "
                                   "it says nothing about other seeds",
        [TABLE_BRACKET_BOTH] = ": two-level bootstrap over seeds, then examples",
        [TABLE_BRACKET_SEEDS] = ": over seeds, Student's t"
    };
    const struct table *t = m->table;
    struct buf columns[TABLE_BRACKETS] = { { 0 } };
    size_t kinds = 0;

    for (size_t c = m->keys; c < t->columns; c++) {
        bool has[TABLE_BRACKETS] = { false };

        for (size_t r = 0; r < t->rows; r++) {
            const struct table_comparison *x = &t->cell[r * t->columns + c].compared;

            if (x->made && t->head[c].column->show & TABLE_SHOW_DIFFERENCE_CI)
                has[x->bracket] = true;
        }
        for (int i = 0; i < TABLE_BRACKETS; i++) {
            const char *head = t->head[c].column->head;

            kinds += has[i] && columns[i].len == 0;
            if (has[i] && !strstr(buf_str(&columns[i]), head))
                buf_printf(&columns[i], "%s%s", columns[i].len ? ", " : "", head);
        }
    }
    for (int i = TABLE_BRACKETS - 1; i >= 0; i--) {
        CLEANUP(buf_release) struct buf text = { 0 };

        buf_printf(&text, "Brackets behind differences%s%s: paired 95 %% interval%s.",
                   kinds > 1 ? " of " : "", kinds > 1 ? buf_str(&columns[i]) : "", texts[i]);
        if (columns[i].len)
            table_note(m->table, buf_str(&text));
        buf_release(&columns[i]);
    }
}

static void note_ratios(struct making *m)
{
    bool shown = false, brackets = false, none = false;

    for (size_t i = 0; i < m->table->rows * m->table->columns; i++) {
        const struct table_head *h = &m->table->head[i % m->table->columns];
        const struct table_comparison *x = &m->table->cell[i].compared;

        if (h->key || !x->has_ratio)
            continue;
        shown = shown || h->column->show & TABLE_SHOW_RATIO;
        brackets = brackets || (h->column->show & TABLE_SHOW_RATIO_CI && x->ratio_interval);
        none = none || (h->column->show & TABLE_SHOW_RATIO_CI && !x->ratio_interval);
    }
    if (shown)
        table_note(m->table, "Signed percentages: the value relative to the baseline's, less 1.");
    if (brackets)
        table_note(m->table, "Brackets behind percentages: paired 95 % interval over seeds, "
                             "Fieller's theorem.");
    if (none)
        table_note(m->table, "No bracket behind a percentage: it needs three seeds, the same on "
                             "both sides, and a baseline that is not about 0.");
}

/* What a cost is the cost of, and what stands where runs never got there. */
static void note_costs(struct making *m)
{
    const struct table *t = m->table;
    bool censored = false, compared[TABLE_EITHER + 1] = { false };

    for (size_t c = 0; c < m->spec->columns_len; c++) {
        const struct table_column *column = &m->spec->column[c];
        CLEANUP(buf_release) struct buf text = { 0 };

        if (column->targets == 0)
            continue;
        buf_adds(&text, "Cost: up to the first check with ");
        cost_print_target(column, &text);
        for (size_t k = 0; k < column->targets; k++)
            if (amount_has_first(&column->target[k].bound)) {
                buf_adds(&text, "; first: at the run's first check");
                break;
            }
        buf_addc(&text, '.');
        table_note(m->table, buf_str(&text));
    }
    for (size_t i = 0; i < t->rows * t->columns; i++) {
        const struct table_column *column = t->head[i % t->columns].column;

        censored = censored || t->cell[i].bound != TABLE_EXACT;
        if (!column || !(column->show & TABLE_SHOW_COMPARED) || !t->cell[i].compared.made)
            continue;
        compared[t->cell[i].compared.bound] = true;
    }
    if (censored)
        table_note(m->table, "> x (k of n): k of n runs met the target; the others never did and "
                             "count with their whole cost, so that the mean is greater than x.");
    if (compared[TABLE_AT_LEAST])
        table_note(m->table, "> in front of a comparison: runs of the row never met the target, so "
                             "that it is greater than what stands there.");
    if (compared[TABLE_AT_MOST])
        table_note(m->table, "< in front of a comparison: runs of the baseline never met the "
                             "target, so that it is less than what stands there.");
    if (compared[TABLE_EITHER])
        table_note(m->table, "~ in front of a comparison: runs of both sides never met the target; "
                             "costs are cut at the end of training.");
}

static void note_missing(struct making *m)
{
    bool nothing = false;

    for (size_t i = 0; i < m->table->rows * m->table->columns; i++) {
        const struct table_head *h = &m->table->head[i % m->table->columns];

        nothing = nothing || (!h->key && !m->table->cell[i].known);
    }
    if (nothing)
        table_note(m->table, NO_CELL ": no result.");
}

/* "T (math): 3 of 5, 1 diverged" */
static void note_unequal(struct making *m)
{
    CLEANUP(buf_release) struct buf seeds = { 0 };
    const struct table *t = m->table;
    size_t listed = 0, more = 0;
    bool unequal = false, waiting = false;

    for (size_t i = 0; i < t->rows * t->columns; i++) {
        const struct table_cell *c = &t->cell[i];

        unequal = unequal || (c->unequal && c->known);
        if (t->head[i % t->columns].key || c->seeds == c->wanted)
            continue;
        waiting = true;
        if (!c->known)
            continue;
        if (listed == 8) {
            more++;
            continue;
        }
        buf_printf(&seeds, "%s%s (", listed++ ? "; " : " ", t->head[i % t->columns].text);
        row_name(m, &m->rows[i / t->columns], &seeds);
        buf_printf(&seeds, ") %u of %u", c->seeds, c->wanted);
        if (c->diverged)
            buf_printf(&seeds, ", %u diverged", c->diverged);
    }
    if (unequal)
        table_note(m->table, "\xe2\x80\xa0: rests on another number of examples than its row, or "
                             "than was asked for.");
    if (listed > 0) {
        CLEANUP(buf_release) struct buf text = { 0 };

        buf_printf(&text, "\xe2\x80\xa1: fewer seeds than runs:%s", buf_str(&seeds));
        if (more)
            buf_printf(&text, "; and %zu more", more);
        buf_addc(&text, '.');
        table_note(m->table, buf_str(&text));
    }
    if (waiting)
        table_note(m->table, "Some runs have no results yet: see drover status.");
}

static void note_marks(struct making *m)
{
    static const char *const tests[TABLE_TESTS] = {
        [TABLE_PAIRED] = "paired t test over examples (means over seeds)",
        [TABLE_MCNEMAR] = "McNemar's exact test over the examples of one model each",
        [TABLE_PAIRED_SEEDS] = "paired t test over seeds",
        [TABLE_WELCH] = "Welch's t test over seeds"
    };
    CLEANUP(buf_release) struct buf text = { 0 };
    bool used[TABLE_TESTS] = { false }, untested = false, best = false, second = false;
    size_t n = 0, listed = 0;

    for (size_t i = 0; i < m->table->rows * m->table->columns; i++) {
        const struct table_cell *c = &m->table->cell[i];

        n += c->compared.tested && !c->compared.again;
        untested = untested || (c->compared.made && !c->compared.tested);
        if (c->compared.tested)
            used[c->compared.method] = true;
        best = best || c->best;
        second = second || c->second;
    }
    if (best || second)
        table_note(m->table, m->table->spec->marks & TABLE_MARK_SECOND
                                 ? "\xc2\xb9: best; \xc2\xb2: second."
                                 : "\xc2\xb9: best.");
    if (n == 0 && untested)
        table_note(m->table, "No tests against the baseline: they need paired examples, or two "
                             "seeds and more on both sides.");
    if (n == 0)
        return;
    buf_printf(&text,
               "Against the baseline: * p < .05, ** p < .01, *** p < .001, after Holm's correction "
               "over %zu comparison%s; ",
               n, n == 1 ? "" : "s");
    for (int i = 0; i < TABLE_TESTS; i++)
        if (used[i])
            buf_printf(&text, "%s%s", listed++ ? ", " : "", tests[i]);
    buf_addc(&text, '.');
    table_note(m->table, buf_str(&text));
    if (untested)
        table_note(m->table, "Some cells could not be tested against the baseline.");
}

/* "T (math) 1 of 5": what a cell shows is the mean over all of them. */
static void list_diverged(struct making *m)
{
    CLEANUP(buf_release) struct buf text = { 0 };
    const struct table *t = m->table;
    size_t listed = 0, more = 0;

    for (size_t i = 0; i < t->rows * t->columns; i++) {
        const struct table_cell *c = &t->cell[i];

        if (t->head[i % t->columns].key || c->diverged == 0 || !c->known)
            continue;
        if (listed == 8) {
            more++;
            continue;
        }
        buf_printf(&text, "%s%s (", listed++ ? "; " : " ", t->head[i % t->columns].text);
        row_name(m, &m->rows[i / t->columns], &text);
        buf_printf(&text, ") %u of %u", c->diverged, c->wanted);
    }
    if (listed > 0) {
        CLEANUP(buf_release) struct buf note = { 0 };

        buf_printf(&note, "\xc2\xa7: diverged seeds are counted in:%s", buf_str(&text));
        if (more)
            buf_printf(&note, "; and %zu more", more);
        buf_addc(&note, '.');
        table_note(m->table, buf_str(&note));
    }
}

static int note_diverged(struct making *m, struct err *err)
{
    uint64_t diverged = 0, runs = 0;
    char text[96];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < m->experiments_len; i++) {
        uint64_t d, r;

        rc = store_count_diverged(m->s, m->experiments[i], &d, &r, err);
        diverged += d;
        runs += r;
    }
    if (rc == 0 && diverged > 0) {
        snprintf(text, sizeof text, "%llu of %llu runs diverged.", (unsigned long long)diverged,
                 (unsigned long long)runs);
        table_note(m->table, text);
        list_diverged(m);
    }
    return rc;
}

/* Which metric is shown where the column leaves it to the task. */
static void note_metrics(struct making *m)
{
    CLEANUP(buf_release) struct buf text = { 0 };

    for (size_t c = 0; c < m->spec->columns_len; c++) {
        const struct table_column *column = &m->spec->column[c];
        const char *last = NULL;

        if (stat_plain(column->stat) != TABLE_METRIC || column->metric[0])
            continue;
        for (size_t i = 0; i < m->pivot.sums_len; i++) {
            const struct sums *x = &m->pivot.sums[i];
            CLEANUP(buf_release) struct buf one = { 0 };

            if (x->search || x->n == 0 || x->task == last || !fact_of_column(m, c, i))
                continue;
            last = x->task;
            buf_printf(&one, " %s %s,", x->task, metric_name(column, x->task));
            if (!strstr(buf_str(&text), buf_str(&one)))
                buf_adds(&text, buf_str(&one));
        }
    }
    if (text.len) {
        CLEANUP(buf_release) struct buf note = { 0 };

        buf_printf(&note, "Main metrics:%.*s.", (int)text.len - 1, buf_str(&text));
        table_note(m->table, buf_str(&note));
    }
}

struct seen {
    UT_hash_handle hh;
    struct {
        struct digest family;
        const char *subset;
    } key;
};

/* Results of several runs that are the same results count once. */
static void note_truncated(struct making *m)
{
    struct seen *all = NULL, *one, *next;
    uint64_t n = 0;
    char text[128];

    for (size_t i = 0; i < m->pivot.sums_len; i++) {
        const struct sums *x = &m->pivot.sums[i];
        bool used = false;
        struct seen k = { .key = { .family = x->family, .subset = x->subset } };

        for (size_t c = 0; c < m->spec->columns_len && x->truncated && !used; c++)
            used = fact_of_column(m, c, i);
        if (!used)
            continue;
        HASH_FIND(hh, all, &k.key, sizeof k.key, one);
        if (one)
            continue;
        one = mem_dup(&k, sizeof k);
        HASH_ADD(hh, all, key, sizeof one->key, one);
        n += x->truncated;
    }
    HASH_ITER(hh, all, one, next)
    {
        HASH_DEL(all, one);
        free(one);
    }
    if (n == 0)
        return;
    snprintf(text, sizeof text, "%llu prompt%s longer than the context and %s cut on the left.",
             (unsigned long long)n, n == 1 ? " was" : "s were", n == 1 ? "was" : "were");
    table_note(m->table, text);
}

int notes_make(struct making *m, struct err *err)
{
    if (m->spec->note)
        table_note(m->table, m->spec->note);
    note_oracles(m);
    note_signs(m);
    note_baselines(m);
    note_differences(m);
    note_ratios(m);
    note_costs(m);
    note_missing(m);
    note_unequal(m);
    note_marks(m);
    rows_note_groups(m);
    note_metrics(m);
    note_truncated(m);
    return note_diverged(m, err);
}
