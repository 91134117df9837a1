/* SPDX-License-Identifier: Apache-2.0 */
/* live.c - the thread that asks. It alone touches the transport; what it learnt lies behind a mutex
 * that is held for moments. */
#include "dashboards/live.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/base/clock.h"
#include "common/base/mem.h"
#include "common/net/identity.h"
#include "common/net/loop.h"
#include "common/net/transport.h"
#include "store/store.h"

enum {
    ROUND_MS = 250,     /* between two looks at the clock while awake */
    IDLE_MS = 600000,   /* between two such while nobody looks; it is woken */
    HOLDER_MS = 1000,   /* between two looks at the store's lock */
    KEYS_MS = 5000,     /* after keys that could not be read */
    HANG_UP_MS = 30000, /* after somebody looked: the connection is given up */
    ANSWER_MS = 5000,   /* then the question is lost */
    HANG_UPS_MAX = 3,   /* in the handshake, before it is believed to be meant */
    WHYS_MAX = 16,      /* questions on demand at once */
    REQUEST_STATUS = 1, /* numbers of requests; those on demand are above */
};

/* A question on demand; it lives on the stack of who waits for it. */
struct why {
    uint64_t job, request; /* request 0: not sent yet */
    struct buf *ret;
    bool over;
    int rc;
    struct err err;
};

struct live {
    char *store, *key, *server_key;
    bool insecure;

    pthread_t thread;
    pthread_mutex_t lock; /* over what follows up to the line */
    pthread_cond_t news;
    bool stop;
    uint64_t looked_ms;       /* last live_hold */
    uint64_t answers;         /* that came */
    uint64_t changes, digest; /* of what it knows; of the last answer */
    uint64_t answered_ms;
    Drover__Envelope *answer;
    int pid;
    char endpoint[STORE_ENDPOINT_MAX], why[256];
    struct why *whys[WHYS_MAX];
    struct live_view view;
    /* ---- the thread's own ---- */
    struct loop *loop;
    struct transport *t;
    char to[STORE_ENDPOINT_MAX]; /* where T leads */
    int to_pid;
    bool connected;
    unsigned hang_ups;
    uint64_t asked_ms;                   /* 0: no question is under way */
    uint64_t ask_ms, holder_ms, keys_ms; /* when to do it next */
    uint64_t request;
};

/* ---- what is told ---- */

static void say(struct live *l, const char *why)
{
    pthread_mutex_lock(&l->lock);
    l->changes += strncmp(l->why, why, sizeof(l->why) - 1) != 0;
    (void)snprintf(l->why, sizeof(l->why), "%.255s", why);
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
}

static void forget_answer(struct live *l)
{
    if (l->answer)
        wire_free(l->answer);
    l->answer = NULL;
}

/* Under the lock. */
static void end_why(struct live *l, size_t i, int rc, const char *text)
{
    struct why *w = l->whys[i];

    w->rc = rc ? err_set(&w->err, (enum err_code)rc, "%s", text) : 0;
    w->over = true;
    l->whys[i] = NULL;
    pthread_cond_broadcast(&l->news);
}

static void end_whys(struct live *l, int rc, const char *text)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < WHYS_MAX; i++)
        if (l->whys[i])
            end_why(l, i, rc, text);
    pthread_mutex_unlock(&l->lock);
}

/* ---- the connection ---- */

static void hang_up(struct live *l)
{
    if (!l->t)
        return;
    loop_remove_transport(l->loop, l->t);
    transport_close(l->t);
    l->t = NULL;
    l->to[0] = '\0';
    l->connected = false;
    l->hang_ups = 0;
    l->asked_ms = 0;
}

static void send_message(struct live *l, Drover__Envelope__BodyCase body, void *message,
                         uint64_t request)
{
    struct buf bytes CLEANUP(buf_release) = { 0 };
    struct err err = { 0 };
    int rc = wire_encode(&bytes, body, message, request, &err);

    if (!rc)
        rc = transport_send(l->t, 0, bytes.data, bytes.len, &err);
    if (rc)
        say(l, err.text);
}

static void ask_status(struct live *l, uint64_t now)
{
    Drover__StatusRequest request = DROVER__STATUS_REQUEST__INIT;

    request.workers = request.only_workers = request.running = true;
    l->asked_ms = now;
    l->ask_ms = now + LIVE_ASK_MS;
    send_message(l, DROVER__ENVELOPE__BODY_STATUS_REQUEST, &request, REQUEST_STATUS);
}

