/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/events.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"

struct listener {
    struct events *of;
    struct listener *next;
    void (*wake)(void *arg);
    void *arg;
    struct buf pending;
    size_t sent; /* of pending */
    bool asleep;
    uint64_t change, live; /* told last; 0: nothing yet */
    enum err_code trouble;
    uint64_t told_ms;
};

struct events {
    pthread_mutex_t mutex; /* guards all */
    struct listener *first;
    size_t len;
    struct lookout_state state;
    uint64_t now_ms;
    bool ended;
};

/* ---- messages ---- */

static void write_change(struct listener *l, const struct lookout_state *s, uint64_t now_ms)
{
    struct jsonw w = { .to = &l->pending };

    buf_adds(&l->pending, "event: change\ndata: ");
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_int(&w, "change", (int64_t)s->change);
    jsonw_int(&w, "live", (int64_t)s->live);
    jsonw_text(&w, "store", s->trouble.code == ERR_OK ? "open" : s->trouble.text);
    jsonw_close(&w, '}');
    buf_adds(&l->pending, "\n\n");
    l->change = s->change;
    l->live = s->live;
    l->trouble = s->trouble.code;
    l->told_ms = now_ms;
}

/* Nothing is added before what is there was read: a slow reader gets fewer events, not more bytes.
 */
static void tell(struct listener *l, const struct lookout_state *s, uint64_t now_ms)
{
    bool news = l->change != s->change || l->live != s->live || l->trouble != s->trouble.code;

    if (l->sent < l->pending.len)
        return;
    buf_clear(&l->pending);
    l->sent = 0;
    if (news && (l->change == 0 || now_ms - l->told_ms >= EVENTS_APART_MS)) {
        write_change(l, s, now_ms);
    } else if (now_ms - l->told_ms >= EVENTS_ALIVE_MS) {
        buf_adds(&l->pending, ": here\n\n");
        l->told_ms = now_ms;
    } else {
        return;
    }
    if (l->asleep) {
        l->asleep = false;
        l->wake(l->arg);
    }
}

/* ---- listeners ---- */

struct listener *events_join(struct events *e, void (*wake)(void *arg), void *arg)
{
    struct listener *l = NULL;

    pthread_mutex_lock(&e->mutex);
    if (!e->ended && e->len < EVENTS_LISTENERS_MAX) {
        l = mem_calloc(1, sizeof *l);
        l->of = e;
        l->wake = wake;
        l->arg = arg;
        l->next = e->first;
        e->first = l;
        e->len++;
        buf_adds(&l->pending, "retry: 2000\n\n");
        write_change(l, &e->state, e->now_ms);
    }
    pthread_mutex_unlock(&e->mutex);
    return l;
}

void events_leave(struct listener *l)
{
    struct events *e = l->of;

    pthread_mutex_lock(&e->mutex);
    for (struct listener **at = &e->first; *at; at = &(*at)->next) {
        if (*at == l) {
            *at = l->next;
            break;
        }
    }
    e->len--;
    pthread_mutex_unlock(&e->mutex);
    buf_release(&l->pending);
    free(l);
}

enum events_read events_take(struct listener *l, char *to, size_t len, size_t *ret_len,
                             void (*sleep)(void *arg), void *arg)
{
    enum events_read what = EVENTS_SOME;

    *ret_len = 0;
    pthread_mutex_lock(&l->of->mutex);
    if (l->sent < l->pending.len) {
        *ret_len = MIN(len, l->pending.len - l->sent);
        memcpy(to, l->pending.data + l->sent, *ret_len);
        l->sent += *ret_len;
    } else if (l->of->ended) {
        what = EVENTS_END;
    } else {
        what = EVENTS_NONE;
        l->asleep = true;
        sleep(arg);
    }
    pthread_mutex_unlock(&l->of->mutex);
    return what;
}

/* ---- the list ---- */

void events_tick(struct events *e, const struct lookout_state *state, uint64_t now_ms)
{
    pthread_mutex_lock(&e->mutex);
    e->state = *state;
    e->now_ms = now_ms;
    for (struct listener *l = e->first; l && !e->ended; l = l->next)
        tell(l, state, now_ms);
    pthread_mutex_unlock(&e->mutex);
}

void events_end(struct events *e)
{
    pthread_mutex_lock(&e->mutex);
    e->ended = true;
    for (struct listener *l = e->first; l; l = l->next) {
        if (l->asleep) {
            l->asleep = false;
            l->wake(l->arg);
        }
    }
    pthread_mutex_unlock(&e->mutex);
}

size_t events_count(struct events *e)
{
    size_t len;

    pthread_mutex_lock(&e->mutex);
    len = e->len;
    pthread_mutex_unlock(&e->mutex);
    return len;
}

struct events *events_new(void)
{
    struct events *e = mem_calloc(1, sizeof *e);

    pthread_mutex_init(&e->mutex, NULL);
    return e;
}

void events_free(struct events *e)
{
    if (!e)
        return;
    assert(!e->first);
    pthread_mutex_destroy(&e->mutex);
    free(e);
}
