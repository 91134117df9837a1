/* SPDX-License-Identifier: Apache-2.0 */
/* routed_static.c - the best of the static paths that a select step chose. */
#include <stdlib.h>
#include <string.h>

#include "common/base/buf.h"
#include "common/base/json.h"
#include "common/base/mem.h"
#include "worker/jobs/routed_private.h"
#include "worker/search/routing.h"

enum { FILE_BYTES_MAX = 64 << 20 }; /* a line takes 600 bytes at most: 100,000 paths */

struct best {
    size_t layers, most, shortest; /* of the model; allowed; seen */
    bool found;
    uint8_t *routing, *line; /* [layers]: of the best; of the line that is read */
    int64_t n, right;
};

/* Is the line's path, right in RIGHT of N, better? Both numbers are below 2^31. */
static bool is_better(const struct best *b, int64_t n, int64_t right)
{
    int64_t mine = right * b->n, its = b->right * n;

    if (!b->found || mine != its)
        return !b->found || mine > its;
    return routing_compare(b->line, b->routing, b->layers) < 0;
}

static int take_line(struct best *b, const char *text, size_t len, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    int rc = json_parse(text, len, &root, err);
    const char *digits = rc < 0 ? NULL : json_text(json_get(root, "routing"));
    int64_t n, right;
    size_t length;

    if (rc < 0)
        return rc;
    n = json_integer(json_get(root, "n"), -1);
    right = json_integer(json_get(root, "right"), -1);
    if (n < 1 || n > INT32_MAX || right < 0 || right > n)
        return err_set(err, ERR_INVALID,
                       "\"right\" of \"n\" examples must be 0 to n, n at least 1");
    if (!digits)
        return err_set(err, ERR_INVALID, "\"routing\" must be a text of digits");
    if (strlen(digits) != b->layers)
        return err_set(err, ERR_INVALID,
                       "a path for %zu layers; the model has %zu layers: choose the path on this "
                       "model's labels",
                       strlen(digits), b->layers);
    rc = routing_parse_legal(digits, b->layers, b->line, err);
    if (rc < 0)
        return rc;
    length = routing_length(b->line, b->layers);
    b->shortest = MIN(b->shortest, length);
    if ((b->most > 0 && length > b->most) || !is_better(b, n, right))
        return 0;
    b->found = true;
    b->n = n;
    b->right = right;
    memcpy(b->routing, b->line, b->layers);
    return 0;
}

static int take_lines(struct best *b, const struct buf *text, const char *path, struct err *err)
{
    size_t number = 0;

    for (size_t at = 0; at < text->len;) {
        const char *line = text->data + at, *end = memchr(line, '\n', text->len - at);
        size_t len = end ? (size_t)(end - line) : text->len - at;
        int rc;

        number++;
        at += len + 1;
        rc = len > 0 ? take_line(b, line, len, err) : 0;
        if (rc < 0)
            return err_wrap(err, rc, "%s:%zu", path, number);
    }
    return 0;
}

int static_path_read(const char *path, size_t layers, size_t most, uint8_t *routing,
                     struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    uint8_t *line CLEANUP(mem_cleanup) = mem_calloc(layers, 1);
    struct best b = {
        .layers = layers, .most = most, .shortest = SIZE_MAX, .routing = routing, .line = line
    };
    int rc = buf_read_file(&text, path, FILE_BYTES_MAX, err);

    rc = rc == 0 ? take_lines(&b, &text, path, err) : rc;
    if (rc < 0 || b.found)
        return rc;
    if (b.shortest == SIZE_MAX)
        return err_set(err, ERR_INVALID, "%s: it has no paths", path);
    return err_set(err, ERR_INVALID,
                   "no static path has at most %zu layer applications (path_layers): the shortest "
                   "that was evaluated for all examples has %zu; search with more edits (depth), "
                   "or allow more",
                   most, b.shortest);
}