static void send_why(struct live *l, uint64_t job, uint64_t request)
{
    Drover__Control m = DROVER__CONTROL__INIT;
    char text[24];

    (void)snprintf(text, sizeof(text), "%llu", (unsigned long long)job);
    m.verb = DROVER__CONTROL__VERB__WHY;
    m.job = text;
    send_message(l, DROVER__ENVELOPE__BODY_CONTROL, &m, request);
}

static void send_whys(struct live *l)
{
    struct {
        uint64_t job, request;
    } due[WHYS_MAX];
    size_t n = 0;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < WHYS_MAX; i++) {
        if (!l->whys[i] || l->whys[i]->request)
            continue;
        l->whys[i]->request = ++l->request;
        due[n].job = l->whys[i]->job;
        due[n++].request = l->request;
    }
    pthread_mutex_unlock(&l->lock);
    for (size_t i = 0; i < n; i++)
        send_why(l, due[i].job, due[i].request);
}

/* ---- what comes ---- */

static uint64_t mix(uint64_t h, uint64_t v)
{
    return (h ^ v) * 0x9E3779B97F4A7C15u + (h >> 29);
}

static uint64_t mix_text(uint64_t h, const char *s)
{
    for (; *s; s++)
        h = mix(h, (unsigned char)*s);
    return h;
}

/* Of all that people see but the time. */
static uint64_t digest_of_status(const Drover__Status *s)
{
    uint64_t h = mix(s->incarnation, s->running_all);

    for (size_t i = 0; i < s->n_workers; i++) {
        const Drover__WorkerStatus *w = s->workers[i];

        h = mix_text(h, w->name);
        h = mix(h, w->running + ((uint64_t)w->waiting << 20) + ((uint64_t)w->slots << 40));
        h = mix(h, w->jobs_done * 16 + w->draining * 8u + w->quiet * 4u + w->paused * 2u +
                       (uint64_t)w->unreachable);
    }
    for (size_t i = 0; i < s->n_running; i++)
        h = mix(mix(h, s->running[i]->job), s->running[i]->done);
    return h;
}

static void take_status(struct live *l, Drover__Envelope *m)
{
    const uint64_t digest = digest_of_status(m->status);

    l->asked_ms = 0;
    pthread_mutex_lock(&l->lock);
    l->changes += !l->answer || l->why[0] || digest != l->digest;
    l->digest = digest;
    forget_answer(l);
    l->answer = m;
    l->answered_ms = clock_ms();
    l->answers++;
    l->why[0] = '\0';
    pthread_cond_broadcast(&l->news);
    pthread_mutex_unlock(&l->lock);
}

static void take_why(struct live *l, uint64_t request, int rc, const char *text)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < WHYS_MAX; i++) {
        if (!l->whys[i] || l->whys[i]->request != request)
            continue;
        if (rc == 0)
            buf_adds(l->whys[i]->ret, text);
        end_why(l, i, rc, text);
    }
    pthread_mutex_unlock(&l->lock);
}

static void take_refusal(struct live *l, const Drover__Envelope *m)
{
    const char *text = m->refuse->text && *m->refuse->text ? m->refuse->text : "it refuses";

    if (m->request > REQUEST_STATUS) {
        take_why(l, m->request, m->refuse->code < 0 ? m->refuse->code : ERR_INTERNAL, text);
        return;
    }
    l->asked_ms = 0;
    say(l, text);
}

static void take_message(struct live *l, const struct transport_event *e)
{
    Drover__Envelope *m = NULL;
    struct err err = { 0 };

    if (wire_decode(e->bytes, e->len, &m, NULL, &err) != 0) {
        char text[600];

        (void)snprintf(text, sizeof(text), "%.200s answers what cannot be read: %.300s", l->to,
                       err.text);
        say(l, text);
        return;
    }
    if (m->body_case == DROVER__ENVELOPE__BODY_STATUS && m->request == REQUEST_STATUS) {
        take_status(l, m); /* keeps it */
        return;
    }
    if (m->body_case == DROVER__ENVELOPE__BODY_REFUSE)
        take_refusal(l, m);
    else if (m->body_case == DROVER__ENVELOPE__BODY_CONTROLLED && !m->controlled->unfinished)
        take_why(l, m->request, 0, m->controlled->text);
    wire_free(m);
}

static void on_denied(struct live *l, const struct transport_event *e)
{
    char text[600];

    if (!e->certain && ++l->hang_ups < HANG_UPS_MAX)
        return;
    (void)snprintf(
        text, sizeof(text),
        "%.200s: %.150s; give the dashboard a key that the coordinator knows (role view): "
        "drover key allow, or run it as the user who owns the store",
        l->to, e->why);
    say(l, text);
    end_whys(l, ERR_DENIED, text);
}

