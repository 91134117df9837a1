/* SPDX-License-Identifier: Apache-2.0 */
#include "experiments/cli/runner.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "experiments/cli/follow.h"
#include "experiments/cli/requests.h"
#include "experiments/cli/sheet.h"
#include "experiments/cli/tables.h"
#include "store/store.h"

enum {
    JOIN_MS = 3000, /* for the coordinator of another run to answer */
    START_TRIES = 40,
    START_WAIT_MS = 250, /* for a coordinator that starts or ends: 10 s */
    TRIES_MAX = 5        /* a joined coordinator may go away so often */
};

static size_t allowed_cores(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof(set), &set) == 0 ? (size_t)CPU_COUNT(&set) : 1;
}

struct run {
    const struct runner *a;
    const struct env *env;
    const struct plan *plan;
    struct submission *submission;
    struct embedded *embedded;
    bool own;             /* the coordinator was ours */
    const char *programs; /* of exec steps, parted by commas; NULL: none may run */
    struct view *view;
    char endpoint[STORE_ENDPOINT_MAX];
    struct follow f;
};

static struct embedded_conf conf_of(const struct run *r, const char *endpoint)
{
    return (struct embedded_conf){ .folder = r->env->folder,
                                   .store = options_store(&r->a->o),
                                   .workers = r->a->workers,
                                   .threads = r->a->threads,
                                   .slots = r->a->slots,
                                   .label = r->a->label,
                                   .programs = r->programs,
                                   .endpoint = endpoint,
                                   .insecure = client_insecure() };
}

/* Another run has the store: does its coordinator answer? */
static int join(struct run *r, int pid, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;
    struct err why = { 0 };
    char line[400];

    request.experiment = (char *)r->plan->name;
    int rc = *r->endpoint
                 ? client_call(r->endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request,
                               DROVER__ENVELOPE__BODY_STATUS, JOIN_MS, &answer, &why)
                 : err_set(&why, ERR_TIMEOUT, "it has no endpoint yet");
    if (rc && rc != ERR_NOT_FOUND)
        return err_set(
            err, ERR_CONFLICT,
            "%s is in use by process %d, which cannot be joined (%.200s); wait for it or "
            "use another --store",
            options_store(&r->a->o), pid, why.text);
    if (!r->a->quiet) {
        snprintf(line, sizeof(line), "joining process %d, which has %.200s, at %.100s", pid,
                 options_store(&r->a->o), r->endpoint);
        view_note(r->view, line);
    }
    return 0;
}

/* Find or start a coordinator: r->endpoint, and r->embedded when it is ours. */
static int find_coordinator(struct run *r, struct err *err)
{
    const char *store = options_store(&r->a->o);
    int pid;

    r->embedded = NULL;
    if (r->a->o.coordinator) {
        snprintf(r->endpoint, sizeof(r->endpoint), "%s", r->a->o.coordinator);
        return 0;
    }
    for (int try = 0;; try++) {
        struct embedded_conf conf = conf_of(r, NULL);
        int rc, now;

        if (store_lock_holder(store, &pid, r->endpoint, NULL) != 0) {
            rc = embedded_new(&conf, &r->embedded, err);
            if (rc == 0)
                snprintf(r->endpoint, sizeof(r->endpoint), "%s", embedded_endpoint(r->embedded));
            /* Two runs started at once: the slower one joins. */
            if (rc == 0 || try >= START_TRIES ||
                store_lock_holder(store, &pid, r->endpoint, NULL) != 0)
                return rc;
        } else if (*r->endpoint || try >= START_TRIES) {
            rc = join(r, pid, err);
            /* One that ended meanwhile needs no joining. */
            if (rc == 0 || try >= START_TRIES ||
                (store_lock_holder(store, &now, r->endpoint, NULL) == 0 && now == pid))
                return rc;
        }
        clock_sleep_ms(START_WAIT_MS); /* also for an endpoint: the holder is starting */
    }
}

static int follow_once(struct run *r, enum follow_end *ret, struct err *err)
{
    int rc = find_coordinator(r, err);

    if (rc)
        return rc;
    r->f = (struct follow){ .endpoint = r->endpoint,
                            .experiment = r->plan->name,
                            .store = r->a->o.coordinator ? NULL : options_store(&r->a->o),
                            .submit = submission_message(r->submission),
                            .embedded = r->embedded,
                            .view = r->view,
                            .quiet = r->a->quiet || r->a->detach,
                            .detach = r->a->detach };
    if (!r->a->o.coordinator)
        r->f.spare = conf_of(r, r->endpoint);
    r->own = r->embedded != NULL;
    rc = follow(&r->f, ret, err);
    embedded_free(r->f.embedded);
    return rc;
}

