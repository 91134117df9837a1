/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/service.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dashboards/live.h"
#include "store/browse/grid.h"
#include "store/browse/labels.h"
#include "store/browse/ledger.h"
#include "store/change.h"
#include "store/control.h"
#include "store/store.h"

/* While the store is written fast, whoever reads for long keeps the writer's log from being begun
 * anew: at 17 MB/s five seconds make 85 MB of it. */
enum {
    LOG_LONG = 24 << 20, /* a log that grows beyond this is cut loose from its readers: */
    LOG_READER_MS = 300, /* those that have read for so long end, */
    LOG_HOLD_MS = 2000,  /* and nobody begins to until it begins anew, at most so long */
    LOG_LOOK_MS = 10,
};

struct service {
    const struct service_options *o;
    struct answers_maker maker;
    struct lookout *lookout;
    struct answers *answers;
    struct events *events;
    /* Held for reading by who answers; for writing while they are made anew. */
    pthread_rwlock_t objects;
    struct grids *grids;
    struct ledger *ledger;
    struct label_cache *labels;
    struct live *live;
    uint64_t generation; /* of the file that they belong to */
    struct own *own[ANSWERS_THREADS_MAX + 1];
    size_t owns;
    int log_fd;
    uint64_t log_bytes;
};

/* What a thread has for itself. The mutex guards STORE, BEGUN_MS and CUT against others. */
struct own {
    struct service *of;
    pthread_mutex_t mutex;
    struct store *store; /* NULL: to be opened */
    uint64_t begun_ms;   /* 0: it does not read */
    bool cut;            /* for the sake of the log */
    uint64_t generation;
    atomic_bool stopping;
};

struct asked *asked_new(void)
{
    return mem_calloc(1, sizeof(struct asked));
}

void asked_free(void *asked)
{
    struct asked *a = asked;

    if (!a)
        return;
    buf_release(&a->body);
    free(a);
}

/* ---- answering ---- */

static void put_store(struct own *own, struct store *store)
{
    struct store *old;

    pthread_mutex_lock(&own->mutex);
    old = own->store;
    own->store = store;
    pthread_mutex_unlock(&own->mutex);
    store_close(old);
}

static int have_store(struct own *own, struct err *err)
{
    struct lookout_state state;
    struct store *store;
    int rc;

    lookout_state(own->of->lookout, &state);
    if (state.trouble.code != ERR_OK)
        return err_set(err, state.trouble.code == ERR_VERSION ? ERR_VERSION : ERR_AGAIN, "%s",
                       state.trouble.text);
    if (own->store && own->generation == state.generation)
        return 0;
    put_store(own, NULL);
    rc = store_open_read(&store, own->of->o->store, err);
    if (rc < 0)
        return rc;
    own->generation = state.generation;
    put_store(own, store);
    return 0;
}

static void set_begun(struct own *own, uint64_t begun_ms)
{
    pthread_mutex_lock(&own->mutex);
    own->begun_ms = begun_ms;
    if (begun_ms)
        own->cut = false;
    pthread_mutex_unlock(&own->mutex);
}

static int explain(struct own *own, int rc, uint32_t time_ms, struct err *err)
{
    if (rc < 0 && own->cut)
        return err_set(err, ERR_AGAIN,
                       "results are being stored so fast that long reading would hold up their "
                       "log: stopped early; ask again in a moment, or for less");
    if (rc == ERR_TIMEOUT && !err->text[0])
        return err_set(err, ERR_TIMEOUT, "the answer took longer than %u ms and was stopped",
                       time_ms);
    return rc > 0 ? err_set(err, ERR_INTERNAL, "a handler that stopped half-way") : rc;
}

static int make(void *arg, const void *what, uint64_t change, struct buf *out, struct err *err)
{
    struct own *own = arg;
    struct service *s = own->of;
    const struct asked *asked = what;
    struct api_call call = { .request = &asked->request,
                             .change = change,
                             .now_ms = clock_wall_ms(),
                             .time_ms = s->o->time_ms,
                             .out = out };
    unsigned left;
    int rc = have_store(own, err);

    if (rc == 0 && own->stopping)
        rc = err_set(err, ERR_AGAIN, "the server is being stopped");
    if (rc < 0)
        return rc;
    pthread_rwlock_rdlock(&s->objects);
    call.store = own->store;
    call.grids = s->grids;
    call.ledger = s->ledger;
    call.labels = s->labels;
    call.live = s->live;
    store_wait_turn();
    set_begun(own, clock_ms());
    store_time_limit(own->store, call.time_ms);
    rc = asked->route->fn(&call, err);
    store_time_limit(own->store, 0);
    set_begun(own, 0);
    pthread_rwlock_unlock(&s->objects);
    left = store_rest(own->store);
    if (left)
        log_error("statements_left_open", "route=\"%s\" statements=%u", asked->route->pattern,
                  left);
    if (rc == ERR_CORRUPT || rc == ERR_IO) /* opened anew next time */
        put_store(own, NULL);
    return explain(own, rc, call.time_ms, err);
}

static void *begin(void *arg)
{
    struct own *own = mem_calloc(1, sizeof *own);

    own->of = arg;
    pthread_mutex_init(&own->mutex, NULL);
    pthread_rwlock_wrlock(&own->of->objects);
    own->of->own[own->of->owns++] = own;
    pthread_rwlock_unlock(&own->of->objects);
    return own;
}

static void end(void *arg)
{
    struct own *own = arg;

    store_close(own->store);
    pthread_mutex_destroy(&own->mutex);
    free(own);
}

