/* SPDX-License-Identifier: Apache-2.0 */
#include "common/net/zap.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "common/base/mem.h"

enum { FRAMES = 7, FRAME_MAX = 255 };
enum frame { VERSION, REQUEST, DOMAIN, ADDRESS, IDENTITY, MECHANISM, CREDENTIALS };

struct zap {
    void *socket;
    struct keyring *allowed;
    pthread_t thread;
    pthread_mutex_t lock;
    struct zap_denial denials[ZAP_DENIALS];
    size_t first, len;
};

struct question {
    char frame[FRAMES][FRAME_MAX + 1];
    size_t len[FRAMES];
    bool whole; /* exactly so many frames, none too long */
};

/* One question; false: the context ends, or nobody asked within the time limit (*RET_OVER). */
static bool receive(struct zap *z, struct question *q, bool *ret_over)
{
    size_t n = 0, size = sizeof(int);
    int more = 1;

    q->whole = true;
    for (; more; n++) {
        char spare[FRAME_MAX + 1], *to = n < FRAMES ? q->frame[n] : spare;
        int got = zmq_recv(z->socket, to, FRAME_MAX, 0);

        if (got < 0) {
            *ret_over = zmq_errno() == ETERM;
            return false;
        }
        q->whole = q->whole && n < FRAMES && got <= FRAME_MAX;
        if (n < FRAMES) {
            q->len[n] = (size_t)MIN(got, FRAME_MAX);
            to[q->len[n]] = '\0';
        }
        if (zmq_getsockopt(z->socket, ZMQ_RCVMORE, &more, &size) < 0)
            more = 0;
    }
    q->whole = q->whole && n == FRAMES;
    return true;
}

static void remember(struct zap *z, const char *key, const char *address)
{
    struct zap_denial *d;

    pthread_mutex_lock(&z->lock);
    if (z->len < ZAP_DENIALS) {
        d = &z->denials[(z->first + z->len++) % ZAP_DENIALS];
        (void)snprintf(d->key, sizeof(d->key), "%s", key);
        (void)snprintf(d->address, sizeof(d->address), "%.63s", address);
    }
    pthread_mutex_unlock(&z->lock);
}

/* Is it a question about a CURVE key, and may that key come in? KEY gets it. */
static bool allowed(struct zap *z, const struct question *q, char key[KEY_TEXT])
{
    struct keylist_row row;

    key[0] = '\0';
    if (!q->whole || strcmp(q->frame[VERSION], "1.0") != 0 ||
        strcmp(q->frame[MECHANISM], "CURVE") != 0 || q->len[CREDENTIALS] != KEY_BYTES)
        return false;
    (void)key_to_text((const uint8_t *)q->frame[CREDENTIALS], key);
    if (keyring_find(z->allowed, key, &row))
        return true;
    keyring_look(z->allowed); /* it may have been allowed a moment ago */
    return keyring_find(z->allowed, key, &row);
}

static void answer(struct zap *z, const struct question *q, bool yes, const char *key)
{
    const char *status = yes ? "200" : "400", *text = yes ? "OK" : "key not allowed";
    const char *user = yes ? key : "";

    /* An answer that cannot be sent is for a connection that is gone. */
    (void)zmq_send(z->socket, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(z->socket, q->frame[REQUEST], q->len[REQUEST], ZMQ_SNDMORE);
    (void)zmq_send(z->socket, status, 3, ZMQ_SNDMORE);
    (void)zmq_send(z->socket, text, strlen(text), ZMQ_SNDMORE);
    (void)zmq_send(z->socket, user, strlen(user), ZMQ_SNDMORE);
    (void)zmq_send(z->socket, "", 0, 0);
}

static void *run(void *arg)
{
    struct zap *z = arg;
    struct question *q = mem_calloc(1, sizeof(*q));
    bool over = false;

    while (!over) {
        char key[KEY_TEXT];

        if (receive(z, q, &over)) {
            bool yes = allowed(z, q, key);

            if (!yes)
                remember(z, key, q->frame[ADDRESS]);
            answer(z, q, yes, key);
        }
        keyring_look(z->allowed);
    }
    (void)zmq_close(z->socket);
    free(q);
    return NULL;
}

/* Signals are for others. */
static int start_thread(struct zap *z)
{
    sigset_t all, before;
    int rc;

    sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    rc = pthread_create(&z->thread, NULL, run, z);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

int zap_start(struct zap **ret, void *context, struct keyring *allowed, struct err *err)
{
    struct zap *z = mem_calloc(1, sizeof(*z));
    int wait_ms = KEYRING_LOOK_MS, linger = 0, rc;

    z->allowed = allowed;
    pthread_mutex_init(&z->lock, NULL);
    z->socket = zmq_socket(context, ZMQ_REP);
    if (!z->socket || zmq_setsockopt(z->socket, ZMQ_RCVTIMEO, &wait_ms, sizeof(wait_ms)) < 0 ||
        zmq_setsockopt(z->socket, ZMQ_LINGER, &linger, sizeof(linger)) < 0 ||
        zmq_bind(z->socket, "inproc://zeromq.zap.01") < 0)
        rc = err_set(err, ERR_IO, "start the handler of keys: %s", zmq_strerror(zmq_errno()));
    else if ((rc = start_thread(z)) != 0)
        rc = err_errno(err, rc, "start the handler of keys");
    if (rc < 0) {
        if (z->socket)
            (void)zmq_close(z->socket);
        pthread_mutex_destroy(&z->lock);
        free(z);
        return rc;
    }
    *ret = z;
    return 0;
}

void zap_stop(struct zap *z)
{
    if (!z)
        return;
    (void)pthread_join(z->thread, NULL);
    pthread_mutex_destroy(&z->lock);
    free(z);
}

bool zap_take(struct zap *z, struct zap_denial *ret)
{
    bool any;

    pthread_mutex_lock(&z->lock);
    any = z->len > 0;
    if (any) {
        *ret = z->denials[z->first];
        z->first = (z->first + 1) % ZAP_DENIALS;
        z->len--;
    }
    pthread_mutex_unlock(&z->lock);
    return any;
}
