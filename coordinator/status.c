/* SPDX-License-Identifier: Apache-2.0 */
/* status.c - how far everything is: the store's counts, and who runs what from the core. The loop
 * only takes down what is in its memory; the store is asked on a thread with a reading connection,
 * which also makes the answer. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "coordinator/shell.h"

enum {
    EXPERIMENTS_MAX = 1000,
    STEPS_MAX = 1000,
    FAILURES_MAX = 100,
    RUNNING_MAX = 64,       /* jobs of an experiment that are named */
    RUNNING_ALL_MAX = 8192, /* and of all: some 80 bytes each */
};

/* An experiment wants a running job, under this step. */
struct claim {
    uint64_t experiment;
    char step[64], what[40];
};

/* A job that ran when the question came. */
struct running {
    uint64_t job, begun_ms, done, total;
    const char *worker; /* of the report's workers; "" */
    struct claim *claims;
    size_t claims_len;
};

/* A Status under construction; all its memory is its own. */
struct report {
    struct store *store; /* the thread's */
    char *only;          /* name of the one that is asked for, "" for all */
    bool only_workers;   /* no experiments */
    uint64_t now_ms;
    struct running *running; /* oldest first */
    size_t running_len;
    char **names; /* of workers */
    size_t names_len;
    uint64_t *doing; /* numbers were asked for: a job each of m.workers, 0: none */
    Drover__Status m;
    struct {
        uint64_t id;
        char *name;
        uint64_t revision;
        bool cancelled;
    } found[EXPERIMENTS_MAX];
    size_t found_len;
};

static int add_found(const struct store_experiment *e, void *arg)
{
    struct report *r = arg;

    if (*r->only && strcmp(r->only, e->name) != 0)
        return 0;
    if (r->found_len == EXPERIMENTS_MAX)
        return 1;
    r->found[r->found_len].id = e->id;
    r->found[r->found_len].name = mem_strdup(e->name);
    r->found[r->found_len].cancelled = e->cancelled;
    r->found[r->found_len++].revision = e->revision_number;
    return 0;
}

/* Arrays of pointers that grow by one: lists here are short. */
#define APPEND(LIST, COUNT, VALUE)                                                                 \
    do {                                                                                           \
        (LIST) = mem_realloc((LIST), (COUNT) + 1, sizeof(*(LIST)));                                \
        (LIST)[(COUNT)++] = (VALUE);                                                               \
    } while (0)

struct step_target {
    const struct report *r;
    uint64_t experiment;
    Drover__ExperimentStatus *e;
};

/* Under which step EXPERIMENT wants the job; NULL: it does not. */
static const struct claim *claim_of(const struct running *t, uint64_t experiment)
{
    for (size_t i = 0; i < t->claims_len; i++)
        if (t->claims[i].experiment == experiment)
            return &t->claims[i];
    return NULL;
}

static int add_claim(uint64_t experiment, const char *step, const char *what, void *arg)
{
    struct running *t = arg;

    t->claims = mem_realloc(t->claims, t->claims_len + 1, sizeof(*t->claims));
    t->claims[t->claims_len] = (struct claim){ .experiment = experiment };
    (void)snprintf(t->claims[t->claims_len].step, sizeof(t->claims[0].step), "%.63s", step);
    (void)snprintf(t->claims[t->claims_len++].what, sizeof(t->claims[0].what), "%.39s", what);
    return 0;
}

/* Look up who wants the running jobs. */
static int know_claims(struct report *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; i < r->running_len && rc == 0; i++)
        rc = store_list_claims(r->store, r->running[i].job, add_claim, &r->running[i], err);
    return rc;
}

/* Running attempts of STEP, and how much of them is done, summed: 1.5 for one that is done and one
 * half-way; 0 for those that did not tell. */
static uint32_t count_running(const struct step_target *target, const char *step, double *ret_share)
{
    uint32_t n = 0;

    *ret_share = 0;
    for (size_t i = 0; i < target->r->running_len; i++) {
        const struct running *t = &target->r->running[i];
        const struct claim *of = claim_of(t, target->experiment);

        if (!of || strcmp(of->step, step) != 0)
            continue;
        n++;
        if (t->total > 0)
            *ret_share += (double)MIN(t->done, t->total) / (double)t->total;
    }
    return n;
}

