/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/jobs/label_set.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"

/* A row takes about 120 bytes: room for eight million. */
enum { FILE_BYTES_MAX = 1 << 30 };

static int parse_id(const char *text, uint64_t *ret)
{
    uint64_t id = 0;

    if (!text || strlen(text) != 16)
        return -1;
    for (; *text; text++) {
        const char *digits = "0123456789abcdef", *d = strchr(digits, *text);

        if (!d)
            return -1;
        id = id << 4 | (uint64_t)(d - digits);
    }
    *ret = id;
    return 0;
}

static int parse_row(const char *line, size_t len, struct label_row *ret, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    const struct json *routing;
    const char *task, *digits;
    int rc = json_parse(line, len, &root, err);

    if (rc < 0)
        return rc;
    memset(ret, 0, sizeof(*ret)); /* rows are compared by memcmp */
    task = json_text(json_get(root, "task"));
    routing = json_get(root, "routing");
    digits = json_text(routing);
    if (parse_id(json_text(json_get(root, "id")), &ret->id) < 0)
        return err_set(err, ERR_INVALID, "\"id\" must be 16 lower-case hex digits");
    if (!task || strlen(task) >= sizeof(ret->task))
        return err_set(err, ERR_INVALID, "\"task\" must be a name of at most %d bytes",
                       LABEL_TASK_BYTES - 1);
    if (!digits && !json_is_null(routing))
        return err_set(err, ERR_INVALID, "\"routing\" must be digits or null");
    if (digits && (strlen(digits) >= sizeof(ret->routing) || !digits[0] ||
                   strspn(digits, "012") != strlen(digits)))
        return err_set(err, ERR_INVALID, "\"routing\" must be 1 to %d digits 0, 1, 2",
                       LABEL_ROUTING_BYTES - 1);
    snprintf(ret->task, sizeof(ret->task), "%s", task);
    snprintf(ret->routing, sizeof(ret->routing), "%s", digits ? digits : "");
    ret->level = json_integer(json_get(root, "level"), 0);
    ret->index = (uint64_t)json_integer(json_get(root, "index"), 0);
    ret->base_correct = json_bool(json_get(root, "base_correct"), false);
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct label_row *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static bool same_row(const struct label_row *a, const struct label_row *b)
{
    return a->id == b->id && strcmp(a->task, b->task) == 0 && a->level == b->level &&
           a->index == b->index && a->base_correct == b->base_correct &&
           strcmp(a->routing, b->routing) == 0;
}

static int sort_rows(struct label_set *s, const char *path, struct err *err)
{
    size_t kept = 0;

    if (s->len > 0)
        qsort(s->row, s->len, sizeof(*s->row), by_id);
    for (size_t i = 0; i < s->len; i++) {
        bool repeated = kept > 0 && s->row[kept - 1].id == s->row[i].id;

        if (repeated && !same_row(&s->row[kept - 1], &s->row[i]))
            return err_set(err, ERR_CONFLICT, "%s: two different labels of example %016" PRIx64,
                           path, s->row[i].id);
        if (!repeated)
            s->row[kept++] = s->row[i];
    }
    s->len = kept;
    return 0;
}

static int read_rows(struct label_set *s, const struct buf *text, const char *path, struct err *err)
{
    size_t cap = 0, number = 0;

    for (size_t at = 0; at < text->len;) {
        const char *line = text->data + at, *end = memchr(line, '\n', text->len - at);
        size_t len = end ? (size_t)(end - line) : text->len - at;
        int rc;

        number++;
        at += len + 1;
        if (len == 0)
            continue;
        if (s->len == cap) {
            cap = cap ? 2 * cap : 256;
            s->row = mem_realloc(s->row, cap, sizeof(*s->row));
        }
        rc = parse_row(line, len, &s->row[s->len], err);
        if (rc < 0)
            return err_wrap(err, rc, "%s:%zu", path, number);
        s->len++;
    }
    return sort_rows(s, path, err);
}

int label_set_read(struct label_set *ret, const char *path, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    int rc = buf_read_file(&text, path, FILE_BYTES_MAX, err);

    *ret = (struct label_set){ 0 };
    rc = rc == 0 ? read_rows(ret, &text, path, err) : rc;
    if (rc < 0)
        label_set_release(ret);
    return rc;
}

void label_set_release(struct label_set *s)
{
    free(s->row);
    *s = (struct label_set){ 0 };
}

const struct label_row *label_set_find(const struct label_set *s, uint64_t id)
{
    struct label_row key = { .id = id };

    return s->len > 0 ? bsearch(&key, s->row, s->len, sizeof(*s->row), by_id) : NULL;
}

size_t label_set_print(const struct label_set *s, bool solved_only, struct buf *out)
{
    size_t n = 0;

    for (size_t i = 0; i < s->len; i++) {
        const struct label_row *r = &s->row[i];
        bool solved = r->routing[0];

        if (!solved && solved_only)
            continue;
        /* Task names are identifiers and routings digits: nothing needs escaping. */
        buf_printf(out, "{\"id\":\"%016" PRIx64 "\",\"task\":\"%s\",\"level\":%" PRId64, r->id,
                   r->task, r->level);
        buf_printf(out, ",\"index\":%" PRIu64 ",\"base_correct\":%s,\"routing\":%s%s%s}\n",
                   r->index, r->base_correct ? "true" : "false", solved ? "\"" : "",
                   solved ? r->routing : "null", solved ? "\"" : "");
        n++;
    }
    return n;
}
