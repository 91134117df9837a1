/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pairing.h"

#include "store/store_private.h"

static int example_at(struct store *s, uint64_t family, uint64_t index, int64_t *ret,
                      struct err *err)
{
    struct stmt *st = USE(s, EXAMPLE_AT);
    int rc;

    stmt_u64(st, ":family", family);
    stmt_u64(st, ":idx", index);
    rc = stmt_get(st, ret, err);
    if (rc != ERR_NOT_FOUND)
        return rc;
    *ret = 0; /* not stored yet: it is of no pair */
    return 0;
}

int store_same_examples(struct store *s, uint64_t a, uint64_t b, uint64_t n, bool *ret,
                        struct err *err)
{
    uint64_t at[3] = { 0, n / 2, n ? n - 1 : 0 };
    int rc = 0;

    *ret = true;
    for (int i = 0; rc == 0 && *ret && i < 3; i++) {
        int64_t x = 0, y = 0;

        rc = example_at(s, a, at[i], &x, err);
        if (rc == 0)
            rc = example_at(s, b, at[i], &y, err);
        *ret = x == 0 || y == 0 || x == y;
    }
    return rc;
}