static void on_event(void *arg, const struct transport_event *e)
{
    struct live *l = arg;

    if (e->type == TRANSPORT_CONNECTED) {
        l->connected = true;
        l->hang_ups = 0;
        l->asked_ms = l->ask_ms = 0;
    } else if (e->type == TRANSPORT_DISCONNECTED) {
        l->connected = false;
        l->asked_ms = 0;
        l->holder_ms = 0; /* somebody else has it, perhaps */
        end_whys(l, ERR_NOT_FOUND, "the connection to the coordinator broke; try again");
    } else if (e->type == TRANSPORT_DENIED) {
        on_denied(l, e);
    } else if (e->type == TRANSPORT_MESSAGE) {
        take_message(l, e);
    }
}

/* ---- who has the store ---- */

/* Under no lock. Nobody, or somebody without an endpoint: what was known is over. */
static void look_for_holder(struct live *l)
{
    char endpoint[STORE_ENDPOINT_MAX] = "";
    struct err err = { 0 };
    int pid = 0;
    const int rc = store_lock_holder(l->store, &pid, endpoint, &err);

    pthread_mutex_lock(&l->lock);
    l->changes += l->pid != (rc == 0 ? pid : 0);
    l->pid = rc == 0 ? pid : 0;
    (void)snprintf(l->endpoint, sizeof(l->endpoint), "%s", endpoint);
    if (rc != 0 || !endpoint[0]) {
        forget_answer(l);
        (void)snprintf(l->why, sizeof(l->why), "%.250s",
                       rc == ERR_NOT_FOUND ? ""
                       : rc                ? err.text
                                           : "it has not said yet where it is");
    }
    pthread_mutex_unlock(&l->lock);
    if (rc != 0 || !endpoint[0] || strcmp(endpoint, l->to) != 0 || pid != l->to_pid)
        hang_up(l);
    if (rc != 0 || !endpoint[0])
        end_whys(l, ERR_NOT_FOUND, "no coordinator runs on this store");
}

static void call_up(struct live *l, uint64_t now)
{
    struct transport_keys keys CLEANUP(transport_keys_wipe) = { .insecure = false };
    const struct identity_choice choice = {
        .key = l->key, .server_key = l->server_key, .store = l->store, .insecure = l->insecure
    };
    struct err err = { 0 };
    int rc = identity_find(&choice, l->endpoint, &keys, &err);

    if (!rc)
        rc = transport_connect(&l->t, l->endpoint, &keys, &err);
    if (rc) {
        l->t = NULL;
        l->keys_ms = now + KEYS_MS;
        say(l, err.text);
        end_whys(l, rc, err.text);
        return;
    }
    (void)snprintf(l->to, sizeof(l->to), "%s", l->endpoint);
    l->to_pid = l->pid;
    loop_add_transport(l->loop, l->t, on_event, l);
}

/* ---- the thread ---- */

static void do_round(struct live *l, uint64_t now)
{
    if (now >= l->holder_ms) {
        l->holder_ms = now + HOLDER_MS;
        look_for_holder(l);
    }
    if (!l->t && l->endpoint[0] && now >= l->keys_ms)
        call_up(l, now);
    if (l->asked_ms && now > l->asked_ms + ANSWER_MS) {
        l->asked_ms = 0;
        say(l, "the coordinator does not answer");
    }
    if (!l->connected)
        return;
    if (!l->asked_ms && now >= l->ask_ms)
        ask_status(l, now);
    send_whys(l);
}

static void woken(void *arg)
{
    (void)arg; /* the round that follows does the rest */
}

static void *work(void *arg)
{
    struct live *l = arg;
    struct err err = { 0 };

    for (;;) {
        bool awake = false;

        pthread_mutex_lock(&l->lock);
        const bool stop = l->stop;
        const uint64_t now = clock_ms(), quiet = now - MIN(l->looked_ms, now);
        for (size_t i = 0; i < WHYS_MAX; i++)
            awake = awake || l->whys[i];
        pthread_mutex_unlock(&l->lock);
        awake = awake || quiet < LIVE_AWAKE_MS;
        if (stop)
            break;
        if (awake)
            do_round(l, now);
        else if (quiet > HANG_UP_MS)
            hang_up(l);
        if (loop_step(l->loop, awake ? ROUND_MS : l->t ? LIVE_AWAKE_MS : IDLE_MS, &err) != 0)
            clock_sleep_ms(ROUND_MS);
    }
    hang_up(l);
    return NULL;
}

static void release(struct live *l)
{
    loop_free(l->loop);
    forget_answer(l);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_cond_destroy(&l->news);
    free(l->store);
    free(l->key);
    free(l->server_key);
    free(l);
}

