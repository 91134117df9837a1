/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes make the wire decoder crash, leak or pass something that breaks a rule.
 * What is seen from outside before decoding is what the decoder finds.
 * Method: libFuzzer; what decodes is encoded, which checks the rules again, and decoded once more.
 * (Fields that we do not know are carried along as they came, and may then be refused: a tag of 0
 * in a long spelling becomes a short one.) */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/wire/roles.h"
#include "common/wire/wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What is taken apart member by member without another look. */
static void check_groups(const Drover__Envelope *m)
{
    if (m->body_case == DROVER__ENVELOPE__BODY_JOB_RESULTS) {
        assert(m->job_results->n_v <= WIRE_GROUP_MAX);
        for (size_t i = 0; i < m->job_results->n_v; i++) {
            assert(m->job_results->v[i]->n_outputs <= WIRE_OUTPUTS_MAX);
            assert(strlen(m->job_results->v[i]->log) <= WIRE_LOG_MAX);
        }
    } else if (m->body_case == DROVER__ENVELOPE__BODY_LEASES) {
        assert(m->leases->n_v <= WIRE_GROUP_MAX);
        for (size_t i = 0; i < m->leases->n_v; i++)
            assert(m->leases->v[i]->key.len == DIGEST_BYTES);
    } else if (m->body_case == DROVER__ENVELOPE__BODY_HELLO) {
        assert(m->hello->n_held <= WIRE_HELD_MAX && m->hello->n_labels <= WIRE_LABELS_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wire_peek peek;
    int seen;
    Drover__Envelope *m = NULL, *again = NULL;
    struct buf b = { 0 };
    struct err err = { 0 };

    seen = roles_check(ROLES_MAIN, ROLES_ALL, data, size, &peek, &err);
    if (wire_decode(data, size, &m, NULL, &err) == 0) {
        int rc;

        assert(seen != 0 || peek.body == m->body_case);
        check_groups(m);
        rc = wire_encode(&b, m->body_case, m->hello, m->request, &err);
        assert(rc == 0);
        rc = wire_decode(buf_str(&b), b.len, &again, NULL, &err);
        assert(rc == 0 || rc == ERR_PROTO);
    }
    wire_free(m);
    wire_free(again);
    buf_release(&b);
    return 0;
}
