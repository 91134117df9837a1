/* SPDX-License-Identifier: Apache-2.0 */
/* answer.c - one answer: its life, its form, its digest, its compression (answers.h). */
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "common/base/digest.h"
#include "common/base/jsonw.h"
#include "common/base/mem.h"
#include "dashboards/answers.h"

struct answer *answer_keep(struct answer *a)
{
    a->references++;
    return a;
}

void answer_drop(struct answer *a)
{
    if (!a || --a->references > 0)
        return;
    buf_release(&a->body);
    buf_release(&a->packed);
    free(a);
}

/* ---- errors ---- */

struct kind {
    enum err_code code;
    unsigned status, retry_s;
    const char *name;
};

static const struct kind *kind_of(enum err_code code)
{
    static const struct kind kinds[] = {
        { ERR_INVALID, 400, 0, "invalid" },   { ERR_NOT_FOUND, 404, 0, "not_found" },
        { ERR_LIMIT, 413, 0, "limit" },       { ERR_TIMEOUT, 503, 5, "timeout" },
        { ERR_CONFLICT, 409, 0, "conflict" }, { ERR_AGAIN, 503, 1, "again" },
        { ERR_DENIED, 403, 0, "denied" },     { ERR_CANCELLED, 503, 1, "again" },
        { ERR_VERSION, 503, 10, "version" },  { ERR_STALE, 503, 1, "again" },
        { ERR_CORRUPT, 500, 0, "corrupt" },   { ERR_IO, 500, 0, "io" },
    };
    static const struct kind other = { ERR_INTERNAL, 500, 0, "internal" };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].code == code)
            return &kinds[i];
    }
    return &other;
}

struct answer *answer_of_error(unsigned status, const struct err *err)
{
    const struct kind *k = kind_of(err->code);
    struct answer *a = mem_calloc(1, sizeof *a);
    struct jsonw w = { .to = &a->body };

    a->references = 1;
    a->status = status ? status : k->status;
    a->retry_s = a->status == k->status ? k->retry_s : 0;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_open_at(&w, "error", '{');
    jsonw_text(&w, "code", k->name);
    jsonw_text(&w, "text", err->text[0] ? err->text : err_name(err->code));
    jsonw_close(&w, '}');
    jsonw_close(&w, '}');
    return a;
}

/* ---- ETag ---- */

/* One entity tag without its W/; NULL at the end of the list. */
static const char *next_tag(const char **at, size_t *ret_len)
{
    const char *p = *at + strspn(*at, " \t,"), *end;

    if (strncmp(p, "W/", 2) == 0)
        p += 2;
    if (*p != '"')
        return NULL;
    end = strchr(p + 1, '"');
    if (!end)
        return NULL;
    *ret_len = (size_t)(end + 1 - p);
    *at = end + 1;
    return p;
}

bool answer_matches(const char *etag, const char *if_none_match)
{
    const char *own = strncmp(etag, "W/", 2) == 0 ? etag + 2 : etag, *tag;
    size_t len;

    if (!if_none_match || !etag[0])
        return false;
    if (strcmp(if_none_match, "*") == 0)
        return true;
    while ((tag = next_tag(&if_none_match, &len))) {
        if (len == strlen(own) && memcmp(tag, own, len) == 0)
            return true;
    }
    return false;
}

/* ---- gzip ---- */

bool answer_pack(const void *bytes, size_t len, int level, struct buf *out)
{
    enum { GZIP = 16 + MAX_WBITS, MEMORY = 8 /* zlib's default */ };
    z_stream z = { 0 };
    bool good;

    buf_clear(out);
    if (deflateInit2(&z, level, Z_DEFLATED, GZIP, MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)
        return false;
    z.next_in = (Bytef *)(uintptr_t)bytes;
    z.avail_in = (uInt)len;
    z.avail_out = (uInt)deflateBound(&z, len);
    z.next_out = (Bytef *)buf_reserve(out, z.avail_out);
    good = deflate(&z, Z_FINISH) == Z_STREAM_END && z.total_out < len - len / 10;
    out->len = good ? z.total_out : 0;
    (void)deflateEnd(&z);
    if (good) { /* it is kept for long: no room for what might have come */
        out->cap = out->len + 1;
        out->data = mem_realloc(out->data, out->cap, 1);
        out->data[out->len] = '\0';
    }
    return good;
}
