/* SPDX-License-Identifier: Apache-2.0 */
/* jsonw.h - JSON written from left to right into a buffer, without building a tree: for answers of
 * a million rows. Compact; commas come by themselves. Start it with { .to = &buf }. */
#ifndef COMMON_BASE_JSONW_H
#define COMMON_BASE_JSONW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/base/buf.h"

struct jsonw {
    struct buf *to;
    bool comma; /* something stands before the next value at this depth */
};

void jsonw_open(struct jsonw *w, char bracket);  /* '{' or '[' */
void jsonw_close(struct jsonw *w, char bracket); /* '}' or ']' */
/* Inside an object, before each value. */
void jsonw_key(struct jsonw *w, const char *key);
/* Key and opening bracket. */
void jsonw_open_at(struct jsonw *w, const char *key, char bracket);

/* Values; with KEY not NULL its name first. Texts: invalid UTF-8 becomes U+FFFD, NULL is null.
 * Reals keep all their bits and stay reals ("2.0"); NaN and infinities are null. */
void jsonw_text(struct jsonw *w, const char *key, const char *s);
void jsonw_text_len(struct jsonw *w, const char *key, const char *s, size_t len);
void jsonw_int(struct jsonw *w, const char *key, int64_t v);
void jsonw_real(struct jsonw *w, const char *key, double v);
void jsonw_bool(struct jsonw *w, const char *key, bool v);
void jsonw_null(struct jsonw *w, const char *key);
/* JSON that is there already, as it is. */
void jsonw_raw(struct jsonw *w, const char *key, const char *json);

#endif
