/* SPDX-License-Identifier: Apache-2.0 */
/* copy_private.h - the columns of a copy_table, parsed. */
#ifndef STORE_KEEP_COPY_PRIVATE_H
#define STORE_KEEP_COPY_PRIVATE_H

#include "store/keep/copy.h"

enum { COPY_COLUMNS_MAX = 40 };

struct copy_column {
    char name[48], of[48]; /* of: the table that it refers to, or "" */
    bool number, key, same;
};
struct copy_columns {
    const struct copy_table *table;
    struct copy_column c[COPY_COLUMNS_MAX];
    size_t len;
};

/* TEXT is a list as in struct copy_table. */
void copy_columns_parse(const struct copy_table *t, const char *text, struct copy_columns *ret);

/* Has it a temp.map_TABLE? */
bool copy_is_mapped(const struct copy_table *t);

/* The value of column I of row s in main's terms, "FROM" the selected rows, and the condition on
 * their natural key in main as row d. */
void copy_add_value(const struct copy_columns *cs, size_t i, struct buf *sql);
void copy_add_from(const struct copy_columns *cs, struct buf *sql);
void copy_add_key(const struct copy_columns *cs, struct buf *sql);

#endif
