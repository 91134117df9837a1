/* SPDX-License-Identifier: Apache-2.0 */
/* drover scale - keep a target of pilots in Slurm while work is queued. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/client.h"
#include "experiments/cli/launching.h"
#include "experiments/cli/operate.h"
#include "experiments/launch/scale.h"
#include "experiments/launch/slurm.h"

enum { KEY_INTERVAL = KEY_LAUNCH_END, KEY_BACKLOG, KEY_UNTIL_IDLE };
enum { INTERVAL_S = 30, INTERVAL_MAX_S = 3600, ANSWER_MS = 30000 };

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
    "pilots die before they join, it pauses: a minute, then two, four... Ctrl-C ends it; the "
    "pilots "
    "stay (drover down ends them).\v"
    "Example:\n"
    "  drover scale 40 --slots 8 --threads 1 --time 12:00:00 --partition batch\n\n"
    "Exit status: 0 ended, 1 failed, 2 wrong usage.";

struct arguments {
    struct launching l;
    unsigned interval_s;
    long backlog;
    bool until_idle, given;
    struct scale scale;
    unsigned failed_before; /* of the jobs that are asked about */
    bool refused;
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

/* Work and workers, as the coordinator has them. */
static int ask_coordinator(struct arguments *a, struct scale_look *look, struct err *err)
{
    Drover__Envelope *answer CLEANUP(wire_cleanup) = NULL;
    Drover__StatusRequest q = DROVER__STATUS_REQUEST__INIT;
    char endpoint[STORE_ENDPOINT_MAX];
    int rc = operate_endpoint(&a->l.o, endpoint, err);

    q.experiment = (char *)(uintptr_t) "";
    q.workers = true;
    if (rc == 0)
        rc = client_call(endpoint, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &q,
                         DROVER__ENVELOPE__BODY_STATUS, ANSWER_MS, &answer, err);
    if (rc < 0)
        return rc;
    for (size_t i = 0; i < answer->status->n_experiments; i++) {
        const Drover__ExperimentStatus *e = answer->status->experiments[i];

        for (size_t k = 0; !e->paused && !e->cancelled && k < e->n_steps; k++)
            look->jobs += e->steps[k]->ready + e->steps[k]->running;
    }
    for (size_t i = 0; i < answer->status->n_workers; i++)
        look->joined +=
            strncmp(answer->status->workers[i]->name, a->l.p.name, strlen(a->l.p.name)) == 0;
    return 0;
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
    look->failed = counts.failed > a->failed_before ? counts.failed - a->failed_before : 0;
    a->failed_before = counts.failed;
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
        fprintf(stderr, " paused_s=%" PRIu64, (a->scale.resume_ms - clock_ms()) / 1000);
    fprintf(stderr, "\n");
}

/* One look and what follows from it; false: the end. */
static bool turn(struct arguments *a, uint64_t *jobs)
{
    struct scale_look look = { .refused = a->refused };
    struct scale_action x;
    struct err err = { 0 };
    size_t len = 0;
    int rc = ask_coordinator(a, &look, &err);

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
        run(&a);
    }
    launching_release(&a.l);
    return rc == 0 ? CLI_DONE : cli_fail(env, &err);
}
