/* SPDX-License-Identifier: Apache-2.0 */
/* drover scale - keep a target of pilots in Slurm while work is queued. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/ask.h"
#include "experiments/cli/launching.h"
#include "experiments/cli/operate.h"
#include "experiments/launch/offer.h"
#include "experiments/launch/scale.h"
#include "experiments/launch/slurm.h"

enum { KEY_INTERVAL = KEY_LAUNCH_END, KEY_BACKLOG, KEY_UNTIL_IDLE };
enum { INTERVAL_S = 30, INTERVAL_MAX_S = 3600, FREE_MS = 2000 };

static const struct argp_option rows[] = {
    LAUNCHING_PILOT_ROWS,
    LAUNCHING_SLURM_ROWS,
    { "backlog", KEY_BACKLOG, "N", 0, "At most so many wait in Slurm's queue (default 10)", 1 },
    { "interval", KEY_INTERVAL, "SECONDS", 0, "Look so often (default 30)", 1 },
    { "until-idle", KEY_UNTIL_IDLE, NULL, 0, "End when no work and no pilot is left", 1 },
    OPTION_STORE,
    { "insecure", KEY_INSECURE, NULL, 0, "The coordinator was started with --insecure", 0 },
    { 0 }
};

static const char doc[] =
    "Keep up to N pilots in Slurm while the coordinator has work for them: looks now and then, "
    "asks "
    "for as many as the queue needs, with a bounded number of them waiting, and cancels waiting "
    "ones "
    "that are needed no more. Pilots that run leave by themselves when idle. When Slurm refuses, "
    "or "
    "pilots die before they join, it pauses: a minute, then two, four... Jobs that ask for what "
    "these pilots do not offer (others=N) start none, nor do jobs that pilots sit idle beside "
    "(stuck=N). Ctrl-C ends it; the pilots stay (drover down ends them).\v"
    "Example:\n"
    "  drover scale 40 --slots 8 --threads 1 --time 12:00:00 --partition batch\n\n"
    "Exit status: 0 ended, 1 failed, 2 wrong usage.";

struct arguments {
    struct launching l;
    unsigned interval_s;
    long backlog;
    bool until_idle, given;
    struct scale scale;
    struct offer offer;
    uint64_t others;        /* jobs that ask for what these pilots do not offer */
    unsigned failed_before; /* of the jobs that are asked about */
    bool looked, refused;
};

static volatile sig_atomic_t over;

static void on_signal(int signal)
{
    (void)signal;
    over = 1;
}

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_INTERVAL:
        a->interval_s = (unsigned)options_number(state, "interval", arg, 1, INTERVAL_MAX_S);
        return 0;
    case KEY_BACKLOG:
        a->backlog = options_number(state, "backlog", arg, 1, PILOTS_MAX);
        return 0;
    case KEY_UNTIL_IDLE:
        a->until_idle = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->given)
            argp_error(state, "one number, please");
        a->l.p.workers = (unsigned)options_number(state, "N", arg, 1, PILOTS_MAX);
        a->given = true;
        return 0;
    case ARGP_KEY_END:
        if (!a->given)
            argp_error(state, "how many pilots at the most?");
        return 0;
    default:
        return launching_take(&a->l, key, arg, state);
    }
}

const struct argp argp_scale = { rows, parse, "N", doc, NULL, NULL, NULL };

/* ---- looking ---- */

/* Work, as the store has it: READY, whether it waits or runs. */
static int ask_store(struct arguments *a, struct scale_look *look, struct err *err)
{
    struct json *answer CLEANUP(json_cleanup) = NULL;
    const struct json *demand;
    int rc = ask_report(&a->l.o, "demand", NULL, &answer, err);

    a->others = 0;
    demand = rc == 0 ? json_get(answer, "demand") : NULL;
    for (size_t i = 0; i < json_len(demand); i++) {
        const struct json *d = json_at(demand, i);
        const uint64_t jobs = (uint64_t)json_integer(json_get(d, "jobs"), 0);
        const struct offer_wish wish = {
            .class = json_text(json_get(d, "class")),
            .labels = json_text(json_get(d, "labels")),
            .cores = (uint32_t)json_integer(json_get(d, "cores"), 0),
            .memory_mib = (uint64_t)json_integer(json_get(d, "memory_mib"), 0),
        };
        const uint32_t slots = offer_slots(&a->offer, &wish);

        look->jobs += jobs * slots;
        look->waiting += slots ? jobs : 0;
        a->others += slots ? 0 : jobs;
    }
    return rc;
}

static void learn(struct offer *o, const Drover__WorkerStatus *w)
{
    offer_learn(o, &(struct offer_worker){ .label = w->labels,
                                           .labels = w->n_labels,
                                           .class = w->classes,
                                           .classes = w->n_classes,
                                           .slots = w->slots,
                                           .cores = w->cores,
                                           .memory_mib = w->memory_mib });
}

/* Workers, as the coordinator has them, and what pilots among them offer. */
static int ask_coordinator(struct arguments *a, struct scale_look *look, uint64_t *held,
                           struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    char endpoint[STORE_ENDPOINT_MAX];
    int rc = operate_endpoint(&a->l.o, endpoint, err);

    if (rc == 0)
        rc = operate_workers(endpoint, &answer, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < answer->status->n_workers; i++) {
        const Drover__WorkerStatus *w = answer->status->workers[i];

        *held += (uint64_t)w->running + w->waiting;
        if (strncmp(w->name, a->l.p.name, strlen(a->l.p.name)) != 0)
            continue;
        look->joined++;
        look->idle += w->running + w->waiting == 0 && w->joined_ms >= FREE_MS &&
                      strcmp(wire_worker_state(w), "working") == 0;
        learn(&a->offer, w);
    }
    return 0;
}

