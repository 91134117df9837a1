/* SPDX-License-Identifier: Apache-2.0 */
/* peek.h - what an envelope holds, without decoding it: no memory is taken, nothing inside the body
 * is looked at. */
#ifndef COMMON_WIRE_PEEK_H
#define COMMON_WIRE_PEEK_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"
#include "common/wire/drover.pb-c.h"

struct wire_peek {
    uint32_t protocol;
    uint64_t request;
    Drover__Envelope__BodyCase body;
    size_t body_len;
};

/* ERR_PROTO: broken, without or with more than one body (which decoders may take for different
 * ones), or an unknown one. ERR_VERSION: another protocol; *RET is set as far as it was read. */
int wire_peek(const void *bytes, size_t len, struct wire_peek *ret, struct err *err) MUST_CHECK;

#endif
