/* SPDX-License-Identifier: Apache-2.0 */
/* drover-worker - joins a coordinator and runs its jobs. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "common/base/buf.h"
#include "common/base/clock.h"
#include "common/base/manual.h"
#include "worker/cache.h"
#include "worker/host.h"
#include "worker/joblog.h"
#include "worker/jobs/job.h"
#include "worker/settings.h"

/* The cache's folder when none is given; *RET_PRIVATE: to be removed at the end. */
static int default_cache(struct buf *path, bool *ret_private, struct err *err)
{
    const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME"), *tmp = getenv("TMPDIR");

    *ret_private = false;
    if (xdg != NULL && xdg[0] == '/') {
        buf_printf(path, "%s/drover", xdg);
        return 0;
    }
    if (home != NULL && home[0] == '/' && access(home, W_OK) == 0) {
        buf_printf(path, "%s/.cache/drover", home);
        return 0;
    }
    buf_printf(path, "%s/drover-cache-XXXXXX", tmp != NULL && tmp[0] == '/' ? tmp : "/tmp");
    if (mkdtemp(path->data) == NULL)
        return err_errno(err, errno, "make the folder %s for the cache; give one with --cache",
                         path->data);
    *ret_private = true;
    return 0;
}

static void choose_threads(struct settings *s)
{
    const size_t limit = host_cpu_limit("");
    size_t cores, cpus;

    host_cores(&cores, &cpus);
    cores = MIN(cores, limit);
    s->conf.cpus = MIN(cpus, limit);
    s->conf.slots = s->slots ? (size_t)s->slots : 1;
    if (s->conf.memory_mib == 0)
        s->conf.memory_mib = host_memory_mib("");
    s->conf.threads = s->threads ? (size_t)s->threads : MAX(cores / s->conf.slots, (size_t)1);
}

/* Where the coordinator is, when a file says so. */
static int take_connection(struct settings *s, struct err *err)
{
    int rc;

    if (s->connect == NULL || *s->connect == '\0')
        return 0;
    rc = connection_load(s->connect, &s->file, err);
    if (rc < 0)
        return rc;
    if (strcmp(s->file.version, DROVER_VERSION) != 0)
        log_warn("other_version", "there=%s here=%s", s->file.version, DROVER_VERSION);
    s->identity.file = &s->file;
    s->identity.insecure = s->identity.insecure || *s->file.server.text == '\0';
    s->conf.coordinator = s->file.endpoint;
    return 0;
}

/* What the cluster and the options say of its time. */
static void choose_times(struct settings *s)
{
    struct allocation *a = &s->allocation;

    allocation_read(a, getenv);
    if (s->end_s)
        a->end_ms = (int64_t)s->end_s * 1000;
    if (s->drain_ms)
        a->grace_ms = s->drain_ms;
    s->conf.allocation = a->what;
    s->conf.end_ms = a->end_ms;
    s->conf.times.drain_ms = a->grace_ms;
    s->conf.leave_ms = allocation_leave_ms(a, clock_wall_ms());
}

/* The keys; plaintext is not done in silence. */
static int identify(struct settings *s, struct err *err)
{
    int rc = take_connection(s, err);

    if (rc < 0)
        return rc;
    if (!s->identity.store && access("results.db-keys", F_OK) == 0)
        s->identity.store = "results.db";
    rc = identity_find(&s->identity, s->conf.coordinator, &s->keys, err);
    if (rc == 0 && s->keys.insecure) {
        log_warn("insecure", "text=\"nothing is encrypted, and anybody may be the coordinator\"");
        fprintf(stderr, "drover-worker: WARNING: nothing is encrypted, and anybody may be the "
                        "coordinator (--insecure)\n");
    }
    s->conf.keys = &s->keys;
    return rc;
}

static int run(struct settings *s, struct worker_end *ret, struct err *err)
{
    struct buf cache CLEANUP(buf_release) = { 0 };
    bool private = false;
    int bad = identify(s, err);

    if (bad)
        return bad;

    if (s->conf.cache == NULL) {
        int rc = default_cache(&cache, &private, err);
        if (rc)
            return rc;
        s->conf.cache = buf_str(&cache);
    }
    choose_threads(s);
    choose_times(s);
    int rc = worker_run(&s->conf, ret, err);
    if (private)
        cache_remove_tree(buf_str(&cache));
    return rc;
}

/* Programs are started by a helper, which is forked here: before ZeroMQ and threads. */
static int start_policy(struct settings *s, struct err *err)
{
    if (!s->allow_exec)
        return 0;
    policy_set(&s->policy);
    return s->classes ? 0 : spawner_start(&s->policy.spawner, err);
}

static void end_policy(struct settings *s, bool busy)
{
    if (busy)
        return; /* its jobs use it; the helper ends their programs when this process is gone */
    spawner_free(s->policy.spawner);
    policy_release(&s->policy);
}

int main(int argc, char **argv)
{
    struct settings s;
    struct err err = { 0 };
    struct worker_end end = { .busy = false };

    settings_default(&s);
    argp_program_version = "drover-worker " DROVER_VERSION;
    argp_err_exit_status = 2;
    if (manual_asked(argc, argv,
                     &(struct manual){ "drover-worker", "run jobs of a coordinator", DROVER_VERSION,
                                       "drover(1), drover-coordinator(1)", &settings_argp }))
        return 0;
    if (argp_parse(&settings_argp, argc, argv, 0, NULL, &s) != 0)
        return 2;
    if (start_policy(&s, &err) != 0) {
        fprintf(stderr, "drover-worker: %s\n", err.text);
        return 1;
    }
    if (s.classes) {
        for (const char *const *c = job_classes(); *c != NULL; c++)
            puts(*c);
        return fflush(stdout) == 0 ? 0 : 1;
    }
    (void)signal(SIGPIPE, SIG_IGN);
    log_init("worker", s.log_level);
    joblog_init();
    int rc = run(&s, &end, &err);
    const int code = end.cut ? EX_TEMPFAIL : rc ? 1 : 0;
    end_policy(&s, end.busy);
    if (!end.busy) {
        transport_keys_wipe(&s.keys);
        connection_wipe(&s.file);
    }
    if (rc)
        fprintf(stderr, "drover-worker: %s\n", err.text);
    if (end.busy)
        _exit(code); /* jobs that did not stop in time still run in their threads */
    return code;
}
