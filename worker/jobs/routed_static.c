/* SPDX-License-Identifier: Apache-2.0 */
/* routed_static.c - the best of the static paths that a select step chose. */
#include <string.h>

#include "common/base/mem.h"
#include "worker/jobs/routed_private.h"
#include "worker/jobs/static_paths.h"
#include "worker/search/routing.h"

/* Is path A, right as X says, better than B? The products stay below 2^62. */
static bool is_better(const uint8_t *a, const struct static_score *x, const uint8_t *b,
                      const struct static_score *y, size_t layers)
{
    int64_t mine = x->right * y->n, its = y->right * x->n;

    return mine != its ? mine > its : routing_compare(a, b, layers) < 0;
}

int static_path_read(const char *path, size_t layers, size_t most, uint8_t *routing,
                     struct err *err)
{
    struct static_score *score CLEANUP(mem_cleanup) = NULL;
    uint8_t *paths CLEANUP(mem_cleanup) = NULL;
    size_t len = 0, best, shortest = SIZE_MAX;
    int rc = static_paths_read(path, layers, &paths, &score, &len, err);

    if (rc < 0)
        return rc;
    if (len == 0)
        return err_set(err, ERR_INVALID, "%s: it has no paths", path);
    best = len;
    for (size_t i = 0; i < len; i++) {
        const uint8_t *own = paths + i * layers;
        size_t length = routing_length(own, layers);

        shortest = MIN(shortest, length);
        if (most > 0 && length > most)
            continue;
        if (best == len || is_better(own, &score[i], paths + best * layers, &score[best], layers))
            best = i;
    }
    if (best == len)
        return err_set(err, ERR_INVALID,
                       "no static path has at most %zu layer applications (path_layers): the "
                       "shortest that was evaluated for all examples has %zu; search with more "
                       "edits (depth), or allow more",
                       most, shortest);
    memcpy(routing, paths + best * layers, layers);
    return 0;
}
