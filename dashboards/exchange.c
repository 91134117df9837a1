/* SPDX-License-Identifier: Apache-2.0 */
/* exchange.c - a request and its answer: checks first, then the page, the events, or a question to
 * the threads that answer. */
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/base/clock.h"
#include "common/base/jsonw.h"
#include "common/base/log.h"
#include "common/base/mem.h"
#include "dashboards/http_private.h"
#include "dashboards/routes.h"

enum {
    TARGET_MAX = REQUEST_BYTES_MAX,
    FLOOD_BYTES = 1 << 20, /* a body that goes on behind its limit is read up to here, to answer */
};

struct exchange {
    struct http *http;
    struct MHD_Connection *c;
    char target[TARGET_MAX + 1], path[TARGET_MAX + 1];
    size_t len;
    bool too_long, checked, api, set_aside;
    unsigned refused; /* status; 0: go on */
    const char *allow;
    struct err err;
    struct asked *asked;
    size_t body_len; /* that came; more than API_BODY_MAX is not kept */
    uint64_t begun_ms;
    _Atomic(struct answer *) answer;
};

void *exchange_begin(void *arg, const char *uri, struct MHD_Connection *c)
{
    struct exchange *x = mem_calloc(1, sizeof *x);

    x->http = arg;
    x->c = c;
    x->begun_ms = clock_ms();
    x->len = strlen(uri);
    x->too_long = x->len > TARGET_MAX;
    x->len = MIN(x->len, (size_t)TARGET_MAX);
    memcpy(x->target, uri, x->len);
    memcpy(x->path, uri, strcspn(x->target, "?"));
    return x;
}

void exchange_end(void *arg, struct MHD_Connection *c, void **own,
                  enum MHD_RequestTerminationCode why)
{
    struct exchange *x = *own;

    (void)why;
    peer_set(arg, c, PEER_WAITING);
    if (!x)
        return;
    answer_drop(atomic_exchange(&x->answer, NULL));
    asked_free(x->asked);
    free(x);
    *own = NULL;
}

/* ---- checks ---- */

static enum MHD_Result claim(void *arg, enum MHD_ValueKind kind, const char *key, const char *value)
{
    struct auth_claims *claims = arg;

    (void)kind;
    if (strcasecmp(key, "Host") == 0) {
        claims->host_twice = claims->host != NULL;
        claims->host = value;
    } else if (strcasecmp(key, "Origin") == 0) {
        claims->origin = value;
    } else if (strcasecmp(key, "Sec-Fetch-Site") == 0) {
        claims->site = value;
    } else if (strcasecmp(key, "Authorization") == 0) {
        claims->authorization = value;
    }
    return MHD_YES;
}

static void refuse(struct exchange *x, unsigned status, enum err_code code, const char *text)
{
    x->refused = status;
    (void)err_set(&x->err, code, "%s", text);
}

static bool has_body(struct MHD_Connection *c)
{
    const char *len = MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Content-Length");

    return (len && strcmp(len, "0") != 0) ||
           MHD_lookup_connection_value(c, MHD_HEADER_KIND, "Transfer-Encoding");
}

static void check_post(struct exchange *x)
{
    const char *type = MHD_lookup_connection_value(x->c, MHD_HEADER_KIND, "Content-Type");
    const char *len = MHD_lookup_connection_value(x->c, MHD_HEADER_KIND, "Content-Length");

    if (!type || strncasecmp(type, "application/json", 16) != 0 || !strchr("; \t", type[16]))
        refuse(x, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, ERR_INVALID,
               "POST takes application/json: say so in Content-Type");
    else if (len && strtoull(len, NULL, 10) > API_BODY_MAX)
        refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT, "the body is longer than 64 KiB");
}

/* Of the API: which row of the tables is asked? */
static void find_route(struct exchange *x, bool post)
{
    struct request *r = &x->asked->request;
    int rc;

    if (r->parts < 2 || strcmp(r->part[1], "v1") != 0) {
        refuse(x, MHD_HTTP_NOT_FOUND, ERR_NOT_FOUND,
               "no such address; those of this version begin with /api/v1/");
        return;
    }
    request_skip(r, 2);
    if (r->parts == 1 &&
        (strcmp(r->part[0], "version") == 0 || strcmp(r->part[0], "events") == 0)) {
        x->allow = "GET, HEAD";
        if (post)
            refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, ERR_CONFLICT, "this address takes GET only");
        return;
    }
    rc = routes_find(x->http->o->tables, r, post, &x->asked->route, &x->allow, &x->err);
    if (rc < 0)
        x->refused = x->allow ? MHD_HTTP_METHOD_NOT_ALLOWED : MHD_HTTP_NOT_FOUND;
    else if (post)
        check_post(x);
}

static void check(struct exchange *x, const char *method)
{
    bool post = strcmp(method, "POST") == 0;
    bool get = strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0;
    struct auth_claims claims = { 0 };

    x->checked = true;
    x->api = strncmp(x->target, "/api", 4) == 0;
    (void)MHD_get_connection_values(x->c, MHD_HEADER_KIND, claim, &claims);
    x->asked = asked_new();
    x->refused = (unsigned)auth_check(&x->http->o->auth, &claims, x->api, &x->err);
    if (x->refused)
        return;
    if (x->too_long) {
        refuse(x, MHD_HTTP_URI_TOO_LONG, ERR_LIMIT, "the address is longer than 8 KiB");
    } else if (request_parse(&x->asked->request, x->target, x->len, &x->err) < 0) {
        x->refused = MHD_HTTP_BAD_REQUEST;
    } else if (!get && !(post && x->api)) {
        x->allow = "GET, HEAD";
        refuse(x, MHD_HTTP_METHOD_NOT_ALLOWED, ERR_CONFLICT, "this address takes GET only");
    } else if (get && has_body(x->c)) {
        refuse(x, MHD_HTTP_BAD_REQUEST, ERR_INVALID, "GET takes no body");
    } else if (x->api) {
        find_route(x, post);
    }
}

