/* SPDX-License-Identifier: Apache-2.0 */
/* wire.c - packing and unpacking envelopes; the rules of their fields are in rules.c. */
#include "common/wire/wire.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "common/wire/arena.h"
#include "common/wire/rules.h"

/* All members of the body's union are pointers to messages. */
static void set_body(Drover__Envelope *e, Drover__Envelope__BodyCase body, void *message)
{
    static_assert(sizeof(e->hello) == sizeof(message), "a pointer");
    e->body_case = body;
    memcpy(&e->hello, &message, sizeof(message));
}

static const ProtobufCFieldDescriptor *body_field(Drover__Envelope__BodyCase body)
{
    return protobuf_c_message_descriptor_get_field(&drover__envelope__descriptor, (unsigned)body);
}

int wire_encode(struct buf *out, Drover__Envelope__BodyCase body, void *message, uint64_t request,
                struct err *err)
{
    const ProtobufCFieldDescriptor *field = body_field(body);
    Drover__Envelope e = DROVER__ENVELOPE__INIT;
    size_t len, packed;
    int rc;

    assert(field && ((ProtobufCMessage *)message)->descriptor == field->descriptor);
    e.protocol = WIRE_PROTOCOL;
    e.request = request;
    set_body(&e, body, message);
    rc = rules_check(&e.base, err);
    if (rc < 0)
        return err_wrap(err, ERR_INVALID, "message %s", field->name);
    len = drover__envelope__get_packed_size(&e);
    if (len > WIRE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "%s message of %zu bytes; the limit is %d", field->name, len,
                       WIRE_BYTES_MAX);
    packed = drover__envelope__pack(&e, (uint8_t *)buf_reserve(out, len));
    assert(packed == len);
    out->len += len;
    return 0;
}

/* The protocol number when it is the first field, as every version writes it: readable whatever
 * follows. */
static uint32_t first_field(const uint8_t *p, size_t len)
{
    uint64_t v = 0;

    if (len < 2 || p[0] != 0x08)
        return 0;
    for (size_t i = 1; i < len && i <= 5; i++) {
        v |= (uint64_t)(p[i] & 0x7f) << (7 * (i - 1));
        if (!(p[i] & 0x80))
            return v <= UINT32_MAX ? (uint32_t)v : 0;
    }
    return 0;
}

static int version_error(uint32_t protocol, struct err *err)
{
    return err_set(err, ERR_VERSION,
                   "the peer speaks protocol %u, this program %d; run the same version of drover "
                   "on both sides",
                   protocol, WIRE_PROTOCOL);
}

/* The envelope is the first piece of an arena that holds all of it. */
static int unpack(const void *bytes, size_t len, Drover__Envelope **ret, struct err *err)
{
    struct arena *a = arena_new(len, WIRE_MEMORY_MAX);
    ProtobufCAllocator allocator = arena_allocator(a);
    bool spent;

    *ret = drover__envelope__unpack(&allocator, len, bytes);
    if (*ret) {
        assert(arena_of(*ret) == a);
        return 0;
    }
    spent = arena_spent(a);
    arena_free(a);
    return spent ? err_set(err, ERR_LIMIT, "message needs more than %d bytes decoded",
                           WIRE_MEMORY_MAX)
                 : err_set(err, ERR_PROTO, "not a message of drover");
}

int wire_decode(const void *bytes, size_t len, Drover__Envelope **ret, uint32_t *ret_protocol,
                struct err *err)
{
    uint32_t protocol = first_field(bytes, len);
    Drover__Envelope *e = NULL;
    int rc;

    if (ret_protocol)
        *ret_protocol = protocol;
    if (protocol != 0 && protocol != WIRE_PROTOCOL)
        return version_error(protocol, err);
    if (len > WIRE_BYTES_MAX)
        return err_set(err, ERR_LIMIT, "message of %zu bytes; the limit is %d", len,
                       WIRE_BYTES_MAX);
    rc = unpack(bytes, len, &e, err);
    if (rc < 0)
        return rc;
    if (ret_protocol)
        *ret_protocol = e->protocol;
    if (e->protocol != WIRE_PROTOCOL && e->protocol != 0)
        rc = version_error(e->protocol, err);
    else if (e->protocol == 0 || e->body_case == DROVER__ENVELOPE__BODY__NOT_SET)
        rc = err_set(err, ERR_PROTO, "message without %s",
                     e->protocol ? "a known body" : "protocol");
    else
        rc = rules_check(&e->base, err);
    if (rc < 0) {
        wire_free(e);
        return rc;
    }
    *ret = e;
    return 0;
}

void wire_free(Drover__Envelope *e)
{
    if (e)
        arena_free(arena_of(e));
}

void wire_cleanup(Drover__Envelope **e)
{
    wire_free(*e);
}

const char *wire_name(Drover__Envelope__BodyCase body)
{
    const ProtobufCFieldDescriptor *field = body_field(body);

    return field ? field->name : "nothing";
}

ProtobufCBinaryData wire_bytes(const struct digest *d)
{
    return (ProtobufCBinaryData){ .len = DIGEST_BYTES, .data = (uint8_t *)(uintptr_t)d->b };
}

struct digest wire_digest(ProtobufCBinaryData b)
{
    struct digest d = { { 0 } };

    assert(b.len == 0 || b.len == DIGEST_BYTES);
    if (b.len)
        memcpy(d.b, b.data, DIGEST_BYTES);
    return d;
}

const char *wire_worker_state(const Drover__WorkerStatus *w)
{
    return w->unreachable ? "gone"
           : w->quiet     ? "quiet"
           : w->draining  ? "draining"
           : w->paused    ? "paused"
                          : "working";
}