static int add_step(const struct store_step_status *st, void *arg)
{
    struct step_target *t = arg;
    Drover__StepStatus *m;
    double share;

    if (t->e->n_steps == STEPS_MAX)
        return 1;
    m = mem_calloc(1, sizeof(*m));
    drover__step_status__init(m);
    m->step = mem_strdup(st->step);
    m->kind = mem_strdup(st->kind);
    m->jobs = st->jobs;
    m->done = st->done;
    m->running = MIN(count_running(t, st->step, &share), st->ready);
    m->ready = st->ready - m->running;
    m->failed = st->failed;
    m->cancelled = st->cancelled;
    m->skipped = st->skipped;
    m->unchosen = st->unchosen;
    m->diverged = st->diverged;
    m->waiting = st->waiting;
    m->units_done = st->units_done;
    m->units_total = st->units_total;
    m->seconds_spent = st->seconds_spent;
    if (st->units_total == st->jobs) /* a job is a unit: training, collect */
        m->running_share = share;
    APPEND(t->e->steps, t->e->n_steps, m);
    return 0;
}

static int add_failure(const char *text, void *arg)
{
    Drover__ExperimentStatus *e = arg;
    size_t len = strlen(text);

    if (e->n_failures == FAILURES_MAX)
        return 1;
    APPEND(e->failures, e->n_failures,
           mem_strdup(len > WIRE_TEXT_MAX ? text + len - WIRE_TEXT_MAX : text));
    return 0;
}

static Drover__RunningJob *running_job(const struct report *r, const struct running *t,
                                       const char *step, const char *what)
{
    Drover__RunningJob *m = mem_calloc(1, sizeof(*m));

    drover__running_job__init(m);
    m->job = t->job;
    m->step = mem_strdup(step);
    m->what = mem_strdup(what);
    m->worker = mem_strdup(t->worker);
    m->seconds = (double)(r->now_ms - MIN(t->begun_ms, r->now_ms)) / 1000;
    m->done = t->done;
    m->total = t->total;
    return m;
}

/* The jobs that run now, oldest first. */
static void add_running(const struct step_target *target)
{
    const struct report *r = target->r;

    for (size_t i = 0; i < r->running_len; i++) {
        const struct running *t = &r->running[i];
        const struct claim *claim = claim_of(t, target->experiment);

        if (claim && target->e->running_all++ < RUNNING_MAX)
            APPEND(target->e->running, target->e->n_running,
                   running_job(r, t, claim->step, claim->what));
    }
}

/* All of them, whoever wants them: nothing is asked of the store. */
static void add_all_running(struct report *r)
{
    const size_t n = MIN(r->running_len, RUNNING_ALL_MAX);

    r->m.running_all = (uint32_t)r->running_len;
    r->m.running = mem_calloc(n + 1, sizeof(*r->m.running));
    for (; r->m.n_running < n; r->m.n_running++)
        r->m.running[r->m.n_running] = running_job(r, &r->running[r->m.n_running], "", "");
}

static int add_experiment(struct report *r, size_t i, struct err *err)
{
    Drover__ExperimentStatus *e = mem_calloc(1, sizeof(*e));
    uint64_t id = r->found[i].id;
    struct step_target target = { r, id, e };
    bool finished = false, paused = false;
    int rc;

    drover__experiment_status__init(e);
    e->name = mem_strdup(r->found[i].name);
    e->revision = r->found[i].revision;
    APPEND(r->m.experiments, r->m.n_experiments, e);
    rc = store_status(r->store, id, add_step, &target, err);
    if (rc >= 0)
        rc = store_finished(r->store, id, &finished, err);
    if (rc >= 0)
        rc = store_failures(r->store, id, add_failure, e, err);
    if (rc >= 0)
        rc = store_experiment_control(r->store, id, &paused, &e->priority, err);
    add_running(&target);
    e->finished = finished;
    e->paused = paused;
    e->cancelled = r->found[i].cancelled;
    return MIN(rc, 0); /* a full list is no error */
}

/* Everything in the report was made by malloc: as an unpacked message is. */
static void report_free(void *arg)
{
    struct report *r = arg;

    for (size_t i = 0; i < r->m.n_experiments; i++)
        drover__experiment_status__free_unpacked(r->m.experiments[i], NULL);
    for (size_t i = 0; i < r->m.n_workers; i++)
        drover__worker_status__free_unpacked(r->m.workers[i], NULL);
    for (size_t i = 0; i < r->m.n_running; i++)
        drover__running_job__free_unpacked(r->m.running[i], NULL);
    for (size_t i = 0; i < r->m.n_numbers; i++)
        drover__number__free_unpacked(r->m.numbers[i], NULL);
    for (size_t i = 0; i < r->m.n_failures; i++)
        drover__failure__free_unpacked(r->m.failures[i], NULL);
    free(r->m.numbers);
    free(r->m.failures);
    free(r->m.experiments);
    free(r->m.workers);
    free(r->m.running);
    for (size_t i = 0; i < r->found_len; i++)
        free(r->found[i].name);
    for (size_t i = 0; i < r->running_len; i++)
        free(r->running[i].claims);
    for (size_t i = 0; i < r->names_len; i++)
        free(r->names[i]);
    free(r->names);
    free(r->doing);
    free(r->running);
    free(r->only);
    free(r);
}

