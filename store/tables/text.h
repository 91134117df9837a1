/* SPDX-License-Identifier: Apache-2.0 */
/* text.h - the specifications that a request names, and the experiments that they are about. */
#ifndef STORE_TABLES_TEXT_H
#define STORE_TABLES_TEXT_H

#include "store/tables/tables.h"

struct request {
    struct conf *conf; /* what the specifications point into */
    struct table_spec *spec;
    size_t specs;
    uint64_t experiment[TABLE_EXPERIMENTS_MAX];
    size_t experiments;
};
/* Arguments as tables_text. Start with { 0 }; release in any case. */
int request_open(struct request *r, struct store *s, const char *spec_text, const char *spec_name,
                 const char *experiment, struct err *err) MUST_CHECK;
void request_release(struct request *r);

#endif