static void explain_interruption(const struct run *r, enum follow_end how)
{
    const char *store = r->a->o.store;

    if (how == FOLLOW_CANCELLED)
        fprintf(stderr, "%s: cancelled; what was done stays in the store\n", r->plan->name);
    else if (!r->own)
        fprintf(stderr,
                "the experiment goes on at %s; see drover status %s --coordinator %s, or stop it "
                "with drover cancel %s --coordinator %s\n",
                r->endpoint, r->plan->name, r->endpoint, r->plan->name, r->endpoint);
    else
        fprintf(stderr, "stopped; what was done is in %s. Go on with: drover %s%s%s\n",
                options_store(&r->a->o), r->a->again, store ? " --store " : "", store ? store : "");
}

static void what_next(const struct run *r)
{
    const char *store = r->a->o.store;
    const char *flag = store ? " --store " : "", *file = store ? store : "";

    printf("\nTry next:\n");
    for (size_t i = 0; i < r->plan->jobs_len; i++)
        if (r->plan->job[i].kind->id == KIND_SEARCH) {
            printf("  drover labels --improved --limit 3%s%s\n", flag, file);
            break;
        }
    printf("  drover query \"select * from %s limit 10\"%s%s\n",
           !r->a->recipe                ? "metric_summary"
           : r->plan->families_len == 0 ? "curriculum"
                                        : "accuracy",
           flag, file);
    if (r->a->recipe)
        printf("  drover plan %s --set seed=1,2,3%s%s\n", r->a->recipe, flag, file);
}

static void print_summary_json(const struct run *r, double seconds)
{
    struct json *top = json_new_object();

    json_set(top, "version", json_new_integer(1));
    json_set(top, "experiment", json_new_text(r->plan->name));
    json_set(top, "jobs", json_new_integer(r->f.submitted.jobs));
    json_set(top, "cached", json_new_integer(r->f.submitted.cached));
    json_set(top, "failed", json_new_integer(r->f.failed));
    json_set(top, "diverged", json_new_integer(r->f.diverged));
    json_set(top, "skipped", json_new_integer(r->f.unchosen));
    json_set(top, "seconds", json_new_number(seconds));
    print_json(top, stdout);
}

/* After the last job: counts, tables, what to try. */
static int conclude(const struct run *r, double seconds, struct err *err)
{
    const Drover__Submitted *s = &r->f.submitted;
    struct buf others CLEANUP(buf_release) = { 0 };
    int rc = 0;

    if (r->f.diverged > 0)
        buf_printf(&others, ", %u diverged", r->f.diverged);
    if (r->f.blocked > 0)
        buf_printf(&others, ", %u skipped behind them", r->f.blocked);
    if (r->f.cancelled > 0)
        buf_printf(&others, ", %u cancelled", r->f.cancelled);
    if (r->f.unchosen > 0)
        buf_printf(&others, ", %u skipped by halving", r->f.unchosen);
    if (r->a->o.json) {
        print_summary_json(r, seconds);
        return 0;
    }
    if (!r->a->quiet)
        fprintf(stderr, "%s: %u jobs: %u cached, %u run, %u failed%s; %.1f s\n", r->plan->name,
                s->jobs, s->cached,
                s->jobs - s->cached - r->f.unchosen - r->f.cancelled - r->f.blocked,
                r->f.failed - r->f.cancelled - r->f.blocked, buf_str(&others), seconds);
    if (r->a->o.coordinator)
        return 0; /* the store is elsewhere */
    rc = tables_print(options_store(&r->a->o), r->plan->name, TABLE_TEXT, stdout, err);
    if (rc == ERR_NOT_FOUND && (r->plan->families_len == 0 || r->f.failed > 0))
        return 0; /* nothing with examples, or none were finished: no table is missed */
    if (!rc && !r->a->quiet && r->f.failed == 0)
        what_next(r);
    return rc;
}

static int run_and_follow(struct run *r, enum follow_end *ret_end, struct err *err)
{
    int rc = 0;

    *ret_end = FOLLOW_LOST;
    for (int try = 0; rc == 0 && *ret_end == FOLLOW_LOST; try++) {
        if (try == TRIES_MAX)
            return err_set(err, ERR_TIMEOUT, "the coordinator went away %d times", TRIES_MAX);
        if (try > 0)
            view_note(r->view, "the coordinator is gone or another run's; going on");
        rc = follow_once(r, ret_end, err);
    }
    return rc;
}

