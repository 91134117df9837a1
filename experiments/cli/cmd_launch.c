/* SPDX-License-Identifier: Apache-2.0 */
/* drover launch - start workers: by Slurm, by ssh, on this computer. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/nearest.h"
#include "experiments/cli/launching.h"
#include "experiments/launch/hosts.h"
#include "experiments/launch/slurm.h"

enum { KEY_WORKERS = KEY_LAUNCH_END, KEY_DRY };
enum { HOSTS_MAX = 1024 };

static const struct argp_option rows[] = {
    LAUNCHING_PILOT_ROWS,
    LAUNCHING_SLURM_ROWS,
    { "workers", KEY_WORKERS, "N", 0, "How many (slurm; default 1)", 1 },
    { "dry-run", KEY_DRY, NULL, 0, "Print what would be done, and do nothing", 1 },
    OPTION_STORE,
    { "connect", KEY_CONNECT, "FILE", 0,
      "Of this coordinator: a connection file with a key for workers (default: one of their own "
      "for "
      "the coordinator of --store)",
      0 },
    { "insecure", KEY_INSECURE, NULL, 0, "The coordinator was started with --insecure", 0 },
    OPTION_JSON,
    { 0 }
};

static const char doc[] =
    "Start workers that fetch their jobs from the coordinator of a store, which is running "
    "already: as jobs of a Slurm cluster, on hosts by ssh, or as processes of this computer. They "
    "go on when this command ends; drover workers lists them, drover down ends them, and without "
    "work they leave by themselves.\v"
    "Examples:\n"
    "  drover coordinator --store results.db --listen tcp://0.0.0.0:7077 &\n"
    "  drover launch slurm --workers 40 --slots 8 --threads 1 --time 12:00:00 --partition batch\n"
    "  drover launch slurm --workers 4 --dry-run          what sbatch would be told\n"
    "  drover launch ssh node1 node2 ada@node3 --slots 16\n"
    "  drover launch local 2 --slots 1\n\n"
    "Slurm starts one job array of pilots (several beyond 1000): thousands of short jobs cost it "
    "no more than these. A pilot leaves before its time limit, gives back what has not begun, and "
    "saves checkpoints; preempted, requeued or killed, it loses nothing that was durable. The key "
    "of the workers lies in STORE-fleet/pilots.connect (mode 600), which they must be able to "
    "read: a shared file system. It is never on a command line.\n\n"
    "Exit status: 0 started, 1 not (nothing is left behind), 2 wrong usage.";

struct arguments {
    struct launching l;
    const char *kind, *host[HOSTS_MAX];
    size_t hosts;
    size_t started;
};

static error_t parse(int key, char *arg, struct argp_state *state)
{
    struct arguments *a = state->input;

    switch (key) {
    case KEY_WORKERS:
        a->l.p.workers = (unsigned)options_number(state, "workers", arg, 1, PILOTS_MAX);
        return 0;
    case KEY_DRY:
        a->l.dry = true;
        return 0;
    case ARGP_KEY_ARG:
        if (!a->kind)
            a->kind = arg;
        else if (a->hosts == HOSTS_MAX)
            argp_error(state, "at most %d hosts", HOSTS_MAX);
        else
            a->host[a->hosts++] = arg;
        return 0;
    case ARGP_KEY_END:
        if (!a->kind)
            argp_error(state, "by what: slurm, ssh HOST... or local N?");
        return 0;
    default:
        return launching_take(&a->l, key, arg, state);
    }
}

const struct argp argp_launch = { rows, parse, "slurm | ssh HOST... | local N", doc, NULL,
                                  NULL, NULL };

/* ---- Slurm ---- */

static void print_sbatch(const struct pilots *p, unsigned len, const char *script)
{
    struct pilots_words w CLEANUP(pilots_words_release) = { .len = 0 };
    struct buf line CLEANUP(buf_release) = { 0 };

    pilots_sbatch(p, len, script, &w);
    for (size_t i = 0; i < w.len; i++) {
        buf_adds(&line, i ? " " : "");
        pilots_quote(w.v[i], &line);
    }
    printf("%s\n", buf_str(&line));
}

static int submit(struct arguments *a, unsigned len, struct err *err)
{
    struct launching *l = &a->l;
    struct fleet_row row = { .kind = FLEET_SLURM, .born = len, .at_ms = clock_wall_ms() };
    int rc;

    if (l->dry) {
        print_sbatch(&l->p, len, "pilot.sh");
        return 0;
    }
    rc = slurm_submit(&l->p, len, buf_str(&l->script), &row.id, err);
    if (rc == 0)
        rc = fleet_add(launching_folder(l), &row, err);
    if (rc == 0) {
        a->started += len;
        fprintf(stderr, "slurm job %" PRIu64 ": %u pilot%s\n", row.id, len, len == 1 ? "" : "s");
    }
    return rc;
}

static int launch_slurm(struct arguments *a, struct err *err)
{
    struct launching *l = &a->l;
    unsigned left = l->p.workers;
    int rc = l->dry ? 0 : slurm_present(err);

    if (a->hosts > 0)
        return err_set(err, ERR_INVALID, "\"%s\": say --workers N", a->host[0]);
    if (rc == 0)
        rc = launching_script(l, err);
    while (rc == 0 && left > 0) {
        unsigned len = left < PILOTS_CHUNK ? left : PILOTS_CHUNK;

        rc = submit(a, len, err);
        left -= len;
    }
    return rc;
}

