/* SPDX-License-Identifier: Apache-2.0 */
/* peek.c - the outermost layer of protocol buffers: tags, numbers and lengths. */
#include "common/wire/peek.h"

#include <stdbool.h>
#include <string.h>

#include "common/wire/wire.h"

enum { FIELD_PROTOCOL = 1, FIELD_REQUEST = 2 };
enum { TYPE_VARINT = 0, TYPE_64 = 1, TYPE_BYTES = 2, TYPE_32 = 5 };

struct reader {
    const uint8_t *p, *end;
};

/* A number of at most ten bytes. */
static bool varint(struct reader *r, uint64_t *ret)
{
    uint64_t v = 0;

    for (unsigned shift = 0; shift < 70 && r->p < r->end; shift += 7) {
        uint8_t b = *r->p++;

        if (shift == 63 && b > 1)
            return false;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *ret = v;
            return true;
        }
    }
    return false;
}

static bool skip(struct reader *r, uint64_t len)
{
    if (len > (uint64_t)(r->end - r->p))
        return false;
    r->p += len;
    return true;
}

static bool take(struct reader *r, uint64_t tag, struct wire_peek *ret, unsigned *bodies)
{
    const uint64_t field = tag >> 3;
    uint64_t v = 0;

    switch (tag & 7) {
    case TYPE_VARINT:
        if (!varint(r, &v))
            return false;
        if (field == FIELD_PROTOCOL)
            ret->protocol = v <= UINT32_MAX ? (uint32_t)v : 0;
        else if (field == FIELD_REQUEST)
            ret->request = v;
        return true;
    case TYPE_64:
        return skip(r, 8);
    case TYPE_32:
        return skip(r, 4);
    case TYPE_BYTES:
        if (!varint(r, &v) || !skip(r, v))
            return false;
        if (field != FIELD_PROTOCOL && field != FIELD_REQUEST) {
            ret->body = (Drover__Envelope__BodyCase)(field <= INT32_MAX ? field : 0);
            ret->body_len = (size_t)v;
            ++*bodies;
        }
        return true;
    default:
        return false;
    }
}

static bool known(Drover__Envelope__BodyCase body)
{
    return body > 0 &&
           protobuf_c_message_descriptor_get_field(&drover__envelope__descriptor, (unsigned)body);
}

int wire_peek(const void *bytes, size_t len, struct wire_peek *ret, struct err *err)
{
    struct reader r = { bytes, (const uint8_t *)bytes + len };
    unsigned bodies = 0;
    uint64_t tag;

    *ret = (struct wire_peek){ 0 };
    while (r.p < r.end) {
        bool good = varint(&r, &tag) && tag >> 3 != 0 && take(&r, tag, ret, &bodies);

        if (ret->protocol != 0 && ret->protocol != WIRE_PROTOCOL)
            return err_set(err, ERR_VERSION,
                           "the peer speaks protocol %u, this program %d; run the same version of "
                           "drover on both sides",
                           ret->protocol, WIRE_PROTOCOL);
        if (!good)
            return err_set(err, ERR_PROTO, "not a message of drover");
    }
    if (ret->protocol == 0)
        return err_set(err, ERR_PROTO, "message without protocol");
    if (bodies != 1 || !known(ret->body))
        return err_set(err, ERR_PROTO,
                       bodies > 1 ? "message with several bodies" : "message without a known body");
    return 0;
}
