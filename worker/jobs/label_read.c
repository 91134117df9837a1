/* SPDX-License-Identifier: Apache-2.0 */
/* label_read.c - a label set from its text, nothing taken on trust. */
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/json.h"
#include "common/base/mem.h"
#include "common/base/nearest.h"
#include "worker/jobs/label_set.h"

/* 4,000 examples of 300 paths of 40 layers take 52 MB; paths are kept once each. Limits: of a file,
 * of distinct paths (numbers of 31 bits, at most 1 GiB), of skips in a row (as worker/search). */
enum { FILE_BYTES_MAX = INT32_MAX, PATHS_BYTES_MAX = 1 << 30, SKIPPED_MAX = 2 };

struct reader {
    struct label_set *s;
    size_t rows_cap, families_cap, paths_cap, seen_cap;
    uint32_t *slot; /* of the hash table of paths: number + 1, 0: free */
    size_t slots;   /* a power of two */
    size_t *stamp;  /* [paths_cap]: line in which the path was seen last */
    size_t line;
    uint8_t path[LABEL_LAYERS_MAX];
};

static uint64_t hash_path(const uint8_t *path, size_t len)
{
    uint64_t h = 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < len; i++)
        h = (h ^ path[i]) * 0x100000001b3u;
    return h ^ h >> 29;
}

static uint32_t *find_slot(const struct reader *r, const uint8_t *path)
{
    size_t layers = r->s->layers, at = hash_path(path, layers) & (r->slots - 1);

    while (r->slot[at] && memcmp(label_path(r->s, r->slot[at] - 1), path, layers) != 0)
        at = (at + 1) & (r->slots - 1);
    return &r->slot[at];
}

static void grow(struct reader *r)
{
    struct label_set *s = r->s;

    r->paths_cap = MAX(256, 2 * r->paths_cap);
    r->slots = 4 * r->paths_cap;
    s->path = mem_realloc(s->path, r->paths_cap, s->layers);
    r->stamp = mem_realloc(r->stamp, r->paths_cap, sizeof(*r->stamp));
    free(r->slot);
    r->slot = mem_calloc(r->slots, sizeof(*r->slot));
    for (size_t i = 0; i < s->paths_len; i++)
        *find_slot(r, s->path + i * s->layers) = (uint32_t)i + 1;
}

/* The number of r->path. */
static int intern(struct reader *r, uint32_t *ret, struct err *err)
{
    struct label_set *s = r->s;
    uint32_t *slot;

    if (s->paths_len == r->paths_cap) {
        if (s->paths_len * s->layers > PATHS_BYTES_MAX / 2)
            return err_set(err, ERR_LIMIT, "more than %d bytes of distinct paths", PATHS_BYTES_MAX);
        grow(r);
    }
    slot = find_slot(r, r->path);
    if (!*slot) {
        memcpy(s->path + s->paths_len * s->layers, r->path, s->layers);
        r->stamp[s->paths_len] = 0;
        *slot = (uint32_t)++s->paths_len;
    }
    *ret = *slot - 1;
    return 0;
}

/* V into r->path. */
static int parse_path(struct reader *r, const struct json *v, const char *field, bool limited,
                      struct err *err)
{
    const char *text = json_text(v);
    size_t layers = r->s->layers, skipped = 0, executed = 0;

    if (!text || json_text_len(v) != layers || strspn(text, "012") != layers)
        return err_set(err, ERR_INVALID, "\"%s\": a path is %zu digits 0, 1, 2%s%s", field, layers,
                       text ? "; got " : "", text ? text : "");
    for (size_t i = 0; i < layers; i++) {
        r->path[i] = (uint8_t)(text[i] - '0');
        executed += r->path[i];
        skipped = r->path[i] ? 0 : skipped + 1;
        if (limited && skipped > SKIPPED_MAX)
            return err_set(err, ERR_INVALID,
                           "\"%s\": %s skips more than %d layers in a row, at layer %zu", field,
                           text, SKIPPED_MAX, i);
    }
    if (limited && executed == 0)
        return err_set(err, ERR_INVALID, "\"%s\": %s executes no layer", field, text);
    return 0;
}

/* An array of paths, each new in this line. */
static int parse_paths(struct reader *r, const struct json *v, const char *field,
                       struct label_row *row, struct err *err)
{
    size_t len = json_len(v);
    struct label_set *s = r->s;

    if (!json_is_array(v))
        return err_set(err, ERR_INVALID, "\"%s\" must be an array of paths", field);
    for (size_t i = 0; i < len; i++) {
        uint32_t path;
        int rc = parse_path(r, json_at(v, i), field, true, err);

        rc = rc == 0 ? intern(r, &path, err) : rc;
        if (rc < 0)
            return rc;
        if (r->stamp[path] == r->line)
            return err_set(err, ERR_INVALID, "\"%s\": %s stands there twice", field,
                           json_text(json_at(v, i)));
        r->stamp[path] = r->line;
        if (s->seen_len == r->seen_cap) {
            r->seen_cap = MAX(4096, 2 * r->seen_cap);
            s->seen = mem_realloc(s->seen, r->seen_cap, sizeof(*s->seen));
        }
        s->seen[s->seen_len++] = path;
        row->seen_len++;
    }
    return 0;
}