/* --- on the thread --- */

/* What each worker does, in words. */
static int name_doing(struct report *r, struct err *err)
{
    int rc = 0;

    for (size_t i = 0; r->doing && i < r->m.n_workers && rc == 0; i++) {
        struct running t = { .job = r->doing[i] };
        char text[128];

        if (!t.job)
            continue;
        rc = store_list_claims(r->store, t.job, add_claim, &t, err);
        if (t.claims_len) {
            (void)snprintf(text, sizeof(text), "%s %s", t.claims[0].step, t.claims[0].what);
            r->m.workers[i]->doing = mem_strdup(text);
        }
        free(t.claims);
    }
    return rc;
}

static int make_report(struct report *r, struct err *err)
{
    uint64_t id;
    int rc = 0;

    if (r->only_workers) {
        if (r->running_len)
            add_all_running(r);
        return name_doing(r, err);
    }
    if (*r->only) /* for its message that lists the names there are */
        rc = store_find_experiment(r->store, r->only, &id, err);
    if (rc >= 0)
        rc = store_list_experiments(r->store, add_found, r, err);
    if (rc >= 0)
        rc = know_claims(r, err);
    for (size_t i = 0; i < r->found_len && rc >= 0; i++)
        rc = add_experiment(r, i, err);
    if (rc >= 0)
        rc = name_doing(r, err);
    return MIN(rc, 0);
}

static int make_status(struct store *store, void *arg, struct buf *ret, struct err *err)
{
    struct report *r = arg;
    int rc;

    r->store = store;
    rc = make_report(r, err);
    if (rc == 0)
        ret->len += drover__status__pack(
            &r->m, (uint8_t *)buf_reserve(ret, drover__status__get_packed_size(&r->m)));
    return rc;
}

/* --- on the loop --- */

/* The names behind the bits of MASK. */
static void name_bits(uint64_t mask, char *const *names, size_t len, char ***ret, size_t *ret_len)
{
    for (size_t i = 0; i < len; i++)
        if (mask >> i & 1 && names[i])
            APPEND(*ret, *ret_len, mem_strdup(names[i]));
}

static void describe_worker(const struct report *r, const struct server *s,
                            const struct shell_worker *w, const struct sched_worker_view *view,
                            Drover__WorkerStatus *m)
{
    m->host = mem_strdup(w->host);
    m->pid = w->pid;
    m->version = mem_strdup(w->version);
    m->queue = view->queue;
    m->cores = view->cores;
    m->cores_used = view->cores_used;
    m->memory_mib = view->memory_mib;
    m->memory_used_mib = view->memory_used_mib;
    m->quiet = view->quiet;
    m->paused = view->paused;
    m->unreachable = view->peer == 0;
    if (view->until_ms != UINT64_MAX)
        m->remaining_ms = MAX(view->until_ms - MIN(view->until_ms, r->now_ms), UINT64_C(1));
    m->joined_ms = r->now_ms - MIN(w->joined_ms, r->now_ms);
    m->jobs_done = w->jobs_done;
    m->jobs_failed = w->jobs_failed;
    name_bits(view->labels, s->labels, SCHED_LABELS, &m->labels, &m->n_labels);
    name_bits(view->classes, s->classes, SCHED_CLASSES, &m->classes, &m->n_classes);
}

/* Of each worker the oldest attempt that runs. */
static void find_doing(struct server *s)
{
    for (struct shell_worker *w = s->workers; w; w = w->hh.next)
        w->doing = 0;
    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next) {
        struct sched_attempt_view view;
        struct shell_worker *w = NULL;

        if (sched_attempt(s->sched, t->id, &view) && view.worker && view.ran)
            HASH_FIND(hh, s->workers, &view.worker, sizeof(view.worker), w);
        if (w && !w->doing) {
            w->doing = t->job;
            w->doing_since_ms = t->begun_ms;
        }
    }
}

