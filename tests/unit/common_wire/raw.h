/* SPDX-License-Identifier: Apache-2.0 */
/* raw.h - messages as a hostile peer packs them. Users include cmocka.h before. */
#ifndef TESTS_UNIT_COMMON_WIRE_RAW_H
#define TESTS_UNIT_COMMON_WIRE_RAW_H

#include <stdlib.h>
#include <string.h>

#include "common/base/mem.h"
#include "common/wire/wire.h"

/* Pack E as it is, without wire_encode's checks, and decode. */
static inline int decode_raw(Drover__Envelope *e, struct err *err)
{
    size_t len = drover__envelope__get_packed_size(e);
    uint8_t *bytes = mem_calloc(len, 1);
    Drover__Envelope *back = NULL;
    int rc;

    (void)drover__envelope__pack(e, bytes);
    rc = wire_decode(bytes, len, &back, NULL, err);
    wire_free(back);
    free(bytes);
    return rc;
}

static inline void refused(Drover__Envelope *e, const char *field)
{
    struct err err = { 0 };

    assert_int_equal(decode_raw(e, &err), ERR_PROTO);
    if (!strstr(err.text, field))
        fail_msg("expected %s in: %s", field, err.text);
}

static inline Drover__Envelope envelope(Drover__Envelope__BodyCase body)
{
    Drover__Envelope e = DROVER__ENVELOPE__INIT;

    e.protocol = WIRE_PROTOCOL;
    e.body_case = body;
    return e;
}

#endif
