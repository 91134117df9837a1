/* SPDX-License-Identifier: Apache-2.0 */
#include "dashboards/page.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/digest.h"
#include "common/base/mem.h"
#include "dashboards/answers.h"

enum { HASH_LETTERS_MIN = 8, VERSION_HEX = 17 };

struct page {
    struct page_item *items;
    size_t len;
    bool built;
    char version[VERSION_HEX];
};

static const char unbuilt[] =
    "<!doctype html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>drover</title>"
    "<link rel=\"icon\" href=\"data:,\"></head>\n<body>\n<h1>drover dashboard</h1>\n"
    "<p>The server runs, but it was built without its page: npm was not there.</p>\n"
    "<pre>./dev build</pre>\n"
    "<p>on a machine with node and npm builds the page and puts it into the program; by hand:</p>\n"
    "<pre>cd dashboards/web &amp;&amp; npm ci &amp;&amp; npm run build\n"
    "cmake --build build/release --target drover-dashboard</pre>\n"
    "<p>The data are there without it: <a href=\"/api/v1/overview\">/api/v1/overview</a>, "
    "<a href=\"/api/v1/version\">/api/v1/version</a>; docs/api.md describes them all.</p>\n"
    "</body>\n</html>\n";

static const struct page_file fallback[] = {
    { "/index.html", (const unsigned char *)unbuilt, sizeof unbuilt - 1 },
    { NULL, NULL, 0 },
};

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        { ".html", "text/html; charset=utf-8" },
        { ".js", "text/javascript; charset=utf-8" },
        { ".css", "text/css; charset=utf-8" },
        { ".json", "application/json" },
        { ".svg", "image/svg+xml" },
        { ".png", "image/png" },
        { ".ico", "image/x-icon" },
        { ".woff2", "font/woff2" },
        { ".txt", "text/plain; charset=utf-8" },
        { ".webmanifest", "application/manifest+json" },
    };
    const char *dot = strrchr(name, '.');

    for (size_t i = 0; dot && i < ARRAY_LEN(types); i++) {
        if (strcmp(dot, types[i][0]) == 0)
            return types[i][1];
    }
    return "application/octet-stream";
}

/* "/assets/app-1A2B3C4D.js": letters and digits, HASH_LETTERS_MIN of them, between the last dash
 * and the last dot. */
static bool has_hash(const char *name)
{
    const char *dash = strrchr(name, '-'), *dot = strrchr(name, '.');

    if (strncmp(name, "/assets/", 8) != 0 || !dash || !dot || dot - dash <= HASH_LETTERS_MIN)
        return false;
    for (const char *p = dash + 1; p < dot; p++) {
        if (!isalnum((unsigned char)*p))
            return false;
    }
    return true;
}

static void fill(struct page_item *item, const struct page_file *file)
{
    char hex[DIGEST_HEX];
    struct digest d = digest_of(file->bytes, file->len);

    item->path = file->name;
    item->type = type_of(file->name);
    item->bytes = file->bytes;
    item->len = file->len;
    item->immutable = has_hash(file->name);
    (void)snprintf(item->etag, sizeof item->etag, "W/\"%.32s\"", digest_hex(&d, hex));
    if (file->len >= ANSWERS_COMPRESS_BYTES)
        (void)answer_pack(file->bytes, file->len, 9, &item->packed);
}

struct page *page_new(const struct page_file *files)
{
    struct page *p = mem_calloc(1, sizeof *p);
    struct digester all;
    struct digest d;
    char hex[DIGEST_HEX];
    size_t len = 0;

    for (const struct page_file *f = files; f->name; f++)
        p->built |= strcmp(f->name, "/index.html") == 0;
    if (!p->built)
        files = fallback;
    while (files[len].name)
        len++;
    p->items = mem_calloc(len, sizeof *p->items);
    digest_begin(&all);
    for (; p->len < len; p->len++) {
        fill(&p->items[p->len], &files[p->len]);
        digest_add_text(&all, files[p->len].name);
        digest_add_bytes(&all, files[p->len].bytes, files[p->len].len);
    }
    d = digest_end(&all);
    (void)snprintf(p->version, sizeof p->version, "%.16s", digest_hex(&d, hex));
    return p;
}

void page_free(struct page *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->len; i++)
        buf_release(&p->items[i].packed);
    free(p->items);
    free(p);
}

const struct page_item *page_find(const struct page *p, const char *path)
{
    const char *name = strcmp(path, "/") == 0 ? "/index.html" : path;

    for (size_t i = 0; i < p->len; i++) {
        if (strcmp(p->items[i].path, name) == 0)
            return &p->items[i];
    }
    return NULL;
}

bool page_built(const struct page *p)
{
    return p->built;
}

const char *page_version(const struct page *p)
{
    return p->version;
}
