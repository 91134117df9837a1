/* SPDX-License-Identifier: Apache-2.0 */
/* load.c - ready jobs of the store, into the core's window, an experiment at a time.
 *
 * Jobs that the core holds stay READY in the store: a listing from the top would wade through them
 * at every LOAD. So it goes on where the last one ended, unless the core says that there may be
 * others before (fresh). */
#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/kinds/kinds.h"
#include "coordinator/shell.h"

enum {
    PAGE = 256, /* rows of a listing: about 0.3 ms of the loop */
    PAGE_MIN = 16,
    ROWS_MAX = 1024,    /* of one call: jobs that workers hold are met again and again */
    CURSORS_MAX = 1024, /* experiments of which the place is remembered: more than the core holds */
};

struct load_cursor {
    uint64_t experiment;
    struct store_cursor at;
    UT_hash_handle hh;
};

static const struct store_cursor top = { .priority = INT32_MAX };

static struct load_cursor *cursor_of(struct server *s, uint64_t experiment)
{
    struct load_cursor *c;

    HASH_FIND(hh, s->cursors, &experiment, sizeof(experiment), c);
    if (c)
        return c;
    if (HASH_COUNT(s->cursors) >= CURSORS_MAX)
        shell_load_forget(s);
    c = mem_calloc(1, sizeof(*c));
    c->experiment = experiment;
    c->at = top;
    HASH_ADD(hh, s->cursors, experiment, sizeof(c->experiment), c);
    return c;
}

void shell_load_forget(struct server *s)
{
    struct load_cursor *c, *tmp;

    HASH_ITER(hh, s->cursors, c, tmp)
    {
        HASH_DEL(s->cursors, c);
        free(c);
    }
}

/* The labels of R as a mask; false: there are more labels than bits, no worker
 * can have them. */
static bool take_labels(struct server *s, const char *labels, uint64_t *ret)
{
    char word[WIRE_NAME_MAX + 1];

    *ret = 0;
    while (*labels) {
        size_t len = strcspn(labels, " ");
        int bit;

        if (len >= sizeof(word))
            return false;
        memcpy(word, labels, len);
        word[len] = '\0';
        bit = shell_label(s, word);
        if (bit < 0)
            return false;
        *ret |= UINT64_C(1) << bit;
        labels += len + (labels[len] == ' ');
    }
    return true;
}

/* What the core is to know of KIND. Results that are not compared must not come from an attempt
 * that nobody knows of: it is written before its lease is sent (eager). What stores its examples or
 * checkpoints goes on where it was cut off (resumes). */
static void look_at_kind(struct server *s, const char *kind)
{
    if (kind == s->kind.name)
        return; /* mostly that of the row before, too */
    const struct kind *k = kind_find(kind);

    s->kind.name = kind;
    s->kind.eager = k && k->uncompared;
    s->kind.resumes = k && (k->shards || kind_param(k, "checkpoint_s"));
}

bool shell_job(struct server *s, const struct store_ready *r, struct sched_job *ret)
{
    const int class = shell_class(s, r->numeric_class);
    uint64_t labels;

    if (class < 0 || !take_labels(s, r->labels, &labels))
        return false;
    look_at_kind(s, r->kind);
    *ret = (struct sched_job){ .id = r->job,
                               .experiment = r->experiment,
                               .priority = r->priority,
                               .class = (uint8_t) class,
                               .eager = s->kind.eager,
                               .resumes = s->kind.resumes,
                               .labels = labels,
                               .memory_mib = r->memory_mib,
                               .cores = r->cores,
                               .tries = r->tries,
                               .retries = r->retries,
                               .losses = r->losses,
                               .epoch = r->epoch,
                               .shape = r->shape,
                               .est_us = r->est_us };
    for (size_t k = 0; k < r->affinity_len && k < SCHED_JOB_BLOBS; k++)
        ret->blobs[ret->blobs_len++] = digest_u64(&r->affinity[k]);
    return true;
}

/* False: it can never run here, or is known. */
static bool give(struct server *s, const struct store_ready *r)
{
    struct sched_event e = { .kind = EV_JOB };

    if (sched_has_job(s->sched, r->job) || !shell_job(s, r, &e.job))
        return false;
    cards_put(s->cards, r);
    shell_one_step(s, &e);
    return true;
}

