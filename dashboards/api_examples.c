/* SPDX-License-Identifier: Apache-2.0 */
/* api_examples.c - single labels as a list, page by page: GET experiments/:id/examples. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "dashboards/api_labels.h"
#include "store/store.h"

enum {
    LIMIT = 50,
    LIMIT_MAX = 500,
    QUESTION_BYTES = 300,
    ANSWER_BYTES = 100,
    CURSOR_BYTES = 256,
};

/* ---- the cursor: FAMILY-IDX-STEP ---- */

static int read_cursor(const char *text, struct label_place *ret, struct err *err)
{
    int used = 0;

    if (strspn(text, "0123456789") > 0 && strlen(text) < CURSOR_BYTES &&
        sscanf(text, "%19" SCNu64 "-%19" SCNu64 "-%n", &ret->family, &ret->idx, &used) == 2 &&
        used > 0 && text[used]) {
        ret->step = text + used;
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "after: \"%.60s\" is no place in this list; give what \"next\" was, or nothing",
                   text);
}

static void put_cursor(struct jsonw *w, const struct label_walked *walked)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    if (!walked->more || !walked->set) {
        jsonw_null(w, "next");
        return;
    }
    buf_printf(&text, "%" PRIu64 "-%" PRIu64 "-%s", walked->set->family, walked->idx,
               walked->set->step);
    jsonw_text(w, "next", buf_str(&text));
}

/* ---- the rows ---- */

/* TEXT of at most LEN bytes, cut between letters, with an ellipsis. */
static void put_cut(struct jsonw *w, const char *key, const char *text, size_t len)
{
    struct buf cut CLEANUP(buf_release) = { 0 };

    if (strlen(text) <= len) {
        jsonw_text(w, key, text);
        return;
    }
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    buf_add(&cut, text, len);
    buf_adds(&cut, "\u2026");
    jsonw_text(w, key, buf_str(&cut));
}

static int put_example(const struct label_item *item, const struct label_set *set, void *arg)
{
    const struct store_label_row *r = &item->row;
    struct jsonw *w = arg;

    (void)set;
    jsonw_open(w, '{');
    jsonw_int(w, "label", (int64_t)r->id);
    jsonw_text(w, "example", item->example);
    jsonw_int(w, "idx", (int64_t)r->index);
    jsonw_int(w, "family", (int64_t)r->family);
    jsonw_text(w, "step", r->step);
    jsonw_text(w, "task", r->task);
    jsonw_int(w, "level", r->level);
    jsonw_text(w, "split", r->split);
    jsonw_text(w, "subset", item->subset);
    put_cut(w, "source_id", r->source_id, ANSWER_BYTES);
    put_cut(w, "question", r->question, QUESTION_BYTES);
    put_cut(w, "gold", r->gold, ANSWER_BYTES);
    put_cut(w, "base_answer", r->base_answer, ANSWER_BYTES);
    put_cut(w, "label_answer", r->label_answer, ANSWER_BYTES);
    jsonw_bool(w, "base_correct", r->base_correct);
    jsonw_bool(w, "has_label", r->has_label);
    jsonw_text(w, "verdict", label_verdict(r));
    jsonw_text(w, "routing", r->routing);
    jsonw_int(w, "label_layers", r->label_layers);
    jsonw_int(w, "layers", r->layers);
    jsonw_int(w, "simulations", r->simulations);
    jsonw_int(w, "evaluations", r->evaluations);
    jsonw_int(w, "hinted", r->hinted);
    jsonw_close(w, '}');
    return 0;
}

/* ---- how many there are, where the sums tell ---- */

static uint64_t of_lengths(const struct label_stats *s, uint64_t least, uint64_t most)
{
    uint64_t n = 0;

    for (uint64_t i = least; i < s->lengths && (most == 0 || i <= most); i++)
        n += s->length[i];
    return n;
}

/* The sums know one kind of condition at a time. */
static bool count_matched(const struct label_question *q, const struct label_stats *s,
                          uint64_t *ret)
{
    const struct store_label_filter *f = &q->filter;
    const bool verdict = f->improved || f->preserved || f->unsolved,
               lengths = f->min_layers || f->max_layers;
    const int kinds = verdict + f->shorter + lengths + (int)f->at_len;

    if (q->text || kinds > 1)
        return false;
    if (verdict)
        *ret = (f->improved ? s->improved : 0) + (f->preserved ? s->preserved : 0) +
               (f->unsolved ? s->n - s->labelled : 0);
    else if (f->shorter)
        *ret = s->shorter + s->fixed_shorter;
    else if (lengths)
        *ret = of_lengths(s, f->min_layers, f->max_layers);
    else if (f->at_len)
        *ret = f->at[0].layer < s->depth ? s->at[f->at[0].layer][f->at[0].choice - '0'] : 0;
    else
        *ret = s->n;
    return true;
}

static int put_counts(struct api_call *c, const struct label_question *q,
                      const struct label_sets *sets, struct jsonw *w, struct err *err)
{
    const uint64_t deadline = clock_ms() + c->time_ms / 8;
    struct label_progress progress = { .ready = true };
    struct label_stats sums = { 0 };
    uint64_t matched = 0;
    int rc = 0;

    for (size_t i = 0; !rc && i < sets->len; i++)
        rc = label_sums(c->labels, c->store, &sets->set[i], deadline, &sums, &progress, err);
    if (!rc && progress.ready && count_matched(q, &sums, &matched))
        jsonw_int(w, "matched", (int64_t)matched);
    else
        jsonw_null(w, "matched");
    if (progress.ready)
        jsonw_int(w, "n", (int64_t)sums.n);
    else
        jsonw_null(w, "n");
    jsonw_int(w, "promised", (int64_t)progress.promised);
    label_stats_release(&sums);
    return rc;
}

int api_examples(struct api_call *c, struct err *err)
{
    static const char *const names[] = { LABEL_ARGS, "after", "limit", NULL };
    struct label_sets sets CLEANUP(label_sets_release) = { 0 };
    const char *after = api_text(c->request, "after");
    struct jsonw w = { .to = c->out };
    struct label_place from = { 0 };
    struct label_walked walked;
    struct label_question q;
    int64_t limit = LIMIT;
    uint64_t id = 0;
    int rc = request_only(c->request, names, err);

    rc = rc ? rc : request_id(c->request, 1, &id, err);
    rc = rc ? rc : label_question_read(c->request, &q, err);
    rc = rc ? rc : request_integer(c->request, "limit", LIMIT, 1, LIMIT_MAX, &limit, err);
    rc = rc || !after ? rc : read_cursor(after, &from, err);
    rc = rc ? rc : label_question_sets(c, id, &q, &sets, err);
    if (rc)
        return rc;
    const struct label_walk how = { .sets = &sets,
                                    .filter = &q.filter,
                                    .text = q.text,
                                    .from = after ? &from : NULL,
                                    .limit = (uint64_t)limit,
                                    .deadline_ms = clock_ms() + c->time_ms / 4 };
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_open_at(&w, "examples", '[');
    rc = label_walk(c->store, &how, put_example, &w, &walked, err);
    jsonw_close(&w, ']');
    rc = rc ? rc : put_counts(c, &q, &sets, &w, err);
    if (rc)
        return rc;
    put_cursor(&w, &walked);
    jsonw_int(&w, "looked", (int64_t)walked.looked);
    jsonw_close(&w, '}');
    return 0;
}