static bool was_right(const struct reader *r, const struct label_row *row, uint32_t path)
{
    const uint32_t *seen = label_seen(r->s, row);
    bool found = false;

    for (size_t i = 0; i < row->right_len; i++)
        found = found || seen[i] == path;
    return found;
}

/* What a searched row says of itself must agree with its paths. */
static int check_paths(struct reader *r, const struct label_row *row, struct err *err)
{
    uint32_t base;
    int rc;

    memset(r->path, 1, r->s->layers);
    rc = intern(r, &base, err);
    if (rc < 0)
        return rc;
    if (r->stamp[base] != r->line)
        return err_set(err, ERR_INVALID, "the default path is not among those evaluated");
    if (was_right(r, row, base) != row->base_correct)
        return err_set(err, ERR_INVALID, "\"base_correct\" is %s, but the default path is %s",
                       row->base_correct ? "true" : "false", row->base_correct ? "wrong" : "right");
    if (row->routing < 0 ? row->right_len > 0 : !was_right(r, row, (uint32_t)row->routing))
        return err_set(err, ERR_INVALID, "\"routing\" is not among the right paths");
    return 0;
}

/* ---- fields ---- */

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

static int parse_int(const struct json *o, const char *field, int64_t min, int64_t max,
                     int64_t *ret, struct err *err)
{
    const struct json *v = json_get(o, field);

    *ret = json_integer(v, min);
    if (!json_is_integer(v) || *ret < min || *ret > max)
        return err_set(err, ERR_INVALID,
                       "\"%s\" must be a whole number from %" PRId64 " to %" PRId64, field, min,
                       max);
    return 0;
}

/* A name: printed again as it is. */
static int parse_word(const struct json *o, const char *field, char *out, size_t size,
                      struct err *err)
{
    const char *text = json_text(json_get(o, field));
    size_t len = text ? strlen(text) : 0;

    if (len == 0 || len >= size || strpbrk(text, "\"\\") ||
        json_text_len(json_get(o, field)) != len)
        return err_set(err, ERR_INVALID, "\"%s\" must be a name of at most %zu bytes", field,
                       size - 1);
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] <= ' ')
            return err_set(err, ERR_INVALID, "\"%s\" must be a name", field);
    memcpy(out, text, len + 1);
    return 0;
}

static int parse_digest(const struct json *o, const char *field, struct digest *ret,
                        struct err *err)
{
    const char *text = json_text(json_get(o, field));

    if (!text || strlen(text) != DIGEST_HEX - 1 || digest_parse(text, ret, NULL) < 0)
        return err_set(err, ERR_INVALID, "\"%s\" must be 64 lower-case hex digits", field);
    return 0;
}

struct members {
    const char *const *known;
    const char *unknown;
};

static int find_unknown(const char *key, struct json *value, void *arg)
{
    struct members *m = arg;

    (void)value;
    for (const char *const *k = m->known; *k; k++)
        if (strcmp(*k, key) == 0)
            return 0;
    m->unknown = key;
    return 1;
}

static int check_members(const struct json *o, const char *const *known, struct err *err)
{
    struct members m = { .known = known };
    const char *near;

    if (!json_is_object(o))
        return err_set(err, ERR_INVALID, "a line must be one JSON object");
    for (const char *const *k = known; *k; k++)
        if (!json_get(o, *k))
            return err_set(err, ERR_INVALID, "\"%s\" is missing", *k);
    if (json_each(o, find_unknown, &m) == 0)
        return 0;
    near = nearest_find(m.unknown, known);
    return err_set(err, ERR_INVALID, "\"%s\" is no member of a label set's lines%s%s%s", m.unknown,
                   near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "");
}

/* ---- lines ---- */

static int by_key(const void *a, const void *b)
{
    const struct label_family *x = a, *y = b;

    return memcmp(x->key.b, y->key.b, DIGEST_BYTES);
}

