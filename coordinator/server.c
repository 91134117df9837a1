/* SPDX-License-Identifier: Apache-2.0 */
/* server.c - the shell's life. */
#include "coordinator/server.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "common/base/parent.h"
#include "coordinator/shell.h"

enum {
    WINDOW = 1024,     /* ready jobs per experiment */
    EXPERIMENTS = 256, /* in the scheduler at a time */
    LEASES = 131072,
    WORKERS = 10000,
    WORKER_BLOBS = 64,
    SHAPES = 4096,
    RESERVE = 65536,    /* attempt numbers per transaction that takes some */
    AHEAD_MS = 200,     /* of work that waits at a worker */
    LEFT_MIN_MS = 5000, /* a worker that leaves sooner gets nothing more to begin */
    BACKOFF_MS = 1000,
    BACKOFF_MAX_MS = 60000,
    QUARANTINE = 3, /* kills of a worker after which a job runs alone */
    PARENT_MS = 500,
    PAUSE_MS = 1000, /* for a worker that refused a lease */
    LOSSES_MAX = 10, /* kills of a worker that one job survives */
    TIME_MS_MAX = 24 * 3600 * 1000,
};

struct server_options server_options_default(void)
{
    return (struct server_options){
        .listen = SERVER_LISTEN_DEFAULT,
        .lease_ms = 30000,
        .renew_ms = 5000,
        .heartbeat_ms = 1000,
        .reattach_ms = 60000,
        .parent_fd = -1,
    };
}

int server_options_check(const struct server_options *o, struct err *err)
{
    const struct {
        const char *name;
        uint32_t ms;
    } times[] = {
        { "lease-ms", o->lease_ms },
        { "renew-ms", o->renew_ms },
        { "heartbeat-ms", o->heartbeat_ms },
        { "reattach-ms", o->reattach_ms },
    };

    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (times[i].ms < 1 || times[i].ms > TIME_MS_MAX)
            return err_set(err, ERR_INVALID, "--%s=%u is out of range; choose 1 to %d",
                           times[i].name, times[i].ms, TIME_MS_MAX);
    if (o->renew_ms > o->lease_ms / 2 || o->heartbeat_ms > o->lease_ms / 2)
        return err_set(err, ERR_INVALID,
                       "--renew-ms and --heartbeat-ms must be at most half of --lease-ms (%u)",
                       o->lease_ms);
    return 0;
}

static void on_tick(void *arg)
{
    shell_step(arg, &(struct sched_event){ .kind = EV_TICK });
}

static void on_round_end(void *arg)
{
    shell_audit(arg);
    shell_flush(arg);
}

static bool anything_left(struct server *s)
{
    struct store_ids active CLEANUP(store_ids_release) = { 0 };

    return store_list_active(s->store, &active, NULL) != 0 || active.len > 0;
}

/* The command that started us ended, or left us alone with its work. */
static void on_parent(void *arg)
{
    struct server *s = arg;
    enum parent_state state = parent_state(s->parent);

    if (state == PARENT_GONE || (state == PARENT_LEFT && !anything_left(s))) {
        log_info("stopping", "parent=%s", state == PARENT_GONE ? "gone" : "left, all is done");
        loop_stop(s->loop);
        return;
    }
    loop_timer_set(s->loop, s->parent_timer, clock_ms() + PARENT_MS);
}

static void on_answers(void *arg)
{
    shell_answers(arg);
}

static void wake_loop(void *arg)
{
    loop_wake(arg);
}

static void on_signal(void *arg, int signal)
{
    struct server *s = arg;

    log_info("stopping", "signal=%d", signal);
    loop_stop(s->loop);
}

static void make_core(struct server *s)
{
    enum { ALIGN = 64 };
    struct sched_limits limits = {
        .window = WINDOW,
        .experiments = EXPERIMENTS,
        .shapes = SHAPES,
        .reserve = RESERVE,
        .ahead_ms = AHEAD_MS,
        .left_min_ms = LEFT_MIN_MS,
        .backoff_ms = BACKOFF_MS,
        .backoff_max_ms = BACKOFF_MAX_MS,
        .quarantine = QUARANTINE,
        .leases = LEASES,
        .workers = WORKERS,
        .worker_blobs = WORKER_BLOBS,
        .lease_ms = s->options.lease_ms,
        .quiet_ms = MIN(5 * s->options.heartbeat_ms, s->options.lease_ms),
        .pause_ms = PAUSE_MS,
        .reattach_ms = s->options.reattach_ms,
        .losses_max = LOSSES_MAX,
    };

    /* By calloc: what the core never uses is never touched, and takes no memory. */
    s->sched_memory = mem_calloc(1, sched_size(&limits) + ALIGN);
    s->sched =
        sched_init((void *)(((uintptr_t)s->sched_memory + ALIGN - 1) / ALIGN * ALIGN), &limits);
    s->actions = mem_calloc(1, sizeof(*s->actions));
    s->attempts = attempts_new();
    s->outbox = outbox_new();
    s->cards = cards_new();
}

