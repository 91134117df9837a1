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
    WINDOW = 4096,
    LEASES = 20000,
    WORKERS = 10000,
    WORKER_BLOBS = 64,
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
    struct sched_limits limits = {
        .window = WINDOW,
        .leases = LEASES,
        .workers = WORKERS,
        .worker_blobs = WORKER_BLOBS,
        .lease_ms = s->options.lease_ms,
        .quiet_ms = MIN(5 * s->options.heartbeat_ms, s->options.lease_ms),
        .pause_ms = PAUSE_MS,
        .reattach_ms = s->options.reattach_ms,
        .losses_max = LOSSES_MAX,
    };

    s->sched_memory = mem_aligned(sched_size(&limits), 1);
    s->sched = sched_init(s->sched_memory, &limits);
    s->actions = mem_calloc(1, sizeof(*s->actions));
    s->attempts = attempts_new();
}

static int start_loop(struct server *s, struct err *err)
{
    static const int signals[] = { SIGINT, SIGTERM };
    int rc = loop_new(&s->loop, err);

    if (rc < 0)
        return rc;
    s->tick_timer = loop_add_timer(s->loop, on_tick, s);
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

    if (rc == 0)
        rc = start_loop(s, err);
    if (rc == 0)
        rc = transport_listen(&s->transport, s->options.listen, err);
    if (rc == 0)
        rc = blob_server_start(&s->blobs, s->options.store_path, store_blobs(s->store),
                               server_endpoint(s), err);
    if (rc == 0)
        rc = asker_start(&s->asker, s->options.store_path, wake_loop, s->loop, err);
    if (rc == 0)
        rc = shell_start(s, err);
    if (rc == 0)
        rc = store_set_endpoint(s->store, server_endpoint(s), err);
    if (rc == 0 && s->options.parent_fd >= 0)
        rc = watch_parent(s, err);
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
    parent_free(s->parent);
    asker_stop(s->asker);
    blob_server_stop(s->blobs);
    transport_close(s->transport);
    store_close(s->store);
    loop_free(s->loop);
    HASH_ITER(hh, s->workers, w, tmp)
    {
        HASH_DEL(s->workers, w);
        free(w);
    }
    for (size_t i = 0; i < SCHED_CLASSES; i++)
        free(s->classes[i]);
    shell_send_drop(s);
    free(s->sends);
    free(s->lost);
    attempts_free(s->attempts);
    free(s->actions);
    free(s->sched_memory);
    free(s);
}