static int parse_family(const struct json *o, struct label_family *ret, struct err *err)
{
    static const char *const known[] = { "family",  "kind",    "task",  "level",  "split",
                                         "prompts", "fewshot", "model", "layers", NULL };
    int64_t layers = 0;
    int rc = check_members(o, known, err);

    memset(ret, 0, sizeof(*ret)); /* compared by memcmp */
    rc = rc == 0 ? parse_digest(o, "family", &ret->key, err) : rc;
    rc = rc == 0 ? parse_word(o, "kind", ret->kind, sizeof(ret->kind), err) : rc;
    rc = rc == 0 ? parse_word(o, "task", ret->task, sizeof(ret->task), err) : rc;
    rc = rc == 0 ? parse_int(o, "level", 0, 1000, &ret->level, err) : rc;
    rc = rc == 0 ? parse_word(o, "split", ret->split, sizeof(ret->split), err) : rc;
    rc = rc == 0 ? parse_word(o, "prompts", ret->prompts, sizeof(ret->prompts), err) : rc;
    rc = rc == 0 ? parse_int(o, "fewshot", -1, 1000000, &ret->fewshot, err) : rc;
    rc = rc == 0 ? parse_digest(o, "model", &ret->model, err) : rc;
    rc = rc == 0 ? parse_int(o, "layers", 1, LABEL_LAYERS_MAX, &layers, err) : rc;
    ret->layers = (uint32_t)layers;
    if (rc == 0 && strcmp(ret->kind, "search") != 0 && strcmp(ret->kind, "evaluate") != 0)
        rc = err_set(err, ERR_INVALID, "\"kind\" must be search or evaluate");
    return rc;
}

static int add_family(struct reader *r, const struct json *o, struct err *err)
{
    struct label_set *s = r->s;
    struct label_family f;
    char a[DIGEST_HEX], b[DIGEST_HEX];
    int rc = parse_family(o, &f, err);

    if (rc < 0)
        return rc;
    if (s->len > 0)
        return err_set(err, ERR_INVALID, "a header behind examples; headers stand first");
    for (size_t i = 0; i < s->families_len; i++) {
        if (by_key(&s->family[i], &f) != 0)
            continue;
        return memcmp(&s->family[i], &f, sizeof(f)) == 0
                   ? 0
                   : err_set(err, ERR_CONFLICT, "two different headers of family %s",
                             digest_hex(&f.key, a));
    }
    if (s->families_len > 0 && !digest_equal(&s->model, &f.model))
        return err_set(err, ERR_INVALID,
                       "labels of two models, %.16s... and %.16s...: a label set is of one model; "
                       "collect them apart",
                       digest_hex(&s->model, a), digest_hex(&f.model, b));
    if (s->families_len > 0 && s->layers != f.layers)
        return err_set(err, ERR_INVALID, "\"layers\" is %u, but %zu in an earlier header", f.layers,
                       s->layers);
    s->model = f.model;
    s->layers = f.layers;
    if (s->families_len == r->families_cap) {
        r->families_cap = MAX(16, 2 * r->families_cap);
        s->family = mem_realloc(s->family, r->families_cap, sizeof(*s->family));
    }
    s->family[s->families_len++] = f;
    return 0;
}

static int find_family(const struct label_set *s, const struct json *o, struct label_row *row,
                       struct err *err)
{
    char task[LABEL_TASK_BYTES], split[sizeof(s->family->split)];
    int64_t level;
    int rc = parse_word(o, "task", task, sizeof(task), err);

    rc = rc == 0 ? parse_word(o, "split", split, sizeof(split), err) : rc;
    rc = rc == 0 ? parse_int(o, "level", 0, 1000, &level, err) : rc;
    for (size_t i = 0; rc == 0 && i < s->families_len; i++) {
        const struct label_family *f = &s->family[i];

        if (strcmp(f->task, task) == 0 && strcmp(f->split, split) == 0 && f->level == level) {
            row->family = (uint32_t)i;
            return 0;
        }
    }
    return rc < 0 ? rc
                  : err_set(err, ERR_INVALID, "no header for task %s, level %" PRId64 ", split %s",
                            task, level, split);
}

static int parse_label(struct reader *r, const struct json *o, struct label_row *row,
                       struct err *err)
{
    const struct json *routing = json_get(o, "routing");
    bool searched = json_len(json_get(o, "right")) + json_len(json_get(o, "wrong")) > 0;
    uint32_t path;
    int rc;

    if (json_is_null(routing))
        return 0;
    rc = parse_path(r, routing, "routing", searched, err);
    rc = rc == 0 ? intern(r, &path, err) : rc;
    if (rc == 0)
        row->routing = (int32_t)path;
    return rc;
}