static void interrupt(void *arg)
{
    struct own *own = arg;

    own->stopping = true;
    pthread_mutex_lock(&own->mutex);
    if (own->store)
        store_interrupt(own->store);
    pthread_mutex_unlock(&own->mutex);
}

static uint64_t change(void *arg, bool live_too)
{
    struct service *s = arg;

    lookout_asked(s->lookout);
    return lookout_change(s->lookout, live_too);
}

/* ---- what hangs on the store ---- */

static int make_objects(struct service *s, struct err *err)
{
    const struct live_options o = { .store = s->o->store,
                                    .key = s->o->key,
                                    .server_key = s->o->server_key,
                                    .insecure = s->o->insecure };
    int rc = grids_new(&s->grids, s->o->store, s->o->memory, err);

    s->labels = label_cache_new(0);
    if (rc == 0)
        rc = ledger_new(&s->ledger, s->o->store, err);
    return rc < 0 ? rc : live_new(&s->live, &o, err);
}

static void drop_objects(struct service *s)
{
    grids_free(s->grids);
    ledger_free(s->ledger);
    label_cache_free(s->labels);
    live_free(s->live);
    s->grids = NULL;
    s->ledger = NULL;
    s->labels = NULL;
    s->live = NULL;
}

static uint64_t changes(void *arg)
{
    struct service *s = arg;

    if (!s->grids || !s->ledger) /* could not be made anew */
        return 0;
    return grids_version(s->grids) + ledger_version(s->ledger) + label_cache_version(s->labels);
}

static uint64_t live(void *arg)
{
    struct service *s = arg;

    return s->live && events_count(s->events) ? live_change(s->live) : 0;
}

static void cut_long_readers(struct service *s)
{
    const uint64_t now_ms = clock_ms();

    pthread_rwlock_rdlock(&s->objects);
    for (size_t i = 0; i < s->owns; i++) {
        struct own *own = s->own[i];

        pthread_mutex_lock(&own->mutex);
        if (own->store && own->begun_ms && now_ms - own->begun_ms >= LOG_READER_MS) {
            own->cut = true;
            store_interrupt(own->store);
        }
        pthread_mutex_unlock(&own->mutex);
    }
    pthread_rwlock_unlock(&s->objects);
}

/* When the log grows long and is not begun anew, nobody begins to read until it is, and who has
 * read for long stops. */
static void keep_log_short(struct service *s)
{
    const uint64_t until_ms = clock_ms() + LOG_HOLD_MS, before = s->log_bytes;
    struct store_log log;
    uint64_t longest;

    if (s->log_fd < 0)
        s->log_fd = store_log_open(s->o->store);
    store_log_read(s->log_fd, &log);
    s->log_bytes = longest = log.bytes;
    if (log.bytes <= before || log.bytes <= LOG_LONG)
        return;
    store_hold_readers(true);
    while (log.bytes > longest / 2 && clock_ms() < until_ms) {
        cut_long_readers(s);
        clock_sleep_ms(LOG_LOOK_MS);
        store_log_read(s->log_fd, &log);
        longest = MAX(longest, log.bytes);
    }
    store_hold_readers(false);
    s->log_bytes = log.bytes;
}

/* On the thread of the lookout, which alone changes the objects. */
static void tick(void *arg, const struct lookout_state *state)
{
    struct service *s = arg;
    struct err err = { 0 };

    if (state->generation != s->generation) {
        log_warn("store_replaced",
                 "store=\"%s\" text=\"another file lies there now; it is read "
                 "from here on\"",
                 s->o->store);
        pthread_rwlock_wrlock(&s->objects);
        drop_objects(s);
        if (make_objects(s, &err) < 0)
            log_error("objects", "text=\"%s\"", err.text);
        pthread_rwlock_unlock(&s->objects);
        s->generation = state->generation;
        s->log_fd = store_log_open(s->o->store); /* the other one stays open: store/change.h */
    }
    keep_log_short(s);
    if (events_count(s->events))
        lookout_asked(s->lookout);
    events_tick(s->events, state, clock_ms());
}

/* ---- life ---- */

int service_start(struct service **ret, const struct service_options *o, struct err *err)
{
    struct service *s = mem_calloc(1, sizeof *s);
    const struct lookout_calls calls = { .changes = changes, .live = live, .tick = tick, .arg = s };
    struct lookout_state state;
    int rc;

    s->o = o;
    s->generation = 1;
    s->log_fd = -1;
    s->maker = (struct answers_maker){
        .begin = begin, .make = make, .interrupt = interrupt, .end = end, .change = change, .arg = s
    };
    pthread_rwlock_init(&s->objects, NULL);
    s->events = events_new();
    rc = make_objects(s, err);
    if (rc == 0)
        rc = lookout_start(&s->lookout, o->store, &calls, err);
    if (rc < 0) {
        service_free(s);
        return rc;
    }
    lookout_state(s->lookout, &state);
    events_tick(s->events, &state, clock_ms()); /* who comes before the first look */
    s->answers = answers_start(&s->maker, o->threads, ANSWERS_BYTES);
    *ret = s;
    return 0;
}

void service_stop(struct service *s)
{
    events_end(s->events);
    lookout_stop(s->lookout);
    if (s->answers)
        answers_stop(s->answers);
}

void service_free(struct service *s)
{
    if (!s)
        return;
    service_stop(s);
    answers_free(s->answers);
    lookout_free(s->lookout);
    drop_objects(s);
    events_free(s->events);
    pthread_rwlock_destroy(&s->objects);
    free(s);
}

struct answers *service_answers(struct service *s)
{
    return s->answers;
}

struct events *service_events(struct service *s)
{
    return s->events;
}

struct lookout *service_lookout(struct service *s)
{
    return s->lookout;
}
