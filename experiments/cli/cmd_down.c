/* SPDX-License-Identifier: Apache-2.0 */
/* drover down - end what drover launch and drover scale started. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "experiments/cli/launching.h"
#include "experiments/launch/hosts.h"
#include "experiments/launch/slurm.h"

enum { KEY_NOW = KEY_LAUNCH_END };
enum { LOOK_MS = 200, LOOK_FAR_MS = 2000, MORE_MS = 15000 };

static const struct argp_option rows[] = {
    { "grace", KEY_GRACE, "SECONDS", 0,
      "Kill what has not left after so long (default 60, as launch gives them)", 0 },
    { "now", KEY_NOW, NULL, 0, "Kill at once: what runs runs again elsewhere", 0 },
    { "folder", KEY_FOLDER, "DIR", 0, "As drover launch had it (default STORE-fleet)", 0 },
    OPTION_STORE,
    { "connect", KEY_CONNECT, "FILE", 0, "As drover launch had it", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "End the workers that drover launch and drover scale started: those that wait in Slurm's queue "
    "are cancelled, those that run are asked to leave, which saves checkpoints and gives back what "
    "has not begun, and are killed when they do not. Workers started by other means stay (drover "
    "drain asks them). The coordinator goes on.\v"
    "Example:\n"
    "  drover down --store results.db\n\n"
    "Exit status: 0 all of them are gone, 1 some are not, or cannot be asked, 2 wrong usage.";

struct arguments {
    struct launching l;
    bool now;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_NOW:
        a->now = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument \"%s\"", arg);
        return 0;
    default:
        return launching_take(&a->l, key, arg, state);
    }
}

const struct argp argp_down = { rows, parse, "", doc, NULL, NULL, NULL };

/* What is left of the fleet. */
struct remains {
    struct fleet f;
    bool *gone;
    uint64_t jobs[SLURM_JOBS_MAX];
    size_t jobs_len;
    unsigned said; /* failures that were told */
};

static void complain(struct remains *r, const char *what, struct err *err)
{
    if (r->said++ < 5)
        fprintf(stderr, "drover down: %s: %s\n", what, err->text);
    *err = (struct err){ 0 };
}

/* The newest jobs of Slurm; older ones are gone long since. */
static void collect_jobs(struct remains *r)
{
    for (size_t i = r->f.len; i-- > 0 && r->jobs_len < SLURM_JOBS_MAX;)
        if (r->f.v[i].kind == FLEET_SLURM)
            r->jobs[r->jobs_len++] = r->f.v[i].id;
}

/* Ask (SIGTERM) or kill everything that is there. */
static void signal_all(struct remains *r, int signal)
{
    struct err err = { 0 };

    for (size_t i = 0; i < r->f.len; i++) {
        const struct fleet_row *row = &r->f.v[i];

        if (row->kind != FLEET_SLURM && !r->gone[i] && hosts_signal(row, signal, &err) < 0)
            complain(r, row->kind == FLEET_SSH ? row->host : "signal", &err);
    }
    if (r->jobs_len > 0 &&
        slurm_cancel(r->jobs, r->jobs_len, signal == SIGKILL ? SLURM_KILL : SLURM_ASK, &err) < 0)
        complain(r, "scancel", &err);
}

/* How many pilots are still there. */
static size_t look(struct remains *r)
{
    struct slurm_counts counts = { .pending = 0 };
    struct err err = { 0 };
    size_t left = 0;

    for (size_t i = 0; i < r->f.len; i++) {
        const struct fleet_row *row = &r->f.v[i];
        int runs = row->kind == FLEET_SLURM || r->gone[i] ? 0 : hosts_running(row, &err);

        if (runs < 0)
            complain(r, row->host, &err);
        r->gone[i] = r->gone[i] || (row->kind != FLEET_SLURM && runs == 0);
        left += runs != 0;
    }
    if (r->jobs_len > 0 && slurm_look(r->jobs, r->jobs_len, &counts, &err) < 0) {
        complain(r, "squeue", &err);
        return left + 1;
    }
    return left + counts.pending + counts.running;
}

/* Until nobody is left, or WAIT_MS have passed. */
static size_t wait_for_them(struct remains *r, uint64_t wait_ms)
{
    const uint64_t until = clock_ms() + wait_ms;
    bool far = r->jobs_len > 0;
    size_t left;

    for (size_t i = 0; i < r->f.len; i++)
        far = far || r->f.v[i].kind == FLEET_SSH;
    while ((left = look(r)) > 0 && clock_ms() < until)
        clock_sleep_ms(far ? LOOK_FAR_MS : LOOK_MS);
    return left;
}

/* What is gone is forgotten; what is not can be asked again. */
static int settle(struct arguments *a, struct remains *r, size_t left, struct err *err)
{
    struct fleet keep CLEANUP(fleet_release) = { 0 };
    struct err none = { 0 };

    keep.v = mem_calloc(r->f.len, sizeof(*keep.v));
    keep.cap = r->f.len;
    for (size_t i = 0; i < r->f.len; i++) {
        const struct fleet_row *row = &r->f.v[i];

        if (row->kind == FLEET_SLURM ? left > 0 : !r->gone[i])
            keep.v[keep.len++] = *row;
        else if (hosts_clean(row, &none) < 0)
            complain(r, row->host, &none);
    }
    return fleet_save(launching_folder(&a->l), &keep, err);
}

static int down(struct arguments *a, size_t *ret_left, size_t *ret_all, struct err *err)
{
    struct remains r = { .said = 0 };
    int rc = fleet_load(launching_folder(&a->l), &r.f, err);

    *ret_left = *ret_all = 0;
    if (rc == 0 && r.f.len > 0) {
        r.gone = mem_calloc(r.f.len, sizeof(*r.gone));
        collect_jobs(&r);
        *ret_all = look(&r);
        if (*ret_all > 0 && !a->now) {
            signal_all(&r, SIGTERM);
            *ret_left = wait_for_them(&r, (uint64_t)a->l.p.grace_s * 1000 + 1000);
        }
        if (a->now || *ret_left > 0) {
            signal_all(&r, SIGKILL);
            *ret_left = wait_for_them(&r, MORE_MS);
        }
        rc = settle(a, &r, *ret_left, err);
    }
    free(r.gone);
    fleet_release(&r.f);
    return rc;
}

int cmd_down(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .now = false };
    struct err err = { 0 };
    size_t left = 0, all = 0;
    int rc;

    launching_init(&a.l);
    if (argp_parse(&argp_down, argc, argv, 0, NULL, &a) != 0)
        return CLI_USAGE;
    rc = down(&a, &left, &all, &err);
    launching_release(&a.l);
    if (rc < 0)
        return cli_fail(env, &err);
    if (a.l.o.json)
        printf("{\"version\":1,\"ended\":%zu,\"left\":%zu}\n", all - MIN(left, all), left);
    else if (all == 0)
        fprintf(stderr, "nothing of what was launched runs\n");
    else
        fprintf(stderr, "%zu ended%s\n", all - MIN(left, all),
                left ? ", some are still there: run it again" : "");
    return left == 0 ? CLI_DONE : CLI_FAILED;
}
