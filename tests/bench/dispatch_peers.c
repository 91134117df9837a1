/* SPDX-License-Identifier: Apache-2.0 */
/* Clients and workers speak the servers' own protocols over sockets, with no library between: what
 * is measured is the server at its best. */
#include "tests/bench/dispatch_peers.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/bench/dispatch_socket.h"
#include "tests/bench/group_store.h"
#include "tests/bench/peer.h"

enum { BODY = 200, WORKERS = 2 };

/* ---- beanstalkd ---- */

struct tubes {
    uint16_t port;
    size_t jobs; /* of one child */
    bool put;    /* else they are there already */
};

static bool put_job(struct wire_peer *w)
{
    static const char job[BODY];
    const char *line;

    wire_put(w, "put 0 0 60 200\r\n", 16);
    wire_put(w, job, sizeof job);
    wire_put(w, "\r\n", 2);
    line = wire_flush(w) ? wire_line(w) : NULL;
    return line && strncmp(line, "INSERTED", 8) == 0;
}

static bool work_job(struct wire_peer *w)
{
    char command[64];
    const char *line;
    unsigned long long id;
    size_t bytes;

    wire_put(w, "reserve\r\n", 9);
    line = wire_flush(w) ? wire_line(w) : NULL;
    if (!line || sscanf(line, "RESERVED %llu %zu", &id, &bytes) != 2 || !wire_take(w, bytes + 2))
        return false;
    wire_put(w, command, (size_t)snprintf(command, sizeof command, "delete %llu\r\n", id));
    line = wire_flush(w) ? wire_line(w) : NULL;
    return line && strcmp(line, "DELETED") == 0;
}

static bool beanstalkd_worker(struct crew *c, size_t index, void *arg)
{
    const struct tubes *t = arg;
    struct wire_peer *w = malloc(sizeof *w);
    bool good = w && wire_open(w, t->port);

    (void)index;
    crew_ready(c);
    for (size_t i = 0; i < t->jobs && good; i++)
        good = (!t->put || put_job(w)) && work_job(w);
    return good;
}

static bool fill_tube(uint16_t port, size_t jobs)
{
    struct wire_peer *w = malloc(sizeof *w);
    bool good = w && wire_open(w, port);

    for (size_t i = 0; i < jobs && good; i++)
        good = put_job(w);
    if (w)
        wire_close(w);
    free(w);
    return good;
}

double peer_beanstalkd(size_t jobs, bool fsync, bool drain)
{
    struct daemon_peer d = { 0 };
    const char *argv[] = {
        "/usr/bin/beanstalkd", "-l", "127.0.0.1", "-p", d.port_text, NULL, NULL, NULL, NULL, NULL
    };
    struct tubes t = { .jobs = jobs / WORKERS, .put = !drain };
    double seconds = NAN;

    if (!daemon_prepare(&d))
        return NAN;
    if (fsync) {
        argv[5] = "-b";
        argv[6] = d.scratch.dir;
        argv[7] = "-f";
        argv[8] = "0";
    }
    t.port = d.port;
    if (daemon_start(&d, argv) && (!drain || fill_tube(d.port, jobs)))
        seconds = crew_run(WORKERS, beanstalkd_worker, &t);
    daemon_stop(&d);
    return (double)(t.jobs * WORKERS) / seconds;
}

/* ---- gearmand: 12 bytes (magic, type, length, big-endian), then the arguments ---- */

enum {
    CAN_DO = 1,
    PRE_SLEEP = 4,
    NOOP = 6,
    SUBMIT_JOB = 7,
    JOB_CREATED = 8,
    GRAB_JOB = 9,
    NO_JOB = 10,
    JOB_ASSIGN = 11,
    WORK_COMPLETE = 13,
    SUBMIT_JOB_BG = 18,
};

struct gearman {
    uint16_t port;
    size_t jobs, window; /* window 0: the jobs are there before the clock starts */
};

static void put_packet(struct wire_peer *w, uint32_t type, const void *bytes, size_t len)
{
    uint32_t head[3] = { 0, htonl(type), htonl((uint32_t)len) };

    memcpy(head, "\0REQ", 4);
    wire_put(w, head, sizeof head);
    wire_put(w, bytes, len);
}

/* Type of the next packet, 0 when there is none; its bytes at *RET. */
static uint32_t take_packet(struct wire_peer *w, const uint8_t **ret, size_t *ret_len)
{
    uint32_t head[3];
    const uint8_t *bytes = wire_take(w, sizeof head);

    if (!bytes)
        return 0;
    memcpy(head, bytes, sizeof head);
    *ret_len = ntohl(head[2]);
    *ret = *ret_len < sizeof w->in ? wire_take(w, *ret_len) : NULL;
    return *ret ? ntohl(head[1]) : 0;
}

/* LAST: the worker that gets it leaves. */
static void put_job_packet(struct wire_peer *w, uint32_t type, bool last)
{
    char bytes[6 + BODY] = "noop"; /* function, no unique name, the work */

    bytes[6] = last ? 'Q' : '\0';
    put_packet(w, type, bytes, sizeof bytes);
}

/* JOB_ASSIGN: handle, function, work; the answer is the handle and an empty result. */
static bool complete_job(struct wire_peer *w, const uint8_t *bytes)
{
    size_t handle = strlen((const char *)bytes) + 1;
    bool last = bytes[handle + sizeof "noop"] == 'Q';

    put_packet(w, WORK_COMPLETE, bytes, handle);
    return last;
}

