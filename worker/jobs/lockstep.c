/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/lockstep.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"

/* Evaluations of a round: entry QUESTION of what example V.EXAMPLE asks. */
struct round {
    struct evaluation *v;
    size_t *question;
    struct outcome *outcome;
    size_t len, cap;
};

static void round_release(struct round *r)
{
    free(r->v);
    free(r->question);
    free(r->outcome);
}

static void round_add(struct round *r, size_t example, const uint8_t *routing, size_t question)
{
    if (r->len == r->cap) {
        r->cap = r->cap ? 2 * r->cap : 64;
        r->v = mem_realloc(r->v, r->cap, sizeof(*r->v));
        r->question = mem_realloc(r->question, r->cap, sizeof(*r->question));
        r->outcome = mem_realloc(r->outcome, r->cap, sizeof(*r->outcome));
    }
    r->v[r->len] = (struct evaluation){ .example = example, .routing = routing };
    r->question[r->len++] = question;
}

void seeker_release(struct seeker *s)
{
    search_free(s->machine);
    search_result_release(&s->result);
    free(s->answer);
    free(s->hinted);
    free(s->reward);
    *s = (struct seeker){ 0 };
}

size_t seeker_entry(const struct seeker *s, const uint8_t *routing, size_t layers)
{
    size_t i = 0;

    while (i < s->result.evaluations &&
           memcmp(s->result.routing + i * layers, routing, layers) != 0)
        i++;
    return i;
}

/* ------------------------------------------------------------------------------------------- */

/* Room for the answers to what was asked: they follow those that are there. */
static void make_room(struct seeker *s)
{
    if (s->answers_len + s->asked_len > s->answers_cap) {
        s->answers_cap = MAX(2 * s->answers_cap, s->answers_len + s->asked_len);
        s->answer = mem_realloc(s->answer, s->answers_cap, sizeof(*s->answer));
        s->hinted = mem_realloc(s->hinted, s->answers_cap, sizeof(*s->hinted));
    }
    s->reward = mem_realloc(s->reward, MAX(s->asked_len, (size_t)1), sizeof(*s->reward));
}

static void keep(struct seeker *s, size_t question, bool correct, const char *answer, bool hinted)
{
    struct answer *to = &s->answer[s->answers_len + question];
    size_t len = strlen(answer);

    assert(len < sizeof(to->text));
    memset(to->text, 0, sizeof(to->text));
    memcpy(to->text, answer, len);
    s->hinted[s->answers_len + question] = hinted;
    s->reward[question] = correct ? 1.0 : 0.0;
}

static void tell(struct seeker *s)
{
    s->answers_len += s->asked_len;
    search_tell(s->machine, s->reward, s->asked_hinted);
    s->asked_len = 0;
}

/* Put what search I does not know into R. A round that the hint answers whole is told at once and
 * the next one asked, so that no search rests while others are evaluated. */
static void ask(const struct lockstep *l, struct seeker *s, size_t i, struct round *r)
{
    const size_t before = r->len;

    while (r->len == before && (s->asked_len = search_ask(s->machine, &s->asked)) > 0) {
        make_room(s);
        s->asked_hinted = 0;
        for (size_t k = 0; k < s->asked_len; k++) {
            struct hint_outcome known;

            if (hint_find(l->hint, s->example->id, s->asked[k], &known)) {
                keep(s, k, known.correct, known.answer, true);
                s->asked_hinted++;
            } else {
                round_add(r, i, s->asked[k], k);
            }
        }
        if (s->asked_hinted == s->asked_len)
            tell(s);
        progress_tick(l->progress);
    }
}

static int search_all(const struct lockstep *l, struct seeker *s, size_t n, struct err *err)
{
    struct round r CLEANUP(round_release) = { 0 };
    int rc = 0;

    do {
        r.len = 0;
        for (size_t i = 0; i < n; i++)
            ask(l, &s[i], i, &r);
        if (progress_stopped(l->progress))
            return err_set(err, ERR_CANCELLED, "stopped in the search");
        rc = r.len > 0 ? evaluator_run(l->evaluator, r.v, r.len, true, r.outcome, l->progress, err)
                       : 0;
        for (size_t k = 0; rc == 0 && k < r.len; k++) {
            struct seeker *to = &s[r.v[k].example];

            keep(to, r.question[k], r.outcome[k].correct, r.outcome[k].answer, false);
            to->rows += r.outcome[k].rows;
            to->evaluated++;
        }
        for (size_t i = 0; rc == 0 && i < n; i++)
            if (s[i].asked_len > 0)
                tell(&s[i]);
    } while (rc == 0 && r.len > 0);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

static int check_replay(const struct lockstep *l, const struct seeker *s, const struct outcome *o,
                        struct err *err)
{
    size_t entry = seeker_entry(s, s->result.label, l->layers);

    assert(entry < s->result.evaluations);
    if (o->correct && strcmp(o->answer, s->answer[entry].text) == 0)
        return 0;
    return err_set(err, ERR_INTERNAL,
                   "example %s: the label path answers \"%s\" when it is replayed alone; the "
                   "%s saw \"%s\"",
                   s->example->source_id, o->answer,
                   s->hinted[entry] ? "earlier search that the hint tells of" : "search",
                   s->answer[entry].text);
}

/* The labels once more, whole and without the states that the searches kept. */
static int replay_all(const struct lockstep *l, struct seeker *s, size_t n, struct err *err)
{
    struct round r CLEANUP(round_release) = { 0 };
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        if (s[i].result.has_label)
            round_add(&r, i, s[i].result.label, 0);
    if (r.len > 0)
        rc = evaluator_run(l->evaluator, r.v, r.len, false, r.outcome, l->progress, err);
    for (size_t k = 0; rc == 0 && k < r.len; k++) {
        struct seeker *to = &s[r.v[k].example];

        rc = check_replay(l, to, &r.outcome[k], err);
        if (to->evaluated == 0) /* the hint knew all: the label's rows stand for all paths' */
            to->rows = r.outcome[k].rows;
        to->evaluated += to->evaluated == 0;
    }
    return rc;
}

int lockstep_run(const struct lockstep *l, const struct example *const *e, size_t n,
                 struct seeker *ret, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < n; i++)
        ret[i] = (struct seeker){ .example = e[i] };
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = search_new(&ret[i].machine, l->params, l->layers, l->seed, e[i]->id, err);
    rc = rc == 0 ? search_all(l, ret, n, err) : rc;
    for (size_t i = 0; rc == 0 && i < n; i++) {
        search_finish(ret[i].machine, &ret[i].result);
        assert(ret[i].answers_len == ret[i].result.evaluations);
    }
    return rc == 0 ? replay_all(l, ret, n, err) : rc;
}
