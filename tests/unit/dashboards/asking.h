/* SPDX-License-Identifier: Apache-2.0 */
/* asking.h - handlers are called as the server calls them, and their answers parsed. */
#ifndef TESTS_UNIT_DASHBOARDS_ASKING_H
#define TESTS_UNIT_DASHBOARDS_ASKING_H

#include "tests/unit/store_browse/label_store.h"

#include "common/base/json.h"
#include "dashboards/api_labels.h"

struct asked {
    int rc;
    struct err err;
    struct buf out;
    struct json *root;
};

static inline bool matches(const struct api_route *route, const struct request *r)
{
    const char *at = route->pattern;

    for (size_t i = 0; i < r->parts; i++) {
        const size_t len = strcspn(at, "/");

        if (len == 0 ||
            (at[0] != ':' && (strlen(r->part[i]) != len || memcmp(at, r->part[i], len))))
            return false;
        at += len + (at[len] == '/');
    }
    return *at == '\0';
}

static inline struct asked ask_within(struct store *s, struct label_cache *cache, uint32_t time_ms,
                                      const char *target, const char *body)
{
    struct asked a = { .rc = ERR_NOT_FOUND };
    struct request *r = calloc(1, sizeof *r);
    const struct api_route *route = api_labels_routes;

    a.rc = request_parse(r, target, strlen(target), &a.err);
    r->body = body ? body : "";
    r->body_len = strlen(r->body);
    while (route->fn && !matches(route, r))
        route++;
    assert_true(a.rc || route->fn);
    if (!a.rc) {
        struct api_call c = {
            .store = s, .request = r, .labels = cache, .time_ms = time_ms, .out = &a.out
        };

        assert_int_equal((route->flags & API_POST) != 0, body != NULL);
        store_time_limit(s, time_ms);
        a.rc = route->fn(&c, &a.err);
        store_time_limit(s, 0);
    }
    if (!a.rc) {
        OK(json_parse(buf_str(&a.out), a.out.len, &a.root, err));
        assert_int_equal(json_integer(json_get(a.root, "version"), 0), 1);
    } else {
        assert_true(a.err.text[0]);
    }
    free(r);
    return a;
}

static inline struct asked ask(struct store *s, const char *target, const char *body)
{
    return ask_within(s, NULL, 5000, target, body);
}

static inline void asked_release(struct asked *a)
{
    json_free(a->root);
    buf_release(&a->out);
}

/* The answer to TARGET is refused with CODE and a text that holds PART. */
static inline void refused(struct store *s, const char *target, const char *body, int code,
                           const char *part)
{
    struct asked a CLEANUP(asked_release) = ask(s, target, body);

    if (a.rc != code || !strstr(a.err.text, part))
        fail_msg("%s: %s: %s", target, err_name(a.rc), a.err.text);
}

static inline int64_t integer(const struct json *o, const char *name)
{
    const struct json *v = json_get(o, name);

    if (!json_is_integer(v))
        fail_msg("no whole number \"%s\"", name);
    return json_integer(v, -1);
}

#endif
