/* SPDX-License-Identifier: Apache-2.0 */
#include "common/wire/pack.h"

enum { VARINT = 0, LENGTH = 2, PROTOCOL_FIELD = 1, REQUEST_FIELD = 2 };

void pack_varint(struct buf *out, uint64_t v)
{
    uint8_t *to = (uint8_t *)buf_reserve(out, PACK_VARINT_MAX);
    size_t n = 0;

    for (; v >= 0x80; v >>= 7)
        to[n++] = (uint8_t)(v | 0x80);
    to[n++] = (uint8_t)v;
    out->len += n;
    out->data[out->len] = '\0';
}

void pack_u64(struct buf *out, unsigned number, uint64_t v)
{
    if (v == 0)
        return;
    pack_varint(out, (uint64_t)number << 3 | VARINT);
    pack_varint(out, v);
}

void pack_bytes(struct buf *out, unsigned number, const void *bytes, size_t len)
{
    pack_varint(out, (uint64_t)number << 3 | LENGTH);
    pack_varint(out, len);
    buf_add(out, bytes, len);
}

void pack_envelope(struct buf *out, Drover__Envelope__BodyCase body, size_t len, uint64_t request)
{
    pack_u64(out, PROTOCOL_FIELD, WIRE_PROTOCOL);
    pack_u64(out, REQUEST_FIELD, request);
    pack_varint(out, (uint64_t)body << 3 | LENGTH);
    pack_varint(out, len);
}