/* ---- answers ---- */

static enum MHD_Result say(struct exchange *x, unsigned status, const struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };

    log_debug("request", "target=\"%s\" status=%u ms=%llu", x->target, status,
              (unsigned long long)(clock_ms() - x->begun_ms));
    if (x->api)
        return reply_answer(x->c, answer_of_error(status, err), x->allow);
    buf_printf(&text, "%s\n", err->text);
    return reply_text(x->c, status, buf_str(&text), x->allow);
}

static enum MHD_Result send_answer(struct exchange *x, struct answer *answer)
{
    log_debug("request", "target=\"%s\" status=%u bytes=%zu ms=%llu", x->target, answer->status,
              answer->body.len, (unsigned long long)(clock_ms() - x->begun_ms));
    return reply_answer(x->c, answer, NULL);
}

static enum MHD_Result send_version(struct exchange *x)
{
    const struct http_options *o = x->http->o;
    struct answer *answer = mem_calloc(1, sizeof *answer);
    struct jsonw w = { .to = &answer->body };

    answer->references = 1;
    answer->status = MHD_HTTP_OK;
    jsonw_open(&w, '{');
    jsonw_int(&w, "version", 1);
    jsonw_text(&w, "drover", DROVER_VERSION);
    jsonw_int(&w, "schema", o->schema);
    jsonw_text(&w, "page", o->page ? page_version(o->page) : NULL);
    jsonw_bool(&w, "page_built", o->page && page_built(o->page));
    jsonw_close(&w, '}');
    return send_answer(x, answer);
}

static enum MHD_Result send_page(struct exchange *x)
{
    const struct page_item *item = x->http->o->page ? page_find(x->http->o->page, x->path) : NULL;
    struct err err = { 0 };

    if (item)
        return reply_item(x->c, item);
    if (strcmp(x->path, "/favicon.ico") == 0) /* browsers ask without being told to */
        return reply_text(x->c, MHD_HTTP_NO_CONTENT, "", NULL);
    (void)err_set(&err, ERR_NOT_FOUND,
                  "no such page; the dashboard is at /, its data under "
                  "/api/v1/");
    return say(x, MHD_HTTP_NOT_FOUND, &err);
}

/* From a thread that answers, or from within answers_ask(). X may be gone when this returns. */
static void on_answer(struct answer *answer, void *arg)
{
    struct exchange *x = arg;
    struct MHD_Connection *c = x->c;

    atomic_store(&x->answer, answer);
    MHD_resume_connection(c);
}

static enum MHD_Result ask(struct exchange *x)
{
    unsigned flags = x->asked->route->flags;
    bool kept = !(flags & (API_POST | API_FRESH));
    const struct question q = { .key = kept ? x->target : NULL,
                                .lane = flags & (API_POST | API_SLOW) ? LANE_SLOW : LANE_QUICK,
                                .live = (flags & API_LIVE) != 0,
                                .what = x->asked,
                                .drop = asked_free };
    struct answers *answers = service_answers(x->http->o->service);
    struct answer *answer = kept ? answers_look(answers, x->target, q.live) : NULL;

    if (answer)
        return send_answer(x, answer);
    x->asked->request.body = buf_str(&x->asked->body);
    x->asked->request.body_len = x->asked->body.len;
    x->asked = NULL;
    x->set_aside = true;
    MHD_suspend_connection(x->c);
    answers_ask(answers, &q, on_answer, x);
    return MHD_YES;
}

static enum MHD_Result answer(struct exchange *x)
{
    const char *first = x->asked->request.parts ? x->asked->request.part[0] : "";

    if (!x->api)
        return send_page(x);
    if (x->asked->route)
        return ask(x);
    if (strcmp(first, "version") == 0)
        return send_version(x);
    peer_set(x->http, x->c, PEER_LISTENING);
    return reply_events(x->c, service_events(x->http->o->service));
}

/* Libmicrohttpd calls once when the headers are there, for each piece of the body, once when all is
 * there, and once more after a connection that was set aside is taken up again. */
enum MHD_Result exchange_handle(void *arg, struct MHD_Connection *c, const char *url,
                                const char *method, const char *version, const char *bytes,
                                size_t *len, void **own)
{
    struct exchange *x = *own;
    struct answer *made;

    (void)arg;
    (void)url;
    (void)version;
    if (!x->checked) {
        check(x, method);
        return x->refused && has_body(c) ? say(x, x->refused, &x->err) : MHD_YES;
    }
    if (*len > 0) {
        x->body_len += *len;
        if (x->body_len <= API_BODY_MAX)
            buf_add(&x->asked->body, bytes, *len);
        else if (x->body_len > FLOOD_BYTES)
            return MHD_NO;
        *len = 0;
        return MHD_YES;
    }
    peer_set(x->http, c, PEER_ANSWERING);
    if (!x->refused && x->body_len > API_BODY_MAX)
        refuse(x, MHD_HTTP_CONTENT_TOO_LARGE, ERR_LIMIT, "the body is longer than 64 KiB");
    if (x->refused)
        return say(x, x->refused, &x->err);
    if (!x->set_aside)
        return answer(x);
    made = atomic_exchange(&x->answer, NULL);
    return made ? send_answer(x, made) : MHD_YES;
}
