/* SPDX-License-Identifier: Apache-2.0 */
/* decider.h - a decider without a router: its decisions hang on every bit of the rows that it
 * sees, so that any difference in them shows. */
#ifndef TESTS_UNIT_WORKER_MODEL_DECIDER_H
#define TESTS_UNIT_WORKER_MODEL_DECIDER_H

#include <string.h>

#include "worker/model/sweep.h"

/* Of a model with LAYERS layers: EVERY layer on its own (0), or layers below AT once each and the
 * others together in front of AT (1). */
struct bits_decider {
    size_t layers, dim;
    bool together;
    size_t at;
    uint64_t salt;
    size_t calls, sequences;
};

static inline uint64_t bits_of(const struct sweep_decision *d, size_t dim, uint64_t hash)
{
    for (size_t i = 0; i < d->rows * dim; i++) {
        uint32_t bits;

        memcpy(&bits, &d->x[i], sizeof(bits));
        hash = (hash ^ bits) * 0x9E3779B97F4A7C15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static inline int bits_decide(void *arg, size_t layer, const struct sweep_decision *d, size_t n,
                              size_t *ret_layers, struct err *err)
{
    static const uint8_t digits[] = { 0, 1, 2, 1 };
    struct bits_decider *b = arg;

    (void)err;
    b->calls++;
    b->sequences += n;
    *ret_layers = !b->together ? layer + 1 : layer < b->at ? b->at : b->layers;
    for (size_t i = 0; i < n; i++) {
        uint64_t hash = bits_of(&d[i], b->dim, b->salt + d[i].rows);

        for (size_t l = layer; l < *ret_layers; l++, hash >>= 2)
            d[i].routing[l] = b->together && l < b->at ? 1 : digits[hash >> 7 & 3];
    }
    return 0;
}

#endif
