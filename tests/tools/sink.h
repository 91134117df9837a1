/* SPDX-License-Identifier: Apache-2.0 */
/* sink.h - a file being written, with its position; the first error stays. */
#ifndef TESTS_TOOLS_SINK_H
#define TESTS_TOOLS_SINK_H

#include <stdint.h>
#include <stdio.h>

#include "tests/tools/maker.h"

struct sink {
    FILE *file;
    const char *path;
    uint64_t at;
    const struct maker *m;
    float *row; /* room for the longest row, twice */
    void *narrow;
};

int sink_open(struct sink *s, const char *path, const struct maker *m, struct err *err) MUST_CHECK;
int sink_close(struct sink *s, int rc, struct err *err) MUST_CHECK;
void sink_bytes(struct sink *s, const void *bytes, size_t len);
void sink_number(struct sink *s, uint64_t v, int bytes); /* little-endian */
void sink_zeros_to(struct sink *s, uint64_t at);
/* All elements of tensor NAME (Hugging Face) as TYPE; TURNED: rows of heads as interleaved pairs.
 */
void sink_tensor(struct sink *s, const char *name, size_t rows, size_t cols, enum weight_type type,
                 bool turned);

#endif
