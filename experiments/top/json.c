/* SPDX-License-Identifier: Apache-2.0 */
/* json.c - the same for programs. */
#include <stdio.h>

#include "experiments/top/private.h"

static void set(struct json *o, const char *key, double v)
{
    json_set(o, key, json_new_number(v));
}

static void set_whole(struct json *o, const char *key, uint64_t v)
{
    json_set(o, key, json_new_integer((int64_t)v));
}

static struct json *rates(const struct top *t)
{
    struct json *o = json_new_object();
    struct top_rates now, minute;
    const bool known = top_rates(t, 0, &now);

    (void)top_rates(t, MINUTE_MS, &minute);
    json_set(o, "results_per_s", known ? json_new_number(now.results) : json_new_null());
    json_set(o, "attempts_per_s", known ? json_new_number(now.attempts) : json_new_null());
    json_set(o, "results_per_s_minute", known ? json_new_number(minute.results) : json_new_null());
    json_set(o, "attempts_per_s_minute",
             known ? json_new_number(minute.attempts) : json_new_null());
    return o;
}

/* Those with a label as an object of their own. */
static struct json *numbers(const struct top *t)
{
    struct json *o = json_new_object();

    for (size_t i = 0; i < t->numbers; i++) {
        const struct top_number *n = &t->number[i];
        struct json *of = json_get(o, n->name);

        if (!*n->label) {
            set(o, n->name, n->value);
            continue;
        }
        if (!of) {
            of = json_new_object();
            json_set(o, n->name, of);
        }
        set(of, n->label, n->value);
    }
    return o;
}

static struct json *worker(const struct top_worker *w)
{
    struct json *o = json_new_object();

    json_set(o, "worker", json_new_text(w->name));
    json_set(o, "host", json_new_text(w->host));
    set_whole(o, "pid", w->pid);
    json_set(o, "version", json_new_text(w->version));
    json_set(o, "state", json_new_text(w->state));
    set_whole(o, "slots", w->slots);
    set_whole(o, "running", w->running);
    set_whole(o, "waiting", w->waiting);
    set_whole(o, "jobs_done", w->done);
    set_whole(o, "jobs_failed", w->failed);
    json_set(o, "results_per_s", w->rated ? json_new_number(w->rate) : json_new_null());
    set_whole(o, "seen_ms_ago", w->seen_ms);
    json_set(o, "doing", *w->doing ? json_new_text(w->doing) : json_new_null());
    set(o, "doing_s", (double)w->doing_ms / 1000);
    json_set(o, "remaining_s",
             w->left_ms ? json_new_number((double)w->left_ms / 1000) : json_new_null());
    return o;
}

static struct json *experiment(const struct top_experiment *x)
{
    struct json *o = json_new_object();
    double low, high;
    const bool known = pace_left(&x->pace, (double)(x->jobs - (x->over - x->done)), &low, &high);

    json_set(o, "experiment", json_new_text(x->name));
    json_set(o, "priority", json_new_integer(x->priority));
    json_set(o, "paused", json_new_bool(x->paused));
    set_whole(o, "jobs", x->jobs);
    set_whole(o, "done", x->done);
    set_whole(o, "running", x->running);
    set_whole(o, "failed", x->failed);
    set_whole(o, "ready", x->ready);
    set_whole(o, "waiting", x->waiting);
    json_set(o, "jobs_per_s", x->seen ? json_new_number(x->rate) : json_new_null());
    json_set(o, "left_s_low", known ? json_new_number(low) : json_new_null());
    json_set(o, "left_s_high", known ? json_new_number(high) : json_new_null());
    return o;
}

static struct json *failures(const struct top *t, uint64_t now_ms)
{
    struct json *list = json_new_array();

    for (int i = 0; i < TOP_CAUSES_LEN; i++) {
        const struct top_failure *f = top_newest(t, (enum top_cause)i);
        struct json *o;

        if (top_ended(t, (enum top_cause)i) <= 0)
            continue;
        o = json_new_object();
        json_set(o, "outcome", json_new_text(top_cause_names[i]));
        set(o, "attempts", top_ended(t, (enum top_cause)i));
        set(o, "attempts_5_minutes", top_recent(t, (enum top_cause)i));
        if (f) {
            set_whole(o, "job", f->job);
            json_set(o, "worker", json_new_text(f->worker));
            set(o, "s_ago", (double)(now_ms - MIN(f->at_ms, now_ms)) / 1000);
            json_set(o, "text", json_new_text(f->text));
        }
        json_push(list, o);
    }
    return list;
}

struct json *top_json(const struct top *t, const char *endpoint, uint64_t now_ms)
{
    struct json *o = json_new_object(), *workers = json_new_array(), *list = json_new_array();
    size_t order[EXPERIMENTS_MAX], len = top_active(t, order);

    set_whole(o, "version", 1);
    json_set(o, "coordinator", json_new_text(endpoint));
    json_set(o, "drover", json_new_text(t->version));
    set(o, "up_s", (double)t->up_ms / 1000);
    set(o, "silent_s", t->silent_ms ? (double)(now_ms - t->silent_ms) / 1000 : 0);
    json_set(o, "rates", rates(t));
    json_set(o, "numbers", numbers(t));
    for (size_t i = 0; i < t->workers; i++)
        json_push(workers, worker(&t->worker[i]));
    for (size_t i = 0; i < len; i++)
        json_push(list, experiment(&t->experiment[order[i]]));
    json_set(o, "workers", workers);
    json_set(o, "experiments", list);
    set_whole(o, "experiments_ended", t->ended);
    json_set(o, "failures", failures(t, now_ms));
    return o;
}
