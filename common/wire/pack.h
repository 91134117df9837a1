/* SPDX-License-Identifier: Apache-2.0 */
/* pack.h - envelopes from parts that are packed already: fields are appended to bytes, nothing is
 * unpacked. protobuf allows fields of a message in any order. What is put together here is not
 * checked: its parts were, when they came. */
#ifndef COMMON_WIRE_PACK_H
#define COMMON_WIRE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"
#include "common/wire/wire.h"

enum { PACK_VARINT_MAX = 10, PACK_FIELD_MAX = 2 * PACK_VARINT_MAX };

void pack_varint(struct buf *out, uint64_t v);
/* Field NUMBER of an unsigned type; 0 is left out, as protobuf does. */
void pack_u64(struct buf *out, unsigned number, uint64_t v);
/* Field NUMBER of type bytes, string or message; LEN 0 is written too. */
void pack_bytes(struct buf *out, unsigned number, const void *bytes, size_t len);
/* The beginning of an envelope whose BODY is a packed message of LEN bytes, which follow. */
void pack_envelope(struct buf *out, Drover__Envelope__BodyCase body, size_t len, uint64_t request);

#endif