static void on_audit(void *arg)
{
    (void)arg; /* the end of the round does it */
}

static int start_loop(struct server *s, struct err *err)
{
    static const int signals[] = { SIGINT, SIGTERM };
    int rc = loop_new(&s->loop, err);

    if (rc < 0)
        return rc;
    s->tick_timer = loop_add_timer(s->loop, on_tick, s);
    s->audit_timer = loop_add_timer(s->loop, on_audit, s);
    loop_add_after(s->loop, on_round_end, s);
    loop_on_wake(s->loop, on_answers, s);
    return loop_add_signals(s->loop, signals, ARRAY_LEN(signals), on_signal, s, err);
}

static int write_ready_file(struct server *s, struct err *err)
{
    struct buf line CLEANUP(buf_release) = { 0 };

    if (!s->options.ready_file)
        return 0;
    buf_printf(&line, "%s\n", server_endpoint(s));
    return buf_write_file(s->options.ready_file, buf_str(&line), line.len, err);
}

static void wake(void *arg)
{
    (void)arg; /* the timer looks: half a second is soon enough */
}

static int watch_parent(struct server *s, struct err *err)
{
    s->parent_timer = loop_add_timer(s->loop, on_parent, s);
    loop_timer_set(s->loop, s->parent_timer, clock_ms() + PARENT_MS);
    return parent_watch(&s->parent, s->options.parent_fd, wake, s, err);
}

static int start(struct server *s, struct err *err)
{
    int rc = store_open(&s->store, s->options.store_path, "", err);

    if (rc == 0 && store_was_damaged(s->store))
        log_error("store_damaged",
                  "store=%s lost_transactions=%llu text=\"its log was damaged: what is lost of "
                  "it is made again\"",
                  s->options.store_path, (unsigned long long)store_lost_commits(s->store));
    if (rc == 0) {
        store_tidy_later(s->store);
        store_sync_later(s->store);
        rc = start_loop(s, err);
    }
    if (rc == 0)
        rc = guard_open(&s->guard, s->options.store_path, s->options.insecure, wake_loop, s->loop,
                        err);
    if (rc == 0)
        rc = transport_listen(&s->transport, s->options.listen, guard_keys(s->guard), err);
    if (rc == 0)
        rc = blob_server_start(&s->blobs, s->options.store_path, store_blobs(s->store),
                               server_endpoint(s), s->guard, err);
    if (rc == 0)
        rc = asker_start(&s->asker, s->options.store_path, wake_loop, s->loop, err);
    if (rc == 0)
        rc = asker_start(&s->status_asker, s->options.store_path, wake_loop, s->loop, err);
    if (rc == 0)
        rc = shell_start(s, err);
    if (rc == 0)
        rc = store_set_endpoint(s->store, server_endpoint(s), err);
    if (rc == 0 && s->options.parent_fd >= 0)
        rc = watch_parent(s, err);
    if (rc == 0)
        rc = shell_service_start(s, err);
    if (rc == 0)
        rc = write_ready_file(s, err);
    if (rc == 0)
        loop_add_transport(s->loop, s->transport, shell_on_transport, s);
    return rc;
}

int server_new(struct server **ret, const struct server_options *o, struct err *err)
{
    struct server *s = mem_calloc(1, sizeof(*s));
    int rc;

    s->options = *o;
    make_core(s);
    rc = start(s, err);
    if (rc < 0) {
        server_free(s);
        return rc;
    }
    *ret = s;
    return 0;
}

const char *server_endpoint(struct server *s)
{
    return transport_endpoint(s->transport);
}

int server_run(struct server *s, struct err *err)
{
    int rc = loop_run(s->loop, err);

    if (s->failed) {
        *err = s->failure;
        return s->failed;
    }
    return rc;
}

void server_free(struct server *s)
{
    struct shell_worker *w, *tmp;

    if (!s)
        return;
    if (s->options.ready_file && s->transport)
        (void)unlink(s->options.ready_file);
    shell_service_stop(s);
    parent_free(s->parent);
    shell_backup_stop(s);
    asker_stop(s->asker);
    asker_stop(s->status_asker);
    blob_server_stop(s->blobs);
    transport_close(s->transport);
    guard_free(s->guard);
    store_close(s->store);
    loop_free(s->loop);
    HASH_ITER(hh, s->workers, w, tmp)
    {
        HASH_DEL(s->workers, w);
        free(w);
    }
    for (size_t i = 0; i < SCHED_CLASSES; i++)
        free(s->classes[i]);
    for (size_t i = 0; i < SCHED_LABELS; i++)
        free(s->labels[i]);
    shell_load_forget(s);
    free(s->page);
    outbox_free(s->outbox);
    cards_free(s->cards);
    free(s->lost);
    free(s->ready);
    attempts_free(s->attempts);
    free(s->actions);
    free(s->sched_memory);
    free(s);
}