/* ---- processes ---- */

static int remember(struct arguments *a, const struct fleet_row *row, struct err *err)
{
    struct err none = { 0 };
    int rc = fleet_add(launching_folder(&a->l), row, err);

    if (rc < 0) { /* nobody could end it later */
        (void)!hosts_signal(row, SIGTERM, &none);
        (void)!hosts_clean(row, &none);
        return rc;
    }
    a->started++;
    return 0;
}

/* How many were started here and not ended by drover down: the next one's name goes on from there.
 */
static int count_local(const struct launching *l, unsigned *ret, struct err *err)
{
    struct fleet f CLEANUP(fleet_release) = { 0 };
    int rc = fleet_load(l->p.folder, &f, err);

    *ret = 0;
    for (size_t i = 0; i < f.len; i++)
        *ret += f.v[i].kind == FLEET_LOCAL;
    return rc;
}

static int launch_local(struct arguments *a, struct err *err)
{
    struct launching *l = &a->l;
    struct fleet_row row;
    char end;
    unsigned n, before = 0;
    int rc = 0;

    if (a->hosts != 1 || sscanf(a->host[0], "%u%c", &n, &end) != 1 || n < 1 || n > 1000)
        return err_set(err, ERR_INVALID, "drover launch local N: how many workers, 1 to 1000?");
    rc = count_local(l, &before, err);
    for (unsigned i = before + 1; rc == 0 && i <= before + n; i++) {
        if (l->dry) {
            struct buf options CLEANUP(buf_release) = { 0 };

            pilots_options(&l->p, &options);
            printf("%s --connect %s --name %s-%u %s\n", l->p.worker, l->p.connect, l->p.name, i,
                   buf_str(&options));
            continue;
        }
        rc = hosts_start_local(&l->p, i, &row, err);
        if (rc == 0)
            rc = remember(a, &row, err);
        if (rc == 0)
            fprintf(stderr, "process %" PRIu64 ": %s-%u\n", row.id, l->p.name, i);
    }
    return rc;
}

static int launch_ssh(struct arguments *a, struct err *err)
{
    struct launching *l = &a->l;
    struct buf text CLEANUP(buf_release) = { 0 };
    struct fleet_row row;
    int rc = 0;

    if (a->hosts == 0)
        return err_set(err, ERR_INVALID, "drover launch ssh HOST...: on which hosts?");
    if (buf_str(&l->worker)[0])
        l->p.worker = "drover-worker"; /* as PATH finds it there */
    connection_print(&l->connection, !l->dry, &text);
    for (size_t i = 0; rc == 0 && i < a->hosts; i++) {
        if (l->dry) {
            struct buf script CLEANUP(buf_release) = { 0 };

            hosts_ssh_script(&l->p, buf_str(&text), &script);
            printf("# ssh %s sh -s\n%s", a->host[i], buf_str(&script));
            continue;
        }
        rc = hosts_start_ssh(&l->p, a->host[i], buf_str(&text), &row, err);
        if (rc == 0)
            rc = remember(a, &row, err);
        if (rc == 0)
            fprintf(stderr, "%s: process %" PRIu64 "\n", a->host[i], row.id);
    }
    memset(text.data, 0, text.len); /* it had a secret */
    return rc;
}

static int launch(struct arguments *a, const struct env *env, struct err *err)
{
    static const char *const kinds[] = { "slurm", "ssh", "local", NULL };
    const char *near = nearest_find(a->kind, kinds);
    int rc;

    if (strcmp(a->kind, "slurm") != 0 && strcmp(a->kind, "ssh") != 0 &&
        strcmp(a->kind, "local") != 0)
        return err_set(err, ERR_INVALID, "drover launch %.40s: slurm, ssh or local%s%s", a->kind,
                       near ? "; did you mean " : "", near ? near : "");
    rc = launching_prepare(&a->l, env, err);
    if (rc < 0)
        return rc;
    if (a->l.local_only && strcmp(a->kind, "local") != 0)
        fprintf(stderr,
                "drover launch: only this computer reaches the coordinator at %s; for others "
                "start it with --listen tcp://0.0.0.0:7077\n",
                a->l.connection.endpoint);
    return strcmp(a->kind, "slurm") == 0 ? launch_slurm(a, err)
           : strcmp(a->kind, "ssh") == 0 ? launch_ssh(a, err)
                                         : launch_local(a, err);
}

int cmd_launch(int argc, char **argv, const struct env *env)
{
    struct arguments a = { .kind = NULL };
    struct err err = { 0 };
    int rc;

    launching_init(&a.l);
    if (argp_parse(&argp_launch, argc, argv, 0, NULL, &a) != 0)
        return CLI_USAGE;
    rc = launch(&a, env, &err);
    if (rc == 0 && a.l.o.json)
        printf("{\"version\":1,\"started\":%zu}\n", a.started);
    else if (rc < 0 && a.started > 0)
        fprintf(stderr, "%zu were started before; drover down ends them\n", a.started);
    launching_release(&a.l);
    return rc == 0 ? CLI_DONE : cli_fail(env, &err);
}
