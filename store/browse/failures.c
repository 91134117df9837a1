/* SPDX-License-Identifier: Apache-2.0 */
/* failures.c - from the ledger: who failed, how often. */
#include "store/browse/failures.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* ---- texts ---- */

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_';
}

/* Bytes of a temporary path at S, 0: none. */
static size_t temporary(const char *s, size_t len)
{
    static const char *const begins[] = { "/tmp/", "/var/tmp/", "/dev/shm/" };

    for (size_t i = 0; i < ARRAY_LEN(begins); i++) {
        const size_t n = strlen(begins[i]);
        size_t k = n;

        if (len < n || memcmp(s, begins[i], n) != 0)
            continue;
        while (k < len && !strchr(" \t\n\"':;,)", s[k]))
            k++;
        return k;
    }
    return 0;
}

/* Bytes of the word at S that is a number ("12", "-1.5e-3", "0x1f") or a digest; 0: neither. */
static size_t number(const char *s, size_t len)
{
    size_t k = 0, digits = 0, hex = 0;

    while (k < len && is_word(s[k])) {
        digits += isdigit((unsigned char)s[k]) != 0;
        hex += isxdigit((unsigned char)s[k]) != 0;
        k++;
    }
    if (digits == k || (hex == k && k >= 8 && digits > 0))
        return k;
    if (k > 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X'))
        return k;
    /* 12MiB, 5s, 1e-3: the number goes, the unit stays. */
    k = 0;
    while (k < len && isdigit((unsigned char)s[k]))
        k++;
    return k;
}

void failures_blur(const char *text, size_t len, struct buf *out)
{
    for (size_t i = 0; i < len;) {
        const bool begins = i == 0 || !is_word(text[i - 1]);
        size_t n = begins ? temporary(text + i, len - i) : 0;

        if (!n && begins && isxdigit((unsigned char)text[i]))
            n = number(text + i, len - i);
        if (!n && isdigit((unsigned char)text[i]))
            while (i + n < len && isdigit((unsigned char)text[i + n]))
                n++;
        if (!n) {
            buf_addc(out, text[i++]);
            continue;
        }
        buf_addc(out, '#');
        i += n;
    }
}

const char *failures_remedy(unsigned outcome)
{
    switch (outcome) {
    case LEDGER_OOM:
        return "it needed more memory than there was: say what each job of the step needs "
               "(memory = \"8G\"), so that fewer run at once, or make its batch smaller; then "
               "drover "
               "retry";
    case LEDGER_TIMEOUT:
        return "it took longer than it was allowed, or did nothing for too long: raise the step's "
               "time_limit_s, or make the job smaller; then drover retry";
    case LEDGER_LOST:
    case LEDGER_PREEMPTED:
        return "its worker went away: drover has given it to others, nothing is to be done unless "
               "it happens again and again";
    case LEDGER_DIVERGE:
        return "training met a number that is none, or its bound: the run counts as diverged; try "
               "a smaller learning rate or clip gradients";
    default:
        return NULL;
    }
}

/* ---- who ---- */

/* The last ended attempt of each of E's jobs, as its place + 1 in V; 0: none. */
static uint32_t *last_attempts(const struct ledger_view *v, const struct ledger_experiment *e)
{
    uint32_t *last = mem_calloc(e->span + 1, sizeof(*last));

    for (size_t i = 0; i < v->attempts; i++) {
        const uint64_t at = v->attempt[i].job - e->base;

        if (at < e->span && (!last[at] || v->attempt[last[at] - 1].id < v->attempt[i].id))
            last[at] = (uint32_t)(i + 1);
    }
    return last;
}

static struct failures_kind *kind_of(struct failures *f, const struct ledger_step *step,
                                     unsigned outcome)
{
    for (size_t i = 0; i < f->kinds; i++)
        if (f->kind[i].outcome == outcome && strcmp(f->kind[i].step, step->name) == 0)
            return &f->kind[i];
    f->kind = mem_realloc(f->kind, f->kinds + 1, sizeof(*f->kind));
    f->kind[f->kinds] = (struct failures_kind){
        .step = mem_strdup(step->name),
        .kind = mem_strdup(step->kind),
        .outcome = outcome,
        .pick = mem_calloc(FAILURES_READ, sizeof(*f->kind->pick)),
    };
    return &f->kind[f->kinds++];
}

/* One more of a kind: all are picked as long as there is room; then every second one is dropped and
 * half as many are taken from there on, so that the picks stay spread evenly. */
static void add(struct failures_kind *k, uint64_t job, uint64_t attempt)
{
    size_t stride = 1;

    while (k->jobs / stride >= FAILURES_READ)
        stride *= 2;
    if (k->picks == FAILURES_READ) {
        for (size_t i = 0; i < FAILURES_READ / 2; i++)
            k->pick[i] = k->pick[2 * i];
        k->picks = FAILURES_READ / 2;
    }
    if (k->jobs++ % stride == 0)
        k->pick[k->picks++] = (struct failures_pick){ job, attempt };
}

static void add_job(const struct ledger_view *v, const struct ledger_experiment *e,
                    struct failures *f, uint64_t at, uint32_t last)
{
    const uint64_t job = e->base + at;
    const struct ledger_attempt *a = last ? &v->attempt[last - 1] : NULL;
    const bool diverged = v->state[job] & LEDGER_DIVERGED;
    struct failures_kind *k = kind_of(f, &e->step[e->step_of[at] - 1],
                                      diverged ? LEDGER_DIVERGE
                                      : a      ? a->outcome
                                               : LEDGER_FAIL);

    add(k, job, a ? a->id : 0);
    if (!a)
        return;
    const int64_t end = a->started_ms + a->ms;

    k->first_ms = k->first_ms ? MIN(k->first_ms, end) : end;
    k->last_ms = MAX(k->last_ms, end);
}

static int by_weight(const void *a, const void *b)
{
    const struct failures_kind *x = a, *y = b;
    const bool soft = x->outcome == LEDGER_DIVERGE, soft_y = y->outcome == LEDGER_DIVERGE;

    if (soft != soft_y)
        return soft - soft_y; /* diverged ones are results */
    return (x->jobs < y->jobs) - (x->jobs > y->jobs);
}

static void collect_lost(const struct ledger_view *v, const struct ledger_experiment *e,
                         struct failures *f)
{
    f->lost = mem_calloc(FAILURES_LOST, sizeof(*f->lost));
    for (size_t i = v->attempts; i-- > 0 && f->losts < FAILURES_LOST;) {
        const struct ledger_attempt *a = &v->attempt[i];

        if ((a->outcome == LEDGER_LOST || a->outcome == LEDGER_PREEMPTED) &&
            ledger_step_of(e, a->job) >= 0)
            f->lost[f->losts++] = a->id;
    }
}

void failures_collect(const struct ledger_view *v, const struct ledger_experiment *e,
                      struct failures *ret)
{
    uint32_t *last = last_attempts(v, e);

    *ret = (struct failures){ .failed = e->n.state[LEDGER_FAILED],
                              .diverged = e->n.diverged,
                              .skipped = e->n.state[LEDGER_SKIPPED],
                              .cancelled = e->n.state[LEDGER_CANCELLED] };
    memcpy(ret->outcome, e->outcome, sizeof(ret->outcome));
    for (uint64_t i = 0; i < e->span && e->base + i < v->jobs; i++) {
        const uint8_t state = v->state[e->base + i];

        if (e->step_of[i] && ((state & LEDGER_STATE) == LEDGER_FAILED || (state & LEDGER_DIVERGED)))
            add_job(v, e, ret, i, last[i]);
    }
    free(last);
    if (ret->kinds)
        qsort(ret->kind, ret->kinds, sizeof(*ret->kind), by_weight);
    collect_lost(v, e, ret);
}

void failures_release(struct failures *f)
{
    for (size_t i = 0; i < f->kinds; i++) {
        free(f->kind[i].step);
        free(f->kind[i].kind);
        free(f->kind[i].pick);
    }
    free(f->kind);
    free(f->lost);
    *f = (struct failures){ 0 };
}
