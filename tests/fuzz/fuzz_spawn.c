/* SPDX-License-Identifier: Apache-2.0 */
/* Goal: no bytes make the keeper's reader of orders, or the worker's of ends, crash or pass
 * something that breaks a rule. Method: libFuzzer; an order that is read is written again, to the
 * same bytes. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "common/base/mem.h"
#include "worker/spawn/order.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *body CLEANUP(mem_cleanup) = mem_calloc(size + 1, 1);
    struct buf again CLEANUP(buf_release) = { 0 };
    struct spawn_end_body end;
    struct spawn_end e;
    struct spawn_order o;
    struct err err = { 0 };

    if (size > 0)
        memcpy(body, data, size);
    if (size >= sizeof(end)) {
        memcpy(&end, data, sizeof(end));
        if (spawn_end_decode(&end, &e, &err) == 0) {
            const struct spawn_end_body same = spawn_end_encode(&e);
            assert(memcmp(&same, &end, sizeof(end)) == 0);
        }
    }
    if (spawn_order_decode(body, size, &o, &err) != 0)
        return 0;
    assert(o.path != NULL && o.argv[0] != NULL && o.cwd != NULL);
    if (spawn_order_encode(&o, &again, &err) == 0) {
        assert(again.len == sizeof(struct spawn_header) + size);
        assert(memcmp(again.data + sizeof(struct spawn_header), body, size) == 0);
    }
    spawn_order_release(&o);
    return 0;
}
