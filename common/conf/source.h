/* SPDX-License-Identifier: Apache-2.0 */
/* source.h - a file with its includes put in, and where each line came from. Private to
 * common/conf.
 *
 * libconfig would open includes by itself, but only relative to one folder and without limits. */
#ifndef COMMON_CONF_SOURCE_H
#define COMMON_CONF_SOURCE_H

#include <stddef.h>

#include "common/base/buf.h"
#include "common/base/err.h"

enum { SOURCE_FILES_MAX = 64 };

struct source {
    struct buf text;
    char *files[SOURCE_FILES_MAX]; /* names, the first is the outermost */
    size_t files_len;
    struct source_line {
        unsigned file, line;
    } * lines; /* of each line of TEXT */
    size_t lines_len, lines_cap;
};

/* Start with { 0 }. Errors as conf_open. */
int source_read(struct source *s, const char *path, struct err *err) MUST_CHECK;
/* One text, no includes. */
int source_set(struct source *s, const char *name, const char *text, size_t len,
               struct err *err) MUST_CHECK;
void source_release(struct source *s);
/* Where line LINE (from 1) of the text came from. */
const char *source_file(const struct source *s, unsigned line);
unsigned source_line(const struct source *s, unsigned line);

#endif