/* Answer a job and ask for the next in one write. */
static bool gearman_worker(const struct gearman *g, struct crew *c)
{
    struct wire_peer *w = malloc(sizeof *w);
    const uint8_t *bytes;
    bool last = false;
    uint32_t type;
    size_t len;

    if (!w || !wire_open(w, g->port))
        return false;
    put_packet(w, CAN_DO, "noop", 4);
    put_packet(w, PRE_SLEEP, "", 0);
    if (g->window > 0)
        (void)wire_flush(w);
    crew_ready(c);
    (void)wire_flush(w);
    while (!last && (type = take_packet(w, &bytes, &len)) != 0) {
        if (type == JOB_ASSIGN)
            last = complete_job(w, bytes);
        if (type == JOB_ASSIGN || type == NOOP)
            put_packet(w, GRAB_JOB, "", 0);
        if (type == NO_JOB)
            put_packet(w, PRE_SLEEP, "", 0);
        if ((last || !wire_waiting(w)) && !wire_flush(w))
            break;
    }
    return last;
}

/* Answers of the server until there is none unread; adds ended jobs to *DONE. */
static bool take_answers(struct wire_peer *w, size_t *done)
{
    const uint8_t *bytes;
    size_t len;

    do {
        uint32_t type = take_packet(w, &bytes, &len);

        if (type != JOB_CREATED && type != WORK_COMPLETE)
            return false;
        *done += type == WORK_COMPLETE;
    } while (wire_waiting(w));
    return true;
}

static bool gearman_client(const struct gearman *g, struct crew *c)
{
    struct wire_peer *w = malloc(sizeof *w);
    size_t sent = 0, done = 0;
    bool good = w && wire_open(w, g->port);

    crew_ready(c);
    while (good && done < g->jobs) {
        for (; sent < g->jobs && sent - done < g->window; sent++)
            put_job_packet(w, SUBMIT_JOB, false);
        good = wire_flush(w) && take_answers(w, &done);
    }
    for (size_t i = 0; i < WORKERS; i++)
        put_job_packet(w, SUBMIT_JOB_BG, true);
    return good && wire_flush(w) && take_packet(w, &(const uint8_t *){ NULL }, &(size_t){ 0 });
}

static bool gearman_part(struct crew *c, size_t index, void *arg)
{
    return index < WORKERS ? gearman_worker(arg, c) : gearman_client(arg, c);
}

static bool fill_gearmand(uint16_t port, size_t jobs)
{
    struct wire_peer *w = malloc(sizeof *w);
    bool good = w && wire_open(w, port);
    const uint8_t *bytes;
    size_t len;

    for (size_t i = 0; i < jobs + WORKERS && good; i++) {
        put_job_packet(w, SUBMIT_JOB_BG, i >= jobs);
        good = wire_flush(w) && take_packet(w, &bytes, &len) == JOB_CREATED;
    }
    if (w)
        wire_close(w);
    free(w);
    return good;
}

static double run_gearmand(size_t jobs, size_t window)
{
    struct daemon_peer d = { 0 };
    const char *argv[] = { "/usr/sbin/gearmand", "-L", "127.0.0.1", "-p",
                           d.port_text,          "-l", "/dev/null", NULL };
    struct gearman g = { .jobs = jobs, .window = window };
    double seconds = NAN;

    if (!daemon_prepare(&d))
        return NAN;
    g.port = d.port;
    if (daemon_start(&d, argv) && (window > 0 || fill_gearmand(d.port, jobs)))
        seconds = crew_run(window > 0 ? WORKERS + 1 : WORKERS, gearman_part, &g);
    daemon_stop(&d);
    return (double)jobs / seconds;
}

double peer_gearman(size_t jobs, size_t window)
{
    return run_gearmand(jobs, window);
}

double peer_gearman_drain(size_t jobs)
{
    return run_gearmand(jobs, 0);
}

/* ---- programs ---- */

/* dispatch_peer.py WHAT: jobs per second of JOBS jobs. */
static double ask_python(const char *what, size_t jobs)
{
    const char *argv[] = { "/usr/bin/python3", DROVER_BENCH_FOLDER "/dispatch_peer.py", what,
                           NULL };
    struct peer *peer = peer_start(argv, NULL);
    const char *answer = peer ? peer_ask(peer, "0") : NULL;
    char question[32];
    double rate = NAN;

    snprintf(question, sizeof question, "%zu", jobs);
    if (answer && strncmp(answer, "ready", 5) == 0)
        answer = peer_ask(peer, question);
    else
        answer = NULL;
    if (answer)
        rate = strtod(answer, NULL);
    peer_stop(peer);
    return rate;
}

double peer_dask(size_t jobs)
{
    return ask_python("dask", jobs);
}

double peer_optuna(size_t jobs)
{
    return ask_python("optuna", jobs);
}

double peer_parallel(size_t jobs)
{
    char script[128];
    const char *argv[] = { "/bin/sh", "-c", script, NULL };
    double start = store_seconds();

    snprintf(script, sizeof script, "seq %zu | /usr/bin/parallel -j2 true >/dev/null 2>&1", jobs);
    if (access("/usr/bin/parallel", X_OK) != 0 || !peer_run(argv))
        return NAN;
    return (double)jobs / (store_seconds() - start);
}