/* Rows of the next listing: what is not given of a page would be read once more. */
static size_t page_len(uint32_t wanted)
{
    return MIN(MAX((size_t)wanted, (size_t)PAGE_MIN), (size_t)PAGE);
}

/* The answer to the LOAD of EXPERIMENT, or a part of it: then S->load is still wanted. */
static void load_jobs(struct server *s, uint64_t experiment)
{
    struct load_cursor *c = cursor_of(s, experiment);
    struct store_ready *page = s->page;
    uint32_t before = s->load.given;
    size_t len, rows = 0;
    bool more = true;

    if (s->load.fresh)
        c->at = top;
    s->load.fresh = false;
    for (; s->load.given < s->load.want && more && rows < ROWS_MAX && !s->failed; rows += len) {
        struct err err = { 0 };
        const size_t most = page_len(s->load.want - s->load.given);
        int rc = store_list_ready(s->store, experiment, c->at, page, most, &len, &err);

        more = len == most;
        if (rc < 0) {
            shell_fail(s, rc, &err);
            return;
        }
        for (size_t i = 0; i < len && s->load.given < s->load.want && !s->failed; i++) {
            c->at = (struct store_cursor){ page[i].priority, page[i].job };
            s->load.given += give(s, &page[i]);
        }
    }
    s->metrics.loaded += s->load.given - before;
    s->load.wanted = s->load.given < s->load.want && more; /* next call */
    if (!s->load.wanted)
        shell_one_step(
            s, &(struct sched_event){ .kind = EV_LOADED, .loaded = { experiment, s->load.given } });
}

/* --- what became ready --- */

void shell_ready(struct server *s, uint64_t experiment, int32_t priority)
{
    size_t i = 0;

    if (!experiment) {
        s->ready_all = true;
        return;
    }
    while (i < s->ready_len && s->ready[i].experiment != experiment)
        i++;
    if (i < s->ready_len) {
        s->ready[i].priority = MAX(s->ready[i].priority, priority);
        return;
    }
    if (s->ready_len == s->ready_cap) {
        s->ready_cap = s->ready_cap ? 2 * s->ready_cap : 16;
        s->ready = mem_realloc(s->ready, s->ready_cap, sizeof(*s->ready));
    }
    s->ready[s->ready_len++] = (struct shell_ready){ experiment, priority };
}

void shell_jobs_ready(struct server *s, const struct store_ids *jobs)
{
    for (size_t i = 0; i < jobs->len; i++) {
        struct store_change job;
        struct err err = { 0 };

        if (store_job_change(s->store, jobs->v[i], &job, &err) == 0)
            shell_ready(s, job.experiment, job.priority);
    }
}

bool shell_ready_waits(const struct server *s)
{
    return s->ready_all || s->ready_len > 0;
}

/* Of every experiment that has some. */
static void tell_all(struct server *s)
{
    struct store_ids active CLEANUP(store_ids_release) = { 0 };
    struct err err = { 0 };
    int rc = store_list_active(s->store, &active, &err);

    for (size_t i = 0; i < active.len && rc == 0 && !s->failed; i++) {
        struct sched_event e = { .kind = EV_READY, .ready.experiment = active.v[i] };
        bool paused;

        rc = store_experiment_control(s->store, active.v[i], &paused, &e.ready.priority, &err);
        if (rc == 0 && !paused)
            shell_one_step(s, &e);
    }
    if (rc < 0)
        shell_fail(s, rc, &err);
}

void shell_tell_ready(struct server *s)
{
    struct shell_ready *ready CLEANUP(mem_cleanup) = s->ready;
    const size_t len = s->ready_len;
    const bool all = s->ready_all;

    s->ready = NULL;
    s->ready_len = s->ready_cap = 0;
    s->ready_all = false;
    for (size_t i = 0; i < len && !s->failed; i++) {
        shell_step(s, &(struct sched_event){ .kind = EV_READY,
                                             .ready = { ready[i].experiment, ready[i].priority } });
    }
    if (!all)
        return;
    tell_all(s);
    shell_follow_up(s);
}

void shell_load(struct server *s)
{
    s->metrics.loads++;
    if (!s->page)
        s->page = mem_calloc(PAGE, sizeof(*s->page));
    if (s->load.experiment) {
        load_jobs(s, s->load.experiment);
        return;
    }
    s->load.wanted = false; /* which experiments have ready jobs? */
    tell_all(s);
    shell_one_step(s, &(struct sched_event){ .kind = EV_LOADED });
}
