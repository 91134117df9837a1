/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/hint.h"

#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/jobs/evaluator.h"
#include "worker/search/routing.h"

/* The coordinator sends at most 64 MiB. */
enum { HINT_BYTES_MAX = 64 << 20 };

struct known {
    uint64_t id;
    size_t routing, answer; /* offsets in bytes of struct hint */
    bool correct, doubtful;
};

struct hint {
    size_t layers;
    struct known *known; /* sorted by (id, routing) */
    size_t len, cap;
    struct buf bytes;
};

void hint_free(struct hint *h)
{
    if (!h)
        return;
    free(h->known);
    buf_release(&h->bytes);
    free(h);
}

static void hint_cleanup(struct hint **h)
{
    hint_free(*h);
}

size_t hint_len(const struct hint *h)
{
    return h ? h->len : 0;
}

/* ------------------------------------------------------------------------------------------- */

static int parse_id(const char *text, uint64_t *ret)
{
    static const char digits[] = "0123456789abcdef";
    uint64_t id = 0;

    if (!text || strlen(text) != 16 || strspn(text, digits) != 16)
        return -1;
    for (; *text; text++)
        id = id << 4 | (uint64_t)(strchr(digits, *text) - digits);
    *ret = id;
    return 0;
}

static void keep(struct hint *h, uint64_t id, const uint8_t *routing, bool correct,
                 const char *answer)
{
    if (h->len == h->cap) {
        h->cap = h->cap ? 2 * h->cap : 1024;
        h->known = mem_realloc(h->known, h->cap, sizeof(*h->known));
    }
    h->known[h->len] = (struct known){ .id = id, .correct = correct, .routing = h->bytes.len };
    buf_add(&h->bytes, routing, h->layers);
    h->known[h->len++].answer = h->bytes.len;
    buf_add(&h->bytes, answer, strlen(answer) + 1);
}

static int parse_path(struct hint *h, uint64_t id, const struct json *path, struct err *err)
{
    const char *digits = json_text(json_at(path, 0)), *answer = json_text(json_at(path, 2));
    const struct json *reward = json_at(path, 1);
    int64_t correct = json_integer(reward, -1);
    uint8_t *routing CLEANUP(mem_cleanup) = NULL;

    if (!json_is_array(path) || json_len(path) != 3 || !digits || !answer)
        return err_set(err, ERR_CORRUPT, "a path must be [\"digits\", 0 or 1, \"answer\"]");
    if (!digits[0] || strspn(digits, "012") != strlen(digits))
        return err_set(err, ERR_CORRUPT, "a path must be digits 0, 1, 2");
    if (correct != 0 && correct != 1)
        return err_set(err, ERR_CORRUPT, "the reward of path %.80s must be 0 or 1", digits);
    if (strlen(answer) >= OUTCOME_ANSWER_BYTES)
        return err_set(err, ERR_CORRUPT, "the answer of path %.80s is longer than %d bytes", digits,
                       OUTCOME_ANSWER_BYTES - 1);
    if (strlen(digits) != h->layers)
        return 0;
    routing = mem_calloc(h->layers, 1);
    for (size_t i = 0; i < h->layers; i++)
        routing[i] = (uint8_t)(digits[i] - '0');
    keep(h, id, routing, correct == 1, answer);
    return 0;
}

static int parse_line(struct hint *h, const char *line, size_t len, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    const struct json *paths;
    uint64_t id;
    int rc = json_parse(line, len, &root, err);

    if (rc < 0)
        return err_set(err, ERR_CORRUPT, "not a JSON object");
    paths = json_get(root, "paths");
    if (parse_id(json_text(json_get(root, "id")), &id) < 0)
        return err_set(err, ERR_CORRUPT, "\"id\" must be 16 lower-case hex digits");
    if (!json_is_array(paths))
        return err_set(err, ERR_CORRUPT, "\"paths\" must be a list");
    for (size_t i = 0; rc == 0 && i < json_len(paths); i++)
        rc = parse_path(h, id, json_at(paths, i), err);
    return rc;
}

/* ------------------------------------------------------------------------------------------- */

static int compare(const struct hint *h, const struct known *a, uint64_t id, const uint8_t *routing)
{
    if (a->id != id)
        return a->id < id ? -1 : 1;
    return memcmp(h->bytes.data + a->routing, routing, h->layers);
}

static int by_example_and_path(const void *a, const void *b, void *arg)
{
    const struct hint *h = arg;
    const struct known *y = b;

    return compare(h, a, y->id, (const uint8_t *)h->bytes.data + y->routing);
}

/* Each path once; none of which lines say different things. */
static void settle(struct hint *h)
{
    size_t kept = 0;

    if (h->len > 0)
        qsort_r(h->known, h->len, sizeof(*h->known), by_example_and_path, h);
    for (size_t i = 0; i < h->len; i++) {
        struct known *last = kept > 0 ? &h->known[kept - 1] : NULL, *now = &h->known[i];

        if (!last || by_example_and_path(last, now, h) != 0)
            h->known[kept++] = *now;
        else if (last->correct != now->correct ||
                 strcmp(h->bytes.data + last->answer, h->bytes.data + now->answer) != 0)
            last->doubtful = true;
    }
    h->len = 0;
    for (size_t i = 0; i < kept; i++)
        if (!h->known[i].doubtful)
            h->known[h->len++] = h->known[i];
}

int hint_read(struct hint **ret, const char *path, size_t layers, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct hint *h CLEANUP(hint_cleanup) = mem_calloc(1, sizeof(*h));
    const char *line, *end;
    size_t number = 1;
    int rc = buf_read_file(&text, path, HINT_BYTES_MAX, err);

    if (rc < 0)
        return rc;
    h->layers = layers;
    line = buf_str(&text);
    for (; (end = memchr(line, '\n', text.len - (size_t)(line - buf_str(&text)))); number++) {
        rc = parse_line(h, line, (size_t)(end - line), err);
        if (rc < 0)
            return err_wrap(err, rc, "hint %s:%zu", path, number);
        line = end + 1;
    }
    settle(h);
    *ret = h;
    h = NULL;
    return 0;
}

bool hint_find(const struct hint *h, uint64_t id, const uint8_t *routing, struct hint_outcome *ret)
{
    size_t begin = 0, end = hint_len(h);

    while (begin < end) {
        size_t middle = begin + (end - begin) / 2;
        const struct known *k = &h->known[middle];
        int order = compare(h, k, id, routing);

        if (order == 0) {
            *ret = (struct hint_outcome){ k->correct, h->bytes.data + k->answer };
            return true;
        }
        if (order < 0)
            begin = middle + 1;
        else
            end = middle;
    }
    return false;
}