/* Both; what workers hold does not wait. */
static int ask_drover(struct arguments *a, struct scale_look *look, struct err *err)
{
    uint64_t held = 0;
    int rc = ask_coordinator(a, look, &held, err);

    if (rc == 0)
        rc = ask_store(a, look, err);
    look->waiting -= MIN(look->waiting, held);
    return rc;
}

/* The pilots, as Slurm has them; one question for all. */
static int ask_slurm(struct arguments *a, struct scale_look *look, uint64_t *jobs, size_t *ret_len,
                     struct err *err)
{
    struct fleet f CLEANUP(fleet_release) = { 0 };
    struct slurm_counts counts;
    int rc = fleet_load(launching_folder(&a->l), &f, err);

    *ret_len = 0;
    for (size_t i = f.len; i-- > 0 && *ret_len < SLURM_JOBS_MAX;)
        if (f.v[i].kind == FLEET_SLURM)
            jobs[(*ret_len)++] = f.v[i].id;
    if (rc == 0)
        rc = slurm_look(jobs, *ret_len, &counts, err);
    if (rc < 0)
        return rc;
    look->pending = counts.pending;
    look->running = counts.running;
    if (a->looked && counts.failed > a->failed_before) /* not those of before this command */
        look->failed = counts.failed - a->failed_before;
    a->failed_before = counts.failed;
    a->looked = true;
    return 0;
}

/* ---- acting ---- */

static void submit(struct arguments *a, unsigned n)
{
    struct fleet_row row = { .kind = FLEET_SLURM, .born = n, .at_ms = clock_wall_ms() };
    struct err err = { 0 };
    int rc =
        slurm_submit(&a->l.p, MIN(n, (unsigned)PILOTS_CHUNK), buf_str(&a->l.script), &row.id, &err);

    if (rc == 0)
        rc = fleet_add(launching_folder(&a->l), &row, &err);
    a->refused = rc < 0;
    if (rc < 0)
        fprintf(stderr, "drover scale: %s\n", err.text);
}

static uint64_t seconds_until(uint64_t at_ms)
{
    const uint64_t now_ms = clock_ms();

    return at_ms > now_ms ? (at_ms - now_ms) / 1000 : 0;
}

static void say(const struct arguments *a, const struct scale_look *look,
                const struct scale_action *x)
{
    char at[40];

    fprintf(stderr, "%s jobs=%" PRIu64 " pending=%u running=%u joined=%u",
            clock_iso(clock_wall_ms(), at), look->jobs, look->pending, look->running, look->joined);
    if (x->submit)
        fprintf(stderr, " submit=%u", x->submit);
    if (x->cancel)
        fprintf(stderr, " cancel=%u", x->cancel);
    if (x->paused)
        fprintf(stderr, " paused_s=%" PRIu64, seconds_until(a->scale.resume_ms));
    if (x->stuck)
        fprintf(stderr, " stuck=%" PRIu64 " paused_s=%" PRIu64, look->waiting,
                seconds_until(a->scale.stuck_until_ms));
    if (a->others)
        fprintf(stderr, " others=%" PRIu64, a->others);
    fprintf(stderr, "\n");
}

/* One look and what follows from it; false: the end. */
static bool turn(struct arguments *a, uint64_t *jobs)
{
    struct scale_look look = { .refused = a->refused };
    struct scale_action x;
    struct err err = { 0 };
    size_t len = 0;
    int rc = ask_drover(a, &look, &err);

    if (rc == 0)
        rc = ask_slurm(a, &look, jobs, &len, &err);
    if (rc < 0) { /* one of them is away; they come back */
        fprintf(stderr, "drover scale: %s\n", err.text);
        return true;
    }
    a->refused = false;
    x = scale_step(&a->scale, clock_ms(), &look);
    say(a, &look, &x);
    if (x.submit)
        submit(a, x.submit);
    if (x.cancel && slurm_cancel(jobs, len, SLURM_PENDING, &err) < 0)
        fprintf(stderr, "drover scale: %s\n", err.text);
    return !(a->until_idle && look.jobs == 0 && look.pending + look.running == 0);
}

static void run(struct arguments *a)
{
    const struct sigaction action = { .sa_handler = on_signal };
    uint64_t *jobs = mem_calloc(SLURM_JOBS_MAX, sizeof(*jobs));

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    while (!over && turn(a, jobs))
        for (unsigned i = 0; !over && i < a->interval_s * 10; i++)
            clock_sleep_ms(100);
    free(jobs);
}

int cmd_scale(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .interval_s = INTERVAL_S };
    struct scale_limits limits;
    struct err err = { 0 };
    int rc;

    launching_init(&a.l);
    if (argp_parse(&argp_scale, argc, argv, 0, NULL, &a) != 0)
        return CLI_USAGE;
    rc = slurm_present(&err);
    if (rc == 0)
        rc = launching_prepare(&a.l, env, &err);
    if (rc == 0)
        rc = launching_script(&a.l, &err);
    if (rc == 0) {
        limits = scale_limits_default(a.l.p.workers, a.l.p.slots);
        limits.backlog = a.backlog ? (unsigned)a.backlog : limits.backlog;
        scale_init(&a.scale, &limits);
        offer_of_pilots(&a.l.p, &a.offer);
        run(&a);
    }
    offer_release(&a.offer);
    launching_release(&a.l);
    return rc == 0 ? CLI_DONE : cli_fail(env, &err);
}
