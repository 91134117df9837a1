/* SPDX-License-Identifier: Apache-2.0 */
/* page.h - the files of the page, inside the program; when it was built without them, one page
 * that says how to build it. */
#ifndef DASHBOARDS_PAGE_H
#define DASHBOARDS_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "common/base/buf.h"

/* As dashboards/embed.cmake writes it: "/assets/app-1a2b3c4d.js". A row of zeros ends it. */
struct page_file {
    const char *name;
    const unsigned char *bytes;
    size_t len;
};
extern const struct page_file page_files[];

/* A file as it is served. */
struct page_item {
    const char *path, *type;
    const void *bytes;
    size_t len;
    struct buf packed; /* gzip; empty: not worth it */
    char etag[40];
    bool immutable; /* its name has a digest of its content in it */
};

struct page;
/* FILES: page_files, or those of a test. */
struct page *page_new(const struct page_file *files);
void page_free(struct page *p); /* NULL is fine */
/* The file at PATH ("/": /index.html); NULL: there is none. */
const struct page_item *page_find(const struct page *p, const char *path);
/* Was it built with the page? */
bool page_built(const struct page *p);
/* Digest over all files, 16 hex digits: a page of another digest is to be loaded again. */
const char *page_version(const struct page *p);

#endif
