/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/model/stops.h"

#include <string.h>

#include "common/base/macros.h"

size_t stops_find(const char *text, size_t len, size_t from, const char *const *stop, size_t n)
{
    size_t first = len;

    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(stop[i]), at = from >= size ? from - size + 1 : 0;

        if (!size)
            continue;
        for (; at + size <= len && at < first; at++)
            if (!memcmp(text + at, stop[i], size))
                first = at;
    }
    return first;
}

size_t stops_held(const char *text, size_t len, const char *const *stop, size_t n)
{
    size_t held = 0;

    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(stop[i]);

        for (size_t k = MIN(size ? size - 1 : 0, len); k > held; k--)
            if (!memcmp(text + len - k, stop[i], k))
                held = k;
    }
    return held;
}
