/* SPDX-License-Identifier: Apache-2.0 */
/* reply.c - what goes out: bodies, headers, event streams. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/mem.h"
#include "dashboards/http_private.h"

enum { EVENT_BLOCK = 1024 };

/* For everything that goes out. Scripts, styles and data come from here only; no other page may
 * show, embed or read it. */
static const char *const always[][2] = {
    { "Content-Security-Policy",
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
      "font-src 'self'; connect-src 'self'; manifest-src 'self'; base-uri 'none'; "
      "form-action 'none'; frame-ancestors 'none'" },
    { "X-Content-Type-Options", "nosniff" },
    { "X-Frame-Options", "DENY" },
    { "Referrer-Policy", "no-referrer" },
    { "Cross-Origin-Opener-Policy", "same-origin" },
    { "Cross-Origin-Resource-Policy", "same-origin" },
    { "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()" },
    { "Vary", "Accept-Encoding" },
};

static bool header(struct MHD_Response *r, const char *name, const char *value)
{
    return !value || MHD_add_response_header(r, name, value) == MHD_YES;
}

/* Give R its headers, queue it, forget it. */
static enum MHD_Result queue(struct MHD_Connection *c, struct MHD_Response *r,
                             const struct reply *reply)
{
    enum MHD_Result done = MHD_NO;
    char retry[16] = "";
    bool good = true;

    if (!r)
        return MHD_NO;
    for (size_t i = 0; i < ARRAY_LEN(always); i++)
        good = good && header(r, always[i][0], always[i][1]);
    if (reply->retry_s)
        (void)snprintf(retry, sizeof retry, "%u", reply->retry_s);
    good = good && header(r, "Content-Type", reply->type) && header(r, "ETag", reply->etag) &&
           header(r, "Cache-Control", reply->cache ? reply->cache : "no-store") &&
           header(r, "Allow", reply->allow) && header(r, "Retry-After", retry[0] ? retry : NULL) &&
           header(r, "Content-Encoding", reply->packed ? "gzip" : NULL) &&
           header(r, "WWW-Authenticate", reply->challenge ? "Bearer realm=\"drover\"" : NULL);
    if (good)
        done = MHD_queue_response(c, reply->status, r);
    MHD_destroy_response(r);
    return done;
}

static struct MHD_Response *empty(void)
{
    return MHD_create_response_from_buffer(0, (void *)(uintptr_t) "", MHD_RESPMEM_PERSISTENT);
}

/* ---- what the other side takes and has ---- */

/* "gzip, br;q=0.5": does it take gzip? */
static bool takes_gzip(struct MHD_Connection *c)
{
    const char *p = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Accept-Encoding");

    while (p && *p) {
        size_t len = strcspn(p, ",");
        const char *name = p + strspn(p, " \t"), *q = memmem(p, len, "q=", 2);
        bool never = q && q[2] == '0' && strspn(q + 3, ".0") == strcspn(q + 3, ", \t");

        if (strncasecmp(name, "gzip", 4) == 0 && strchr(",; \t", name[4]))
            return !never;
        p += len + (p[len] == ',');
    }
    return false;
}

static bool has_it(struct MHD_Connection *c, const char *etag)
{
    return answer_matches(etag, MHD_lookup_connection_value(c, MHD_HEADER_KIND, "If-None-Match"));
}

/* ---- bodies ---- */

static void drop(void *answer)
{
    answer_drop(answer);
}

enum MHD_Result reply_answer(struct MHD_Connection *c, struct answer *answer, const char *allow)
{
    const struct buf *body = &answer->body;
    struct reply reply = { .status = answer->status,
                           .type = "application/json",
                           .retry_s = answer->retry_s,
                           .allow = allow,
                           .challenge = answer->status == MHD_HTTP_UNAUTHORIZED };
    struct MHD_Response *r;

    if (answer->packed.len && takes_gzip(c)) {
        reply.packed = true;
        body = &answer->packed;
    }
    if (answer->status == MHD_HTTP_OK && answer->etag[0]) {
        reply.etag = answer->etag;
        reply.cache = "private, no-cache";
        if (has_it(c, answer->etag))
            reply.status = MHD_HTTP_NOT_MODIFIED;
    }
    /* ETag and body lie in the answer: it is dropped when all is sent. */
    r = MHD_create_response_from_buffer_with_free_callback_cls(body->len, body->data, drop, answer);
    if (!r)
        answer_drop(answer);
    return queue(c, r, &reply);
}

enum MHD_Result reply_item(struct MHD_Connection *c, const struct page_item *item)
{
    struct reply reply = { .status = MHD_HTTP_OK, .type = item->type, .etag = item->etag };
    const void *bytes = item->bytes;
    size_t len = item->len;

    reply.cache = item->immutable ? "public, max-age=31536000, immutable" : "no-cache";
    if (has_it(c, item->etag)) {
        reply.status = MHD_HTTP_NOT_MODIFIED;
        reply.type = NULL;
        return queue(c, empty(), &reply);
    }
    if (item->packed.len && takes_gzip(c)) {
        reply.packed = true;
        bytes = item->packed.data;
        len = item->packed.len;
    }
    return queue(
        c, MHD_create_response_from_buffer(len, (void *)(uintptr_t)bytes, MHD_RESPMEM_PERSISTENT),
        &reply);
}

enum MHD_Result reply_text(struct MHD_Connection *c, unsigned status, const char *text,
                           const char *allow)
{
    const struct reply reply = { .status = status,
                                 .type = text[0] ? "text/plain; charset=utf-8" : NULL,
                                 .allow = allow };

    return queue(c,
                 MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text,
                                                 MHD_RESPMEM_MUST_COPY),
                 &reply);
}

/* ---- event streams ---- */

struct stream {
    struct listener *listener;
    struct MHD_Connection *c;
};

static void stream_wake(void *arg)
{
    struct stream *s = arg;

    MHD_resume_connection(s->c);
}

static void stream_sleep(void *arg)
{
    struct stream *s = arg;

    MHD_suspend_connection(s->c);
}

static ssize_t stream_read(void *arg, uint64_t at, char *to, size_t len)
{
    struct stream *s = arg;
    size_t got;

    (void)at;
    if (events_take(s->listener, to, len, &got, stream_sleep, s) == EVENTS_END)
        return MHD_CONTENT_READER_END_OF_STREAM;
    return (ssize_t)got;
}

static void stream_free(void *arg)
{
    struct stream *s = arg;

    events_leave(s->listener);
    free(s);
}

enum MHD_Result reply_events(struct MHD_Connection *c, struct events *events)
{
    const struct reply reply = { .status = MHD_HTTP_OK, .type = "text/event-stream" };
    struct stream *s = mem_calloc(1, sizeof *s);
    struct MHD_Response *r;

    s->c = c;
    s->listener = events_join(events, stream_wake, s);
    if (!s->listener) {
        struct err err = { 0 };

        free(s);
        (void)err_set(&err, ERR_AGAIN,
                      "%d windows listen already; this one has to ask from time to time",
                      EVENTS_LISTENERS_MAX);
        return reply_answer(c, answer_of_error(0, &err), NULL);
    }
    r = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, EVENT_BLOCK, stream_read, s,
                                          stream_free);
    if (!r)
        stream_free(s);
    return queue(c, r, &reply);
}