static void add_workers(struct report *r, const struct server *s)
{
    for (const struct shell_worker *w = s->workers; w; w = w->hh.next) {
        Drover__WorkerStatus *m;
        struct sched_worker_view view;

        if (!sched_worker(s->sched, w->id, &view))
            continue;
        m = mem_calloc(1, sizeof(*m));
        drover__worker_status__init(m);
        m->name = mem_strdup(w->name);
        m->slots = w->slots;
        m->running = view.ran;
        m->waiting = view.used - view.ran;
        m->last_seen_ms = r->now_ms - MIN(view.heard_ms, r->now_ms);
        m->draining = view.draining || view.slots == 0;
        describe_worker(r, s, w, &view, m);
        if (r->doing && w->doing) {
            r->doing[r->m.n_workers] = w->doing;
            m->doing_ms = r->now_ms - MIN(w->doing_since_ms, r->now_ms);
        }
        APPEND(r->m.workers, r->m.n_workers, m);
    }
}

/* The name of worker ID, kept in R; there are few, and those of one come together. */
static const char *name_of(struct report *r, const struct server *s, uint64_t id)
{
    struct shell_worker *w = NULL;

    if (id)
        HASH_FIND(hh, s->workers, &id, sizeof(id), w);
    if (!w)
        return "";
    for (size_t i = r->names_len; i-- > 0;)
        if (strcmp(r->names[i], w->name) == 0)
            return r->names[i];
    APPEND(r->names, r->names_len, mem_strdup(w->name));
    return r->names[r->names_len - 1];
}

static void take_running(struct report *r, const struct server *s)
{
    size_t n = 0;

    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next)
        n++;
    r->running = mem_calloc(n, sizeof(*r->running));
    for (const struct attempt *t = attempts_running(s->attempts); t; t = t->next) {
        struct sched_attempt_view view = { 0 };

        /* What waits in a worker's queue does not run yet. */
        if (sched_attempt(s->sched, t->id, &view) && view.worker && !view.ran)
            continue;
        r->running[r->running_len++] = (struct running){
            .job = t->job,
            .begun_ms = t->begun_ms,
            .done = t->done,
            .total = t->total,
            .worker = name_of(r, s, view.worker),
        };
    }
}

static void add_number(const struct metric_row *row, void *arg)
{
    struct report *r = arg;
    Drover__Number *m = mem_calloc(1, sizeof(*m));

    drover__number__init(m);
    m->name = mem_strdup(row->name);
    m->label = mem_strdup(row->value ? row->value : "");
    m->value = row->number;
    APPEND(r->m.numbers, r->m.n_numbers, m);
}

static void add_last_failures(struct report *r, const struct server *s)
{
    const struct failure *f;

    for (size_t i = 0; (f = failures_at(&s->failures, i)) != NULL; i++) {
        Drover__Failure *m = mem_calloc(1, sizeof(*m));

        drover__failure__init(m);
        m->outcome = mem_strdup(sched_cause_name(f->cause));
        m->ago_ms = r->now_ms - MIN(f->at_ms, r->now_ms);
        m->job = f->job;
        m->worker = mem_strdup(f->worker);
        m->text = mem_strdup(f->text);
        APPEND(r->m.failures, r->m.n_failures, m);
    }
}

static void add_numbers(struct report *r, struct server *s)
{
    const int64_t up_ms = clock_wall_ms() - (int64_t)s->metrics.start_ms;

    metric_each(shell_metrics(s), add_number, r);
    add_last_failures(r, s);
    find_doing(s);
    r->doing = mem_calloc(HASH_COUNT(s->workers) + 1, sizeof(*r->doing));
    r->m.version = (char *)(uintptr_t)DROVER_VERSION;
    r->m.up_ms = (uint64_t)MAX(up_ms, 0);
}

void shell_status(struct server *s, const Drover__StatusRequest *m, uint64_t request)
{
    struct report *r = mem_calloc(1, sizeof(*r));
    const struct asker_work work = { DROVER__ENVELOPE__BODY_STATUS, make_status, report_free, r };
    struct err err = { 0 };
    uint64_t peer = s->peer;
    int rc;

    r->only = mem_strdup(m->experiment);
    r->now_ms = clock_ms();
    drover__status__init(&r->m);
    r->m.incarnation = s->incarnation;
    r->only_workers = m->only_workers;
    if (!m->only_workers || m->running)
        take_running(r, s);
    if (m->numbers)
        add_numbers(r, s);
    if (m->workers)
        add_workers(r, s);
    shell_flush(s); /* show what is committed */
    rc = asker_do(s->status_asker, peer, request, &work, &err);
    if (rc < 0)
        shell_refuse(s, peer, request, rc, err.text);
}
