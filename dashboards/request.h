/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - a request's path and query string, taken apart. Pure: text in, names and values out;
 * whatever a stranger sends is either understood or refused.
 *
 *   /api/v1/experiments/3/runs?sort=-accuracy&filter=seed~eq~1&limit=100
 *
 * Percent escapes are decoded once; '+' is a blank in the query. Refused: escapes that are none,
 * bytes that are no UTF-8, NUL, empty parts, "." and "..", more than the limits below. */
#ifndef DASHBOARDS_REQUEST_H
#define DASHBOARDS_REQUEST_H

#include <stddef.h>
#include <stdint.h>

#include "common/base/err.h"

enum {
    REQUEST_PARTS_MAX = 12,
    REQUEST_ARGS_MAX = 64,
    REQUEST_BYTES_MAX = 8192, /* path and query, as they came */
};

struct request_arg {
    const char *name, *value;
};

struct request {
    char text[REQUEST_BYTES_MAX + 1]; /* everything decoded, pieces ended by NUL */
    const char *part[REQUEST_PARTS_MAX];
    size_t parts;
    struct request_arg arg[REQUEST_ARGS_MAX]; /* in the order of the query */
    size_t args;
    const char *body; /* POST; else "" */
    size_t body_len;
};

/* Take TARGET ("/path?query", LEN bytes) apart. ERR_INVALID: what is wrong with it. */
int request_parse(struct request *ret, const char *target, size_t len, struct err *err) MUST_CHECK;

/* Forget the first PARTS parts of the path: handlers see what stands behind /api/v1. */
void request_skip(struct request *r, size_t parts);

/* Value of the first argument NAME; NULL: it is not there. */
const char *request_text(const struct request *r, const char *name);
/* The next value of NAME behind *AT (0 at first); NULL: no more. */
const char *request_next(const struct request *r, const char *name, size_t *at);
/* NAME as a number within MIN..MAX; FALLBACK when it is not there. ERR_INVALID names it. */
int request_integer(const struct request *r, const char *name, int64_t fallback, int64_t min,
                    int64_t max, int64_t *ret, struct err *err) MUST_CHECK;
/* PART of the path as an id (a row number > 0). */
int request_id(const struct request *r, size_t part, uint64_t *ret, struct err *err) MUST_CHECK;
/* Every argument is one of NAMES (NULL-terminated), else ERR_INVALID with the nearest. */
int request_only(const struct request *r, const char *const *names, struct err *err) MUST_CHECK;

#endif