int live_new(struct live **ret, const struct live_options *o, struct err *err)
{
    struct live *l = mem_calloc(1, sizeof(*l));
    pthread_condattr_t monotonic;

    *ret = NULL;
    l->store = mem_strdup(o->store);
    l->key = o->key ? mem_strdup(o->key) : NULL;
    l->server_key = o->server_key ? mem_strdup(o->server_key) : NULL;
    l->insecure = o->insecure;
    l->request = REQUEST_STATUS;
    l->looked_ms = clock_ms();
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->news, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    int rc = loop_new(&l->loop, err);
    if (!rc) {
        loop_on_wake(l->loop, woken, l);
        if (pthread_create(&l->thread, NULL, work, l) != 0)
            rc = err_set(err, ERR_NOMEM, "no thread for asking the coordinator");
    }
    if (rc) {
        release(l);
        return rc;
    }
    *ret = l;
    return 0;
}

void live_free(struct live *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stop = true;
    pthread_mutex_unlock(&l->lock);
    loop_wake(l->loop);
    (void)pthread_join(l->thread, NULL);
    release(l);
}

/* ---- for the handlers ---- */

/* Under the lock. */
static void look(struct live *l)
{
    const uint64_t now = clock_ms();

    if (now - MIN(l->looked_ms, now) > LIVE_AWAKE_MS - ROUND_MS)
        loop_wake(l->loop);
    l->looked_ms = now;
}

const struct live_view *live_hold(struct live *l)
{
    static const struct live_view nothing = { .why = "nobody asks the coordinator" };

    if (!l)
        return &nothing;
    pthread_mutex_lock(&l->lock);
    look(l);
    l->view = (struct live_view){ .pid = l->pid };
    l->view.age_ms = l->answer ? clock_ms() - l->answered_ms : 0;
    l->view.here = l->answer && l->view.age_ms <= LIVE_STALE_MS;
    l->view.status = l->view.here ? l->answer->status : NULL;
    memcpy(l->view.endpoint, l->endpoint, sizeof(l->view.endpoint));
    if (!l->view.here && l->pid)
        (void)snprintf(l->view.why, sizeof(l->view.why), "%s",
                       l->why[0] ? l->why : "the coordinator has not answered yet");
    return &l->view;
}

uint64_t live_change(struct live *l)
{
    if (!l)
        return 0;
    pthread_mutex_lock(&l->lock);
    look(l);
    const uint64_t changes = l->changes;
    pthread_mutex_unlock(&l->lock);
    return changes;
}

void live_give(struct live *l)
{
    if (l)
        pthread_mutex_unlock(&l->lock);
}

static void wait_news(struct live *l, uint64_t until_ms)
{
    const struct timespec at = { .tv_sec = (time_t)(until_ms / 1000),
                                 .tv_nsec = (long)(until_ms % 1000) * 1000000 };

    (void)pthread_cond_timedwait(&l->news, &l->lock, &at);
}

void live_wait(struct live *l, uint32_t wait_ms)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    const uint64_t until = clock_ms() + wait_ms, answers = l->answers;
    const bool stale = !l->answer || clock_ms() - l->answered_ms > 2 * LIVE_ASK_MS;

    look(l);
    while (stale && l->pid && !l->why[0] && l->answers == answers && clock_ms() < until)
        wait_news(l, until);
    pthread_mutex_unlock(&l->lock);
}

int live_why(struct live *l, uint64_t job, uint32_t wait_ms, struct buf *ret, struct err *err)
{
    struct why w = { .job = job, .ret = ret };
    size_t place = 0;

    if (!l)
        return err_set(err, ERR_NOT_FOUND, "nobody asks the coordinator");
    const uint64_t until = clock_ms() + wait_ms;
    pthread_mutex_lock(&l->lock);
    look(l);
    while (place < WHYS_MAX && l->whys[place])
        place++;
    if (place == WHYS_MAX) {
        pthread_mutex_unlock(&l->lock);
        return err_set(err, ERR_AGAIN, "%d questions wait for the coordinator; try again",
                       WHYS_MAX);
    }
    l->whys[place] = &w;
    loop_wake(l->loop);
    while (!w.over && clock_ms() < until)
        wait_news(l, until);
    if (!w.over) {
        l->whys[place] = NULL;
        w.rc = err_set(&w.err, ERR_TIMEOUT, "the coordinator did not answer within %u ms; %s",
                       wait_ms, l->why[0] ? l->why : "try again");
    }
    pthread_mutex_unlock(&l->lock);
    if (w.rc && err)
        *err = w.err;
    return w.rc;
}