/* It goes on without this command. */
static void explain_leaving(const struct run *r)
{
    const char *store = options_store(&r->a->o), *name = r->plan->name;
    struct buf where CLEANUP(buf_release) = { 0 };

    if (r->a->o.json) {
        struct json *top = json_new_object();
        json_set(top, "version", json_new_integer(1));
        json_set(top, "experiment", json_new_text(name));
        json_set(top, "endpoint", json_new_text(r->endpoint));
        json_set(top, "jobs", json_new_integer(r->f.submitted.jobs));
        json_set(top, "cached", json_new_integer(r->f.submitted.cached));
        print_json(top, stdout);
        return;
    }
    if (r->f.submitted.cached + r->f.submitted.skipped == r->f.submitted.jobs) {
        printf("%s: %u jobs, all of them done%s\n", name, r->f.submitted.jobs,
               r->f.submitted.skipped ? " or skipped" : "");
        return;
    }
    if (r->a->o.coordinator)
        buf_printf(&where, "--coordinator %s", r->endpoint);
    else
        buf_printf(&where, "--store %s", store);
    printf("%s: %u jobs: %u cached; it goes on in the background at %s\n"
           "  look:          drover status %s %s\n"
           "  follow again:  drover %s %s\n"
           "  withdraw:      drover cancel %s %s\n",
           name, r->f.submitted.jobs, r->f.submitted.cached, r->endpoint, name, buf_str(&where),
           r->a->again, buf_str(&where), name, buf_str(&where));
}

static void free_view(struct view **v)
{
    view_free(*v);
}

void runner_share(struct runner *r, uint64_t largest_bytes, size_t cores)
{
    bool large = largest_bytes >= RUNNER_LARGE_BYTES;

    if (!r->workers)
        r->workers = large ? 1 : r->threads ? MAX(cores / r->threads, (size_t)1) : cores;
    if (!r->threads)
        r->threads = large ? MAX(cores / r->workers, (size_t)1) : 1;
}

static uint64_t largest_file(const struct plan *plan)
{
    uint64_t largest = 0;

    for (size_t i = 0; i < plan->files_len; i++)
        largest = MAX(largest, plan->file[i].size_bytes);
    return largest;
}

/* The programs of PLAN's exec steps, parted by commas. */
static void plan_programs(const struct plan *plan, struct buf *out)
{
    for (size_t i = 0; i < plan->jobs_len; i++) {
        const struct plan_job *j = &plan->job[i];
        const struct param_value *v =
            j->kind->id == KIND_EXEC ? params_get(j->params, "command") : NULL;
        if (v == NULL)
            continue;
        struct buf one CLEANUP(buf_release) = { 0 };
        buf_printf(&one, ",%s,", v->texts[0]);
        if (out->len == 0)
            buf_addc(out, ',');
        if (strstr(buf_str(out), buf_str(&one)) == NULL)
            buf_printf(out, "%s,", v->texts[0]);
    }
}

/* Programs are run for those only who say so. */
static int choose_programs(struct run *r, struct buf *named, struct err *err)
{
    plan_programs(r->plan, named);
    if (r->a->o.coordinator) /* its workers have lists of their own */
        return 0;
    if (named->len > 0 && !r->a->allow_exec)
        return err_set(err, ERR_INVALID,
                       "%s runs programs (%.*s); look at its exec steps, then say --allow-exec",
                       r->plan->name, (int)MIN(named->len - 2, (size_t)200), named->data + 1);
    if (r->a->allow_exec && named->len > 0)
        r->programs = r->a->programs ? r->a->programs : buf_str(named);
    return 0;
}

int runner_run(struct runner *a, const struct env *env, const struct plan *plan)
{
    struct submission *submission CLEANUP(submission_cleanup) = NULL;
    struct view *view CLEANUP(free_view) = NULL;
    struct buf programs CLEANUP(buf_release) = { 0 };
    struct run r = { .a = a, .env = env, .plan = plan };
    const uint64_t started_ms = clock_ms();
    enum follow_end how;
    struct err err = { 0 };

    if (choose_programs(&r, &programs, &err) != 0)
        return cli_fail(env, &err);
    const bool chosen = a->workers || a->threads;
    runner_share(a, largest_file(plan), allowed_cores());
    if (!a->o.coordinator &&
        requests_share(a, chosen, plan, allowed_cores(), requests_memory_mib(), &err) != 0)
        return cli_fail(env, &err);
    r.submission = submission = submission_new(plan);
    r.view = view = view_new(stderr, a->quiet || a->detach);
    if (run_and_follow(&r, &how, &err) != 0)
        return cli_fail(env, &err);
    if (how == FOLLOW_LEFT || (how == FOLLOW_FINISHED && a->detach)) {
        explain_leaving(&r);
        return CLI_DONE;
    }
    if (how == FOLLOW_INTERRUPTED || how == FOLLOW_CANCELLED) {
        explain_interruption(&r, how);
        return CLI_FAILED;
    }
    if (conclude(&r, (double)(clock_ms() - started_ms) / 1000, &err) != 0)
        return cli_fail(env, &err);
    return r.f.failed ? CLI_FAILED : CLI_DONE;
}