static int parse_row(struct reader *r, const struct json *o, struct label_row *ret, struct err *err)
{
    static const char *const known[] = { "id",           "task",    "level",       "split",
                                         "index",        "routing", "simulations", "evaluations",
                                         "base_correct", "right",   "wrong",       NULL };
    const struct json *base = json_get(o, "base_correct");
    int64_t index = 0, simulations = 0, evaluations = 0;
    int rc = check_members(o, known, err);

    *ret = (struct label_row){ .routing = -1, .seen = r->s->seen_len };
    ret->base_correct = json_bool(base, false);
    if (rc == 0 && parse_id(json_text(json_get(o, "id")), &ret->id) < 0)
        rc = err_set(err, ERR_INVALID, "\"id\" must be 16 lower-case hex digits");
    if (rc == 0 && json_bool(base, true) != ret->base_correct)
        rc = err_set(err, ERR_INVALID, "\"base_correct\" must be true or false");
    rc = rc == 0 ? find_family(r->s, o, ret, err) : rc;
    rc = rc == 0 ? parse_int(o, "index", 0, INT64_MAX, &index, err) : rc;
    rc = rc == 0 ? parse_int(o, "simulations", 0, UINT32_MAX, &simulations, err) : rc;
    rc = rc == 0 ? parse_int(o, "evaluations", 0, UINT32_MAX, &evaluations, err) : rc;
    rc = rc == 0 ? parse_label(r, o, ret, err) : rc;
    rc = rc == 0 ? parse_paths(r, json_get(o, "right"), "right", ret, err) : rc;
    ret->right_len = ret->seen_len;
    rc = rc == 0 ? parse_paths(r, json_get(o, "wrong"), "wrong", ret, err) : rc;
    ret->index = (uint64_t)index;
    ret->simulations = (uint32_t)simulations;
    ret->evaluations = (uint32_t)evaluations;
    return rc == 0 && ret->seen_len > 0 ? check_paths(r, ret, err) : rc;
}

static int read_line(struct reader *r, const char *line, size_t len, struct err *err)
{
    struct json *root CLEANUP(json_cleanup) = NULL;
    struct label_set *s = r->s;
    struct label_row row;
    int rc = json_parse(line, len, &root, err);

    if (rc < 0)
        return rc;
    if (json_get(root, "family"))
        return add_family(r, root, err);
    if (s->len == 0 && s->families_len > 0)
        qsort(s->family, s->families_len, sizeof(*s->family), by_key);
    rc = parse_row(r, root, &row, err);
    if (rc < 0)
        return rc;
    if (s->len == r->rows_cap) {
        r->rows_cap = MAX(1024, 2 * r->rows_cap);
        s->row = mem_realloc(s->row, r->rows_cap, sizeof(*s->row));
    }
    s->row[s->len++] = row;
    return 0;
}

/* ---- the whole ---- */

static int by_id(const void *a, const void *b)
{
    const struct label_row *x = a, *y = b;

    return (x->id > y->id) - (x->id < y->id);
}

static bool same_row(const struct label_set *s, const struct label_row *a,
                     const struct label_row *b)
{
    return a->family == b->family && a->index == b->index && a->base_correct == b->base_correct &&
           a->routing == b->routing && a->simulations == b->simulations &&
           a->evaluations == b->evaluations && a->seen_len == b->seen_len &&
           a->right_len == b->right_len &&
           memcmp(label_seen(s, a), label_seen(s, b), a->seen_len * sizeof(*s->seen)) == 0;
}

static int sort_rows(struct label_set *s, const char *path, struct err *err)
{
    size_t kept = 0;

    if (s->len > 0)
        qsort(s->row, s->len, sizeof(*s->row), by_id);
    for (size_t i = 0; i < s->len; i++) {
        bool repeated = kept > 0 && s->row[kept - 1].id == s->row[i].id;

        if (repeated && !same_row(s, &s->row[kept - 1], &s->row[i]))
            return err_set(err, ERR_CONFLICT,
                           "%s: two different labels of example %016" PRIx64
                           "; collect one search of it",
                           path, s->row[i].id);
        if (!repeated)
            s->row[kept++] = s->row[i];
    }
    s->len = kept;
    return 0;
}

static int read_lines(struct reader *r, const struct buf *text, const char *path, struct err *err)
{
    for (size_t at = 0; at < text->len;) {
        const char *line = text->data + at, *end = memchr(line, '\n', text->len - at);
        size_t len = end ? (size_t)(end - line) : text->len - at;
        int rc;

        r->line++;
        at += len + 1;
        if (len == 0)
            continue;
        rc = read_line(r, line, len, err);
        if (rc < 0)
            return err_wrap(err, rc, "%s:%zu", path, r->line);
    }
    if (r->s->len == 0 && r->s->families_len > 0)
        qsort(r->s->family, r->s->families_len, sizeof(*r->s->family), by_key);
    return sort_rows(r->s, path, err);
}

int label_set_read(struct label_set *ret, const char *path, struct err *err)
{
    struct buf text CLEANUP(buf_release) = { 0 };
    struct reader r = { .s = ret };
    int rc = buf_read_file(&text, path, FILE_BYTES_MAX, err);

    *ret = (struct label_set){ 0 };
    rc = rc == 0 ? read_lines(&r, &text, path, err) : rc;
    free(r.slot);
    free(r.stamp);
    if (rc < 0)
        label_set_release(ret);
    return rc;
}
