/* SPDX-License-Identifier: Apache-2.0 */
/* hostile ENDPOINT WHAT: a peer that breaks the protocol, then tells what the coordinator answered.
 *
 *   garbage    random bytes as messages        overlong   a message above the limit
 *   version    a Hello of another protocol     truncated  half a Hello
 *   stale      results of attempts that nobody gave out
 * Prints one line per answer ("refuse -9: ..."); exits 0 when something was refused or nothing came
 * within 2 s, 1 otherwise. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/clock.h"
#include "common/base/rng.h"
#include "common/net/identity.h"
#include "common/net/transport.h"
#include "common/wire/wire.h"

static void post(struct transport *t, const void *bytes, size_t len)
{
    struct err err = { 0 };

    if (transport_send(t, 0, bytes, len, &err))
        fprintf(stderr, "hostile: %s\n", err.text);
}

static void hello(struct buf *out, uint32_t protocol)
{
    Drover__Hello message = DROVER__HELLO__INIT;
    Drover__Envelope envelope = DROVER__ENVELOPE__INIT;
    uint8_t id[WIRE_WORKER_BYTES] = { 7 };

    message.worker = (ProtobufCBinaryData){ sizeof(id), id };
    message.name = (char *)"hostile";
    message.host = (char *)"nowhere";
    message.version = (char *)"0";
    message.slots = 1;
    message.threads = 1;
    envelope.protocol = protocol;
    envelope.body_case = DROVER__ENVELOPE__BODY_HELLO;
    envelope.hello = &message;
    size_t len = drover__envelope__get_packed_size(&envelope);
    drover__envelope__pack(&envelope, (uint8_t *)buf_reserve(out, len));
    out->len += len;
}

static void stale(struct transport *t)
{
    for (uint64_t attempt = 0; attempt < 50; attempt++) {
        struct buf b = { 0 };
        Drover__JobResult result = DROVER__JOB_RESULT__INIT;
        result.attempt = attempt;
        result.epoch = 1;
        result.seq = attempt + 1;
        result.text = (char *)"forged";
        if (wire_encode(&b, DROVER__ENVELOPE__BODY_JOB_RESULT, &result, 0, NULL) == 0)
            post(t, b.data, b.len);
        buf_release(&b);
    }
}

static void attack(struct transport *t, const char *what)
{
    struct buf b = { 0 };

    if (strcmp(what, "garbage") == 0) {
        for (uint64_t i = 0; i < 200; i++) {
            struct rng r = rng_stream("hostile", 1, i);
            uint8_t bytes[512];
            for (size_t k = 0; k < sizeof(bytes); k++)
                bytes[k] = (uint8_t)rng_below(&r, 256);
            post(t, bytes, rng_below(&r, sizeof(bytes)));
        }
    } else if (strcmp(what, "overlong") == 0) {
        /* The transport refuses to send more than the limit: the largest message it takes, of no
         * meaning. */
        char *bytes = calloc(1, TRANSPORT_MESSAGE_MAX);
        if (bytes)
            post(t, bytes, TRANSPORT_MESSAGE_MAX);
        free(bytes);
    } else if (strcmp(what, "stale") == 0) {
        stale(t);
    } else {
        hello(&b, strcmp(what, "version") == 0 ? WIRE_PROTOCOL + 1 : WIRE_PROTOCOL);
        post(t, b.data, strcmp(what, "truncated") == 0 ? b.len / 2 : b.len);
    }
    buf_release(&b);
}

static int answer(const struct transport_event *e)
{
    Drover__Envelope *envelope = NULL;
    struct err err = { 0 };

    if (wire_decode(e->bytes, e->len, &envelope, NULL, &err)) {
        printf("undecodable: %s\n", err.text);
        return -1;
    }
    if (envelope->body_case == DROVER__ENVELOPE__BODY_REFUSE)
        printf("refuse %d: %s\n", envelope->refuse->code, envelope->refuse->text);
    else
        printf("%s\n", wire_name(envelope->body_case));
    int refused = envelope->body_case == DROVER__ENVELOPE__BODY_REFUSE;
    wire_free(envelope);
    return refused;
}

int main(int argc, char **argv)
{
    const struct identity_choice choice = { .key = NULL }; /* what the environment says */
    struct transport_keys keys;
    struct transport *t = NULL;
    struct err err = { 0 };
    bool refused = false, other = false, attacked = false;

    if (argc != 3 || identity_find(&choice, argv[1], &keys, &err) ||
        transport_connect(&t, argv[1], &keys, &err)) {
        fprintf(stderr, "usage: hostile ENDPOINT WHAT %s\n", err.text);
        return 2;
    }
    uint64_t until_ms = clock_ms() + 5000;
    while (clock_ms() < until_ms && !refused) {
        struct transport_event e;
        while (transport_next(t, &e)) {
            if (e.type == TRANSPORT_CONNECTED && !attacked) {
                attack(t, argv[2]);
                attacked = true;
                until_ms = clock_ms() + 2000;
            }
            if (e.type == TRANSPORT_MESSAGE) {
                int rc = answer(&e);
                refused = refused || rc > 0;
                other = other || rc <= 0;
            }
        }
        clock_sleep_ms(10);
    }
    transport_close(t);
    return attacked && !(other && strcmp(argv[2], "stale") != 0) ? 0 : 1;
}
