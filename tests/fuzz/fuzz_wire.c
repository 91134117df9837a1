/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes make the wire decoder crash, leak or pass something that breaks a rule.
 * Method: libFuzzer; what decodes is encoded, which checks the rules again, and decoded once more.
 * (Fields that we do not know are carried along as they came, and may then be refused: a tag of 0
 * in a long spelling becomes a short one.) */
#include <assert.h>
#include <stdint.h>

#include "common/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    Drover__Envelope *m = NULL, *again = NULL;
    struct buf b = { 0 };
    struct err err = { 0 };

    if (wire_decode(data, size, &m, NULL, &err) == 0) {
        int rc = wire_encode(&b, m->body_case, m->hello, m->request, &err);

        assert(rc == 0);
        rc = wire_decode(buf_str(&b), b.len, &again, NULL, &err);
        assert(rc == 0 || rc == ERR_PROTO);
    }
    wire_free(m);
    wire_free(again);
    buf_release(&b);
    return 0;
}
